"""What a scan shows before anything is reconstructed: images, aperture, orientation, counts and overlap."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ptycupy.analysis.centre_of_mass import (
    Turned,
    centres_of_mass,
    filled,
    oriented,
    phase_from,
    rank_orientations,
    rotated,
    scan_rotation,
)
from ptycupy.data.defects import Evidence, find_defects
from ptycupy.data.source import PatternSource
from ptycupy.errors import DataError
from ptycupy.experiment.calibration import bright_disk, radius_of
from ptycupy.experiment.probe import aperture_probe
from ptycupy.experiment.scan import effective_diameter

MOST_BYTES = 1 << 29  # read at most: larger scans are looked at in their middle
SMALLEST_SCAN = 4  # lines: fewer have no curl
SLAB = 256  # patterns
WINDOW = 4.0  # diameters of a probe that its window is wide
LARGEST_WINDOW = 2048  # px

Float = NDArray[np.float64]


@dataclass(frozen=True)
class FirstLook:
    """What `look` found; images are [slow, fast] over the part of the scan that was read."""

    scan_shape: tuple[int, int]
    part: tuple[slice, slice]  # of the scan that was read
    pacbed: Float  # [ky, kx], mean of all patterns read
    bright_field: Float  # mean counts per pixel inside the disk
    dark_field: Float  # and outside of it
    field: Float  # [slow, fast, (y, x)] centres of mass in px, as the detector is stored
    turned: Float  # the same in the likeliest orientation and with the scan's rotation taken away
    phase: Float  # integrated, in arbitrary units
    centre: tuple[float, float]  # (y, x) px of the disk
    radius: float  # px of the disk
    counts: float  # per pattern, mean
    whole_counts: bool  # the data are integers, as of a counting detector
    largest: float
    defects: str  # saturated, hot and dead pixels in words; empty where there are none
    orientations: tuple[Turned, ...]  # the likeliest first
    rotation_degrees: float  # of the scan, for scan.affine.rotation_degrees

    @property
    def orientation(self) -> Turned:
        """The likeliest."""
        return self.orientations[0]


def look(source: PatternSource, steps: tuple[float, float] = (1.0, 1.0)) -> FirstLook:
    """Reads a raster scan, or as much of its middle as 512 MiB hold, and says what it shows.

    `steps` is the scan's step (slow, fast) in any unit: only their ratio counts. Raises DataError where the scan's
    shape is not known, where it has fewer than four lines or columns, and where all patterns are dark.
    """
    if source.scan_shape is None:
        raise DataError(f"{source.provenance.path}: {source.shape[0]} patterns of an unknown raster; give --scan-shape")
    if min(source.scan_shape) < SMALLEST_SCAN:
        slow, fast = source.scan_shape
        raise DataError(f"{source.provenance.path}: a scan of {slow} x {fast} is too small for a first look")
    part = _middle(source)
    numbers = np.arange(source.shape[0]).reshape(source.scan_shape)[part]
    evidence, total = Evidence(source.shape[1:]), np.zeros(source.shape[1:])
    slabs = [numbers.ravel()[start : start + SLAB] for start in range(0, numbers.size, SLAB)]
    held = []
    for slab in slabs:
        patterns = source.read(slab)
        held.append(np.where(np.isfinite(patterns), patterns, 0) if patterns.dtype.kind == "f" else patterns)
        evidence.add(held[-1])
        total += held[-1].sum(axis=0, dtype=np.float64)
    pacbed = total / numbers.size
    if not total.any():
        raise DataError(f"{source.provenance.path}: all patterns are dark")
    found = find_defects(evidence, pacbed, source.dtype, None)
    good = ~(found.saturated | found.hot)
    centre, radius = _disk(np.where(good, pacbed, 0))
    inside = good & (_distance(source.shape[1:], centre) <= radius)
    outside = good & ~inside
    moments = [centres_of_mass(np.where(good, slab, 0)) for slab in held]
    sums = [(slab[:, inside].mean(axis=1), slab[:, outside].mean(axis=1) if outside.any() else None) for slab in held]
    field = filled(np.concatenate(moments).reshape(*numbers.shape, 2))
    orientations = tuple(rank_orientations(field, steps))
    best = oriented(field, orientations[0].flip_y, orientations[0].flip_x, orientations[0].transpose)
    rotation = scan_rotation(best, steps)
    turned = rotated(best, rotation)
    return FirstLook(
        scan_shape=source.scan_shape,
        part=part,
        pacbed=pacbed,
        bright_field=np.concatenate([bright for bright, _ in sums]).reshape(numbers.shape),
        dark_field=_joined([dark for _, dark in sums], numbers.shape),
        field=field,
        turned=turned,
        phase=phase_from(turned, steps),
        centre=centre,
        radius=radius,
        counts=float(total.sum() / numbers.size),
        whole_counts=source.dtype.kind in "iub",
        largest=evidence.ceiling,
        defects=str(found),
        orientations=orientations,
        rotation_degrees=rotation,
    )


def overlap(step: float, diameter: float) -> float:
    """Linear overlap of neighbouring probes: 1 - step / diameter, both in the same unit; 0 where they do not touch."""
    return max(0.0, 1 - step / diameter)


def probe_diameter(convergence_angle: float, wavelength: float, defocus: float) -> float:
    """Diameter in angstrom of the probe of an aperture without aberrations (convergence semi-angle in mrad, defocus and
    wavelength in angstrom): of a disk of its effective area, as `ptycupy recon` judges the overlap."""
    angle = 1e-3 * convergence_angle
    pixel = wavelength / (4 * angle)  # half of the aperture's Nyquist limit
    wide = 2 * math.hypot(abs(defocus) * angle, 0.61 * wavelength / angle)  # geometric disk and Airy disk
    side = max(64, 2 * math.ceil(WINDOW * wide / pixel / 2))
    if side > LARGEST_WINDOW:
        return wide  # the disk of geometry, which diffraction hardly changes
    wave = aperture_probe(wavelength, convergence_angle, (side, side), (pixel, pixel), {"C10": -defocus})
    return pixel * effective_diameter(wave[None])


def _middle(source: PatternSource) -> tuple[slice, slice]:
    """The largest part about the scan's middle, of the scan's proportions, that may be read."""
    assert source.scan_shape is not None
    whole = math.prod(source.shape) * source.dtype.itemsize
    share = min(1.0, math.sqrt(MOST_BYTES / whole))
    parts = []
    for lines in source.scan_shape:
        kept = min(lines, max(SMALLEST_SCAN, int(lines * share)))
        first = (lines - kept) // 2
        parts.append(slice(first, first + kept))
    return parts[0], parts[1]


def _disk(mean: Float) -> tuple[tuple[float, float], float]:
    """Centre (y, x) and radius in px of the bright-field disk."""
    lit = bright_disk(mean)
    rows, columns = np.nonzero(lit)
    return (float(rows.mean()), float(columns.mean())), radius_of(lit)


def _distance(shape: tuple[int, ...], centre: tuple[float, float]) -> Float:
    return np.asarray(np.hypot(*(np.ogrid[: shape[0], : shape[1]][axis] - centre[axis] for axis in (0, 1))), float)


def _joined(parts: list[Any], shape: tuple[int, ...]) -> Float:
    return np.zeros(shape) if parts[0] is None else np.concatenate(parts).reshape(shape)
