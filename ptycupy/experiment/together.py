"""Several scans that share their probe or their object: brought to one intensity, and onto one canvas."""

from __future__ import annotations

import logging
from collections.abc import Collection, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Literal

import numpy as np
from numpy.typing import NDArray

from ptycupy.data.share import ONE, Among
from ptycupy.errors import ConfigError
from ptycupy.experiment import object as first_object
from ptycupy.experiment import scan
from ptycupy.experiment.assemble import build, scan_positions
from ptycupy.experiment.calibration import Geometry
from ptycupy.experiment.optics import pair
from ptycupy.experiment.state import Problem, State

if TYPE_CHECKING:
    from ptycupy.config import schema
    from ptycupy.data.source import PatternSource

log = logging.getLogger(__name__)
UNEQUAL = 0.1  # relative difference of the scans' mean intensities that is worth a warning


@dataclass(frozen=True)
class ScanPart:
    """One of several scans: its configuration, its patterns, and where it lies in the frame of them all."""

    config: schema.Config
    source: PatternSource
    offset: tuple[float, float] = (0.0, 0.0)  # px (y, x) added to its positions


def build_together(
    parts: Sequence[ScanPart],
    share: Collection[str],
    intensities: Literal["measured", "equal"] = "measured",
    among: Among = ONE,
) -> list[tuple[Problem, State]]:
    """The experiments of several scans that share "probe", "object" or both; those of the first are the start.

    Positions of a shared object are taken in one frame: rasters about one centre, given positions as they are. With a
    shared probe, counts are scaled by one factor ("measured"), or so that the mean intensities of all scans are equal.
    Several processes may look through the patterns together.
    Raises what `build` raises, of any of them.
    """
    built = [build(part.config, part.source, among) for part in parts]
    if "object" in share:
        built = _on_one_canvas(parts, built)
    if "probe" in share:
        built = _with_one_probe(built, intensities)
    return built


def _on_one_canvas(parts: Sequence[ScanPart], built: Sequence[tuple[Problem, State]]) -> list[tuple[Problem, State]]:
    """The first scan's object, grown until it holds the windows of all of them."""
    own = [_placed(problem, state) for problem, state in built]
    free = [_positions(part, *scene) for part, scene in zip(parts, built, strict=True)]
    origin = (own[0] - free[0]).mean(axis=0)
    positions = [own[0], *(each + origin for each in free[1:])]
    amplitude, phase = built[0][1].object_amplitude, built[0][1].object_phase
    windows = {(int(state.probe.shape[-2]), int(state.probe.shape[-1])) for _, state in built}
    if len(windows) > 1:
        told = " and ".join(f"{y} x {x}" for y, x in sorted(windows))
        raise ConfigError(f"share: windows of {told} px on one object; model.window_shape gives all scans the same")
    size = (int(amplitude.shape[-2]), int(amplitude.shape[-1]))
    placement, at = scan.place_on(np.concatenate(positions), windows.pop(), size)
    first_object.require_memory((*amplitude.shape[:2], *placement.canvas))
    amplitude = first_object.grown(amplitude, placement.canvas, at, 1.0)
    phase = first_object.grown(phase, placement.canvas, at, 0.0)
    ends = np.cumsum([len(each) for each in positions])[:-1]
    corners, shifts = np.split(placement.corners, ends), np.split(placement.shifts, ends)
    # Halves may round either way: the first scan keeps its own corners, as it would have alone.
    corners[0], shifts[0] = built[0][0].corners + np.array(at, np.int32), built[0][1].shifts
    found = []
    for (problem, state), corner, shift in zip(built, corners, shifts, strict=True):
        moved = state.replace(object_amplitude=amplitude, object_phase=phase, shifts=shift)
        found.append((replace(problem, corners=corner), moved))
    return found


def _placed(problem: Problem, state: State) -> NDArray[np.float64]:
    return np.asarray(problem.corners, np.float64) + np.asarray(state.shifts, np.float64)


def _positions(part: ScanPart, problem: Problem, state: State) -> NDArray[np.float64]:
    """Positions [N, 2] in px of the frame that the scans have in common, but for one offset of all."""
    size = None if problem.pixel_size is None else pair(problem.pixel_size)
    window = (int(state.probe.shape[-2]), int(state.probe.shape[-1]))
    detector = (int(problem.patterns.shape[1]), int(problem.patterns.shape[2]))
    geometry = Geometry(window, detector, size, None, problem.wavelength)
    return scan_positions(part.config, part.source, geometry) + np.array(part.offset, np.float64)


def _with_one_probe(
    built: Sequence[tuple[Problem, State]], intensities: Literal["measured", "equal"]
) -> list[tuple[Problem, State]]:
    powers = [float(np.sum(np.abs(state.probe) ** 2)) for _, state in built]
    counts = [power / float(problem.pattern_scale) for power, (problem, _) in zip(powers, built, strict=True)]
    low, high = min(counts), max(counts)
    if intensities == "measured" and high > (1 + UNEQUAL) * low:
        log.warning(
            "the mean intensities of the scans, which share their probe, differ by %.0f %%; share_intensities: equal "
            "scales them to one", 100 * (high / low - 1),
        )  # fmt: skip
    first = float(built[0][0].pattern_scale)
    scales = [first if intensities == "measured" else powers[0] / count for count in counts]
    used = [len(p.corners) if p.pattern_weights is None else int(np.sum(p.pattern_weights)) for p, _ in built]
    total = sum(n * count * scale for n, count, scale in zip(used, counts, scales, strict=True)) / sum(used)
    probe = built[0][1].probe if len(built) == 1 else built[0][1].probe * np.float32(np.sqrt(total / powers[0]))
    found = []
    for (problem, state), scale in zip(built, scales, strict=True):
        padding = problem.pattern_padding
        padding = None if padding is None else padding * (scale / float(problem.pattern_scale))
        same = state.probe.shape == probe.shape  # others are refused where they are joined
        scaled = replace(problem, pattern_scale=scale, pattern_padding=padding)
        found.append((scaled, state.replace(probe=probe if same else state.probe)))
    return found
