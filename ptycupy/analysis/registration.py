"""Sub-pixel registration by upsampled cross-correlation (Guizar-Sicairos et al., Opt. Lett. 33, 156, 2008)."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from numpy.typing import NDArray


def registration_shift(reference: NDArray[Any], moving: NDArray[Any], upsample: int = 10) -> tuple[float, float]:
    """How many px (y, x) `moving` must be moved (down, right) to lie on `reference`, to 1/upsample px.

    Periodic cross-correlation of two real images [y, x] of one shape: subtract means and pad before where that hurts.
    """
    from scipy import fft

    if reference.shape != moving.shape:
        raise ValueError(f"images to be registered have shapes {reference.shape} and {moving.shape}")
    product = fft.fft2(reference) * np.conj(fft.fft2(moving))
    correlation = np.abs(fft.ifft2(product))
    peak = np.unravel_index(int(correlation.argmax()), correlation.shape)
    coarse = [index - n if index > n // 2 else index for index, n in zip(peak, correlation.shape, strict=True)]
    if upsample == 1:
        return float(coarse[0]), float(coarse[1])
    steps = np.arange(-math.ceil(0.75 * upsample), math.ceil(0.75 * upsample) + 1) / upsample
    rows, columns = (
        np.exp(2j * np.pi * np.outer(centre + steps, fft.fftfreq(n)))
        for centre, n in zip(coarse, product.shape, strict=True)
    )
    fine = np.abs(rows @ product @ columns.T)
    row, column = np.unravel_index(int(fine.argmax()), fine.shape)
    return float(coarse[0] + steps[row]), float(coarse[1] + steps[column])


def fourier_shift(image: NDArray[Any], shift: tuple[float, float]) -> NDArray[np.float64]:
    """The real image [y, x] moved by (y, x) px, periodically and without any blur."""
    from scipy import fft

    frequencies_y, frequencies_x = (fft.fftfreq(n) for n in image.shape)
    ramp = np.exp(-2j * np.pi * (shift[0] * frequencies_y[:, None] + shift[1] * frequencies_x))
    moved: NDArray[np.float64] = fft.ifft2(fft.fft2(image) * ramp).real
    return moved
