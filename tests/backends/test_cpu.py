"""Every method of CpuBackend equals the reference (tests/reference.py), in both precisions and for both FFT libraries.

Tolerances: see scene.py.
"""

from __future__ import annotations

import numpy as np
import pytest
from backends.scene import SHAPES, TOLERANCE, Scene, close, narrowed, twins
from cuda_on_cpu import wave_cases
from cuda_on_cpu.scene import Scene as Scenario
from reference import ReferenceBackend

from ptycupy.backends.cpu import CpuBackend, fitting, slicing

REFERENCE = ReferenceBackend()


@pytest.fixture(params=["float32", "float64"], scope="module")
def backend(request: pytest.FixtureRequest) -> CpuBackend:
    return CpuBackend(request.param)


@pytest.fixture(params=SHAPES, ids=str)
def scene(request: pytest.FixtureRequest) -> Scene:
    return Scene(*request.param)


def test_take(backend: CpuBackend, scene: Scene) -> None:
    table = scene.real(scene.count, 2)
    rows = twins(backend, "take_forward", table, scene.indices)
    assert rows.dtype == backend.real
    twins(backend, "take_backward", scene.real(scene.patterns, 2), scene.indices, table, targets=(2,))


def test_transmission(backend: CpuBackend, scene: Scene) -> None:
    amplitude, phase = scene.volume(), 20 * scene.volume()  # many turns
    grad = scene.complex(*phase.shape)
    assert twins(backend, "transmission_forward", amplitude, phase).dtype == backend.complex
    for wanted in ((True, True), (True, False), (False, True)):
        targets = [scene.volume() if want else None for want in wanted]
        changed = tuple(3 + i for i, want in enumerate(wanted) if want)
        twins(backend, "transmission_backward", grad, amplitude, phase, *targets, targets=changed)


def test_transmission_of_what_is_not_finite_is_not_finite(backend: CpuBackend) -> None:
    phase = np.array([np.nan, np.inf, -np.inf, 0], backend.real).reshape(1, 1, 2, 2)
    found = backend.transmission_forward(np.ones_like(phase), phase).ravel()
    np.testing.assert_array_equal(np.isfinite(found), [False, False, False, True])


@pytest.mark.parametrize("fft", ["rocket", "scipy"])
def test_shift(backend: CpuBackend, scene: Scene, fft: str) -> None:
    backend = CpuBackend(backend.real, fft)
    probe, shifts = scene.complex(scene.modes, *scene.window), scene.real(scene.patterns, 2)
    given = (narrowed(backend, probe), narrowed(backend, shifts))
    waves, saved = backend.shift_forward(*given)
    expected, reference_saved = REFERENCE.shift_forward(*given)
    close(backend, waves, expected)
    grad = narrowed(backend, scene.waves(1))
    grad_probe, grad_shifts = narrowed(backend, probe), narrowed(backend, shifts)
    exact_probe, exact_shifts = probe.copy(), shifts.copy()
    REFERENCE.shift_backward(grad.copy(), given[1], reference_saved, exact_probe, exact_shifts)
    backend.shift_backward(grad.copy(), given[1], saved, grad_probe, grad_shifts)
    close(backend, grad_probe, exact_probe)
    close(backend, grad_shifts, exact_shifts)
    backend.shift_backward(grad.copy(), given[1], saved, None, None)  # nothing wanted, nothing touched


@pytest.mark.parametrize("shared", [True, False])
def test_transmit(backend: CpuBackend, scene: Scene, shared: bool) -> None:
    waves, transmission = scene.waves(1 if shared else None), scene.complex(scene.states, scene.slices, *scene.canvas)
    place = (scene.slices - 1, scene.corners, scene.indices)
    twins(backend, "transmit_forward", waves, transmission, *place)
    grad = scene.complex(*transmission.shape)
    for target, needs_waves in ((grad, True), (grad, False), (None, True)):
        changed = () if target is None else (6,)
        inputs = (scene.waves(), waves, transmission, *place, target, needs_waves)
        twins(backend, "transmit_backward", *inputs, targets=changed)


@pytest.mark.parametrize("gaps", [1, 2])
@pytest.mark.parametrize("per_pattern", [True, False])
def test_transfer(backend: CpuBackend, scene: Scene, gaps: int, per_pattern: bool) -> None:
    tilts = 30 * scene.real(scene.patterns if per_pattern else 1, 2)
    thickness = 5 * scene.positive(gaps)
    base, aperture, ky, kx = scene.tables()
    transfer = twins(backend, "transfer_forward", tilts, thickness, base, aperture, ky, kx)
    assert transfer.dtype == backend.complex
    grad = scene.complex(*transfer.shape)
    inputs = (grad, transfer, tilts, thickness, base, ky, kx)
    twins(backend, "transfer_backward", *inputs, tilts, thickness, targets=(7, 8))
    twins(backend, "transfer_backward", *inputs, None, None)


