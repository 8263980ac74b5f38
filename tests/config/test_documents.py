"""Template, JSON schema and dump are made from the schema and read back."""

from __future__ import annotations

import json
import re
import subprocess
import sys

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ptycupy.config import dump, from_dict, json_schema, load_config, template
from ptycupy.config.constraints import PARAMETERS
from ptycupy.config.schema import Config

FILLED = {
    "path": "x.h5",
    "voltage_kv": "80",
    "convergence_angle_mrad": "24.9",
    "step_angstrom": "0.4",
    "space": "{object.slices: [1, 2]}",
}


def filled(text: str) -> str:
    for key, value in FILLED.items():
        text = re.sub(rf"^(  {key}:)  # FILL IN.*$", rf"\1 {value}", text, count=1, flags=re.MULTILINE)
    return text


def test_the_template_asks_for_what_is_missing(refused):
    lines = refused(template())
    assert [line.split(": ")[1] for line in lines] == [
        "data.path", "illumination.voltage_kv", "illumination.convergence_angle_mrad",
    ]  # fmt: skip


def test_the_filled_template_is_the_defaults(load):
    config = load(filled(template()))
    minimal = load(
        "data: {path: x.h5}\nillumination: {voltage_kv: 80, convergence_angle_mrad: 24.9}\nscan: {step_angstrom: 0.4}\n"
    )
    # The template writes out the parameters of constraints, so these are compared by what both name.
    assert config.model_copy(update={"constraints": ()}) == minimal.model_copy(update={"constraints": ()})
    for full, short in zip(config.constraints, minimal.constraints, strict=True):
        assert (full.name, full.start, full.end) == (short.name, short.start, short.end)
        assert short.model_extra.items() <= full.model_extra.items()


def test_the_template_with_every_commented_key_switched_on_is_valid(load):
    text = re.sub(r"^( *)#(?! )", r"\1", template(), flags=re.MULTILINE)
    text = filled(re.sub(r"^( *)#(?=  +[a-z_]+:)", r"\1", text, flags=re.MULTILINE))
    # Keys that exclude each other or need another value stay out.
    for key in ("energy_kev", "step_px", "occupancies", "tilts_mrad", "value", "total_thickness_angstrom"):
        text = re.sub(rf"^  {key}:.*\n", "", text, flags=re.MULTILINE)
    for block in ("zone_plate", "follow"):
        text = re.sub(rf"^  {block}:.*\n(?:    .*\n)*", "", text, flags=re.MULTILINE)
    text = text.replace("  path: positions.h5\n", "").replace("  key: positions_px\n", "")
    config = load(text)
    assert config.truth.key == "truth_phase"
    assert config.losses.similarity.fields == "both"
    assert [c.name for c in config.constraints] == list(PARAMETERS)


def test_template_names_every_key():
    def keys(section: type, depth: int = 0) -> set[str]:
        from ptycupy.config.problems import section_in

        inner = {section_in(f.annotation) for f in section.model_fields.values()} - {None}
        return set(section.model_fields).union(*(keys(one) for one in inner))

    text = template()
    assert [key for key in keys(Config) - {"name"} if not re.search(rf"\b{key}:", text)] == []


def test_dump_reads_back_equal(tmp_path):
    config = from_dict(
        {
            "data": {"path": "/a b/\u00e9.h5", "key": "1e-3", "scan_shape": [3, 4], "crop_scan": [[0, None], [1, 2]]},
            "illumination": {"kind": "xray"},
            "calibration": {"mode": "none"},
            "constraints": [{"name": "amplitude_threshold", "thresh": [0.9, 1.1]}],
            "optimizer": {"probe": 1e-7},
            "output": {"name": "off"},
            "simulation": {},
        }
    )
    path = tmp_path / "again.yaml"
    path.write_text(dump(config), encoding="utf-8")
    assert load_config(path) == config


@settings(max_examples=60, deadline=None)
@given(
    name=st.one_of(
        st.text(st.characters(exclude_categories=["Cs"]), max_size=20), st.from_regex(r"\A[-+.0-9eExo~:]{1,8}\Z")
    )
)
def test_dump_keeps_any_text(name, tmp_path_factory):
    config = from_dict(
        {
            "data": {"path": "/x"},
            "illumination": {"kind": "xray"},
            "calibration": {"mode": "none"},
            "output": {"name": name},
        }
    )
    path = tmp_path_factory.getbasetemp() / "text.yaml"
    path.write_bytes(dump(config).encode())
    if "\0" not in name:
        assert load_config(path).output.name == name


def test_json_schema_describes_and_allows_the_short_forms():
    schema = json_schema()
    json.dumps(schema)
    parts = schema["$defs"]
    voltage = parts["Illumination"]["properties"]["voltage_kv"]
    assert voltage["unit"] == "kV"
    assert "Acceleration voltage" in voltage["description"]
    assert {"type": "number", "minimum": 1.0, "maximum": 3000.0} in voltage["anyOf"]
    assert parts["Rate"]["anyOf"][0]["type"] == "number"
    assert parts["Backend"]["anyOf"][0]["type"] == "string"
    listed, mapped = schema["properties"]["constraints"]["anyOf"]
    assert listed["type"] == "array"
    assert {"std", "start", "end"} <= set(mapped["properties"]["depth_blur"]["properties"])
    assert parts["Data"]["additionalProperties"] is False


@pytest.mark.parametrize("name", ["ptycupy", "ptycupy.config"])
def test_importing_the_package_imports_neither_pydantic_nor_yaml(name):
    code = f"import sys, {name}; print([m for m in ('pydantic', 'yaml', 'tomllib') if m in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
