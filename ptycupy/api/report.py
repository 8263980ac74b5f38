"""What a finished run is told about in report.html: its numbers, its pictures and what is worth mending."""

from __future__ import annotations

import logging
import math
import statistics
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from ptycupy.analysis.centre_of_mass import centres_of_mass, filled
from ptycupy.analysis.contrast import contrast_objective
from ptycupy.analysis.diagnosis import Finding, Observed, diagnose
from ptycupy.config.schema import Config
from ptycupy.outputs import PatternPair
from ptycupy.outputs.canvas import save_png
from ptycupy.outputs.pattern_figures import Residuals, residuals_figure
from ptycupy.outputs.report import Advice, Picture, Section, write_report
from ptycupy.reconstruction.engine import Engine
from ptycupy.storage.snapshot import Snapshot

logger = logging.getLogger(__name__)
MOST_LINES = 64  # of the scan, about its middle, whose centres of mass are looked at
MOST_RESIDUALS = 1024  # positions, evenly spaced
SLAB = 32  # patterns
RESIDUALS = "residuals.png"


@dataclass(frozen=True)
class Seen:
    """What pictures and report need of measured and modelled patterns, of all ranks."""

    pair: PatternPair
    residuals: Residuals
    centres: NDArray[np.float64] | None  # of mass, of the middle of a raster of which every position is used


def look(engine: Engine) -> Seen:
    """Looks at the patterns, with all ranks: each of them at its own."""
    return Seen(pattern_pair(engine), sampled_residuals(engine), _centres(engine))


