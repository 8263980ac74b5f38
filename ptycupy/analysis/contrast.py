"""Contrast of the phase, the figure of merit that tuning maximises without knowing the truth."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray


def contrast_objective(
    phase: NDArray[Any],
    occupancy: ArrayLike | None = None,
    region: tuple[slice, slice] = (slice(None), slice(None)),
) -> float:
    """-sigma/mu of the projected phase; lower is better, 0 for a flat image.

    phase [omode, z, y, x] in rad is summed over slices, averaged over object modes with their occupancies (default:
    equal), cut to `region` and shifted and scaled to 0..1, as PtyRAD does: without that a global phase offset, which
    means nothing, would dominate the ratio.
    """
    projected = np.asarray(phase, np.float64).sum(axis=1)
    weights = np.ones(len(projected)) if occupancy is None else np.asarray(occupancy, np.float64)
    image = np.tensordot(weights / weights.sum(), projected, 1)[region]
    span = float(np.ptp(image))
    if span == 0:
        return 0.0
    image = (image - image.min()) / span
    return -float(image.std() / (image.mean() + 1e-8))
