"""Wavelengths, the interaction constant and frequency grids. Constants are CODATA 2018."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ptycupy.errors import ConfigError

HC_KEV_ANGSTROM = 12.398419843320026  # Planck's constant times the speed of light
ELECTRON_REST_ENERGY_KEV = 510.99895000


def electron_wavelength(kv: float) -> float:
    """Relativistic wavelength in angstrom of electrons accelerated by `kv` kilovolts."""
    energy = _positive(kv, "an accelerating voltage in kV")
    return HC_KEV_ANGSTROM / math.sqrt(energy * (2 * ELECTRON_REST_ENERGY_KEV + energy))


def electron_kilovolts(wavelength: float) -> float:
    """The accelerating voltage in kV of electrons with this wavelength in angstrom."""
    momentum = HC_KEV_ANGSTROM / _positive(wavelength, "a wavelength in angstrom")
    return math.hypot(momentum, ELECTRON_REST_ENERGY_KEV) - ELECTRON_REST_ENERGY_KEV


def xray_wavelength(kev: float) -> float:
    """Wavelength in angstrom of photons of `kev` kiloelectronvolts."""
    return HC_KEV_ANGSTROM / _positive(kev, "a photon energy in keV")


def interaction_constant(kv: float) -> float:
    """sigma in rad/(V angstrom): phase per projected potential (Kirkland, Advanced Computing in EM, eq. 5.6)."""
    energy, rest = _positive(kv, "an accelerating voltage in kV"), ELECTRON_REST_ENERGY_KEV
    return 2 * math.pi / (electron_wavelength(kv) * energy * 1e3) * (rest + energy) / (2 * rest + energy)


def frequencies(n: int, pixel_size: float) -> NDArray[np.float64]:
    """Spatial frequencies [n] in cycles per unit of `pixel_size`, zero frequency first, -Nyquist for even n."""
    return np.fft.fftfreq(n, pixel_size).astype(np.float64)


def pair(pixel_size: Any) -> tuple[float, float]:
    """(y, x) from a scalar or a pair of positive numbers."""
    sizes = np.ravel(np.asarray(pixel_size, float))
    if sizes.size not in {1, 2} or not (np.isfinite(sizes) & (sizes > 0)).all():
        raise ConfigError(f"pixel_size: {pixel_size!r} must be a positive number, or two of them (y, x)")
    return float(sizes[0]), float(sizes[-1])


def _positive(value: float, meaning: str) -> float:
    if not (math.isfinite(value) and value > 0):
        raise ConfigError(f"{value!r} is not {meaning}: it must be positive")
    return float(value)
