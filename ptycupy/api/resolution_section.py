"""What report.html says of the resolution; made with the other sections, and again once halves were compared."""

from __future__ import annotations

import logging
from pathlib import Path

import numpy as np

from ptycupy.analysis.depth_resolution import LEAST_SLICES, DepthResolution, depth_resolution
from ptycupy.analysis.halves import Halves, read_halves
from ptycupy.analysis.resolution import CRITERIA
from ptycupy.analysis.result import summed_phase_limit
from ptycupy.errors import DataError
from ptycupy.outputs.canvas import save_png
from ptycupy.outputs.region import mean_mode, shown_region
from ptycupy.outputs.report import Picture, Section
from ptycupy.outputs.resolution_figures import depth_resolution_figure
from ptycupy.storage.snapshot import Snapshot

logger = logging.getLogger(__name__)
DEPTH = "depth_resolution.png"
HALVES = "frc.json"
CURVE = "frc.png"
BY = {"counts": "half of the counts each", "positions": "half of the positions each"}


def resolution(snapshot: Snapshot, folder: Path, limit: float | None, no_limit: str) -> Section:
    """The Fourier transform with its limit, the correlation of halves where the folder holds one, and the depth
    resolution where there are slices and atoms enough; its picture is written."""
    rows = [("information limit", no_limit if limit is None else f"{limit:.3f} Å, of the finest separate Fourier spot")]
    halves = read_halves(folder / HALVES)
    if halves is None:
        rows.append(("ring correlation", f"not measured; ptycupy resolution {folder} reconstructs two halves"))
    else:
        rows += compared(halves)
    depth, said = along_beam(snapshot)
    (folder / DEPTH).unlink(missing_ok=True)
    if said:
        rows.append(("depth resolution", said))
    if depth is not None:
        save_png(depth_resolution_figure(snapshot, depth.places, depth.fwhm), folder / DEPTH)
    return Section(
        "Resolution",
        rows,
        [
            Picture(folder / "phase_fft.png", "Fourier transform of the phase, under a Hann window"),
            Picture(folder / CURVE, "Two reconstructions from halves of the data, correlated ring by ring"),
            Picture(folder / DEPTH, "Gaussians along the beam through single atoms"),
        ],
    )


def finest_spot(snapshot: Snapshot) -> tuple[float | None, str]:
    """The information limit in angstrom, or why there is none."""
    try:
        limit = summed_phase_limit(snapshot)
    except DataError as error:
        logger.info("no information limit: %s", error)
        return None, f"not told: {error}"
    without = "the pixel size is unknown" if snapshot.pixel_size is None else "no Fourier spot stands out of the noise"
    return limit, f"not told: {without}"


def compared(halves: Halves) -> list[tuple[str, str]]:
    """The rows about two halves."""
    curve, parts = halves.curve, []
    for criterion, name in CRITERIA:
        crossing = curve.crossing(criterion)
        at = curve.resolution_angstrom(criterion)
        text = f"{100 * crossing:.0f} % of Nyquist" if at is None else f"{at:.3f} Å"
        parts.append(f"{text} ({name})" if crossing < 1 else f"up to Nyquist ({name})")
    rows = [("ring correlation", f"{', '.join(parts)}; two reconstructions with {BY[halves.by]}")]
    if curve.crossing("half_bit") >= 1:
        rows.append(
            ("", "the pixel limits it, or what both have in common besides the specimen: model and constraints")
        )
    return rows


def along_beam(snapshot: Snapshot) -> tuple[DepthResolution | None, str]:
    """The depth resolution, and what is said of it: nothing where there are too few slices to ask."""
    thickness = np.ravel(np.asarray(snapshot.state.slice_thickness, np.float64))
    slices = snapshot.state.object_phase.shape[1]
    if snapshot.pixel_size is None or slices < LEAST_SLICES or np.ptp(thickness) > 1e-3 * thickness.mean():
        return None, ""
    rows, columns = shown_region(snapshot)
    stack = mean_mode(snapshot, snapshot.state.object_phase)[:, rows, columns]
    try:
        found = depth_resolution(stack, snapshot.pixel_size, float(thickness.mean()))
    except DataError as error:
        return None, f"not told: {error}"
    part = f"{len(found.fwhm)} atoms of {found.columns} columns"
    return found, f"{found.mean:.2f} ± {found.deviation:.2f} Å (full width at half maximum along the beam, {part})"
