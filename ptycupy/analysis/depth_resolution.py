"""Depth resolution by single atoms: how far each is spread along the beam, as in PtyRAD's paper (section S12)."""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ptycupy.errors import DataError

FWHM = 2 * math.sqrt(2 * math.log(2))  # of a Gaussian, in standard deviations
LEAST_ATOMS = 30  # a mean of fewer says little
LEAST_SLICES = 8  # fewer are hardly more than a Gaussian's three parameters
APART = 0.9  # angstrom: neighbouring columns are farther from each other
AROUND = 0.3  # angstrom about a column that its profile is averaged over
STRONG = 0.25  # of the strongest columns' summed phase
EXPLAINED = 0.9  # share of a profile's variance: what one Gaussian does not describe is no single atom
WIDEST = 0.8  # of the whole depth: a wider Gaussian is not seen whole

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class DepthResolution:
    """Gaussians along the beam through single atoms."""

    fwhm: Floats  # [n] angstrom
    depth: Floats  # [n] angstrom from the middle of the first slice
    places: Floats  # [n, 2] px (y, x) in the image
    columns: int  # that were looked at; those left out are not described by one Gaussian inside of the slices

    @property
    def mean(self) -> float:
        """Angstrom."""
        return float(self.fwhm.mean())

    @property
    def deviation(self) -> float:
        """Standard deviation of single atoms in angstrom."""
        return float(self.fwhm.std(ddof=1))


def depth_resolution(
    phase: NDArray[Any],
    pixel_size: tuple[float, float],
    slice_thickness: float,
    least_atoms: int = LEAST_ATOMS,
) -> DepthResolution:
    """Full widths at half maximum along the beam of the atoms in a phase [z, y, x] rad.

    Atoms are the peaks of the phase summed over depth; the profile of each, the mean within 0.3 angstrom of it minus
    the image's median in every slice, is fitted by one Gaussian without an offset, which would hide long tails. Columns
    whose profile that does not describe (90 % of the variance) are left out, as those of several atoms, and those whose
    Gaussian is not inside of the slices. `pixel_size` (y, x) and `slice_thickness` in angstrom. Raises DataError for
    fewer than 8 slices or fewer than `least_atoms` atoms.
    """
    if phase.ndim != 3 or len(phase) < LEAST_SLICES:
        raise DataError(
            f"depth resolution of {len(phase)} slices: {LEAST_SLICES} are needed at least, better 20 of 1 Å"
        )
    stack = np.asarray(phase, np.float64)
    stack = stack - np.median(stack, axis=(1, 2), keepdims=True)
    columns = _columns(stack.sum(axis=0), pixel_size)
    depths: Floats = slice_thickness * np.arange(len(stack), dtype=np.float64)
    found = [(place, _gaussian(depths, profile)) for place, profile in _profiles(stack, columns, pixel_size)]
    good = [(place, *fit) for place, fit in found if fit is not None]
    if len(good) < max(least_atoms, 2):
        raise DataError(
            f"depth resolution: {len(good)} of {len(columns)} columns are single atoms that the slices hold whole, "
            f"at least {least_atoms} are needed"
        )
    places, middles, widths = zip(*good, strict=True)
    return DepthResolution(np.asarray(widths), np.asarray(middles), np.asarray(places, np.float64), len(columns))


def _columns(image: Floats, pixel_size: tuple[float, float]) -> list[tuple[int, int]]:
    """The peaks (y, x) of a summed phase, as far from its edges as from each other."""
    from scipy import ndimage

    reach = [max(1, round(APART / step)) for step in pixel_size]
    smooth = ndimage.gaussian_filter(image, [0.5 * AROUND / step for step in pixel_size])
    peaks = smooth == ndimage.maximum_filter(smooth, [2 * n + 1 for n in reach])
    peaks &= smooth > STRONG * np.percentile(smooth, 99.5)
    rim = [max(1, math.ceil(AROUND / step)) for step in pixel_size]
    inside = np.zeros_like(peaks)
    inside[rim[0] : -rim[0], rim[1] : -rim[1]] = True
    return [(int(y), int(x)) for y, x in np.argwhere(peaks & inside)]


def _profiles(
    stack: Floats, columns: Iterable[tuple[int, int]], pixel_size: tuple[float, float]
) -> list[tuple[tuple[int, int], Floats]]:
    """The mean phase [z] about each column."""
    rows, across = (np.arange(n) * step for n, step in zip(stack.shape[1:], pixel_size, strict=True))
    found = []
    for y, x in columns:
        near = np.hypot((rows - rows[y])[:, None], across - across[x]) <= AROUND
        found.append(((y, x), stack[:, near].mean(axis=1)))
    return found


def _gaussian(depths: Floats, profile: Floats) -> tuple[float, float] | None:
    """(middle, FWHM) in angstrom of the Gaussian that describes a profile [z]; None where none does."""
    from scipy.optimize import curve_fit

    whole, step = float(depths[-1] + depths[1]), float(depths[1])
    strongest = int(np.argmax(profile))
    start = (float(profile[strongest]), float(depths[strongest]), 0.15 * whole)
    if start[0] <= 0:
        return None

    def model(z: Floats, height: float, middle: float, width: float) -> Floats:
        return np.asarray(height * np.exp(-(((z - middle) / width) ** 2) / 2))

    bounds = ((0, -step, 0.2 * step), (10 * start[0], whole, whole))
    (height, middle, width), _ = curve_fit(model, depths, profile, start, bounds=bounds)
    left = float(((profile - model(depths, height, middle, width)) ** 2).sum())
    varied = float(((profile - profile.mean()) ** 2).sum())
    inside = 0 < middle < depths[-1] and FWHM * width <= WIDEST * whole
    return (float(middle), float(FWHM * width)) if inside and left < (1 - EXPLAINED) * varied else None