@pytest.mark.parametrize("fft", ["rocket", "scipy"])
@pytest.mark.parametrize("per_pattern", [True, False])
def test_propagate(backend: CpuBackend, scene: Scene, fft: str, per_pattern: bool) -> None:
    backend = CpuBackend(backend.real, fft)
    transfer = narrowed(backend, scene.complex(2, scene.patterns if per_pattern else 1, *scene.window))
    waves, grad = narrowed(backend, scene.waves()), narrowed(backend, scene.waves())
    expected, reference_saved = REFERENCE.propagate_forward(waves, transfer, 1, True)
    assert backend.propagate_forward(waves.copy(), transfer, 1, False)[1] is None
    found, saved = backend.propagate_forward(waves.copy(), transfer, 1, True)
    close(backend, found, expected)
    target, exact = np.ones_like(transfer), np.ones(transfer.shape, complex)
    expected = REFERENCE.propagate_backward(grad, transfer, 1, reference_saved, exact)
    close(backend, backend.propagate_backward(grad.copy(), transfer, 1, saved, target), expected)
    close(backend, target, exact)
    close(backend, backend.propagate_backward(grad.copy(), transfer, 1, None, None), expected)


@pytest.mark.parametrize("fft", ["rocket", "scipy"])
@pytest.mark.parametrize("gaps", ["one", "each"])
@pytest.mark.parametrize("shared", [True, False])
@pytest.mark.parametrize("keep", [True, False], ids=["with the transfer's gradient", "without"])
def test_multislice(backend: CpuBackend, scene: Scene, fft: str, gaps: str, shared: bool, keep: bool) -> None:
    backend = CpuBackend(backend.real, fft)
    shape = (1 if gaps == "one" else max(scene.slices - 1, 1), scene.patterns if shared else 1, *scene.window)
    transmission = narrowed(backend, scene.complex(scene.states, scene.slices, *scene.canvas))
    waves, transfer = narrowed(backend, scene.waves(1 if shared else None)), narrowed(backend, scene.complex(*shape))
    where = (transmission, transfer, scene.corners, scene.indices)
    expected, exact_saved = REFERENCE.multislice_forward(waves, *where, keep)
    found, saved = backend.multislice_forward(waves, *where, keep)
    close(backend, found, expected)
    grad = narrowed(backend, scene.waves())
    target, exact = np.ones_like(transmission), np.ones(transmission.shape, complex)
    turn, exact_turn = (np.ones_like(transfer), np.ones(transfer.shape, complex)) if keep else (None, None)
    expected = REFERENCE.multislice_backward(grad.astype(complex), exact_saved, *where, exact, exact_turn, True)
    close(backend, backend.multislice_backward(grad.copy(), saved, *where, target, turn, True), expected)
    close(backend, target, exact)
    if keep:
        close(backend, turn, exact_turn)
    assert backend.multislice_backward(grad.copy(), saved, *where, target, turn, False) is None


