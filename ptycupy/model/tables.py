"""The fixed tables of the model on a device: transfer to the detector, matrices along its axes, aberrations."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ptycupy.backends.interface import Array, Backend
from ptycupy.errors import ConfigError
from ptycupy.experiment import propagation
from ptycupy.experiment.aberrations import aberration_basis
from ptycupy.experiment.optics import pair
from ptycupy.experiment.rows import RowMatrix, detector_matrix
from ptycupy.experiment.state import Problem
from ptycupy.model.parameters import Parameters
from ptycupy.ops.axis_filter import Rows


@dataclass(frozen=True)
class NearField:
    """Tables of the transfer to a detector, where each pattern is moved: what Transfer takes, phases in rad."""

    base: Array  # [y, x]
    aperture: Array  # [y, x]
    ky: Array  # [y]
    kx: Array  # [x]
    distance: Array  # [1], 1: it is in the phases


def upload_rows(backend: Backend, matrix: RowMatrix) -> Rows:
    """A sparse matrix and its transpose on the device."""
    back = matrix.transpose()
    return Rows(
        backend.asarray(matrix.indices.astype(np.int32)),
        backend.asarray(matrix.weights.astype(backend.real)),
        backend.asarray(back.indices.astype(np.int32)),
        backend.asarray(back.weights.astype(backend.real)),
    )


def near_field(backend: Backend, problem: Problem, window: tuple[int, int]) -> Array | None:
    """The transfer [1, 1, y, x] to a detector in the near field."""
    if problem.near_field_distance is None:
        return None
    if problem.pixel_size is None or problem.wavelength is None:
        raise ConfigError("near_field_distance needs pixel_size and wavelength in angstrom")
    size, distance = pair(problem.pixel_size), problem.near_field_distance
    transfer = propagation.near_field_transfer(window, size, problem.wavelength, distance, problem.propagator)
    return backend.asarray(transfer.astype(backend.complex)[None, None])


def moved_near_field(backend: Backend, problem: Problem, window: tuple[int, int]) -> NearField | None:
    """What that transfer is made of for each pattern, where descan moves it."""
    if problem.near_field_distance is None or problem.pixel_size is None or problem.wavelength is None:
        return None
    size, distance = pair(problem.pixel_size), problem.near_field_distance
    tables = propagation.moved_near_field(window, size, problem.wavelength, distance, problem.propagator)
    ones = np.ones(1)
    arrays = (tables.base, tables.aperture, tables.ky, tables.kx, ones)
    return NearField(*(backend.asarray(array.astype(backend.real)) for array in arrays))


def descan_period(problem: Problem, window: tuple[int, int], detector: tuple[int, ...]) -> tuple[float, float]:
    """Detector px (y, x) over which a ramp across the window moves a pattern once."""
    periods = window if problem.detector_match == "crop" else detector
    return float(periods[0]), float(periods[1])


def aberrations(backend: Backend, problem: Problem, parameters: Parameters) -> Array | None:
    """chi [K, y, x] in rad/angstrom of each refined coefficient; ConfigError where Problem and State differ in them."""
    names = problem.aberrations
    count = 0 if parameters.aberrations is None else int(parameters.aberrations.size)
    if count != len(names):
        raise ConfigError(f"aberrations: {count} values in the State for {len(names)} names in the Problem: {names}")
    if parameters.aberrations is None:
        return None
    if problem.pixel_size is None or problem.wavelength is None:
        raise ConfigError("aberrations need pixel_size and wavelength in angstrom")
    basis = aberration_basis(names, float(problem.wavelength), parameters.window, pair(problem.pixel_size))
    return backend.asarray(basis.astype(backend.real))


def detector(
    backend: Backend, problem: Problem, window: tuple[int, int], shape: tuple[int, int]
) -> tuple[Rows | None, Rows | None]:
    """From the window's intensities to those on a detector of this shape, along (y, x); None where nothing changes."""
    match, blur = problem.detector_match, problem.detector_blur
    pairs = zip(window, shape, strict=True)
    return uploaded(backend, [detector_matrix(length, pixels, match, blur) for length, pixels in pairs])


def uploaded(backend: Backend, matrices: list[RowMatrix | None]) -> tuple[Rows | None, Rows | None]:
    """Matrices along (y, x) on the device."""
    y, x = (None if matrix is None else upload_rows(backend, matrix) for matrix in matrices)
    return y, x
