"""Every op on a backend in double precision: its adjoint against central differences (1e-6)."""

from __future__ import annotations

import numpy as np
import pytest

import ptycupy
from ptycupy import ops
from ptycupy.backends import select
from ptycupy.experiment.aberrations import aberration_basis
from ptycupy.experiment.propagation import propagation_tables
from ptycupy.experiment.rows import blur_matrix
from ptycupy.experiment.scan import affine_matrix
from ptycupy.model.tables import upload_rows

N, MODES, P, Z, WINDOW, CANVAS = 3, 2, 2, 2, (6, 5), (9, 8)
CORNERS = np.array([[0, 0], [2, 1], [3, 3], [1, 2]], np.int32)
INDICES = np.array([3, 0, 2], np.int32)


@pytest.fixture(scope="module")
def backend():
    return select("cpu", "float64")


@pytest.fixture
def g():
    return np.random.default_rng(3)


def wave(g, *shape):
    return g.standard_normal(shape) + 1j * g.standard_normal(shape)


def check(op, *inputs):
    errors = ptycupy.check_gradient(op, *inputs, dtype="float64", step=1e-5)
    assert len(errors) == len(inputs)


def test_take(backend, g):
    check(ops.Take(backend, INDICES), g.standard_normal((4, 2)))


def test_transmission(backend, g):
    shape = (MODES, Z, *CANVAS)
    check(ops.Transmission(backend), g.uniform(0.5, 1.5, shape), g.uniform(-4, 4, shape))


def test_shift(backend, g):
    check(ops.Shift(backend), wave(g, P, *WINDOW), g.uniform(-2, 2, (N, 2)))


@pytest.mark.parametrize("modes", [1, MODES], ids=["first slice", "later slices"])
def test_transmit(backend, g, modes):
    op = ops.Transmit(backend, 1, CORNERS, INDICES)
    check(op, wave(g, N, modes, P, *WINDOW), wave(g, MODES, Z, *CANVAS))


@pytest.mark.parametrize(("tilts", "gaps"), [(1, 1), (N, 1), (N, 2)])
def test_transfer(backend, g, tilts, gaps):
    t = propagation_tables(WINDOW, (0.2, 0.3), 0.025)
    op = ops.Transfer(backend, t.base, t.aperture, t.ky, t.kx)
    check(op, g.uniform(-9, 9, (tilts, 2)), g.uniform(4, 9, gaps))


@pytest.mark.parametrize("tilts", [1, N])
def test_propagate(backend, g, tilts):
    op = ops.Propagate(backend, 1, keep_spectrum=True)
    check(op, wave(g, N, MODES, P, *WINDOW), wave(g, 2, tilts, *WINDOW))


def test_far_field(backend, g):
    check(ops.FarField(backend), wave(g, N, MODES, P, *WINDOW))


def test_intensity(backend, g):
    check(ops.Intensity(backend, np.array([0.3, 0.7])), wave(g, N, MODES, P, *WINDOW))


@pytest.mark.parametrize("axis", [0, 1, 2])
def test_axis_filter(backend, g, axis):
    rows = upload_rows(backend, blur_matrix((4, 6, 5)[axis], 0.7, 5, "reflect"))
    check(ops.AxisFilter(backend, axis, rows), g.standard_normal((4, 6, 5)))


def test_patch(backend, g):
    check(ops.Patch(backend, WINDOW, CORNERS, INDICES), g.standard_normal((MODES, Z, *CANVAS)))


@pytest.fixture
def pair(g):
    measured = g.uniform(0.1, 2, (N, 5, 4))
    measured[1, 2, 3] = -1
    measured[2, 0, 0] = 0
    return g.uniform(0.1, 2, measured.shape), measured


@pytest.mark.parametrize("power", [0.5, 1.0, 0.3])
def test_gaussian(backend, pair, power):
    check(ops.Gaussian(backend, pair[1], power), pair[0])


@pytest.mark.parametrize("power", [0.5, 1.0])
def test_poisson(backend, pair, power):
    check(ops.Poisson(backend, pair[1], power, 1e-6), pair[0])


@pytest.mark.parametrize("power", [0.2, 1.0])
def test_pacbed(backend, pair, power):
    check(ops.Pacbed(backend, pair[1], power), pair[0])


