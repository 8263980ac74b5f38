"""A study that takes a second: the tiny scan, and a section `tune` for it."""

from __future__ import annotations

import csv
from pathlib import Path
from typing import Any

import optuna
import tiny_run

from ptycupy.config import read_dict
from ptycupy.config.load import load_config
from ptycupy.config.schema import Config

SPACE: dict[str, Any] = {
    "optimizer.object_phase": {"low": 1e-3, "high": 1e-1, "log": True},
    "reconstruction.batch_size": {"low": 4, "high": 8},
}


def section(**given: Any) -> dict[str, Any]:
    """A section `tune`: three trials of one iteration by the loss, unless it is said otherwise."""
    return {"space": SPACE, "trials": 3, "iterations": 1, "objectives": ["loss"], "study": "small", **given}


def small_config(folder: Path, overrides: tuple[str, ...] = (), **tune: Any) -> Config:
    """The tiny scan's configuration on the CPU, with that section."""
    values = load_config(tiny_run.write(folder), ("backend=cpu", *overrides)).model_dump(mode="json")
    return read_dict({**values, "tune": section(**tune)}).config


def write_small(folder: Path, **tune: Any) -> Path:
    """The same as a file for the command line."""
    import json

    config = small_config(folder, **tune)
    path = folder / "small.json"
    path.write_text(json.dumps(config.model_dump(mode="json")), encoding="utf-8")
    return path


def load_study(folder: Path, name: str = "small") -> optuna.Study:
    """The study that ran there, by Optuna's own reader, as its dashboard opens it."""
    backend = optuna.storages.journal.JournalFileBackend(str(folder / "runs" / name / "journal.log"))
    return optuna.load_study(study_name=name, storage=optuna.storages.JournalStorage(backend))


def table(folder: Path) -> list[dict[str, str]]:
    """The rows of a study's trials.csv."""
    with (folder / "trials.csv").open(newline="") as file:
        return list(csv.DictReader(file))
