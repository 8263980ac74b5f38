"""Partial coherence as mixed probe modes: focal spread and the size of the source."""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from ptycupy.experiment.optics import ELECTRON_REST_ENERGY_KEV, frequencies

Floats = NDArray[np.float64]
Waves = NDArray[np.complex128]

FWHM = 2 * math.sqrt(2 * math.log(2))
"""Full width at half maximum of a Gaussian of unit standard deviation."""
LOST_POWER = 1e-6
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
    probe_at: Callable[[float], Waves],
    focus: tuple[Floats, Floats],
    source: tuple[Floats, Floats],
    pixel_size: tuple[float, float],
) -> Waves:
    """Orthogonal probe modes [p, y, x], strongest first, of unit total power.

    probe_at(defocus offset in angstrom) gives the coherent probe [y, x]; every defocus and every source point adds
    one incoherently with its weight. Modes below LOST_POWER in all are dropped, which leaves far fewer of them.
    """
    members = []
    for offset, focus_weight in zip(*focus, strict=True):
        wave = probe_at(float(offset))
        for displacement, source_weight in zip(*source, strict=True):
            members.append(math.sqrt(focus_weight * source_weight) * displaced(wave, displacement, pixel_size))
    waves = np.stack(members)
    if len(waves) > 1:
        waves = _principal_modes(waves)
    return waves / math.sqrt(float(np.vdot(waves, waves).real))


def displaced(wave: Waves, displacement: Floats, pixel_size: tuple[float, float]) -> Waves:
    """The wave [y, x] moved by a displacement (y, x) in angstrom, periodic in its window."""
    from scipy.fft import fft2, ifft2

    if not displacement.any():
        return wave
    fy, fx = (frequencies(n, size) for n, size in zip(wave.shape, pixel_size, strict=True))
    ramp = fy[:, None] * displacement[0] + fx * displacement[1]
    moved: Waves = ifft2(fft2(wave) * np.exp(-2j * np.pi * ramp))
    return moved


def _principal_modes(waves: Waves) -> Waves:
    """The fewest orthogonal modes with the same density matrix, but for LOST_POWER of the power."""
    flat = waves.reshape(len(waves), -1)
    powers, vectors = np.linalg.eigh(flat.conj() @ flat.T)
    lost = np.cumsum(powers.clip(0)) / powers.sum()
    keep = np.flatnonzero(lost > LOST_POWER)[::-1]
    modes: Waves = (vectors[:, keep].T @ flat).reshape(len(keep), *waves.shape[1:])
    return modes
