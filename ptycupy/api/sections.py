"""What report.html says, section by section."""

from __future__ import annotations

import math
import os
import platform
import statistics
import time
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np

from ptycupy.analysis.contrast import contrast_objective
from ptycupy.api.resolution_section import resolution
from ptycupy.api.result import NAMES
from ptycupy.backends.cpuinfo import processor
from ptycupy.config.schema import Config
from ptycupy.experiment.scan import probe_overlap
from ptycupy.outputs.pattern_figures import Residuals
from ptycupy.outputs.report import Picture, Section
from ptycupy.reconstruction.engine import Engine
from ptycupy.reconstruction.progress import duration, peak_memory_bytes
from ptycupy.storage.snapshot import Snapshot

RESIDUALS = "residuals.png"
Rows = list[tuple[str, str]]


def headline(snapshot: Snapshot, residuals: Residuals, scores: Mapping[str, float], limit: float | None) -> Rows:
    """The few numbers at the top of the page."""
    history = snapshot.history
    return [
        *([("loss", f"{history.total[-1]:.4g}")] if history.total else []),
        ("residual", f"{100 * float(np.mean(residuals.relative)):.1f} %"),
        *([] if residuals.noise is None else [("noise alone", f"{100 * residuals.noise:.1f} %")]),
        *([] if limit is None else [("information limit", f"{limit:.3f} Å")]),
        *((name, f"{value:.3f}") for name, value in _named(scores)),
        ("iterations", str(snapshot.iteration)),
        *([("time", duration(sum(history.seconds)))] if history.seconds else []),
    ]


def sections(
    engine: Engine,
    snapshot: Snapshot,
    config: Config,
    folder: Path,
    residuals: Residuals,
    scores: Mapping[str, float],
    limit: float | None,
    no_limit: str,
) -> list[Section]:
    """The page from top to bottom."""
    state, history = snapshot.state, snapshot.history
    contrast = -contrast_objective(state.object_phase, snapshot.object_occupancy, snapshot.field_of_view())
    share = (np.abs(state.probe) ** 2).sum(axis=(1, 2), dtype=np.float64)
    powers = ", ".join(f"{100 * part:.1f} %" for part in share / max(float(share.sum()), 1e-30))
    judged = [
        ("loss", f"{history.total[-1]:.5g} after {snapshot.iteration} iterations" if history.total else "none"),
        ("contrast", f"{contrast:.3f} (standard deviation over mean of the summed phase)"),
        *((name, f"{value:.4f} with the known truth") for name, value in _named(scores)),
    ]

    def pictures(**captions: str) -> list[Picture]:
        return [Picture(folder / f"{name}.png", caption) for name, caption in captions.items()]

    depth = pictures(
        phase_slices="Phase of the slices",
        cross_sections="Cross-sections along the beam through the strongest column",
    )
    refined = pictures(positions="Refined positions", tilts="Tilt at every position")
    model = pictures(residuals="Residual at a sample of the positions, and their mean pattern", patterns="Two patterns")
    course = pictures(loss="Loss, and its terms", course="Learning rates, and what else was refined as one number")
    return [
        Section("Result", judged, pictures(phase="Phase", amplitude="Amplitude")),
        Section("Depth", pictures=depth),
        resolution(snapshot, folder, limit, no_limit),
        Section("Probe", [("power of the modes", powers)], pictures(probe="Modes of the probe")),
        Section("Positions and tilts", _positions(snapshot), refined),
        Section("Model and measurement", _residual(residuals), model),
        Section("Course", _timing(snapshot, engine), course),
        Section("Experiment", _experiment(engine, snapshot, config, residuals)),
        Section("Model", _model(snapshot)),
        Section("Data", _data(engine, snapshot, config)),
        Section("Environment", _environment(snapshot)),
        Section("Configuration", folded=snapshot.config),
    ]


def _named(scores: Mapping[str, float]) -> Rows | list[tuple[str, float]]:
    return [(NAMES.get(name, name), value) for name, value in scores.items()]


def _positions(snapshot: Snapshot) -> Rows:
    moved = np.asarray(snapshot.corners + snapshot.shifts, np.float64) - snapshot.initial_positions
    lengths = np.hypot(*moved[snapshot.used].T)
    tilts = np.asarray(snapshot.state.tilts, np.float64)
    rows = [("moved by", f"{math.sqrt(float(np.mean(lengths**2))):.3g} px rms, at most {lengths.max():.3g} px")]
    affine = snapshot.state.scan_affine
    if affine is not None:
        scale, asymmetry, rotation, shear = np.asarray(affine, np.float64).tolist()
        values = f"scale {1 + scale:.5f}, asymmetry {asymmetry:.2g}, rotation {rotation:.3f}°, shear {shear:.3f}°"
        rows.append(("of it as a whole", values))
    if tilts.any():
        y, x = tilts.mean(axis=0)
        each = f", one each, spread {tilts.std(axis=0).max():.2f}" if len(tilts) > 1 else ""
        rows.append(("tilt", f"y {y:.2f}, x {x:.2f} mrad{each}"))
    return rows


def _residual(residuals: Residuals) -> Rows:
    noise = "" if residuals.noise is None else f"; counting noise alone would leave {100 * residuals.noise:.2f} %"
    mean = f"{100 * float(np.mean(residuals.relative)):.2f} % of the amplitude{noise}"
    return [("residual", f"{mean} (mean of {len(residuals.indices)} positions)")]


