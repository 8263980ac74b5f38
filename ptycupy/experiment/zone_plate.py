"""The illumination behind a Fresnel zone plate, as X-ray scanning microscopes have it."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from ptycupy.errors import ConfigError
from ptycupy.experiment.optics import frequencies, pair


def focal_length(wavelength: float, outer_radius: float, outer_zone_width: float) -> float:
    """First-order focal length 2 R dr / lambda; all lengths in one unit (Attwood, Soft X-Rays, eq. 9.13)."""
    return 2 * outer_radius * outer_zone_width / wavelength


def zone_plate_probe(
    wavelength: float,
    shape: tuple[int, int],
    pixel_size: float | tuple[float, float],
    outer_radius: float,
    outer_zone_width: float,
    aperture_diameter: float | None = None,
    central_stop_diameter: float = 0.0,
    focus_to_sample: float = 0.0,
) -> NDArray[np.complex128]:
    """The first-order wave (y, x) at the sample, unit total intensity, centred in its array; all lengths in angstrom.

    The pupil is open between the central stop and the aperture (by default the zone plate's own radius); higher orders
    are taken to be stopped. `focus_to_sample` is how far downstream of the focus the sample stands. The wave is the
    Fresnel integral of a thin lens in one transform (Goodman, Introduction to Fourier Optics, eq. 4-17): pupil
    coordinate u and frequency k at the sample obey u = lambda z k with z = f + focus_to_sample.

    Raises ConfigError where the pupil is empty, the sample stands before the zone plate, or the aperture's angle is
    beyond the window's Nyquist frequency.
    """
    radius = outer_radius if aperture_diameter is None else aperture_diameter / 2
    length = focal_length(wavelength, outer_radius, outer_zone_width)
    distance = length + focus_to_sample
    if distance <= 0:
        raise ConfigError(
            f"illumination.zone_plate: the focal length is {length * 1e-7:.4g} mm, so focus_to_sample_um = "
            f"{focus_to_sample * 1e-4:.4g} puts the sample before the zone plate"
        )
    if not central_stop_diameter / 2 < radius:
        raise ConfigError(
            f"illumination.zone_plate: a central stop of {central_stop_diameter * 1e-4:.4g} um leaves nothing open of "
            f"an aperture of {2 * radius * 1e-4:.4g} um"
        )
    y_size, x_size = pair(pixel_size)
    edge, nyquist = radius / (wavelength * distance), 0.5 / max(y_size, x_size)
    if edge > nyquist:
        raise ConfigError(
            f"illumination.zone_plate: the cone of {1e3 * radius / distance:.4g} mrad reaches {edge:.4g} 1/angstrom, "
            f"beyond the {nyquist:.4g} 1/angstrom of pixels of {max(y_size, x_size):.4g} angstrom"
        )
    u_y, u_x = (wavelength * distance * frequencies(n, d) for n, d in zip(shape, (y_size, x_size), strict=True))
    squared = u_y[:, None] ** 2 + u_x[None, :] ** 2
    is_open = (squared <= radius**2) & (squared >= (central_stop_diameter / 2) ** 2)
    defocus = math.pi / wavelength * (1 / distance - 1 / length)
    from scipy.fft import fftshift, ifft2

    y, x = ((np.arange(n) - n // 2) * d for n, d in zip(shape, (y_size, x_size), strict=True))
    curvature = np.exp(1j * math.pi / (wavelength * distance) * (y[:, None] ** 2 + x[None, :] ** 2))
    wave = fftshift(ifft2(np.where(is_open, np.exp(1j * defocus * squared), 0))) * curvature
    normalised: NDArray[np.complex128] = wave / np.linalg.norm(wave)
    return normalised
