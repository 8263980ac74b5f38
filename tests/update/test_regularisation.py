"""What defines total variation, Tikhonov, Butterworth, notches and the probe's support."""

from __future__ import annotations

import numpy as np
import pytest
from scenes import random_scene

import ptycupy
from ptycupy.errors import ConfigError
from ptycupy.experiment.scan import scan_vectors


def apply(name, state=None, scene=None, **parameters):
    problem, made = random_scene(**(scene or {}))
    state = made if state is None else state
    return state, ptycupy.apply_constraint(name, problem, state, backend="cpu", dtype="float64", **parameters)


def differences(field):
    return [np.diff(field, axis=axis, append=np.take(field, [-1], axis)) for axis in (2, 3, 1)]


def variation(field, lateral, depth):
    return np.sqrt(sum((w * d) ** 2 for w, d in zip((lateral, lateral, depth), differences(field), strict=True))).sum()


@pytest.mark.parametrize(("lateral", "depth"), [(0.02, 0.0), (0.05, 0.03), (0.0, 0.1), (1e-3, 0.0)])
def test_total_variation_goes_down_and_nothing_does_better(lateral, depth):
    """It is the proximal step: of u near the result, none has a lower 1/2 |u - f|^2 + TV(u)."""
    before, after = apply("total_variation", weight_lateral=lateral, weight_depth=depth, iterations=300)

    def cost(field, given):
        return 0.5 * ((field - given) ** 2).sum() + variation(field, lateral, depth)

    for name in ("object_amplitude", "object_phase"):
        given, found = getattr(before, name), getattr(after, name)
        assert variation(found, lateral, depth) < variation(given, lateral, depth)
        assert found.mean() == pytest.approx(given.mean(), rel=1e-9)
        rng = np.random.default_rng(0)
        for size in (1e-2, 1e-3):
            for _ in range(5):
                other = found + size * rng.standard_normal(found.shape)
                assert cost(found, given) < cost(other, given)
            assert cost(found, given) <= cost(found + size * (given - found), given) + 1e-4 * cost(found, given)
    before, few = apply("total_variation")
    assert variation(few.object_phase, 1, 0) < variation(before.object_phase, 1, 0)


def test_total_variation_keeps_an_edge_that_tikhonov_rounds():
    _, state = random_scene()
    step = np.where(np.arange(state.object_phase.shape[3]) < 9, 0.0, 1.0) * np.ones_like(state.object_phase)
    noisy = state.replace(object_phase=step + 0.02 * np.random.default_rng(1).standard_normal(step.shape))
    _, tv = apply("total_variation", noisy, weight_lateral=0.03, iterations=100)
    _, quadratic = apply("tikhonov", noisy, weight_lateral=0.25)
    for found, least, most in ((tv, 0.85, 1.0), (quadratic, 0.4, 0.6)):
        edge = np.diff(found.object_phase, axis=3)[..., 8].mean()
        assert least < edge < most
    flat = np.s_[..., :6]
    assert tv.object_phase[flat].std() < 0.3 * noisy.object_phase[flat].std()


def test_tikhonov_goes_down_the_square_of_the_gradient():
    before, after = apply("tikhonov", weight_lateral=0.1, weight_depth=0.2)

    def energy(field):
        return sum((d**2).sum() for d in differences(field))

    for name in ("object_amplitude", "object_phase"):
        given, found = getattr(before, name), getattr(after, name)
        assert energy(found) < 0.5 * energy(given)
        assert found.mean() == pytest.approx(given.mean(), rel=1e-12)
    _, small = apply("tikhonov", weight_lateral=1e-6, weight_depth=2e-6)
    gradient = np.zeros_like(before.object_phase)  # of 1/2 sum (w ((d_y)^2 + (d_x)^2) + w_z (d_z)^2)
    for weight, d, axis in zip((1e-6, 1e-6, 2e-6), differences(before.object_phase), (2, 3, 1), strict=True):
        gradient += weight * (np.roll(d, 1, axis) - d)
    np.testing.assert_allclose(before.object_phase - small.object_phase, gradient, atol=1e-10)  # + weight^2


@pytest.mark.parametrize("order", [1.0, 4.0])
def test_butterworth_halves_at_its_radius(order):
    _, state = random_scene(window=(25, 26), object_modes=1, slices=1)
    size = state.object_phase.shape[2:]
    assert size == (32, 32)
    wave = np.cos(2 * np.pi * np.arange(32) * 8 / 32)  # half the Nyquist frequency
    state = state.replace(object_phase=np.broadcast_to(wave, state.object_phase.shape) + 3.0)
    _, after = apply("butterworth_low_pass", state, {"window": (25, 26), "object_modes": 1, "slices": 1}, order=order)
    np.testing.assert_allclose(after.object_phase[0, 0], 3 + wave / 2 * np.ones((32, 1)), atol=1e-12)


