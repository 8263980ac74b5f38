"""Stored patterns and loss terms of CpuBackend against the reference. Tolerances: see scene.py."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from backends.scene import REFERENCE, SHAPES, Scene, close, narrowed, twins

from ptycupy.backends.cpu import CpuBackend

POWERS = (0.5, 1.0, 0.3)
DTYPES = ("?", "u1", "i1", "u2", "i2", "u4", "i4", "f2", "f4", "f8", ">u2", ">i4", ">f4")


@pytest.fixture(params=["float32", "float64"], scope="module")
def backend(request: pytest.FixtureRequest) -> CpuBackend:
    return CpuBackend(request.param)


@pytest.fixture(params=SHAPES, ids=str)
def scene(request: pytest.FixtureRequest) -> Scene:
    return Scene(*request.param)


def read(backend: CpuBackend, scene: Scene, stored: Any) -> None:
    scale = narrowed(backend, scene.positive(scene.count))
    mask = (scene.rng.random(scene.window) > 0.2).astype(np.uint8)
    weights = np.ones(scene.count, np.uint8)
    weights[scene.indices[0]] = 0
    inputs = (stored, scene.indices, scale, mask, weights)
    found, expected = backend.patterns(*inputs), REFERENCE.patterns(*inputs)
    assert found.dtype == backend.real
    np.testing.assert_array_equal(found == -1, expected == -1)
    close(backend, found, expected)


@pytest.mark.parametrize("dtype", DTYPES)
def test_fault_26_patterns_of_every_stored_dtype(backend: CpuBackend, dtype: str) -> None:
    scene = Scene(*SHAPES[1])  # 7 x 5: the shift to the corner differs from its inverse
    shape = (scene.count, *scene.window)
    values = scene.rng.integers(0, 2 if dtype == "?" else 100, shape)
    stored = np.where(scene.rng.random(shape) < 0.2, -1, values) if np.dtype(dtype).kind in "if" else values
    read(backend, scene, stored.astype(dtype))


def test_patterns_of_every_shape(backend: CpuBackend, scene: Scene) -> None:
    read(backend, scene, scene.rng.integers(0, 1000, (scene.count, *scene.window)).astype(np.uint16))


def test_patterns_that_are_not_finite_do_not_count(backend: CpuBackend, scene: Scene) -> None:
    stored = scene.positive(scene.count, *scene.window)
    stored.flat[:: max(stored.size // 7, 1)] = [np.nan, np.inf, -np.inf, np.nan][scene.states]
    read(backend, scene, stored)


def test_patterns_of_a_memory_map(backend: CpuBackend, scene: Scene, tmp_path: Any) -> None:
    np.save(tmp_path / "stored.npy", scene.rng.integers(0, 9, (scene.count, *scene.window)).astype(np.uint8))
    stored = np.load(tmp_path / "stored.npy", mmap_mode="r")
    assert np.shares_memory(backend.asarray(stored), stored)
    read(backend, scene, stored)
    read(backend, scene, stored[:, ::-1])  # not in C order


def test_fault_27_patterns_of_complex_numbers_are_refused(backend: CpuBackend) -> None:
    ones = np.ones(1, backend.real)
    with pytest.raises(TypeError, match="complex64"):
        backend.patterns(np.ones((1, 2, 2), np.complex64), np.zeros(1, np.int32), ones, np.ones((2, 2), np.uint8), ones)


def test_fault_42_patterns_beyond_two_to_the_31_elements(backend: CpuBackend) -> None:
    """70000 x 200 x 200 = 2.8e9 values without their memory: a broadcast view for the copied path, and 2.8 GB of
    address space, whose untouched pages cost nothing, for the path that reads in place."""
    count, window = 70000, (200, 200)
    index = np.array([count - 1], np.int32)
    scale, weights, mask = np.ones(count, backend.real), np.ones(count, np.uint8), np.ones(window, np.uint8)
    last = np.arange(window[0] * window[1], dtype=np.uint8).reshape(window)
    expected = np.fft.ifftshift(last)[None]
    stored = np.zeros((count, *window), np.uint8)
    stored[-1] = last
    np.testing.assert_array_equal(backend.patterns(stored, index, scale, mask, weights), expected)
    view = np.broadcast_to(last, (count, *window))
    np.testing.assert_array_equal(backend.patterns(view, index, scale, mask, weights), expected)


@pytest.mark.parametrize("power", POWERS)
def test_gaussian(backend: CpuBackend, scene: Scene, power: float) -> None:
    intensity, measured = scene.positive(scene.patterns, *scene.window), scene.measured()
    statistics = twins(backend, "gaussian_statistics", intensity, measured, power)
    assert statistics.dtype == np.float64
    twins(backend, "gaussian_value", statistics)
    twins(backend, "gaussian_gradient", intensity, measured, power, statistics, 0.7)


@pytest.mark.parametrize("power", POWERS)
def test_poisson(backend: CpuBackend, scene: Scene, power: float) -> None:
    intensity, measured = scene.positive(scene.patterns, *scene.window), scene.measured()
    statistics = twins(backend, "poisson_statistics", intensity, measured, power, 1e-6)
    twins(backend, "poisson_value", statistics)
    twins(backend, "poisson_gradient", intensity, measured, power, 1e-6, statistics, 0.7)


@pytest.mark.parametrize("power", POWERS)
def test_pacbed(backend: CpuBackend, scene: Scene, power: float) -> None:
    intensity, measured = scene.positive(scene.patterns, *scene.window), scene.measured()
    measured[:, 0, 0] = -1  # a pixel that never counts
    statistics = twins(backend, "pacbed_statistics", intensity, measured, power)
    value = twins(backend, "pacbed_value", statistics, power)
    twins(backend, "pacbed_gradient", measured, power, statistics, value, 0.7)


def test_pacbed_of_more_than_one_block_of_pixels(backend: CpuBackend) -> None:
    scene = Scene(2, 1, 1, 1, (83, 71))
    intensity, measured = scene.positive(2, 83, 71), scene.measured()
    statistics = twins(backend, "pacbed_statistics", intensity, measured, 0.2)
    twins(backend, "pacbed_gradient", measured, 0.2, statistics, REFERENCE.pacbed_value(statistics, 0.2), 1.0)


@pytest.mark.parametrize("power", [0.5, 0.2])
def test_fault_45_zero_intensity_under_the_root_has_a_finite_gradient(backend: CpuBackend, power: float) -> None:
    dark = np.zeros((2, 3, 3), backend.real)
    measured = np.ones((2, 3, 3), backend.real)
    for loss, extra in (("gaussian", ()), ("poisson", (1e-6,))):
        statistics = getattr(backend, f"{loss}_statistics")(dark, measured, power, *extra)
        gradient = getattr(backend, f"{loss}_gradient")(dark, measured, power, *extra, statistics, 1.0)
        assert np.isfinite(statistics).all()
        assert np.isfinite(gradient).all()
        assert (gradient < 0).all()  # towards more intensity
    statistics = backend.pacbed_statistics(dark, measured, power)
    value = backend.pacbed_value(statistics, power)
    gradient = backend.pacbed_gradient(measured, power, statistics, value, 1.0)
    assert np.isfinite(gradient).all()
    assert (gradient < 0).all()


def test_a_perfect_fit_and_a_batch_that_does_not_count_have_no_gradient(backend: CpuBackend) -> None:
    intensity = np.full((2, 3, 3), 0.25, backend.real)
    for measured in (intensity, np.full_like(intensity, -1)):
        statistics = backend.gaussian_statistics(intensity, measured, 0.5)
        assert backend.gaussian_value(statistics)[0] == 0
        assert not backend.gaussian_gradient(intensity, measured, 0.5, statistics, 1.0).any()
        statistics = backend.pacbed_statistics(intensity, measured, 0.5)
        value = backend.pacbed_value(statistics, 0.5)
        assert value[0] == 0
        assert not backend.pacbed_gradient(measured, 0.5, statistics, value, 1.0).any()
    statistics = backend.poisson_statistics(intensity, measured, 1.0, 1e-6)
    assert backend.poisson_value(statistics)[0] == 0
    assert not backend.poisson_gradient(intensity, measured, 1.0, 1e-6, statistics, 1.0).any()


def test_fault_43_nan_in_the_model_shows_in_every_data_loss(backend: CpuBackend) -> None:
    intensity, measured = np.ones((2, 3, 3), backend.real), np.ones((2, 3, 3), backend.real)
    intensity[1, 1, 1] = np.nan
    assert np.isnan(backend.gaussian_value(backend.gaussian_statistics(intensity, measured, 0.5)))
    assert np.isnan(backend.poisson_value(backend.poisson_statistics(intensity, measured, 1.0, 1e-6)))
    assert np.isnan(backend.pacbed_value(backend.pacbed_statistics(intensity, measured, 0.2), 0.2))
