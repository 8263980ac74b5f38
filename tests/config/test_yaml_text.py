"""Scalars of YAML 1.2, and the same behaviour of both of PyYAML's parsers."""

from __future__ import annotations

import math

import pytest
import yaml

from ptycupy.config import yaml_text
from ptycupy.errors import ConfigError


@pytest.fixture(params=[yaml.SafeLoader, getattr(yaml, "CSafeLoader", yaml.SafeLoader)], ids=["python", "libyaml"])
def _parser(request, monkeypatch):
    monkeypatch.setattr(yaml_text, "LOADER", request.param)


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("1e-3", 1e-3), ("1.e3", 1e3), (".5", 0.5), ("+1E5", 1e5), ("-2.5e+3", -2500.0), ("1.", 1.0), ("0.10", 0.1),
        ("0", 0), ("-7", -7), ("+12", 12), ("0o17", 15), ("0x1F", 31), ("1e3", 1000.0),
        ("null", None), ("~", None), ("", None), ("Null", None), ("nULL", "nULL"),
        ("true", True), ("FALSE", False), ("tRue", "tRue"),
        ("yes", "yes"), ("no", "no"), ("on", "on"), ("off", "off"), ("y", "y"), ("none", "none"),
        ("0777", "0777"), ("12:30:45", "12:30:45"), ("1_000", "1_000"), ("2024-01-01", "2024-01-01"),
        ("1e", "1e"), (".", "."), ("-", "-"), ("0b11", "0b11"), ("1.2.3", "1.2.3"), ("=", "="), ("<<", "<<"),
        (".inf", math.inf), ("-.INF", -math.inf), ("inf", "inf"), ("nan", "nan"), ("9" * 41, 1e41),
        ("١", "١"),
    ],
)  # fmt: skip
def test_plain_scalars_follow_the_core_schema_of_yaml_1_2(text, value):
    found = yaml_text.resolve(text)
    assert found == value
    assert type(found) is type(value)


def test_nan_is_nan():
    assert math.isnan(yaml_text.resolve(".nan"))


@pytest.mark.usefixtures("_parser")
def test_nodes_know_their_lines_and_text():
    root = yaml_text.compose("a:\n  b: [1e-3,\n   two]\n  c: &x\n    d: '5'\ne: *x\n", "f")
    assert root.plain() == {"a": {"b": [1e-3, "two"], "c": {"d": "5"}}, "e": {"d": "5"}}
    b = root.child("a").child("b")
    assert (b.where, b.child(0).text, b.child(1).where) == ("f:2", "1e-3", "f:3")
    assert root.child("e").where == "f:6"
    assert root.child("e").child("d").where == "f:5"
    assert root.child("e").child("d").text == ""


@pytest.mark.usefixtures("_parser")
@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("a: 1\na: 2\n", "f:2: duplicate key 'a', first given at f:1"),
        ("a: !!float 1\n", "f:1: tag 'tag:yaml.org,2002:float' refused"),
        ("a:\n\tb: 1\n", "f:2: a tab character"),
        ("a: &x [*x]\n", "f:1: alias \\*x contains itself"),
        ("a: " + "[" * 100, "f:1: nested deeper than 32 levels"),
        ("a: 1\n--- \nb: 1\n", "f:2: a second document"),
        ("a: {b: 1\n", "f:[12]: not YAML"),
        ('a: "\\U00110000"\n', "f:1: not YAML"),
        ("a: \x01\n", "f:1: not YAML"),
        ("{*x : 1}", "f:1: a key must be plain text, not an alias"),
    ],
)
def test_both_parsers_refuse_alike(text, expected):
    with pytest.raises(ConfigError, match=f"^{expected}"):
        yaml_text.compose(text, "f")


@pytest.mark.usefixtures("_parser")
@pytest.mark.parametrize("text", ["", "# nothing\n", "---\n...\n"])
def test_nothing_is_none_or_null(text):
    root = yaml_text.compose(text, "f")
    assert root is None or root.value is None
