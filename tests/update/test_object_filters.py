"""What defines the filters, ratios and moves of the object, against plain NumPy and scipy."""

from __future__ import annotations

import numpy as np
import pytest
import scipy.fft
from scenes import random_scene

import ptycupy
from ptycupy.errors import ConfigError


def apply(name, state=None, scene=None, **parameters):
    problem, made = random_scene(**(scene or {}))
    state = made if state is None else state
    return state, ptycupy.apply_constraint(name, problem, state, backend="cpu", dtype="float64", **parameters)


def close(found, expected, tolerance=1e-12):
    np.testing.assert_allclose(found, expected, rtol=0, atol=tolerance * np.abs(expected).max())


@pytest.mark.parametrize("thresh", [0.05, 0.5, 1.0, 1e-9])
def test_frequency_threshold_keeps_the_largest_cosine_coefficients_of_all_slices(thresh):
    before, after = apply("frequency_threshold", thresh=thresh)
    for name in ("object_amplitude", "object_phase"):
        coefficients = scipy.fft.dctn(getattr(before, name), axes=(2, 3), norm="ortho")
        kept = max(1, round(thresh * coefficients.size))
        least = np.sort(np.abs(coefficients), axis=None)[-kept]
        expected = np.where(np.abs(coefficients) >= least, coefficients, 0)
        assert np.count_nonzero(expected) == kept
        close(getattr(after, name), scipy.fft.idctn(expected, axes=(2, 3), norm="ortho"))


@pytest.mark.parametrize("shape", [(1, 1), (8, 8), (7, 12), (13, 5), (1, 6)])
@pytest.mark.parametrize("kind", ["cpu", "cuda on cpu"])
def test_cosine_transform_is_scipys_and_its_inverse_is_one(shape, kind, cpu_backend, host_cuda_backend):
    backend = (cpu_backend if kind == "cpu" else host_cuda_backend)("float64")
    values = np.random.default_rng(0).standard_normal((3, *shape))
    coefficients = backend.cosine_forward(backend.asarray(values))
    close(backend.to_host(coefficients), scipy.fft.dctn(values, axes=(1, 2), norm="ortho"))
    close(backend.to_host(backend.cosine_backward(coefficients)), values)


@pytest.mark.parametrize("slices", [1, 4, 5])
def test_missing_wedge_is_one_mask_of_the_whole_spectrum(slices):
    before, after = apply("missing_wedge", scene={"slices": slices}, alpha=0.8, beta=1.3)
    kz, ky, kx = (np.fft.fftfreq(n) for n in before.object_phase.shape[1:])
    squared = ky[:, None] ** 2 + kx**2
    angle = np.arctan((1.3 * kz[:, None, None]) ** 2 / (squared + 1e-3))
    mask = (1 - 2 / np.pi * angle) * np.exp(-0.8 * squared)
    phase, amplitude = (
        np.fft.ifftn(mask * np.fft.fftn(field, axes=(1, 2, 3)), axes=(1, 2, 3)).real
        for field in (before.object_phase, before.object_amplitude)
    )
    close(after.object_phase, phase)
    close(after.object_amplitude, 1 + 0.9 * (amplitude - 1))


def test_positive_phase_by_subtraction_keeps_all_differences():
    before, after = apply("positive_phase", mode="subtract_min")
    close(after.object_phase, before.object_phase - before.object_phase.min())
    _, half = apply("positive_phase", mode="subtract_min", relax=0.5)
    close(half.object_phase, before.object_phase - before.object_phase.min() / 2)


def test_complex_ratio_of_one_material_is_left_as_it_is():
    """Where ln a = -C phi already, nothing is left to do, whichever of the two follows the other."""
    _, state = random_scene()
    phase = np.abs(state.object_phase)
    state = state.replace(object_phase=phase, object_amplitude=np.exp(-0.07 * phase))
    for alphas in ({"alpha1": 1.0, "alpha2": 0.0}, {"alpha1": 0.3, "alpha2": 0.9}):
        _, after = apply("complex_ratio", state, **alphas)
        close(after.object_phase, phase, 1e-6)
        close(after.object_amplitude, state.object_amplitude, 1e-6)
    _, dark = apply("complex_ratio", state.replace(object_amplitude=0 * phase), alpha1=0.5)
    assert np.isfinite(dark.object_amplitude).all()


def centre_of_mass(state):
    masses = np.maximum(state.object_phase, 0).sum((0, 2, 3))
    return (masses * np.arange(len(masses))).sum() / masses.sum()


def layered(phases, **scene):
    """An object whose slices have these phases within a disk."""
    _, state = random_scene(slices=len(phases), object_modes=1, **scene)
    y, x = np.ogrid[: state.object_phase.shape[2], : state.object_phase.shape[3]]
    disk = np.exp(-((y - 9) ** 2 + (x - 9) ** 2) / 20.0)
    phase = np.asarray(phases)[None, :, None, None] * disk
    return state.replace(object_phase=phase, object_amplitude=np.exp(-0.01 * phase))


