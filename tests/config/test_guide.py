"""The configuration that the guide's page on lsqml shows."""

from __future__ import annotations

import re
from pathlib import Path

import ptycupy
from ptycupy.config import load_config

BASE = "data: {path: x.h5}\nillumination: {voltage_kv: 80, convergence_angle_mrad: 24.9}\n"
TEXT = (Path(ptycupy.__file__).parent / "guide" / "lsqml.md").read_text(encoding="utf-8")


def test_the_example_of_lsqml_is_accepted_and_its_options_are_told(tmp_path):
    (example,) = re.findall(r"```yaml\n(.*?)```", TEXT, re.DOTALL)
    (tmp_path / "lsqml.yaml").write_text(BASE + example, encoding="utf-8")
    optimizer = load_config(tmp_path / "lsqml.yaml").optimizer
    assert optimizer.name == "lsqml"
    for option in optimizer.options:
        assert re.search(rf"^\|.*`{option}`.*\|.*\|", TEXT, re.MULTILINE), option
