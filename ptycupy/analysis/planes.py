"""Planes in images: a phase is only defined up to an offset, and for one slice up to a ramp that the probe undoes."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray


def plane_basis(shape: tuple[int, int]) -> NDArray[np.float64]:
    """[3, y, x]: 1, and rows and columns from -1 to 1."""
    rows, columns = (np.linspace(-1, 1, n) for n in shape)
    return np.stack([np.ones(shape), *np.meshgrid(rows, columns, indexing="ij")])


def without_plane(image: NDArray[Any], beside: NDArray[Any] | None = None) -> NDArray[np.float64]:
    """The image [y, x] minus its least-squares plane, fitted together with a multiple of `beside` if given, so that
    the specimen itself does not tilt the plane."""
    basis = plane_basis((image.shape[0], image.shape[1]))
    columns = list(basis) if beside is None else [*basis, beside]
    matrix = np.stack([column.ravel() for column in columns], axis=1)
    coefficients = np.linalg.lstsq(matrix, np.asarray(image, np.float64).ravel(), rcond=None)[0]
    return image - np.tensordot(coefficients[:3], basis, 1)
