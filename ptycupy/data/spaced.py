"""Some of many, evenly spaced."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray


def evenly_spaced(count: int, most: int) -> NDArray[np.intp]:
    """Numbers of at most `most` of `count` things, in order, the first and the last one among them."""
    return np.unique(np.linspace(0, count - 1, min(count, most)).round().astype(np.intp))
