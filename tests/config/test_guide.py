"""The configurations that the guide's pages show."""

from __future__ import annotations

import re
from pathlib import Path

import ptycupy
from ptycupy.config import load_batch, load_config

BASE = "data: {path: x.h5}\nillumination: {voltage_kv: 80, convergence_angle_mrad: 24.9}\n"
GUIDE = Path(ptycupy.__file__).parent / "guide"
TEXT = (GUIDE / "lsqml.md").read_text(encoding="utf-8")


def test_the_example_of_lsqml_is_accepted_and_its_options_are_told(tmp_path):
    (example,) = re.findall(r"```yaml\n(.*?)```", TEXT, re.DOTALL)
    (tmp_path / "lsqml.yaml").write_text(BASE + example, encoding="utf-8")
    optimizer = load_config(tmp_path / "lsqml.yaml").optimizer
    assert optimizer.name == "lsqml"
    for option in optimizer.options:
        assert re.search(rf"^\|.*`{option}`.*\|.*\|", TEXT, re.MULTILINE), option


def test_the_lists_of_the_page_on_batches_load(tmp_path):
    (tmp_path / "scan.yaml").write_text(BASE, encoding="utf-8")
    (tmp_path / "series").mkdir()
    (tmp_path / "series" / "t000.h5").touch()
    *lists, following = re.findall(r"```yaml\n(.*?)```", (GUIDE / "batch.md").read_text(encoding="utf-8"), re.DOTALL)
    assert len(lists) == 3
    (tmp_path / "follow.yaml").write_text(following + BASE.partition("\n")[2], encoding="utf-8")
    assert load_config(tmp_path / "follow.yaml").data.follow.start_with == 400
    for text in lists:
        (tmp_path / "list.yaml").write_text(text, encoding="utf-8")
        entries = load_batch(tmp_path / "list.yaml").entries
        assert entries[0].name == "t000"
        assert entries[0].loaded.config.data.path == str(tmp_path / "series" / "t000.h5")
