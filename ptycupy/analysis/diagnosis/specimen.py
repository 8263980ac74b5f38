"""Checks of the object: its depth, and what the scan's raster left in it."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from ptycupy.analysis.diagnosis.case import Case, Finding
from ptycupy.outputs.object_figures import windowed_spectrum

OFF_MIDDLE = 0.2  # of the whole depth
EMPTY = 0.05  # of the mean slice's variance
STANDS_OUT = 50.0  # times the median power of its ring
RING = 0.2  # relative width of that ring
SMALLEST = 32  # px


def raster_artefact(case: Case) -> Finding | None:
    """The strongest spot of its ring in the phase's spectrum is at the raster's own frequency."""
    step = _raster_step(case)
    image = case.phase.sum(axis=0)
    if step is None or min(image.shape) < SMALLEST or min(step) < 3:
        return None
    from scipy import fft

    power = windowed_spectrum(image) ** 2
    qy, qx = np.meshgrid(*(fft.fftshift(fft.fftfreq(n)) for n in image.shape), indexing="ij")
    wide = [2 / n for n in image.shape]  # the window spreads a spot over two pixels
    for axis, period in enumerate(step):
        along, across = (qy, qx) if axis == 0 else (qx, qy)
        spot = (np.abs(along - 1 / period) <= wide[axis]) & (np.abs(across) <= wide[1 - axis])
        radius = np.hypot(qy, qx)
        ring = np.abs(radius * period - 1) < RING
        rasters = [np.abs(q * p - np.round(q * p)) <= p * w for q, p, w in zip((qy, qx), step, wide, strict=True)]
        others = ring & ~(rasters[0] & rasters[1])
        if not spot.any() or not others.any():
            continue
        peak = power[spot].max()
        if peak > power[others].max() and peak > STANDS_OUT * np.median(power[others]):
            return Finding(
                f"the phase has a spot at the frequency of the raster's step of {period:.3g} px, "
                f"{peak / np.median(power[others]):.0f} times its surroundings",
                "constraints: - {name: grid_artefact_removal}, or scan.jitter_px: 0.5 and refined shifts",
            )
    return None


def depth_drift(case: Case) -> Finding | None:
    """The specimen has moved out of the middle of the slices."""
    weights = _contents(case)
    if len(weights) < 3 or weights.sum() == 0:
        return None
    places = (np.arange(len(weights)) + 0.5) / len(weights) - 0.5
    centre = float(places @ weights / weights.sum())
    if abs(centre) < OFF_MIDDLE:
        return None
    return Finding(
        f"the specimen lies {abs(centre) * len(weights):.1f} slices {'below' if centre > 0 else 'above'} the middle",
        "constraints: - {name: depth_recentring}, or another defocus (illumination.aberrations.C10)",
    )


def thick_slices(case: Case) -> Finding | None:
    """The slices are thicker than the depth that the recorded angles resolve."""
    snapshot = case.snapshot
    if not case.thickness.size or snapshot.pixel_size is None or snapshot.wavelength is None:
        return None
    # Over one slice the phase of the propagator changes by pi lambda k^2 dz; half a turn at half the largest k is much.
    k = 0.25 / max(snapshot.pixel_size)
    limit = 1 / (snapshot.wavelength * k**2)
    thickest = float(case.thickness.max())
    if thickest <= limit:
        return None
    return Finding(
        f"slices of {thickest:.3g} angstrom are thicker than the {limit:.3g} that the pixel size lets them be",
        f"object.slices: {math.ceil(snapshot.state.object_phase.shape[1] * thickest / limit)} of "
        f"slice_thickness_angstrom: {limit:.2g}",
    )


def empty_slices(case: Case) -> Finding | None:
    """Slices at both ends hold nothing."""
    weights = _contents(case)
    if len(weights) < 4 or weights.sum() == 0:
        return None
    full = weights > EMPTY * weights.mean()
    first, last = int(np.argmax(full)), len(full) - 1 - int(np.argmax(full[::-1]))
    if first < 1 or last > len(full) - 2:
        return None
    return Finding(
        f"{first} slices at the top and {len(full) - 1 - last} at the bottom hold nothing",
        f"object.slices: {last - first + 3}",
    )


def _contents(case: Case) -> NDArray[np.float64]:
    """Variance [z] of each slice's phase."""
    return np.asarray(case.phase.var(axis=(1, 2)), np.float64)


def _raster_step(case: Case) -> tuple[float, float] | None:
    """The step (y, x) in px of a raster along the axes; None for other scans."""
    shape = case.snapshot.scan_shape
    positions = case.snapshot.initial_positions
    if shape is None or min(shape) < 2 or math.prod(shape) != len(positions):
        return None
    grid = np.asarray(positions, np.float64).reshape(*shape, 2)
    slow, fast = grid[1:, 0] - grid[:-1, 0], grid[0, 1:] - grid[0, :-1]
    steps = np.abs(slow.mean(axis=0)) + np.abs(fast.mean(axis=0))
    crossed = min(np.abs(slow.mean(axis=0)).max(), np.abs(fast.mean(axis=0)).max())
    return (float(steps[0]), float(steps[1])) if crossed > 0 and steps.min() > 0 else None
