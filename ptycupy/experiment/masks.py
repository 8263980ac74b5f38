"""Masks of windows and of spectra: real weights in double precision, zero frequency in the corner of a spectrum."""

from __future__ import annotations

from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

Float = NDArray[np.float64]
ScanVectors = tuple[tuple[float, float], tuple[float, float]]
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
    return np.asarray(np.fft.ifftshift(mask[np.ix_(rows, columns)]), np.float64)


@lru_cache(KEPT)
def super_gaussian(shape: tuple[int, int], radius: float, order: float) -> Float:
    """Window [y, x] exp(-1/2 (R / radius)^(2 order)), R from -1 at the first pixel to 1 at the last."""
    y, x = (np.linspace(-1, 1, n) for n in shape)
    return np.exp(-0.5 * (np.hypot(y[:, None], x) / (radius + 1e-8)) ** (2 * order))


@lru_cache(KEPT)
def butterworth_disk(shape: tuple[int, int], radius: float, order: float) -> Float:
    """Low-pass [y, x] 1 / (1 + (r / r0)^(2 order)), r0 = radius times the Nyquist frequency (Butterworth 1930)."""
    y, x = (np.fft.fftfreq(n) for n in shape)
    weights: Float = 1 / (1 + (np.hypot(y[:, None], x) / (radius / 2)) ** (2 * order))
    return weights


@lru_cache(KEPT)
def raster_notches(shape: tuple[int, int], scan_vectors: ScanVectors, width: float, orders: int | None) -> Float:
    """1 [y, x] but for Gaussian notches at the multiples of a raster's frequencies, the mean excepted.

    scan_vectors: one step along rows and along columns of the scan, px (y, x). `width` is a notch's standard deviation
    as a share of the raster's frequency; `orders` the highest multiple, None for all.
    """
    steps = np.asarray(scan_vectors)
    y, x = (np.fft.fftfreq(n) for n in shape)
    multiples = steps[:, 0, None, None] * y[:, None] + steps[:, 1, None, None] * x  # [2, y, x]
    nearest = np.rint(multiples)
    distance = np.hypot(*(multiples - nearest))
    order = np.abs(nearest).max(axis=0)
    meant = (order > 0) if orders is None else (order > 0) & (order <= orders)
    return np.where(meant, 1 - np.exp(-0.5 * (distance / width) ** 2), 1.0)


@lru_cache(KEPT)
def soft_disk(shape: tuple[int, int], radius: tuple[float, float], width: float) -> Float:
    """Window [y, x] 1 within an ellipse of `radius` px (y, x) about its middle, 0 from 1 + width times that; a cosine
    between."""
    y, x = ((np.arange(n) - n // 2) / r for n, r in zip(shape, radius, strict=True))
    over = np.clip((np.hypot(y[:, None], x) - 1) / width, 0, 1) if width > 0 else np.hypot(y[:, None], x) > 1
    return 0.5 + 0.5 * np.cos(np.pi * over)


def _sigmoid(r: Float, radius: float, width: float) -> Float:
    # The argument is limited where the mask is 0 in any precision, so that the exponential cannot overflow.
    return 1 / (1 + np.exp(np.minimum(10 * (r - radius / 2) / width, 700)))
