"""Tables of free-space propagation between slices, in double precision."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from ptycupy.errors import ConfigError
from ptycupy.experiment.optics import frequencies, pair

Float = NDArray[np.float64]


@dataclass(frozen=True)
class PropagationTables:
    """transfer = aperture exp(i dz (base + ky tan(tilt_y) + kx tan(tilt_x))), zero frequency in the corner."""

    base: Float  # [y, x] rad/angstrom, the carrier k is taken out
    aperture: Float  # [y, x] 1 where the wave propagates, else 0
    ky: Float  # [y] rad/angstrom
    kx: Float  # [x] rad/angstrom


def propagation_tables(
    window: tuple[int, int],
    pixel_size: float | tuple[float, float],
    wavelength: float,
    propagator: Literal["angular_spectrum", "fresnel"] = "angular_spectrum",
    anti_aliasing: bool = False,
) -> PropagationTables:
    """Tables for a window (y, x) in px, pixel size (scalar or (y, x)) and wavelength in angstrom.

    `angular_spectrum` has base sqrt(k^2 - K^2) - k, written without its cancellation; `fresnel` has -K^2 / 2k.
    Evanescent waves (K > k) vanish. `anti_aliasing` also stops K beyond 2/3 of the smaller axis' Nyquist frequency.
    """
    y_size, x_size = pair(pixel_size)
    ky, kx = 2 * np.pi * frequencies(window[0], y_size), 2 * np.pi * frequencies(window[1], x_size)
    k = 2 * np.pi / wavelength
    squared = ky[:, None] ** 2 + kx[None, :] ** 2
    open_ = squared <= k**2
    kz = np.sqrt(np.maximum(k**2 - squared, 0)) if propagator == "angular_spectrum" else k
    base = np.where(open_, -squared / (kz + k), 0.0)
    if anti_aliasing:
        open_ &= squared <= (2 / 3 * np.pi / max(y_size, x_size)) ** 2
    return PropagationTables(base, open_.astype(np.float64), ky, kx)


def near_field_transfer(
    window: tuple[int, int],
    pixel_size: float | tuple[float, float],
    wavelength: float,
    distance: float,
    propagator: Literal["angular_spectrum", "fresnel"] = "angular_spectrum",
) -> NDArray[np.complex128]:
    """The transfer function [y, x] from the exit plane to a detector `distance` angstrom behind it.

    It also rolls the window's centre into the corner, where the model keeps the centre of every pattern.
    Raises ConfigError where the distance is so long that the function turns by more than half a cycle from one
    frequency to the next: the wave would leave the window (Voelz and Roggemann, Appl. Opt. 48, 6132 (2009)).
    """
    sizes = pair(pixel_size)
    longest = min(n * size**2 for n, size in zip(window, sizes, strict=True)) / wavelength
    if distance > longest:
        raise ConfigError(
            f"model.near_field_distance_mm: {distance * 1e-7:.4g} mm is too long for a window of {window[0]} x "
            f"{window[1]} px: at most {longest * 1e-7:.4g} mm; take a larger window, or the far field"
        )
    tables = moved_near_field(window, sizes, wavelength, distance, propagator)
    transfer: NDArray[np.complex128] = tables.aperture * np.exp(1j * tables.base)
    return transfer


def moved_near_field(
    window: tuple[int, int],
    pixel_size: tuple[float, float],
    wavelength: float,
    distance: float,
    propagator: Literal["angular_spectrum", "fresnel"] = "angular_spectrum",
) -> PropagationTables:
    """The same as phases in rad, and slopes that move the image: transfer = aperture exp(i (base + ky tan(d_y / 1000)
    + kx tan(d_x / 1000))) moves it d px (y, x), down and right for positive ones, to within 3e-7 d^2 of itself.
    """
    tables = propagation_tables(window, pixel_size, wavelength, propagator)
    y, x = (2 * np.pi * frequencies(n, 1.0) for n in window)  # rad per px
    to_corner = y[:, None] * (window[0] // 2) + x[None, :] * (window[1] // 2)
    phase = np.remainder(distance * tables.base + to_corner, 2 * np.pi)
    return PropagationTables(phase, tables.aperture, -1e3 * y, -1e3 * x)
