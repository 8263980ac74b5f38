"""JSON and TOML mean the same and are refused alike."""

from __future__ import annotations

import json

import pytest

YAML = """\
data: {path: x.h5, crop_scan: [[0, 4], [null, 8]]}
illumination: {voltage_kv: 80, convergence_angle_mrad: 24.9, aberrations: {C10: -1.5e2}}
optimizer: {probe: 1e-3}
constraints:
  - {name: depth_blur, std: 2.0}
backend: cpu
"""
JSON = """\
{
\t"data": {"path": "x.h5", "crop_scan": [[0, 4], [null, 8]]},
\t"illumination": {"voltage_kv": 80, "convergence_angle_mrad": 24.9, "aberrations": {"C10": -1.5e2}},
\t"optimizer": {"probe": 1e-3},
\t"constraints": [{"name": "depth_blur", "std": 2.0}],
\t"backend": "cpu"
}
"""
TOML = """\
backend = "cpu"
optimizer.probe = 1e-3

[data]
path = "x.h5"

[illumination]
voltage_kv = 80
convergence_angle_mrad = 24.9
aberrations = {C10 = -1.5e2}

[[constraints]]
name = "depth_blur"
std = 2.0
"""


def test_the_three_formats_mean_the_same(load):
    from_yaml = load(YAML)
    assert load(JSON, name="cfg.json") == from_yaml
    # TOML has no null, so a span that is open to one side cannot be written.
    without_crop = from_yaml.model_copy(update={"data": from_yaml.data.model_copy(update={"crop_scan": None})})
    assert load(TOML, name="cfg.toml") == without_crop


def test_json_errors_have_lines(refused):
    text = JSON.replace("voltage_kv", "voltage").replace('"std"', '"sd"')
    assert refused(text, name="cfg.json") == [
        "cfg.json:3: illumination.voltage: unknown key; did you mean voltage_kv?",
        "cfg.json:5: constraints.depth_blur.sd: unknown key; did you mean std?",
    ]


def test_toml_errors_have_lines(refused):
    text = TOML.replace("voltage_kv", "voltage").replace("C10 = -1.5e2", 'C10 = "a"').replace("probe", "prob")
    assert refused(text, name="cfg.toml") == [
        "cfg.toml:2: optimizer.prob: unknown key; did you mean probe?",
        "cfg.toml:8: illumination.voltage: unknown key; did you mean voltage_kv?",
        "cfg.toml:10: illumination.aberrations.C10: expected a number, found the text 'a'",
    ]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ('{"a": 1,\n"a": 2}', "cfg.json:2: duplicate key 'a', first given at "),
        ('{"a": 1,\n}', "cfg.json:2: not JSON: a comma before the end"),
        ('{"a" 1}', "cfg.json:1: not JSON: expected ':' after a key"),
        ("{a: 1}", "cfg.json:1: not JSON: expected a key in double quotes"),
        ('{"a": [1 2]}', "cfg.json:1: not JSON: expected ',' or ']'"),
        ('{"a": nope}', "cfg.json:1: not JSON: Expecting value"),
        ('{"a": "x}', "cfg.json:1: not JSON: "),
        ('{"a": 1} x', "cfg.json:1: not JSON: something follows the end"),
        ('{"a": ' + "[" * 5000, "cfg.json:1: nested deeper than 32 levels"),
        ('{"a": ' + "9" * 5000 + "}", "cfg.json:1: not JSON: "),
        ("[1]", "cfg.json:1: expected sections"),
        (" \n", "cfg.json: the file is empty"),
        ('{"data": {"path": NaN}}', "cfg.json:1: data.path: expected a finite number, found NaN"),
    ],
)
def test_json_that_is_none(refused, text, expected):
    assert refused(text, name="cfg.json")[0].startswith(expected)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("a = 1\na = 2\n", "cfg.toml: not TOML: Cannot overwrite a value (at line 2"),
        ("a = \n", "cfg.toml: not TOML: "),
        ("a = " + "[" * 5000 + "]" * 5000, "cfg.toml: "),
        (".".join("a" * 5000) + " = 1\n", "cfg.toml"),
        ("# nothing\n", "cfg.toml: the file is empty"),
        ("a = " + "9" * 5000, "cfg.toml: not TOML: "),
        ("[scan]\njitter_px = nan\n", "cfg.toml:2: scan.jitter_px: expected a finite number, found nan"),
        ("[data]\nkey = 2024-01-01\n", "cfg.toml:2: data.key: expected text, found 2024-01-01"),
    ],
)
def test_toml_that_is_none(refused, text, expected):
    assert refused(text, name="cfg.toml")[0].startswith(expected)


def test_json_text_may_hold_anything_that_json_allows(load):
    values = {
        "data": {"path": '\u00e9 "quoted" \\ \U0001f600'},
        "illumination": {"path": "p"},
        "calibration": {"mode": "file"},
    }
    for ascii_only in (True, False):
        assert load(json.dumps(values, ensure_ascii=ascii_only), name="c.json").data.path.endswith("\U0001f600")
