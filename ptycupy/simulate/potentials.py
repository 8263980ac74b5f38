"""Projected potentials of independent atoms, slice by slice."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from ptycupy.experiment.optics import frequencies
from ptycupy.simulate.scattering import table
from ptycupy.simulate.structures import AtomicModel

Floats = NDArray[np.float64]

POTENTIAL_PER_FACTOR = 47.877645
"""h^2 / (2 pi m0 e) in V angstrom^2: an atom's integrated potential per angstrom of f(0) (CODATA 2018)."""
BAND_LIMIT = 2 / 3
"""Fraction of the Nyquist frequency that the phase keeps, so that products with the wave do not alias."""


def slice_count(thickness: float, slice_thickness: float) -> int:
    """Slices of `slice_thickness` that hold a specimen of `thickness` (angstrom), at least one."""
    return max(1, int(np.ceil(thickness / slice_thickness - 1e-9)))


def projected_potential(
    model: AtomicModel, shape: tuple[int, int], pixel_size: tuple[float, float], slice_thickness: float
) -> Iterator[Floats]:
    """The projected potential [y, x] of each slice in V angstrom, first slice first.

    Every atom counts fully in the slice that its centre lies in (infinite projection), at its exact position: the
    sum over atoms of f(q) exp(-2 pi i q.r) is formed in Fourier space and cut at BAND_LIMIT of Nyquist. The field is
    periodic. Pixel i lies at i * pixel_size.
    """
    from scipy.fft import irfft2

    fy = frequencies(shape[0], pixel_size[0])
    fx = frequencies(shape[1], pixel_size[1])[: shape[1] // 2 + 1]
    q2 = fy[:, None] ** 2 + fx**2
    inside = q2 <= (BAND_LIMIT / 2 / max(pixel_size)) ** 2
    factors = {
        int(number): np.where(inside, POTENTIAL_PER_FACTOR * table()[int(number)](q2), 0.0)
        for number in np.unique(model.numbers)
    }
    count = slice_count(model.thickness, slice_thickness)
    slices = np.clip(np.floor(model.positions[:, 0] / slice_thickness).astype(int), 0, count - 1)
    for index in range(count):
        spectrum = np.zeros(q2.shape, complex)
        for number, factor in factors.items():
            lateral = model.positions[(slices == index) & (model.numbers == number), 1:]
            if lateral.size:
                spectrum += factor * structure_factor(lateral, fy, fx)
        yield irfft2(spectrum, shape) / (pixel_size[0] * pixel_size[1])


def structure_factor(lateral: Floats, fy: Floats, fx: Floats) -> NDArray[np.complex128]:
    """sum_j exp(-2 pi i (fy y_j + fx x_j)) on the grid of frequencies [y, x]; lateral [n, 2] as (y, x)."""
    rows = np.exp(-2j * np.pi * np.outer(fy, lateral[:, 0]))
    columns = np.exp(-2j * np.pi * np.outer(lateral[:, 1], fx))
    result: NDArray[np.complex128] = rows @ columns
    return result