def _timing(snapshot: Snapshot, engine: Engine) -> Rows:
    seconds, memory = snapshot.history.seconds, peak_memory_bytes()
    if not seconds:
        return []
    rate = len(snapshot.used) / statistics.median(seconds)
    return [
        ("device", engine.backend.name),
        ("iteration", f"{statistics.median(seconds):.3g} s (median), {rate:.4g} patterns per second"),
        ("all iterations", duration(sum(seconds))),
        *([] if memory is None else [("memory", f"{memory / 2**30:.2f} GiB at most")]),
    ]


def _experiment(engine: Engine, snapshot: Snapshot, config: Config, residuals: Residuals) -> Rows:
    beam = config.illumination
    unit = "px" if snapshot.pixel_size is None else "Å"
    area = area_per_position(snapshot)
    aberrations = ", ".join(f"{name} = {value:g} Å" for name, value in beam.aberrations.items())
    start = np.asarray(snapshot.initial_positions, np.float64)
    overlap = probe_overlap(start, snapshot.scan_shape, snapshot.state.probe)
    rows = [
        *([] if beam.voltage_kv is None else [("voltage", f"{beam.voltage_kv:g} kV")]),
        *([] if beam.energy_kev is None else [("photon energy", f"{beam.energy_kev:g} keV")]),
        *([] if snapshot.wavelength is None else [("wavelength", f"{snapshot.wavelength:.5g} Å")]),
        *([] if beam.convergence_angle_mrad is None else [("aperture", f"{beam.convergence_angle_mrad:g} mrad")]),
        *([("aberrations to start from", aberrations)] if aberrations else []),
        ("scan", _scan(snapshot, area, unit)),
        *([] if overlap is None else [("overlap of neighbours", f"{100 * overlap:.0f} % of the probe's diameter")]),
    ]
    counts = residuals.counts
    if counts is not None:
        per_area = "" if area is None or unit == "px" else f", {counts / area:.3g} per Å²"
        rows.append(("counts on the detector", f"{counts:.4g} per pattern{per_area}"))
    return rows


def _scan(snapshot: Snapshot, area: float | None, unit: str) -> str:
    shape = snapshot.scan_shape
    count = f"{len(snapshot.used)} of {len(snapshot.corners)} positions"
    grid = "" if shape is None else f"{shape[0]} x {shape[1]}, "
    return f"{grid}{count}" + ("" if area is None else f", {math.sqrt(area):.4g} {unit} apart")


def area_per_position(snapshot: Snapshot) -> float | None:
    """Of the scanned field in square angstrom (square px without a pixel size); None for a line or a point."""
    places = np.asarray(snapshot.initial_positions, np.float64) * (snapshot.pixel_size or (1.0, 1.0))
    shape = snapshot.scan_shape
    if shape is not None and min(shape) > 1 and math.prod(shape) == len(places):
        grid = places.reshape(*shape, 2)
        slow, fast = (grid[1:] - grid[:-1]).mean(axis=(0, 1)), (grid[:, 1:] - grid[:, :-1]).mean(axis=(0, 1))
        area = abs(float(slow[0] * fast[1] - slow[1] * fast[0]))
    else:
        area = float(np.prod(np.ptp(places, axis=0))) / len(places)
    return area if area > 0 else None


def _model(snapshot: Snapshot) -> Rows:
    state = snapshot.state
    omodes, slices, rows, columns = state.object_phase.shape
    modes, *window = state.probe.shape
    thickness = np.ravel(np.asarray(state.slice_thickness, np.float64))
    size = (
        "unknown" if snapshot.pixel_size is None else " x ".join(f"{step:.4g}" for step in snapshot.pixel_size) + " Å"
    )
    return [
        ("object", f"{_many(omodes, 'mode')}, {_many(slices, 'slice')}, {rows} x {columns} px"),
        ("pixel size", size),
        *([("slice thickness", ", ".join(f"{gap:.4g}" for gap in thickness) + " Å")] if slices > 1 else []),
        ("probe", f"{_many(modes, 'mode')}, {window[0]} x {window[1]} px"),
        ("propagator", snapshot.propagator.replace("_", " ")),
        *([("blur of the detector", f"{snapshot.detector_blur:g} px")] if snapshot.detector_blur else []),
    ]


def _many(count: int, thing: str) -> str:
    return f"{count} {thing}" + ("" if count == 1 else "s")


def _data(engine: Engine, snapshot: Snapshot, config: Config) -> Rows:
    problem, path = engine.problem, config.data.path
    rows = [("file", f"{path or 'simulated'}{f': {config.data.key}' if config.data.key else ''}")]
    if path is not None and os.path.isfile(path):
        seen = os.stat(path)
        written = time.strftime("%Y-%m-%d %H:%M", time.localtime(seen.st_mtime))
        rows.append(("size", f"{seen.st_size / 2**20:.4g} MiB, written {written}"))
    steps: Sequence[str] = getattr(getattr(problem.patterns, "provenance", None), "steps", ())
    masked = 0 if problem.mask is None else int(np.count_nonzero(~np.asarray(problem.mask)))
    detector = " x ".join(map(str, snapshot.detector_shape))
    return [
        *rows,
        ("patterns", f"{problem.patterns.shape[0]} of {detector} px, {np.dtype(problem.patterns.dtype).name}"),
        *([("read as", "; ".join(steps))] if steps else []),
        *([("pixels left out", f"{masked} of {math.prod(snapshot.detector_shape)}")] if masked else []),
        *([("scaled by", f"{float(problem.pattern_scale):.5g}")] if np.ndim(problem.pattern_scale) == 0 else []),
        ("fingerprint", snapshot.data_fingerprint),
    ]


def _environment(snapshot: Snapshot) -> Rows:
    system = f"{platform.system()} {platform.release()}, {platform.machine()}"
    return [
        ("processor", f"{processor()}, {os.cpu_count()} cores"),
        ("system", system),
        *((name, version) for name, version in snapshot.versions.items()),
    ]