@pytest.mark.parametrize("height", [0.4, 5.0])
def test_depth_recentring_moves_the_object_to_the_middle_and_does_not_wrap_its_phase(height):
    """By whole slices here, so that interpolation leaves no doubt: from slice 1 to 3 of 7."""
    state = layered(height * np.array([0.2, 1, 0.2, 0, 0, 0, 0]))
    _, after = apply("depth_recentring", state, {"slices": 7, "object_modes": 1}, thresh=0.0)
    np.testing.assert_allclose(after.object_phase, np.roll(state.object_phase, 2, axis=1), atol=1e-9)
    np.testing.assert_allclose(after.object_amplitude, np.roll(state.object_amplitude, 2, axis=1), atol=1e-9)
    assert centre_of_mass(after) == pytest.approx(3)


def test_depth_recentring_propagates_the_probe_against_the_object():
    """A probe that is focused on the object stays so: the patterns of a thin object do not change."""
    state = layered([0, 0.3, 0, 0, 0, 0, 0]).replace(slice_thickness=np.asarray(6.0), tilts=np.zeros((1, 2)))
    problem, _ = random_scene(slices=7, object_modes=1)
    after = ptycupy.apply_constraint("depth_recentring", problem, state, "cpu", "float64", thresh=0.0)
    state, after = (s.replace(object_amplitude=np.ones_like(s.object_phase)) for s in (state, after))
    patterns = [ptycupy.forward(problem, s, range(5), "cpu", "float64") for s in (state, after)]
    close(patterns[1], patterns[0], 1e-9)
    assert np.abs(after.probe - state.probe).max() > 0.01


def test_a_shift_of_almost_nothing_leaves_the_object_alone():
    state = layered([0.1, 0.2, 0.1001])
    _, after = apply("depth_recentring", state, {"object_modes": 1}, thresh=0.0)
    assert np.array_equal(after.object_phase, state.object_phase)
    assert not np.array_equal(after.probe, state.probe)
    _, empty = apply("depth_recentring", state.replace(object_phase=-state.object_phase), {"object_modes": 1})
    assert np.array_equal(empty.probe, state.probe)


# --- probe and tilts ----------------------------------------------------------------------------------------------
def test_probe_masks_act_on_the_strong_modes_and_sort():
    _, state = random_scene(probe_modes=3)
    state = state.replace(probe=state.probe[[1, 0, 2]] * np.array([3.0, 1.0, 0.1])[:, None, None])
    powers = (np.abs(state.probe) ** 2).sum((1, 2))
    strong = 2  # of 3: the first alone holds less than the share, both of them more
    share = 0.5 * (powers[0] + powers[:2].sum()) / powers.sum()
    _, after = apply("probe_fourier_mask", state, {"probe_modes": 3}, power_thresh=share, radius=0.5, width=0.1)
    y, x = (np.fft.fftfreq(n) for n in state.probe.shape[1:])
    mask = 1 / (1 + np.exp(10 * (np.hypot(y[:, None], x) - 0.25) / 0.1))
    expected = state.probe.copy()
    expected[:strong] = np.fft.ifft2(mask * np.fft.fft2(expected[:strong]))
    order = np.argsort(-(np.abs(expected) ** 2).sum((1, 2)))
    close(after.probe, expected[order])
    _, all_modes = apply("probe_fourier_mask", state, {"probe_modes": 3}, power_thresh=1.0)  # no mode is above it
    assert np.isfinite(all_modes.probe).all()


def test_probe_real_mask_acts_in_the_sharpest_plane():
    """A probe defocused out of its window's middle is not cut, because where it is focused it is small."""
    problem, state = random_scene(window=(32, 32), probe_modes=1)
    y, x = (np.arange(32) - 15.5 for _ in range(2))
    focus = np.exp(-(y[:, None] ** 2 + x**2) / 8).astype(complex)[None]
    space = ptycupy.apply_constraint  # the same propagation as the constraint's own
    state = state.replace(probe=focus)
    sharp = space("probe_real_mask", problem, state, "cpu", "float64", radius=0.6, z_range=(-60, 60), z_steps=13)
    assert np.abs(sharp.probe - focus).max() < 1e-3
    cut = space("probe_real_mask", problem, state, "cpu", "float64", radius=0.02, z_range=(-60, 60), z_steps=13)
    assert (np.abs(cut.probe) ** 2).sum() < 0.1 * (np.abs(focus) ** 2).sum()


def test_tilt_smoothing_is_a_blur_over_the_scan():
    from ptycupy.experiment.rows import blur_matrix

    before, after = apply("tilt_smoothing", scene={"positions": 12, "scan_shape": (3, 4)}, std=1.5, relax=0.25)
    rows, columns = (blur_matrix(n, 1.5, 5).toarray() for n in (3, 4))
    smooth = np.einsum("ij,kl,jlc->ikc", rows, columns, before.tilts.reshape(3, 4, 2)).reshape(-1, 2)
    close(after.tilts, 0.25 * before.tilts + 0.75 * smooth)


def test_what_constraints_need_is_asked_for():
    with pytest.raises(ConfigError, match=r"tilt_smoothing: 1 tilts, but a scan of 1 x 5"):
        apply("tilt_smoothing", scene={"scan_shape": (1, 5), "tilt_per_position": False})
    for name in ("depth_recentring", "probe_real_mask"):
        with pytest.raises(ConfigError, match=f"{name}: propagation needs pixel_size"):
            apply(name, scene={"pixel_size": None})