@pytest.mark.parametrize(
    ("dtype", "window"),
    [
        ("float32", (64, 128)),
        ("float64", (64, 128)),
        pytest.param("float32", (512, 256), marks=pytest.mark.slow),  # half a minute of compilation
    ],
    ids=str,
)
def test_diffraction_with_transforms_of_our_own(dtype: str, window: tuple[int, int]) -> None:
    """Every factorisation: 64 = 8 8, 128 = 16 8, 256 = 16 16, 512 = 32 16."""
    backend = CpuBackend(dtype, "own")
    scene = Scenario(n=3, p=2, o=2, z=3, window=window, canvas=(window[0] + 16, window[1] + 9))
    for case in (wave_cases.diffraction, wave_cases.multislice):
        expected = case(REFERENCE, scene)
        for name, found in case(backend, scene).items():
            atol = TOLERANCE[dtype] * np.abs(expected[name]).max()
            np.testing.assert_allclose(found, expected[name], rtol=0, atol=atol, err_msg=name)


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_a_specimen_gives_the_same_gradients_by_patterns_and_by_modes(dtype: str) -> None:
    backend = CpuBackend(dtype, "own")
    scene = Scenario(n=3, p=3, o=2, z=3, window=(64, 128), canvas=(80, 137))
    found = []
    for alone in (True, False):
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(slicing, "by_patterns", lambda *_, alone=alone: alone)
            found.append(wave_cases.multislice(backend, scene))
    expected = wave_cases.multislice(REFERENCE, scene)
    for name, values in expected.items():
        np.testing.assert_allclose(found[1][name], values, rtol=0, atol=TOLERANCE[dtype] * np.abs(values).max())
    assert [name for name in expected if (found[0][name] != found[1][name]).any()] == []


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_patterns_are_compared_on_their_way_as_in_steps(dtype: str) -> None:
    """By patterns, where threads have one each, and wave by wave where they would not: the same bits."""
    backend = CpuBackend(dtype, "own")
    found = []
    for patterns in (3, 1):
        scene = Scenario(n=patterns, p=3, o=2, z=3, window=(64, 128), canvas=(80, 137))
        expected = wave_cases.misfit(REFERENCE, scene)
        for threads in (1, 4):
            with pytest.MonkeyPatch.context() as patch:
                patch.setattr(fitting, "by_patterns", lambda patterns, _, threads=threads: patterns >= threads)
                found.append(wave_cases.misfit(backend, scene))
            for name, values in expected.items():
                atol = TOLERANCE[dtype] * np.abs(values).max()
                np.testing.assert_allclose(found[-1][name], values, rtol=0, atol=atol, err_msg=f"{name}, {threads}")
        by_patterns, by_waves = found[-2:]
        assert [name for name in expected if (by_patterns[name] != by_waves[name]).any()] == []


@pytest.mark.parametrize("fft", ["rocket", "scipy"])
def test_far_field(backend: CpuBackend, scene: Scene, fft: str) -> None:
    backend = CpuBackend(backend.real, fft)
    twins(backend, "far_field_forward", scene.waves())
    twins(backend, "far_field_backward", scene.waves())


def test_intensity(backend: CpuBackend, scene: Scene) -> None:
    waves, occupancy = scene.waves(), scene.occupancy()
    assert twins(backend, "intensity_forward", waves, occupancy).dtype == backend.real
    twins(backend, "intensity_backward", scene.real(scene.patterns, *scene.window), waves, occupancy)


@pytest.mark.parametrize("shape", [(3, 5, 4), (2, 7, 1), (1, 1, 1), (1, 3, 5000)])
def test_axis_filter(backend: CpuBackend, scene: Scene, shape: tuple[int, int, int]) -> None:
    indices = scene.rng.integers(0, shape[1], (6, 3)).astype(np.int32)
    weights = scene.real(6, 3)
    weights[:, -1] = 0  # an unused tap
    twins(backend, "axis_filter", scene.real(*shape), indices, weights)


def test_patch(backend: CpuBackend, scene: Scene) -> None:
    patches = twins(backend, "patch_forward", scene.volume(), scene.window, scene.corners, scene.indices)
    grad = scene.real(*patches.shape)
    twins(backend, "patch_backward", grad, scene.corners, scene.indices, scene.volume(), targets=(3,))


def test_windows_off_the_canvas_are_refused(backend: CpuBackend, scene: Scene) -> None:
    outside = scene.corners.copy()
    outside[scene.indices[0], 1] = scene.canvas[1] - scene.window[1] + 1
    for corners, indices in ((outside, scene.indices), (scene.corners, scene.indices + np.int32(scene.count))):
        with pytest.raises(ValueError, match="canvas"):
            backend.patch_forward(narrowed(backend, scene.volume()), scene.window, corners, indices)
        with pytest.raises(ValueError, match="canvas"):
            backend.coverage(scene.canvas, scene.window, corners, indices)