def raster(step, rotation=0.0):
    """A scene of 6 x 5 positions, its object 60 px square."""
    turn = np.array([[np.cos(rotation), -np.sin(rotation)], [np.sin(rotation), np.cos(rotation)]])
    positions = np.stack(np.indices((6, 5)).astype(float), -1).reshape(-1, 2) * step @ turn.T
    positions -= positions.min(0)
    corners = np.rint(positions).astype(np.int32)
    problem, state = random_scene(positions=30, slices=1, object_modes=1, scan_shape=(6, 5))
    problem = ptycupy.Problem(problem.patterns, corners, 0.2, 0.025, scan_shape=(6, 5), object_occupancy=[1.0])
    shape = (1, 1, 60, 60)
    return problem, state.replace(
        shifts=positions - corners, object_phase=np.zeros(shape), object_amplitude=np.ones(shape)
    ), turn  # fmt: skip


def test_scan_vectors_are_those_of_the_raster():
    problem, state, turn = raster((4.0, 5.0), 0.2)
    found = scan_vectors(problem.corners + state.shifts, (6, 5))
    np.testing.assert_allclose(found, (turn @ np.diag([4.0, 5.0])).T, atol=1e-12)
    assert scan_vectors(problem.corners + state.shifts, None) is None
    assert scan_vectors(problem.corners + state.shifts, (30, 1)) is None
    assert scan_vectors(problem.corners + state.shifts, (6, 6)) is None


@pytest.mark.parametrize(("step", "rotation"), [((4.0, 5.0), 0.0), ((4.0, 4.0), 0.3)])
def test_grid_artefact_removal_takes_out_the_raster_and_little_else(step, rotation):
    problem, state, turn = raster(step, rotation)
    y, x = np.indices((60, 60))
    along = np.einsum("ij,jyx->iyx", turn.T, [y, x])  # in the axes of the scan
    grid = 0.1 * np.cos(2 * np.pi * along[0] / step[0]) + 0.05 * np.cos(4 * np.pi * along[1] / step[1])
    bump = np.exp(-((y - 30) ** 2 + (x - 28) ** 2) / 50)
    given = state.replace(object_phase=(bump + grid)[None, None])
    after = ptycupy.apply_constraint("grid_artefact_removal", problem, given, "cpu", "float64", width=0.15)
    inside = np.s_[15:45, 15:45]  # a rotated grid ends at the edges of the canvas, which a filter sees
    left = (after.object_phase[0, 0] - bump)[inside]
    assert left.std() < 0.25 * grid[inside].std()
    assert after.object_phase.mean() == pytest.approx(given.object_phase.mean(), rel=1e-9)
    by_step = {"width": 0.15, "step_px": step}
    same = ptycupy.apply_constraint("grid_artefact_removal", problem, given, "cpu", "float64", **by_step)
    assert np.allclose(same.object_phase, after.object_phase) == (rotation == 0)
    first = ptycupy.apply_constraint("grid_artefact_removal", problem, given, "cpu", "float64", width=0.15, orders=1)
    kept = np.abs((first.object_phase - bump)[0, 0][inside]).max()
    assert kept > 0.03  # the second order along x is still there


def test_probe_support():
    before, after = apply("probe_support", scene={"window": (20, 24)}, radius=0.5, width=0.4)
    y, x = np.ogrid[-10:10, -12:12]
    r = np.hypot(y / 5, x / 6)
    assert np.array_equal(after.probe[:, r <= 1], before.probe[:, r <= 1])
    assert not after.probe[:, r >= 1.4].any()
    edge = (r > 1) & (r < 1.4)
    expected = before.probe[:, edge] * (0.5 + 0.5 * np.cos(np.pi * (r[edge] - 1) / 0.4))
    np.testing.assert_allclose(after.probe[:, edge], expected)
    _, hard = apply("probe_support", scene={"window": (20, 24)}, radius_angstrom=1.0, width=0.0)
    inside = np.hypot(y * 0.2, x * 0.25) <= 1.0  # angstrom
    assert np.array_equal(hard.probe != 0, np.broadcast_to(inside, hard.probe.shape))


@pytest.mark.parametrize(
    ("name", "scene", "parameters", "message"),
    [
        ("total_variation", {}, {"weight_lateral": 0.0}, "one of them positive"),
        ("tikhonov", {}, {"weight_lateral": 0.3}, "weight_lateral 0.3 must be 0 to 0.25"),
        ("grid_artefact_removal", {}, {}, "needs a scan_shape"),
        ("probe_support", {"pixel_size": None, "slices": 1}, {"radius_angstrom": 3.0}, "needs pixel_size"),
    ],
)
def test_what_cannot_be_meant_is_refused(name, scene, parameters, message):
    with pytest.raises(ConfigError, match=message):
        apply(name, scene=scene, **parameters)
