"""The information limit: how far out an image's Fourier transform holds more than noise."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ptycupy.analysis.planes import without_plane
from ptycupy.errors import DataError

SMALLEST = 16  # px
FALSE_ALARM = 1e-3  # probability that noise alone passes for a spot anywhere in the transform


def information_limit(image: NDArray[Any], pixel_size: float | tuple[float, float]) -> float | None:
    """The shortest period in angstrom whose Fourier spot stands out of the noise; None where none does.

    `image` [y, x] is a phase in the scanned field, without its plane and under a Hann window; `pixel_size` angstrom,
    scalar or (y, x). The power of noise in a ring of equal frequency is distributed as exp(-p / s), whose median is
    s ln 2, so that a pixel above s ln(n / 0.001), n all pixels, is a spot (the statistics of a periodogram: Priestley,
    Spectral Analysis and Time Series, sec. 6.1.4). It speaks of separate spots, as a crystal has them over a field of
    several unit cells: use a Fourier ring correlation for anything else. Raises DataError for images under 16 px or not
    finite.
    """
    from scipy import fft, ndimage

    if image.ndim != 2 or min(image.shape) < SMALLEST:
        raise DataError(f"information limit of an image {image.shape}: needs [y, x], at least {SMALLEST} px each way")
    if not np.isfinite(image).all():
        raise DataError("information limit of an image that holds NaN or infinite pixels")
    window = np.outer(*(np.hanning(n + 2)[1:-1] for n in image.shape))
    power = np.abs(fft.fft2(without_plane(image) * window)) ** 2
    step_y, step_x = np.broadcast_to(np.asarray(pixel_size, float), (2,))
    frequency = np.hypot(fft.fftfreq(image.shape[0], step_y)[:, None], fft.fftfreq(image.shape[1], step_x))
    nyquist = 0.5 / max(step_y, step_x)
    rings = min(image.shape) // 2
    number = np.rint(frequency / nyquist * rings).astype(int)
    # The flank of a spot further in is no spot: only the highest pixel of its surroundings is.
    peaks = power == ndimage.maximum_filter(power, size=5, mode="wrap")
    threshold = math.log(power.size / FALSE_ALARM)
    # From the edge inwards: the first ring with a spot is the limit. Rings within three pixels of the centre belong to
    # the window's own transform.
    for ring in range(rings, 3, -1):
        inside = number == ring
        noise = np.median(power[inside]) / math.log(2)
        spots = inside & peaks & (power > noise * threshold)
        if noise > 0 and spots.any():
            return float(1 / frequency[spots].max())
    return None
