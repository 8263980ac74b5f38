"""What trials look like: the phase of each one that was the best so far (or on the front), kept beside the study.

A number alone may mislead: noise and artefacts have contrast, too. Files are `phases/trial_0012.npz` with `phase`
[y, x] float32 in rad, summed over depth in the scanned field, and `pixel_size` (y, x) in angstrom, or NaN.
"""

from __future__ import annotations

import io
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from optuna.trial import FrozenTrial, TrialState

from ptycupy.data.spaced import evenly_spaced
from ptycupy.experiment.optics import pair
from ptycupy.outputs.overview import Tile, write_overview
from ptycupy.storage.atomic import atomic_write

MOST = 6  # panels


def leads(values: Sequence[float], trials: Sequence[FrozenTrial]) -> bool:
    """Whether no complete trial of these is at least as good in every objective."""
    done = [trial.values for trial in trials if trial.state == TrialState.COMPLETE]
    return not any(all(one <= own for one, own in zip(other, values, strict=True)) for other in done)


def keep(folder: Path, number: int, phase: NDArray[np.float32], pixel_size: float | tuple[float, float] | None) -> None:
    """Writes a trial's phase, whole or not at all."""
    size = (np.nan, np.nan) if pixel_size is None else pair(pixel_size)
    sink = io.BytesIO()
    np.savez(sink, phase=phase, pixel_size=np.asarray(size, np.float64))
    path = _path(folder, number)
    path.parent.mkdir(exist_ok=True)
    with atomic_write(path) as file:
        file.write(sink.getvalue())


def draw(picture: Path, folder: Path, trials: Sequence[FrozenTrial]) -> list[tuple[int, float]]:
    """One picture of up to six of these trials, in this order, on one colour scale: their numbers, and the standard
    deviation of their phases in rad.

    The last one is always among them. Trials without a phase, as of a worker with another folder, are passed over.
    """
    there = [trial for trial in trials if _path(folder, trial.number).is_file()]
    chosen = evenly_spaced(len(there), MOST)
    shown = [there[number] for number in chosen]
    tiles = [_tile(folder, trial) for trial in shown]
    if tiles:
        write_overview(picture, tiles)
    return [(trial.number, float(np.std(tile.image))) for trial, tile in zip(shown, tiles, strict=True)
            if tile.image is not None]  # fmt: skip


def _tile(folder: Path, trial: FrozenTrial) -> Tile:
    with np.load(_path(folder, trial.number)) as file:
        phase, size = file["phase"], file["pixel_size"]
    known = bool(np.isfinite(size).all())
    step = (float(size[0]), float(size[1])) if known else (1.0, 1.0)
    remark = ", ".join(f"{value:.4g}" for value in trial.values)
    return Tile(f"trial {trial.number}", phase - np.median(phase), step, "Å" if known else "px", remark)


def _path(folder: Path, number: int) -> Path:
    return folder / "phases" / f"trial_{number:04d}.npz"
