"""All TIFF stacks and PNG figures of a reconstruction, in one call."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from numpy.typing import NDArray

from ptycupy.errors import ResourceError
from ptycupy.outputs.canvas import save_png
from ptycupy.outputs.chart_figures import course_figure, loss_figure, positions_figure
from ptycupy.outputs.depth_figure import cross_sections_figure
from ptycupy.outputs.object_figures import (
    amplitude_figure,
    phase_fft_figure,
    phase_slices_figure,
    phase_sum_figure,
)
from ptycupy.outputs.pattern_figures import PatternPair, patterns_figure
from ptycupy.outputs.probe_figures import probe_figure
from ptycupy.outputs.tiff import write_tiffs
from ptycupy.outputs.tilt_figure import tilts_figure
from ptycupy.storage.snapshot import Snapshot

if TYPE_CHECKING:
    from matplotlib.figure import Figure


def write_outputs(
    folder: str | os.PathLike[str],
    snapshot: Snapshot,
    patterns_pair: PatternPair | None = None,
    initial_positions: NDArray[Any] | None = None,
    limit: float | None = None,
) -> list[Path]:
    """Writes object_*.tif and one PNG per thing to look at into an existing folder; returns the paths.

    phase, phase_slices and cross_sections (several slices only), amplitude, phase_fft (with a ring at the information
    `limit` in angstrom), probe, positions, tilts (where positions have their own), loss and course (once there are
    iterations) and patterns (with a `patterns_pair`). Raises ResourceError where a file cannot be written.
    """
    target = Path(folder)
    try:
        paths = write_tiffs(target, snapshot)
        paths += write_figures(target, snapshot, patterns_pair, initial_positions, limit)
    except OSError as error:
        raise ResourceError(f"{target}: outputs could not be written ({error.strerror or error})") from error
    return paths


def write_figures(
    folder: Path,
    snapshot: Snapshot,
    patterns_pair: PatternPair | None = None,
    initial_positions: NDArray[Any] | None = None,
    limit: float | None = None,
) -> list[Path]:
    """The PNG figures alone."""
    figures: dict[str, Callable[[], Figure]] = {
        "phase": lambda: phase_sum_figure(snapshot),
        "amplitude": lambda: amplitude_figure(snapshot),
        "phase_fft": lambda: phase_fft_figure(snapshot, limit),
        "probe": lambda: probe_figure(snapshot),
        "positions": lambda: positions_figure(snapshot, initial_positions),
    }
    if snapshot.state.object_phase.shape[1] > 1:
        figures["phase_slices"] = lambda: phase_slices_figure(snapshot)
        figures["cross_sections"] = lambda: cross_sections_figure(snapshot)
    if len(snapshot.state.tilts) > 1:
        figures["tilts"] = lambda: tilts_figure(snapshot)
    if snapshot.history.iterations:
        figures["loss"] = lambda: loss_figure(snapshot)
        figures["course"] = lambda: course_figure(snapshot)
    if patterns_pair is not None:
        figures["patterns"] = lambda: patterns_figure(snapshot, patterns_pair)
    paths = []
    for name, draw in figures.items():
        paths.append(folder / f"{name}.png")
        save_png(draw(), paths[-1])
    return paths