@pytest.mark.parametrize("order", [1, 2, 3])
def test_sparsity(backend, g, order):
    coverage = backend.coverage(CANVAS, WINDOW, CORNERS, INDICES)
    count = N * Z * WINDOW[0] * WINDOW[1]
    phase = g.choice([-1, 1], (MODES, Z, *CANVAS)) * g.uniform(0.1, 1, (MODES, Z, *CANVAS))
    check(ops.Sparsity(backend, coverage, np.array([0.4, 0.6]), count, order), phase)


def test_similarity(backend, g):
    patches = g.standard_normal((N, 3, Z, 4, 4))
    check(ops.Similarity(backend, np.array([0.2, 0.3, 0.5]), patches[:, 0].size), patches)


def test_aberrate(backend, g):
    basis = aberration_basis(("C10", "C12a", "C21b"), 0.025, WINDOW, (0.2, 0.3))
    check(ops.Aberrate(backend, basis), wave(g, P, *WINDOW), g.uniform(-40, 40, 3))


def test_background(backend, g):
    check(ops.Background(backend), g.uniform(0, 1, (N, 5, 4)), g.uniform(0, 1, (5, 4)))


def test_descan(backend, g):
    check(ops.Descan(backend, (7.0, 5.0)), wave(g, N, MODES, P, *WINDOW), g.uniform(-2, 2, (N, 2)))


def test_descan_moves_patterns_by_whole_pixels(backend, g):
    waves = wave(g, 1, 1, 1, 8, 6)
    ramped = backend.descan_forward(waves, np.array([[2.0, -1.0]]), (8.0, 6.0))
    before, after = (np.abs(np.fft.fft2(values)) for values in (waves, ramped))
    np.testing.assert_allclose(after, np.roll(before, (2, -1), axis=(-2, -1)), rtol=1e-12)


def test_dose(backend, g):
    check(ops.Dose(backend), g.uniform(0, 1, (N, 5, 4)), g.uniform(0.5, 2, (N, 1)))


def test_scan_affine(backend, g):
    nominal = g.uniform(-30, 30, (len(CORNERS), 2))
    check(ops.ScanAffine(backend, nominal, INDICES), g.uniform(-1, 1, (N, 2)), np.array([0.1, -0.2, 8.0, 5.0]))


def test_scan_affine_is_the_configuration_s_matrix(backend, g):
    nominal = g.uniform(-30, 30, (len(CORNERS), 2))
    moved = backend.scan_affine_forward(np.zeros((4, 2)), nominal, np.arange(4), np.array([0.1, -0.2, 8.0, 5.0]))
    np.testing.assert_allclose(nominal + moved, nominal @ affine_matrix(1.1, -0.2, 8.0, 5.0), rtol=1e-12)


def test_stack(backend, g):
    check(ops.Stack(backend), wave(g, 2, *WINDOW), wave(g, 3, *WINDOW))


def test_vary(backend, g):
    check(ops.Vary(backend), wave(g, N, 1, P + 3, *WINDOW), g.standard_normal((N, 3)))


def test_normalised_variations_are_the_same_probes(backend, g):
    probe, variations, weights = wave(g, P, *WINDOW), wave(g, 3, *WINDOW), g.standard_normal((7, 3))
    before = probe[0] + np.einsum("nv,vyx->nyx", weights, variations)
    backend.normalise_variations(probe, variations, weights, 4.0)
    np.testing.assert_allclose(probe[0] + np.einsum("nv,vyx->nyx", weights, variations), before, rtol=1e-12)
    flat = variations.reshape(3, -1)
    np.testing.assert_allclose((flat @ flat.conj().T).real, 4 * np.eye(3), atol=1e-12)
    np.testing.assert_allclose(weights.mean(0), 0, atol=1e-14)


def test_transmit_is_patch_times_wave(backend, g):
    """The fused op equals the composition that it replaces."""
    field, waves = g.standard_normal((MODES, Z, *CANVAS)), wave(g, N, 1, P, *WINDOW)
    patches = backend.patch_forward(field, WINDOW, CORNERS, INDICES)[:, :, 1, None]
    exits = backend.transmit_forward(waves, field.astype(complex), 1, CORNERS, INDICES)
    np.testing.assert_allclose(exits, waves * patches, rtol=1e-13)
