"""What the parts of the reference share."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from ptycupy.backends.interface import Array

INTENSITY_FLOOR = 1e-10  # what intensity_forward adds; the data losses never look at less


def fft2(waves: Array) -> Array:
    return np.fft.fft2(waves, norm="ortho")


def ifft2(waves: Array) -> Array:
    return np.fft.ifft2(waves, norm="ortho")


def windows(corners: Array, indices: Array, shape: tuple[int, int]) -> Iterator[tuple[int, slice, slice]]:
    """(pattern of the batch, rows, columns) of each window."""
    for i, index in enumerate(np.asarray(indices)):
        y, x = (int(corner) for corner in corners[index])
        yield i, slice(y, y + shape[0]), slice(x, x + shape[1])