def pattern_pair(engine: Engine) -> PatternPair:
    """Two patterns, a third and two thirds into the scan, as measured and as the model has them."""
    used = engine.used
    indices = np.unique(used[[len(used) // 3, 2 * len(used) // 3]])
    return PatternPair(indices, engine.measured(indices), engine.predict(indices))


def report(
    engine: Engine,
    seen: Seen,
    snapshot: Snapshot,
    config: Config,
    folder: Path,
    scores: Mapping[str, float],
    limit: float | None,
) -> list[Finding]:
    """Writes report.html beside the pictures in `folder` and returns what is worth mending, which is logged too."""
    residuals = seen.residuals
    save_png(residuals_figure(snapshot, residuals), folder / RESIDUALS)
    found = diagnose(snapshot, observed(seen, config))
    for finding in found:
        logger.warning("%s", finding)
    write_report(
        folder / "report.html",
        f"ptycupy: {folder.name}",
        time.strftime("%Y-%m-%d %H:%M") + f", ptycupy {snapshot.versions.get('ptycupy', '')}",
        [Advice(finding.what, finding.remedy) for finding in found],
        sections(engine, snapshot, config, folder, residuals, scores, limit),
    )
    return found


def sampled_residuals(engine: Engine) -> Residuals:
    """How well the model explains up to 1024 positions, and their mean patterns."""
    used = engine.used
    chosen = used[np.unique(np.linspace(0, len(used) - 1, min(len(used), MOST_RESIDUALS)).round().astype(int))]
    relative: list[float] = []
    sums = np.zeros((3, *engine.experiment.detector_shape))  # measured, model, and how often a pixel counted
    for start in range(0, len(chosen), SLAB):
        part = chosen[start : start + SLAB]
        measured, model = engine.measured(part).astype(np.float64), engine.predict(part).astype(np.float64)
        counts = measured >= 0
        roots = [np.sqrt(np.where(counts, np.maximum(values, 0), 0)) for values in (measured, model)]
        whole = np.maximum(roots[0].sum(axis=(1, 2)), 1e-30)
        relative += (np.abs(roots[1] - roots[0]).sum(axis=(1, 2)) / whole).tolist()
        sums += [np.where(counts, measured, 0).sum(0), np.where(counts, model, 0).sum(0), counts.sum(0)]
    with np.errstate(invalid="ignore", divide="ignore"):
        return Residuals(chosen, np.asarray(relative), sums[0] / sums[2], sums[1] / sums[2])


def observed(seen: Seen, config: Config) -> Observed:
    """What the measured patterns say, for the diagnosis."""
    turn = config.data.orientation
    return Observed(
        centres=seen.centres,
        mean_pattern=np.nan_to_num(seen.residuals.measured),
        orientation=(turn.flip_y, turn.flip_x, turn.transpose),
        convergence_angle=config.illumination.convergence_angle_mrad,
        rotation_degrees=config.scan.affine.rotation_degrees,
    )


def _centres(engine: Engine) -> NDArray[np.float64] | None:
    """Centres of mass of the middle of a raster of which every position is used."""
    shape = engine.problem.scan_shape
    if shape is None or math.prod(shape) != len(engine.used) or engine.problem.wavelength is None:
        return None
    part = tuple(slice(max(0, (n - MOST_LINES) // 2), (n + MOST_LINES) // 2 if n > MOST_LINES else n) for n in shape)
    numbers = np.arange(len(engine.used)).reshape(shape)[part]
    slabs = [numbers.ravel()[start : start + SLAB] for start in range(0, numbers.size, SLAB)]
    found = [centres_of_mass(np.maximum(engine.measured(slab), 0)) for slab in slabs]
    return filled(np.concatenate(found).reshape(*numbers.shape, 2))


def sections(
    engine: Engine,
    snapshot: Snapshot,
    config: Config,
    folder: Path,
    residuals: Residuals,
    scores: Mapping[str, float],
    limit: float | None,
) -> list[Section]:
    """The page from top to bottom."""
    region = snapshot.field_of_view()
    contrast = -contrast_objective(snapshot.state.object_phase, snapshot.object_occupancy, region)
    history, state = snapshot.history, snapshot.state
    judged = [
        ("loss", f"{history.total[-1]:.5g} after {snapshot.iteration} iterations" if history.total else "none"),
        ("residual", f"{100 * float(np.mean(residuals.relative)):.2f} % of the amplitude (mean of a sample)"),
        ("contrast", f"{contrast:.3f} (standard deviation over mean of the summed phase)"),
        *((name, f"{value:.4f} with the known truth") for name, value in scores.items()),
        *([] if limit is None else [("information limit", f"{limit:.3f} Å")]),
    ]
    share = (np.abs(state.probe) ** 2).sum(axis=(1, 2), dtype=np.float64)
    share = share / max(float(share.sum()), 1e-30)
    powers = ", ".join(f"{100 * part:.1f} %" for part in share)
    return [
        Section(
            "Result", judged, [Picture(folder / "phase.png", "Phase"), Picture(folder / "amplitude.png", "Amplitude")]
        ),
        Section(
            "Depth",
            pictures=[
                Picture(folder / "phase_slices.png", "Phase of the slices"),
                Picture(folder / "cross_sections.png", "Cross-sections along the beam through the strongest column"),
            ],
        ),
        Section("Fourier transform", pictures=[Picture(folder / "phase_fft.png", "Of the phase, under a Hann window")]),
        Section("Probe", [("power of the modes", powers)], [Picture(folder / "probe.png", "Modes of the probe")]),
        Section("Positions", _positions(snapshot), [Picture(folder / "positions.png", "Refined positions")]),
        Section(
            "Model and measurement",
            pictures=[
                Picture(folder / RESIDUALS, "Residual at a sample of the positions, and their mean pattern"),
                Picture(folder / "patterns.png", "Two patterns"),
            ],
        ),
        Section(
            "Course",
            _timing(snapshot, engine),
            [
                Picture(folder / "loss.png", "Loss"),
                Picture(folder / "course.png", "Learning rates, and what else was refined as one number"),
            ],
        ),
        Section("Model", _model(snapshot)),
        Section("Data and environment", _provenance(snapshot, config)),
        Section("Configuration", folded=snapshot.config),
    ]


def _positions(snapshot: Snapshot) -> list[tuple[str, str]]:
    moved = np.asarray(snapshot.corners + snapshot.shifts, np.float64) - snapshot.initial_positions
    lengths = np.hypot(*moved[snapshot.used].T)
    tilts = np.asarray(snapshot.state.tilts, np.float64)
    rows = [("moved by", f"{math.sqrt(float(np.mean(lengths**2))):.3g} px rms, at most {lengths.max():.3g} px")]
    if tilts.any():
        y, x = tilts.mean(axis=0)
        each = f", one each, spread {tilts.std(axis=0).max():.2f}" if len(tilts) > 1 else ""
        rows.append(("tilt", f"y {y:.2f}, x {x:.2f} mrad{each}"))
    return rows


def _timing(snapshot: Snapshot, engine: Engine) -> list[tuple[str, str]]:
    seconds = snapshot.history.seconds
    if not seconds:
        return []
    rate = len(snapshot.used) / statistics.median(seconds)
    return [
        ("device", engine.backend.name),
        ("iteration", f"{statistics.median(seconds):.3g} s (median), {rate:.4g} patterns per second"),
        ("all iterations", f"{sum(seconds):.1f} s"),
    ]


def _model(snapshot: Snapshot) -> list[tuple[str, str]]:
    state = snapshot.state
    omodes, slices, rows, columns = state.object_phase.shape
    modes, *window = state.probe.shape
    thickness = np.ravel(np.asarray(state.slice_thickness, np.float64))
    size = (
        "unknown" if snapshot.pixel_size is None else " x ".join(f"{step:.4g}" for step in snapshot.pixel_size) + " Å"
    )
    return [
        ("object", f"{omodes} modes, {slices} slices, {rows} x {columns} px"),
        ("pixel size", size),
        *([("slice thickness", ", ".join(f"{gap:.4g}" for gap in thickness) + " Å")] if slices > 1 else []),
        ("probe", f"{modes} modes, {window[0]} x {window[1]} px"),
        ("positions", f"{len(snapshot.used)} of {len(snapshot.corners)}"),
        *([] if snapshot.wavelength is None else [("wavelength", f"{snapshot.wavelength:.5g} Å")]),
    ]


def _provenance(snapshot: Snapshot, config: Config) -> list[tuple[str, str]]:
    return [
        ("data", f"{config.data.path or 'simulated'}{f': {config.data.key}' if config.data.key else ''}"),
        ("fingerprint", snapshot.data_fingerprint),
        *((name, version) for name, version in snapshot.versions.items()),
    ]
