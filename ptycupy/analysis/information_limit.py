"""The information limit of a crystal's image: the finest spot that stands out of the noise of its power spectrum."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from ptycupy.analysis.planes import without_plane
from ptycupy.errors import DataError

SMALLEST = 16  # px
NEIGHBOURS = 2  # rings on either side that share one noise floor
SPOT = 5  # px, as wide as the window makes a spot
BEYOND = 3  # rings behind the last spot, which must hold noise
NOISE_QUARTILES = 8.0  # upper over lower quartile of its power: ln 4 / ln(4/3) = 4.8 for noise alone
CHANCE = 1e-6  # of noise alone passing for a spot anywhere; small, since the floor is an estimate itself


def information_limit(image: NDArray[Any], pixel_size: float | tuple[float, float]) -> float | None:
    """The period (in the unit of `pixel_size`, scalar or (y, x)) of the highest frequency at which a real image [y, x]
    has a spot above the noise floor; None where no spot stands out, as for a specimen that is not periodic.

    The power of noise in one Fourier pixel is distributed exponentially, so that the largest of n exceeds
    floor · ln(n / p) with a probability of at most p (Fisher, Proc. R. Soc. A 125, 54 (1929)). p is 1e-6, n counts
    the spectrum below the Nyquist frequency, and the floor of a ring is the median of its power and its neighbours',
    over ln 2: spots fill few pixels and hardly move a median. A limit near Nyquist is the pixel's, not the
    specimen's; spots of the scan's raster count too.

    In a field of a few unit cells the flanks of neighbouring spots meet, so that no floor is seen and the finest spots
    are missed. The power behind the last spot then varies more than noise can. Raises DataError for such a field, and
    for images smaller than 16 px or not finite.
    """
    from scipy import fft, ndimage

    if image.ndim != 2 or min(image.shape) < SMALLEST or not np.isfinite(image).all():
        raise DataError(
            f"information limit of an image {image.shape}: needs finite pixels [y, x], at least {SMALLEST} px each way"
        )
    window = np.outer(*(np.hanning(n + 2)[1:-1] for n in image.shape))
    power = np.abs(fft.fft2(without_plane(image) * window)) ** 2
    step_y, step_x = np.broadcast_to(np.asarray(pixel_size, float), (2,))
    radius = np.hypot(fft.fftfreq(image.shape[0], step_y)[:, None], fft.fftfreq(image.shape[1], step_x))
    nyquist = 0.5 / max(step_y, step_x)  # of the coarser axis: further out rings are not closed
    rings = min(image.shape) // 2
    number = np.rint(radius / nyquist * rings).astype(int)
    inside = (number > NEIGHBOURS) & (number < rings)  # the middle is the window's, Nyquist's power not exponential
    peaks = inside & (power == ndimage.maximum_filter(power, SPOT, mode="wrap"))  # not a stronger spot's flank
    factor = np.log(np.count_nonzero(inside) / CHANCE) / np.log(2)
    for ring in range(rings - 1, NEIGHBOURS, -1):
        floor = np.median(power[inside & (np.abs(number - ring) <= NEIGHBOURS)])
        spots = peaks & (number == ring) & (power > factor * floor)
        if spots.any():
            limit = float(1 / radius[spots].max())
            _require_noise(power[inside & (number > ring) & (number <= ring + BEYOND)], limit, image.shape)
            return limit
    return None


def _require_noise(power: NDArray[Any], limit: float, shape: tuple[int, ...]) -> None:
    """DataError where what lies behind the last spot are other spots' flanks."""
    if not power.size:
        return  # the limit is the pixel's
    low, high = np.quantile(power, (0.25, 0.75))
    if high > NOISE_QUARTILES * low:
        raise DataError(
            f"the field of {shape[0]} x {shape[1]} px holds too few unit cells: its Fourier spots run into each other, "
            f"and any that are finer than that of {limit:.3g} are missed"
        )
