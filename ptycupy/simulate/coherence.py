"""Partial coherence as mixed probe modes: focal spread and the size of the source."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from ptycupy.experiment.aberrations import chi
from ptycupy.experiment.optics import ELECTRON_REST_ENERGY_KEV, frequencies

Floats = NDArray[np.float64]
Waves = NDArray[np.complex128]

FWHM = 2 * math.sqrt(2 * math.log(2))
"""Full width at half maximum of a Gaussian of unit standard deviation."""
LOST_POWER = 1e-5
"""Share of the illumination's power that `mixed_probe` may drop with its weakest modes."""


def focal_spread(chromatic_aberration: float, energy_spread_ev: float, voltage_kv: float) -> float:
    """Standard deviation of the defocus in angstrom.

    Cc * (dE / eU) * (1 + eU/E0) / (1 + eU/2E0), with the energy spread dE (eV) as a full width at half maximum and
    Cc in angstrom: L. Reimer, H. Kohl, Transmission Electron Microscopy, 5th ed. (Springer, 2008), chapter 2.
    """
    ratio = voltage_kv / ELECTRON_REST_ENERGY_KEV
    relativistic = (1 + ratio) / (1 + ratio / 2)
    return chromatic_aberration * energy_spread_ev / FWHM / (voltage_kv * 1e3) * relativistic


def defoci(deviation: float, count: int) -> tuple[Floats, Floats]:
    """(offsets in angstrom, weights that sum to 1): Gauss-Hermite nodes of a Gaussian focal spread.

    `count` nodes reproduce the Gaussian's moments up to order 2 count - 1.
    """
    if deviation == 0.0 or count == 1:
        return np.zeros(1), np.ones(1)
    nodes, weights = np.polynomial.hermite_e.hermegauss(count)
    return deviation * nodes, weights / weights.sum()


def source_points(full_width: float) -> tuple[Floats, Floats]:
    """(offsets [s, 2] in angstrom (y, x), weights [s] that sum to 1) of a Gaussian source, FWHM in angstrom.

    Seven points whose moments agree with the Gaussian's up to order 5 (A. H. Stroud, Approximate Calculation of
    Multiple Integrals, 1971, formula E2r2 5-1). Displaced probes blur the patterns over the scan axes exactly,
    whatever the scan step; a blur of finished patterns would need a step that samples their changes.
    """
    if full_width == 0.0:
        return np.zeros((1, 2)), np.ones(1)
    angles = np.arange(6) * np.pi / 3
    ring = 2 * full_width / FWHM * np.stack([np.sin(angles), np.cos(angles)], axis=1)
    return np.concatenate([np.zeros((1, 2)), ring]), np.array([1 / 2] + [1 / 12] * 6)


def mixed_probe(
    wave: Waves,
    focus: tuple[Floats, Floats],
    source: tuple[Floats, Floats],
    pixel_size: tuple[float, float],
    wavelength: float,
) -> Waves:
    """Orthogonal probe modes [p, y, x], strongest first, of unit total power, from the coherent probe [y, x].

    Every defocus and every source point adds a copy of the probe incoherently, with its weight. Modes that hold less
    than LOST_POWER together are dropped, which leaves far fewer modes than copies.
    """
    copies = [
        math.sqrt(focus_weight * source_weight) * moved(wave, float(defocus), displacement, pixel_size, wavelength)
        for defocus, focus_weight in zip(*focus, strict=True)
        for displacement, source_weight in zip(*source, strict=True)
    ]
    waves = np.stack(copies)
    if len(waves) > 1:
        waves = _principal_modes(waves)
    return waves / math.sqrt(float(np.vdot(waves, waves).real))


def moved(
    wave: Waves, defocus: float, displacement: Floats, pixel_size: tuple[float, float], wavelength: float
) -> Waves:
    """The wave [y, x] with a defocus (angstrom) added and moved by (y, x) angstrom, periodic in its window."""
    from scipy.fft import fft2, ifft2

    if defocus == 0.0 and not displacement.any():
        return wave
    fy, fx = (frequencies(n, size) for n, size in zip(wave.shape, pixel_size, strict=True))
    phase = chi({"C10": -defocus}, wavelength, fy[:, None], fx[None])
    phase += 2 * np.pi * (fy[:, None] * displacement[0] + fx * displacement[1])
    result: Waves = ifft2(fft2(wave) * np.exp(-1j * phase))
    return result


def _principal_modes(waves: Waves) -> Waves:
    """The fewest orthogonal modes with the same density matrix, but for LOST_POWER of the power."""
    flat = waves.reshape(len(waves), -1)
    powers, vectors = np.linalg.eigh(flat.conj() @ flat.T)
    lost = np.cumsum(powers.clip(0)) / powers.sum()
    keep = np.flatnonzero(lost > LOST_POWER)[::-1]
    modes: Waves = (vectors[:, keep].T @ flat).reshape(len(keep), *waves.shape[1:])
    return modes
