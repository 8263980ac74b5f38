"""The guide's page on PtyRAD is true: each row of its tables is noted, or refused, when a file has it."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
import yaml

import ptycupy

TEXT = (Path(ptycupy.__file__).parent / "guide" / "ptyrad.md").read_text(encoding="utf-8")


def rows(title):
    """The first cells of the table under a title, as ({path: value}, path)."""
    section = TEXT.split(f"## {title}\n")[1].split("\n## ")[0]
    cells = re.findall(r"^\| `(.+?)` \|", section, flags=re.MULTILINE)
    assert cells
    return [pytest.param(yaml.safe_load(cell), id=cell) for cell in cells]


@pytest.mark.parametrize("row", rows("What is done differently"))
def test_differences_are_noted(translated, row):
    (path,) = row
    section, key = path.split(".")[:2]
    allowed = (f"{section}.{key}", section)
    before = set() if "GROUP_MODE" in path else {str(note) for note in translated().notes}
    found = [note for note in translated(row).notes if str(note) not in before and not note.unsupported]
    assert any(note.key == name or note.key.startswith(f"{name}.") for note in found for name in allowed)


@pytest.mark.parametrize("row", rows("What is refused"))
def test_refusals_are_refused(translated, row):
    (path,) = row
    words = path.replace("_source", "_params") if path.endswith("_source") else path
    found = [note for note in translated(row).notes if note.unsupported]
    assert [note for note in found if note.key.startswith(words)]
