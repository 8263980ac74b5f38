"""Masks of windows and of spectra: real weights in double precision, zero frequency in the corner of a spectrum."""

from __future__ import annotations

from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

Float = NDArray[np.float64]
KEPT = 8  # masks of different shapes and settings that a reconstruction may use in turns


@lru_cache(KEPT)
def sigmoid_disk(shape: tuple[int, int], radius: float, width: float) -> Float:
    """Low-pass [y, x] 1 / (1 + exp(10 (r - radius / 2) / width)), r in cycles per px (PtyRAD's mask).

    radius and width are shares of the Nyquist frequency and of the sampling frequency.
    """
    y, x = (np.fft.fftfreq(n) for n in shape)
    return _sigmoid(np.hypot(y[:, None], x), radius, width)


@lru_cache(KEPT)
def stretched_sigmoid_disk(shape: tuple[int, int], radius: float, width: float) -> Float:
    """`sigmoid_disk` of the smaller side, stretched to the shape by its nearest pixel, as PtyRAD does."""
    n = min(shape)
    side = np.arange(n) - n // 2
    mask = _sigmoid(np.hypot(side[:, None], side) / n, radius, width)
    rows, columns = (np.arange(length) * n // length for length in shape)
    return np.fft.ifftshift(mask[np.ix_(rows, columns)])


@lru_cache(KEPT)
def super_gaussian(shape: tuple[int, int], radius: float, order: float) -> Float:
    """Window [y, x] exp(-1/2 (R / radius)^(2 order)), R from -1 at the first pixel to 1 at the last."""
    y, x = (np.linspace(-1, 1, n) for n in shape)
    return np.exp(-0.5 * (np.hypot(y[:, None], x) / (radius + 1e-8)) ** (2 * order))


def _sigmoid(r: Float, radius: float, width: float) -> Float:
    # The argument is limited where the mask is 0 in any precision, so that the exponential cannot overflow.
    return 1 / (1 + np.exp(np.minimum(10 * (r - radius / 2) / width, 700)))
