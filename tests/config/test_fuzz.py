"""Whatever the bytes are, loading ends soon, in a Config or a ConfigError."""

from __future__ import annotations

import time
from contextlib import suppress

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ptycupy.config import from_dict, load_config, template
from ptycupy.config.schema import Config
from ptycupy.errors import ConfigError

PIECES = st.sampled_from(
    [
        "data", "scan", "object", "constraints", "optimizer", "losses", "backend", "path", "name", "std", "probe",
        "depth_blur", "aberrations", "C10", "<number>", "<list>", "0", "off", "null", "-1", ".nan", "1e-3", "0777",
        ":", ": ", "\n", "\n  ", "\n- ", "- ", "[", "]", "{", "}", ", ", "&a ", "*a", "!!int ", "|\n  ", ">-\n ", "'",
        '"', "#", "? ", "<<", "%YAML 1.1", "---\n", "...", "\t", "~", "1e999", "\u2028", "\x85", "\ufeff", "\\", "1:30",
    ]
)  # fmt: skip
VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=8,
)
SECTIONS = st.sampled_from(list(Config.model_fields))


def outcome(load, *arguments):
    # Any refusal will do; any other exception fails the test.
    begin = time.perf_counter()
    with suppress(ConfigError):
        assert isinstance(load(*arguments), Config)
    assert time.perf_counter() - begin < 5


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return tmp_path_factory.mktemp("fuzz")


@settings(max_examples=150, deadline=None)
@given(content=st.binary(max_size=300), suffix=st.sampled_from([".yaml", ".json", ".toml"]))
def test_bytes(folder, content, suffix):
    path = folder / f"bytes{suffix}"
    path.write_bytes(content)
    outcome(load_config, path)


@settings(max_examples=300, deadline=None)
@given(pieces=st.lists(PIECES, max_size=30), suffix=st.sampled_from([".yaml", ".yaml", ".json", ".toml"]))
def test_pieces_of_yaml(folder, pieces, suffix):
    path = folder / f"pieces{suffix}"
    path.write_text("".join(pieces), encoding="utf-8")
    outcome(load_config, path)


@settings(max_examples=60, deadline=None)
@given(data=st.data())
def test_damaged_templates(folder, data):
    text = template()
    position = data.draw(st.integers(0, len(text)))
    removed = data.draw(st.integers(0, 40))
    path = folder / "damaged.yaml"
    damaged = text[:position] + data.draw(PIECES) + text[position + removed :]
    path.write_text(damaged, encoding="utf-8")
    outcome(load_config, path)


@settings(max_examples=150, deadline=None)
@given(
    values=st.dictionaries(SECTIONS | st.text(max_size=5), VALUES, max_size=4),
    overrides=st.lists(st.text(max_size=12), max_size=2),
)
def test_dicts_and_overrides(values, overrides):
    outcome(from_dict, values)
    outcome(from_dict, values, overrides)


@settings(max_examples=100, deadline=None)
@given(key=SECTIONS, rest=st.lists(PIECES, max_size=6))
def test_overrides_of_sections(key, rest):
    right = {"data": {"path": "x"}, "illumination": {"voltage_kv": 80, "convergence_angle_mrad": 24.9}}
    outcome(from_dict, right, ["".join([key, ".path=", *rest])])
    outcome(from_dict, right, ["".join([key, ".", *rest])])