def test_coverage_sparsity(backend: CpuBackend, scene: Scene) -> None:
    coverage = twins(backend, "coverage", scene.canvas, scene.window, scene.corners, scene.indices)
    assert coverage.dtype == np.int32
    phase, occupancy = scene.volume(), scene.occupancy()
    phase[:, :, scene.canvas[0] // 2] = 0
    count = scene.patterns * scene.slices * scene.window[0] * scene.window[1]
    for order in (1, 2, 3):
        statistics = twins(backend, "sparsity_statistics", phase, coverage, order)
        twins(backend, "sparsity_value", statistics, occupancy, count, order)
        inputs = (phase, coverage, order, statistics, occupancy, count, 0.7, scene.volume())
        twins(backend, "sparsity_gradient", *inputs, targets=(7,))
    nothing = np.zeros(scene.states)
    inputs = (0 * phase, coverage, 2, nothing, occupancy, count, 0.7, scene.volume())
    twins(backend, "sparsity_gradient", *inputs, targets=(7,))


def test_similarity(backend: CpuBackend, scene: Scene) -> None:
    patches = scene.real(scene.patterns, scene.states, scene.slices, *scene.window)
    occupancy = np.ones(scene.states)
    patches[0, :, 0] = patches[0, :1, 0]  # no deviation: no gradient, and no NaN
    statistics = twins(backend, "similarity_statistics", patches, occupancy)
    twins(backend, "similarity_value", statistics, patches.size)
    twins(backend, "similarity_gradient", patches, occupancy, 0.3)
    twins(backend, "similarity_gradient", patches, scene.occupancy(), 0.3)
    equal = np.repeat(patches[:, :1], scene.states, 1).astype(backend.real)
    assert not backend.similarity_gradient(equal, 0.3 * occupancy, 0.3).any()


def test_adam(backend: CpuBackend, scene: Scene) -> None:
    for make in (scene.real, scene.complex):
        shape = (scene.modes, *scene.window)
        second = np.abs(make(*shape)) * (1 if make == scene.real else 1 + 1j)
        inputs = (make(*shape), make(*shape), make(*shape), second, 0.1, 3, 0.9, 0.999, 1e-8)
        twins(backend, "adam", *inputs, targets=(0, 2, 3))


def test_relaxed_projections(backend: CpuBackend, scene: Scene) -> None:
    for low, high, relax in ((-0.5, 0.5, 0.0), (0.0, np.inf, 0.3), (-np.inf, 0.2, 1.0)):
        twins(backend, "clamp", scene.volume(), low, high, relax, targets=(0,))
    twins(backend, "relax", scene.volume(), scene.volume(), 0.3, targets=(0,))
    twins(backend, "relax", scene.waves(), scene.waves(), 0.3, targets=(0,))


def test_power(backend: CpuBackend, scene: Scene) -> None:
    power = twins(backend, "total_power", scene.waves())
    twins(backend, "rescale_power", scene.waves(), power, 2.0, targets=(0,))


@pytest.mark.parametrize("modes", [1, 2, 5])
def test_orthogonalise(backend: CpuBackend, modes: int) -> None:
    """The same mixed state, no overlaps, strongest first: eigenvectors are free up to a phase."""
    probe = Scene(1, 1, modes, 1, (7, 6)).waves()[0, 0] * 0.1 ** np.arange(modes)[:, None, None]
    given = narrowed(backend, probe)
    backend.orthogonalise(given)
    found = given.reshape(modes, -1).astype(complex)
    before = probe.reshape(modes, -1)
    close(backend, found.T @ found.conj(), before.T @ before.conj())
    expected = probe.copy()
    REFERENCE.orthogonalise(expected)
    gram = found @ found.conj().T
    np.testing.assert_allclose(
        gram.diagonal().real, (np.abs(expected) ** 2).sum((1, 2)), rtol=10 * TOLERANCE[backend.real.name]
    )
    norms = np.sqrt(gram.diagonal().real)
    assert np.abs(gram / np.outer(norms, norms) - np.eye(modes)).max() < 50 * TOLERANCE[backend.real.name]


def test_orthogonal_modes_stay_as_they_are(backend: CpuBackend) -> None:
    """Also their phases, which an optimizer's moments know."""
    probe = np.zeros((3, 4, 4), backend.complex)
    probe[0, 0, 0], probe[1, 1, 1], probe[2, 2, 2] = 3, 2j, 1
    given = probe.copy()
    backend.orthogonalise(given)
    np.testing.assert_array_equal(given, probe)


def test_positions(backend: CpuBackend, scene: Scene) -> None:
    shifts = 3 * scene.real(scene.count, 2)
    twins(backend, "recentre", shifts, 0.25, targets=(0,))
    given, corners = narrowed(backend, shifts), scene.corners + np.int32(40)
    given[0] = 0.5, 1.5  # half to even
    exact, exact_corners = given.astype(float), corners.copy()
    bounds = backend.reanchor(given, corners)
    np.testing.assert_array_equal(bounds, REFERENCE.reanchor(exact, exact_corners))
    np.testing.assert_array_equal(corners, exact_corners)
    assert bounds.dtype == np.int32
    close(backend, given, exact)


def test_count_nonfinite(backend: CpuBackend, scene: Scene) -> None:
    values, waves = scene.volume(), scene.waves()
    values.flat[0], waves.flat[-1] = np.inf, complex(1, np.nan)
    assert twins(backend, "count_nonfinite", values).dtype == np.int32
    twins(backend, "count_nonfinite", waves)
    twins(backend, "count_nonfinite", scene.real(9001))
