"""Every forward and backward pair of CpuBackend in double precision: dot tests for the linear ones, central
differences along random directions (4th order, step 1e-3: error about 1e-9) for the others."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from backends.scene import SHAPES, Scene

from ptycupy.backends.cpu import CpuBackend

STEP = 1e-3


@pytest.fixture(scope="module")
def backend() -> CpuBackend:
    return CpuBackend("float64")


@pytest.fixture(params=SHAPES, ids=str)
def scene(request: pytest.FixtureRequest) -> Scene:
    return Scene(*request.param)


def dot(a: Any, b: Any) -> float:
    """The real scalar product in which dL/dRe + i dL/dIm is a gradient."""
    return float(np.vdot(a, b).real)


def check_adjoint(forward: Callable[[Any], Any], x: Any, backward: Callable[[Any], Any], y: Any) -> None:
    """<y, A x> = <A^H y, x>, on a scale that does not cancel."""
    image, back = forward(x.copy()), backward(y.copy())
    scale = np.linalg.norm(image) * np.linalg.norm(y)
    assert abs(dot(y, image) - dot(back, x)) <= 1e-12 * scale


def check_gradient(scene: Scene, loss: Callable[[Any], float], x: Any, gradient: Any) -> None:
    """The slope of the loss along three random directions."""
    for _ in range(3):
        direction = scene.complex(*x.shape) if np.iscomplexobj(x) else scene.real(*x.shape)
        f = [loss(x + k * STEP * direction) for k in (-2, -1, 1, 2)]
        slope = (f[0] - 8 * f[1] + 8 * f[2] - f[3]) / (12 * STEP)
        scale = np.linalg.norm(gradient) * np.linalg.norm(direction)
        rounding = 1e-15 * max(abs(value) for value in f) / STEP
        assert abs(slope - dot(gradient, direction)) <= 1e-6 * scale / np.sqrt(x.size) + 10 * rounding


def test_transmission(backend: CpuBackend, scene: Scene) -> None:
    amplitude, phase = scene.volume(), scene.volume()
    weights = scene.complex(*phase.shape)
    grad_amplitude, grad_phase = np.zeros_like(phase), np.zeros_like(phase)
    backend.transmission_backward(weights, amplitude, phase, grad_amplitude, grad_phase)
    check_gradient(scene, lambda a: dot(weights, backend.transmission_forward(a, phase)), amplitude, grad_amplitude)
    check_gradient(scene, lambda p: dot(weights, backend.transmission_forward(amplitude, p)), phase, grad_phase)


@pytest.mark.parametrize("fft", ["rocket", "scipy"])
def test_shift(scene: Scene, fft: str) -> None:
    backend = CpuBackend("float64", fft)
    probe, shifts = scene.complex(scene.modes, *scene.window), scene.real(scene.patterns, 2)
    weights = scene.waves(1)
    _, saved = backend.shift_forward(probe, shifts)
    grad_shifts = np.zeros_like(shifts)
    backend.shift_backward(weights.copy(), shifts, saved, None, grad_shifts)
    check_gradient(scene, lambda s: dot(weights, backend.shift_forward(probe, s)[0]), shifts, grad_shifts)

    def adjoint(grad: Any) -> Any:
        grad_probe = np.zeros_like(probe)
        backend.shift_backward(grad, shifts, saved, grad_probe, None)
        return grad_probe

    check_adjoint(lambda p: backend.shift_forward(p, shifts)[0], probe, adjoint, weights)


@pytest.mark.parametrize("shared", [True, False])
def test_transmit(backend: CpuBackend, scene: Scene, shared: bool) -> None:
    waves, transmission = scene.waves(1 if shared else None), scene.complex(scene.states, scene.slices, *scene.canvas)
    place = (scene.slices - 1, scene.corners, scene.indices)
    grad = scene.waves()

    def to_waves(grad_exits: Any) -> Any:
        return backend.transmit_backward(grad_exits, waves, transmission, *place, None, True)

    def to_transmission(grad_exits: Any) -> Any:
        target = np.zeros_like(transmission)
        backend.transmit_backward(grad_exits, waves, transmission, *place, target, False)
        return target

    check_adjoint(lambda w: backend.transmit_forward(w, transmission, *place), waves, to_waves, grad)
    check_adjoint(lambda t: backend.transmit_forward(waves, t, *place), transmission, to_transmission, grad)


@pytest.mark.parametrize("per_pattern", [True, False])
def test_transfer(backend: CpuBackend, scene: Scene, per_pattern: bool) -> None:
    tilts = 30 * scene.real(scene.patterns if per_pattern else 1, 2)
    thickness = scene.positive(2)
    base, aperture, ky, kx = scene.tables()
    transfer = backend.transfer_forward(tilts, thickness, base, aperture, ky, kx)
    weights = scene.complex(*transfer.shape)
    grad_tilts, grad_thickness = np.zeros_like(tilts), np.zeros_like(thickness)
    backend.transfer_backward(weights, transfer, tilts, thickness, base, ky, kx, grad_tilts, grad_thickness)

    def loss(tilts: Any, thickness: Any) -> float:
        return dot(weights, backend.transfer_forward(tilts, thickness, base, aperture, ky, kx))

    check_gradient(scene, lambda t: loss(t, thickness), tilts, grad_tilts)
    check_gradient(scene, lambda z: loss(tilts, z), thickness, grad_thickness)


@pytest.mark.parametrize("fft", ["rocket", "scipy"])
@pytest.mark.parametrize("per_pattern", [True, False])
def test_propagate(scene: Scene, fft: str, per_pattern: bool) -> None:
    backend = CpuBackend("float64", fft)
    waves, grad = scene.waves(), scene.waves()
    transfer = scene.complex(2, scene.patterns if per_pattern else 1, *scene.window)

    def to_transfer(grad_waves: Any) -> Any:
        target = np.zeros_like(transfer)
        saved = backend.propagate_forward(waves.copy(), transfer, 1, True)[1]
        backend.propagate_backward(grad_waves, transfer, 1, saved, target)
        return target

    check_adjoint(
        lambda w: backend.propagate_forward(w, transfer, 1, False)[0],
        waves,
        lambda g: backend.propagate_backward(g, transfer, 1, None, None),
        grad,
    )
    check_adjoint(lambda t: backend.propagate_forward(waves.copy(), t, 1, False)[0], transfer, to_transfer, grad)


def test_far_field_filter_take_and_patch(backend: CpuBackend, scene: Scene) -> None:
    check_adjoint(backend.far_field_forward, scene.waves(), backend.far_field_backward, scene.waves())
    field = scene.volume()
    patches = scene.real(scene.patterns, scene.states, scene.slices, *scene.window)
    table, rows = scene.real(scene.count, 2), scene.real(scene.patterns, 2)

    def to_field(grad: Any) -> Any:
        target = np.zeros_like(field)
        backend.patch_backward(grad, scene.corners, scene.indices, target)
        return target

    def to_table(grad: Any) -> Any:
        target = np.zeros_like(table)
        backend.take_backward(grad, scene.indices, target)
        return target

    check_adjoint(
        lambda f: backend.patch_forward(f, scene.window, scene.corners, scene.indices), field, to_field, patches
    )
    check_adjoint(lambda t: backend.take_forward(t, scene.indices), table, to_table, rows)


def test_intensity(backend: CpuBackend, scene: Scene) -> None:
    waves, occupancy = scene.waves(), scene.occupancy()
    weights = scene.real(scene.patterns, *scene.window)
    gradient = backend.intensity_backward(weights, waves.copy(), occupancy)
    check_gradient(scene, lambda w: dot(weights, backend.intensity_forward(w, occupancy)), waves, gradient)


@pytest.mark.parametrize("power", [0.5, 1.0, 0.3])
@pytest.mark.parametrize("loss", ["gaussian", "poisson", "pacbed"])
def test_losses(backend: CpuBackend, scene: Scene, loss: str, power: float) -> None:
    intensity, measured = 1 + scene.positive(scene.patterns, *scene.window), scene.measured()
    measured.flat[0] = 1.3  # so that at least one value counts
    extra = (1e-6,) if loss == "poisson" else ()
    of_power = (power,) if loss == "pacbed" else ()
    measure, evaluate = getattr(backend, f"{loss}_statistics"), getattr(backend, f"{loss}_value")
    statistics = measure(intensity, measured, power, *extra)
    if loss == "pacbed":
        gradient = backend.pacbed_gradient(measured, power, statistics, evaluate(statistics, power), 1.0)
    else:
        gradient = getattr(backend, f"{loss}_gradient")(intensity, measured, power, *extra, statistics, 1.0)
    check_gradient(
        scene, lambda i: float(evaluate(measure(i, measured, power, *extra), *of_power)[0]), intensity, gradient
    )


@pytest.mark.parametrize("order", [1, 2, 3])
def test_sparsity(backend: CpuBackend, scene: Scene, order: int) -> None:
    phase, occupancy = np.sign(scene.volume()) * (0.1 + np.abs(scene.volume())), scene.occupancy()
    coverage = backend.coverage(scene.canvas, scene.window, scene.corners, scene.indices)
    count = 1000
    statistics = backend.sparsity_statistics(phase, coverage, order)
    gradient = np.zeros_like(phase)
    backend.sparsity_gradient(phase, coverage, order, statistics, occupancy, count, 1.0, gradient)

    def loss(phase: Any) -> float:
        return float(
            backend.sparsity_value(backend.sparsity_statistics(phase, coverage, order), occupancy, count, order)[0]
        )

    check_gradient(scene, loss, phase, gradient)


def test_similarity(backend: CpuBackend, scene: Scene) -> None:
    patches, occupancy = 10 * scene.real(scene.patterns, scene.states, 1, 2, 2), scene.occupancy()
    gradient = backend.similarity_gradient(patches, occupancy, 1.0)
    check_gradient(scene, lambda p: float(backend.similarity_statistics(p, occupancy)[0]), patches, gradient)
