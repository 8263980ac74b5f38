"""The illumination: a round aperture with aberrations, and mixed modes built upon it."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ptycupy.errors import ConfigError
from ptycupy.experiment.aberrations import chi
from ptycupy.experiment.optics import electron_wavelength, frequencies, pair

Complex = NDArray[np.complex128]


def make_probe(
    kv: float,
    convergence_angle: float,
    shape: tuple[int, int],
    pixel_size: float | tuple[float, float],
    aberrations: Mapping[str, float] = {},  # noqa: B006 - never written to
    modes: int = 1,
    mode_power: float = 0.02,
) -> NDArray[np.complex64]:
    """An electron probe of unit total intensity: complex64 (y, x) for one mode, (mode, y, x) for more.

    `kv` is the accelerating voltage, `convergence_angle` the aperture's semi-angle in mrad, `pixel_size` angstrom
    (scalar or (y, x)), `aberrations` as in `aberrations.coefficients`. The probe is centred in its array; extra modes
    carry `mode_power` of the total each. Raises ConfigError for what cannot be meant.
    """
    fundamental = aperture_probe(electron_wavelength(kv), convergence_angle, shape, pixel_size, aberrations)
    probe = mixed_modes(fundamental, modes, mode_power)
    return (probe if modes > 1 else probe[0]).astype(np.complex64)


def aperture_probe(
    wavelength: float,
    convergence_angle: float,
    shape: tuple[int, int],
    pixel_size: float | tuple[float, float],
    aberrations: Mapping[str, float],
) -> Complex:
    """The focused wave (y, x) of a hard round aperture, unit total intensity; wavelength in angstrom, angle in mrad."""
    if not convergence_angle > 0:
        raise ConfigError(f"illumination.convergence_angle_mrad: {convergence_angle!r} must be positive")
    y_size, x_size = pair(pixel_size)
    ky, kx = frequencies(shape[0], y_size)[:, None], frequencies(shape[1], x_size)[None, :]
    inside = wavelength * np.hypot(ky, kx) <= convergence_angle * 1e-3
    spectrum = np.where(inside, np.exp(-1j * chi(aberrations, wavelength, ky, kx)), 0)
    from scipy.fft import fftshift, ifft2

    wave = fftshift(ifft2(spectrum))
    normalised: Complex = wave / np.linalg.norm(wave)
    return normalised


def mixed_modes(probe: NDArray[Any], modes: int, mode_power: float) -> Complex:
    """`modes` probe modes (mode, y, x) with the total intensity of `probe`, which is (y, x) or (mode, y, x).

    Modes that `probe` has are kept, first ones first. Each added one is a Hermite-like X^m Y^n times the first mode and
    a Gaussian of its width, made orthogonal to all before it, and holds `mode_power` of the total.
    """
    given = np.asarray(probe, np.complex128)
    given = given[None] if given.ndim == 2 else given
    total = float(np.sum(np.abs(given) ** 2))
    if not (math.isfinite(total) and total > 0):
        raise ConfigError(f"the probe's total intensity is {total:g}; it must be positive and finite")
    if modes < 1:
        raise ConfigError(f"illumination.modes: {modes} must be at least 1")
    kept, extra = given[:modes], modes - len(given[:modes])
    if extra * mode_power >= 1:
        raise ConfigError(
            f"illumination.mode_power: {extra} added modes of {mode_power:g} leave nothing for the first; "
            f"it must be below {1 / extra:.3g}"
        )
    share = total * (1 - max(extra, 0) * mode_power)
    kept = kept * np.sqrt(share / np.sum(np.abs(kept) ** 2))
    added = _added_modes(kept, extra, math.ceil(math.sqrt(modes)))
    return np.concatenate([kept, added * np.sqrt(total * mode_power)])


def probe_variations(probe: NDArray[Any], count: int) -> NDArray[np.complex64]:
    """Waves (count, y, x) in which a first mode may vary at first: X^m Y^n times it, orthogonal to all modes.

    Each has the total intensity of `probe` (mode, y, x), so that its weight is its share of the amplitude.
    """
    given = np.asarray(probe, np.complex128)
    waves = _added_modes(given, count, math.ceil(math.sqrt(count + 1)))
    return np.asarray(waves * np.linalg.norm(given), np.complex64)


def _added_modes(given: Complex, count: int, per_row: int) -> Complex:
    """`count` orthonormal modes that are orthogonal to the given ones."""
    fundamental = given[0]
    basis: list[Complex] = []
    for mode in given:
        _extend(basis, mode)
    start = len(basis)
    intensity = np.abs(fundamental) ** 2 / np.sum(np.abs(fundamental) ** 2)
    y, y_variance = _centred(intensity.sum(1))
    x, x_variance = _centred(intensity.sum(0))
    envelope = np.exp(-(y**2) / (2 * y_variance))[:, None] * np.exp(-(x**2) / (2 * x_variance))
    for index in range(1, per_row * per_row + len(given) * per_row):
        if len(basis) - start == count:
            break
        n, m = divmod(index, per_row)
        polynomial = (y / math.sqrt(y_variance))[:, None] ** n * (x / math.sqrt(x_variance)) ** m
        _extend(basis, polynomial * envelope * fundamental)
    if len(basis) - start < count:
        raise ConfigError(
            f"illumination.modes: a window of {fundamental.shape[0]} x {fundamental.shape[1]} px "
            f"holds no {len(given) + count} independent modes"
        )
    return np.array(basis[start:]).reshape(count, *fundamental.shape)


def _extend(basis: list[Complex], mode: Complex) -> None:
    """Appends the part of `mode` that is orthogonal to the basis, normalised, unless nothing of it is left."""
    size = np.linalg.norm(mode)
    rest = mode
    for _ in range(2):  # the second pass removes what rounding left of the first
        for vector in basis:
            rest = rest - np.vdot(vector, rest) * vector
    if np.linalg.norm(rest) > 1e-6 * size:
        basis.append(rest / np.linalg.norm(rest))


def _centred(profile: NDArray[Any]) -> tuple[NDArray[Any], float]:
    """Coordinates about the profile's centroid, and its variance (kept positive for a single pixel)."""
    position = np.arange(profile.size) - profile.size / 2
    position = position - np.sum(position * profile)
    return position, max(float(np.sum(position**2 * profile)), 1e-12)
