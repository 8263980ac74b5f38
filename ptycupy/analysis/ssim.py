"""Structural similarity of two images (Wang, Bovik, Sheikh, Simoncelli, IEEE Trans. Image Process. 13, 600, 2004)."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

WINDOW = 7  # px


def structural_similarity(first: NDArray[Any], second: NDArray[Any], data_range: float) -> float:
    """Mean SSIM of two images [y, x], at least 7 px each way, over uniform 7 x 7 windows that lie inside.

    K1 = 0.01, K2 = 0.03 and sample covariances (n - 1), as scikit-image has them by default.
    """
    from scipy.ndimage import uniform_filter

    if first.shape != second.shape or min(first.shape) < WINDOW:
        raise ValueError(f"SSIM of images {first.shape} and {second.shape}: needs one shape of at least 7 px each way")
    one, other = np.asarray(first, np.float64), np.asarray(second, np.float64)

    def mean(values: NDArray[np.float64]) -> NDArray[np.float64]:
        rim = WINDOW // 2
        filtered: NDArray[np.float64] = uniform_filter(values, WINDOW)[rim:-rim, rim:-rim]
        return filtered

    mean_one, mean_other = mean(one), mean(other)
    sample = WINDOW**2 / (WINDOW**2 - 1)
    variance_one = sample * (mean(one * one) - mean_one**2)
    variance_other = sample * (mean(other * other) - mean_other**2)
    covariance = sample * (mean(one * other) - mean_one * mean_other)
    small_mean, small_variance = (0.01 * data_range) ** 2, (0.03 * data_range) ** 2
    likeness = (2 * mean_one * mean_other + small_mean) * (2 * covariance + small_variance)
    scale = (mean_one**2 + mean_other**2 + small_mean) * (variance_one + variance_other + small_variance)
    return float((likeness / scale).mean())
