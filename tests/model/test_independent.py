"""The forward model against a multislice written from the equations alone, and against what physics says of it.

Lee et al. (PtyRAD, 2025), Eqs. 1-5, with the angular spectrum in place of the paraxial propagator where asked for.
Everything here is complex128 NumPy in plain loops; nothing of ptycupy is used but its public functions.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from scenes import random_scene

import ptycupy

CALL = {"backend": "cpu", "dtype": "float64"}
TOLERANCE = 1e-12  # of the largest intensity; both sides are doubles


# --- the independent multislice ---------------------------------------------------------------------------------
def shifted(wave, shift):
    """The wave moved by (y, x) px down and right with the Fourier shift theorem, periodic in its window."""
    rows, columns = wave.shape
    spectrum = np.fft.fft2(wave)
    for a, fy in enumerate(np.fft.fftfreq(rows)):
        for b, fx in enumerate(np.fft.fftfreq(columns)):
            spectrum[a, b] *= np.exp(-2j * np.pi * (shift[0] * fy + shift[1] * fx))
    return np.fft.ifft2(spectrum)


def propagated(wave, dz, tilt, pixel, wavelength, propagator, anti_aliasing):
    """Free space over dz, Eq. 4; `tilt` (y, x) in mrad moves the wave by dz tan(tilt) up and left."""
    rows, columns = wave.shape
    spectrum = np.fft.fft2(wave)
    k = 1 / wavelength
    limit = 2 / 3 * min(1 / (2 * pixel[0]), 1 / (2 * pixel[1]))
    for a, ky in enumerate(np.fft.fftfreq(rows, pixel[0])):
        for b, kx in enumerate(np.fft.fftfreq(columns, pixel[1])):
            squared = ky**2 + kx**2
            if squared > k**2 or (anti_aliasing and squared > limit**2):
                spectrum[a, b] = 0
                continue
            if propagator == "fresnel":
                phase = -np.pi * wavelength * squared * dz
            else:
                phase = 2 * np.pi * dz * np.sqrt(k**2 - squared)
            slope = ky * np.tan(tilt[0] / 1000) + kx * np.tan(tilt[1] / 1000)
            spectrum[a, b] *= np.exp(1j * (phase + 2 * np.pi * dz * slope))
    return np.fft.ifft2(spectrum)


def cropped(image, shape):
    """The central pixels, with the beam at n // 2 before and after."""
    top, left = (n // 2 - m // 2 for n, m in zip(image.shape, shape, strict=True))
    return image[top : top + shape[0], left : left + shape[1]]


def resampled(image, shape):
    """Linear interpolation over the same extent, pixel edges aligned; the sum of a smooth image stays."""
    for axis, size in enumerate(shape):
        length = image.shape[axis]
        centres = np.clip((np.arange(size) + 0.5) * length / size - 0.5, 0, length - 1)
        along = np.apply_along_axis(lambda line, c=centres: np.interp(c, np.arange(line.size), line), axis, image)
        image = along * length / size
    return image


def blurred(image, std):
    """Sampled, normalised Gaussian of 2 round(3 std) + 1 taps, at least 5; mirrored at the centre of edge pixels."""
    reach = max(2, round(3 * std))
    taps = np.exp(-0.5 * (np.arange(-reach, reach + 1) / std) ** 2)
    taps /= taps.sum()
    for axis in (0, 1):
        mirrored = np.pad(image, [(reach, reach) if a == axis else (0, 0) for a in (0, 1)], mode="reflect")
        image = np.apply_along_axis(np.convolve, axis, mirrored, taps, "valid")
    return image


def multislice(problem, state, index):
    """The pattern of one position, beam in the centre."""
    probe, thickness = np.asarray(state.probe, complex), np.ravel(state.slice_thickness)
    modes, slices = state.object_phase.shape[:2]
    rows, columns = probe.shape[1:]
    top, left = problem.corners[index]
    occupancy = np.full(modes, 1 / modes) if problem.object_occupancy is None else problem.object_occupancy
    tilt = state.tilts[index % len(state.tilts)]
    pixel = np.broadcast_to(problem.pixel_size, 2)
    intensity = np.zeros((rows, columns))
    for o in range(modes):
        for mode in probe:
            wave = shifted(mode, state.shifts[index])
            for z in range(slices):
                window = np.s_[o, z, top : top + rows, left : left + columns]
                wave = wave * state.object_amplitude[window] * np.exp(1j * state.object_phase[window])
                if z < slices - 1:
                    dz = thickness[z % len(thickness)]
                    wave = propagated(
                        wave, dz, tilt, pixel, problem.wavelength, problem.propagator, problem.anti_aliasing
                    )
            intensity += occupancy[o] * np.abs(np.fft.fft2(wave)) ** 2 / (rows * columns)
    pattern = np.fft.fftshift(intensity) + 1e-10
    detector = problem.patterns.shape[1:]
    if pattern.shape != detector:
        pattern = (cropped if problem.detector_match == "crop" else resampled)(pattern, detector)
    return blurred(pattern, problem.detector_blur) if problem.detector_blur > 0 else pattern


@pytest.mark.parametrize(
    "scene",
    [
        {},
        {"probe_modes": 3, "object_modes": 3, "slices": 4},
        {"object_occupancy": None},
        {"tilt_per_position": False, "slices": 2},
        {"slices": 1, "object_modes": 1, "probe_modes": 1},
        {"window": (13, 10)},
        {"pixel_size": 0.3},
        {"detector": (8, 9)},
        {"window": (13, 12), "detector": (8, 7), "detector_blur": 0.6},
        {"detector": (9, 8), "detector_match": "resample"},
        {"detector": (12, 7), "detector_match": "resample", "detector_blur": 1.3},
        {"detector_blur": 0.9},
        {"propagator": "fresnel"},
        {"anti_aliasing": True},
        {"propagator": "fresnel", "anti_aliasing": True, "window": (11, 14), "pixel_size": (0.3, 0.2)},
        {"wavelength": 0.7},  # so that the corners of the spectrum are evanescent
    ],
    ids=str,
)
def test_patterns_are_those_of_an_independent_multislice(scene):
    problem, state = random_scene(**scene)
    indices = [4, 0, 2]
    expected = np.array([multislice(problem, state, i) for i in indices])
    found = ptycupy.forward(problem, state, indices, **CALL)
    assert np.abs(found - expected).max() <= TOLERANCE * expected.max()


# --- what physics says ------------------------------------------------------------------------------------------
def vacuum(state):
    return state.replace(
        object_amplitude=np.ones_like(state.object_amplitude), object_phase=np.zeros_like(state.object_phase)
    )


def test_a_global_tilt_and_a_shear_of_the_slices_are_the_same_to_the_data():
    """Every slice moved by what the tilt moves the wave before it: equal patterns, so only more knowledge tells them.

    The canvas is the window and every window covers it, so that the shear wraps as the wave does; the beam in the
    detector plane does not move, because what is sheared is the slices and not the exit wave's direction.
    """
    size, dz, pixel, steps = 16, 10.0, 0.25, (1, -2)
    g = np.random.default_rng(1)
    shape = (1, 3, size, size)
    amplitude, phase = 1 + 0.1 * g.standard_normal(shape), g.standard_normal(shape)
    probe = g.standard_normal((2, size, size)) + 1j * g.standard_normal((2, size, size))
    tilt = np.array([[1000 * np.arctan(step * pixel / dz) for step in steps]])
    problem = ptycupy.Problem(np.ones((1, size, size)), np.zeros((1, 2), np.int32), pixel, 0.025)
    straight = ptycupy.State(amplitude, phase, probe, np.array([[0.3, -0.2]]), tilt, dz)

    def shear(field):
        return np.stack([np.roll(field[:, z], (z * steps[0], z * steps[1]), (1, 2)) for z in range(3)], axis=1)

    moved = straight.replace(object_amplitude=shear(amplitude), object_phase=shear(phase), tilts=np.zeros((1, 2)))
    patterns = [ptycupy.forward(problem, state, [0], **CALL) for state in (straight, moved)]
    untilted = ptycupy.forward(problem, straight.replace(tilts=np.zeros((1, 2))), [0], **CALL)
    assert np.abs(patterns[0] - patterns[1]).max() < 1e-13 * patterns[0].max()
    assert np.abs(patterns[0] - untilted).max() > 0.1 * patterns[0].max()


def test_energy_is_kept():
    """Parseval: without absorption, every pattern holds the probe's intensity (and 1e-10 per pixel)."""
    problem, state = random_scene()
    pure = state.replace(object_amplitude=np.ones_like(state.object_amplitude))
    total = ptycupy.forward(problem, pure, np.arange(5), **CALL).sum(axis=(1, 2))
    np.testing.assert_allclose(total, (np.abs(state.probe) ** 2).sum() + 144e-10, rtol=1e-12)


def test_evanescent_waves_and_the_anti_aliasing_limit_take_energy_away():
    problem, state = random_scene()
    pure = state.replace(object_amplitude=np.ones_like(state.object_amplitude))
    whole = ptycupy.forward(problem, pure, [0], **CALL).sum()
    for change in ({"wavelength": 0.7}, {"anti_aliasing": True}):
        assert ptycupy.forward(replace(problem, **change), pure, [0], **CALL).sum() < whole


def test_a_shift_by_whole_pixels_is_a_move_of_the_corner():
    """Both move the probe over the object; exactly so where the probe's window is empty at its rim."""
    problem, state = random_scene(window=(16, 15), pixel_size=2.0, slices=2)
    step = (2, -1)
    y, x = (np.arange(n) - n // 2 for n in (16, 15))
    spot = np.where((np.abs(y)[:, None] < 4) & (np.abs(x)[None] < 4), 1.0, 0.0) * state.probe
    one = state.replace(probe=spot, shifts=np.zeros((5, 2)), object_phase=state.object_phase * 0.2)
    one = one.replace(object_phase=one.object_phase[:, :1], object_amplitude=one.object_amplitude[:, :1])
    corners = np.clip(problem.corners, (0, 1), (5, 5)).astype(np.int32)
    by_shift = ptycupy.forward(
        replace(problem, corners=corners), one.replace(shifts=np.tile(np.float64(step), (5, 1))), np.arange(5), **CALL
    )
    by_corner = ptycupy.forward(replace(problem, corners=corners + np.int32(step)), one, np.arange(5), **CALL)
    assert np.abs(by_shift - by_corner).max() < 1e-12 * by_corner.max()
    assert np.abs(by_shift - ptycupy.forward(replace(problem, corners=corners), one, np.arange(5), **CALL)).max() > 1e-3


def test_a_shifted_probe_in_vacuum_gives_the_same_pattern():
    problem, state = random_scene()
    still = ptycupy.forward(problem, vacuum(state).replace(shifts=np.zeros((5, 2))), [0], **CALL)
    moved = ptycupy.forward(problem, vacuum(state).replace(shifts=np.full((5, 2), 1.7)), [0], **CALL)
    np.testing.assert_allclose(moved, still, rtol=1e-10)


def phase_of_the_probe(state):
    return state.replace(probe=state.probe * np.exp(0.7j))


def phase_of_the_object(state):
    return state.replace(object_phase=state.object_phase + 0.4)


def amplitude_from_probe_to_object(state):
    slices = state.object_phase.shape[1]
    return state.replace(probe=state.probe / 1.5**slices, object_amplitude=state.object_amplitude * 1.5)


def order_of_probe_modes(state):
    return state.replace(probe=state.probe[::-1])


def rotation_of_probe_modes(state):
    """Any unitary mixture of the modes is the same mixed state."""
    c, s = np.cos(0.6), np.sin(0.6) * np.exp(0.3j)
    return state.replace(probe=np.einsum("ab,byx->ayx", np.array([[c, -s], [s.conj(), c]]), state.probe))


def mode_without_intensity(state):
    return state.replace(probe=np.concatenate([state.probe, np.zeros_like(state.probe[:1])]))


def rings_of_the_phase(state):
    return state.replace(object_phase=state.object_phase + 2 * np.pi)


@pytest.mark.parametrize(
    "change",
    [phase_of_the_probe, phase_of_the_object, amplitude_from_probe_to_object, order_of_probe_modes,
     rotation_of_probe_modes, mode_without_intensity, rings_of_the_phase],
)  # fmt: skip
def test_what_no_pattern_can_tell(change):
    problem, state = random_scene()
    expected = ptycupy.forward(problem, state, np.arange(5), **CALL)
    found = ptycupy.forward(problem, change(state), np.arange(5), **CALL)
    assert np.abs(found - expected).max() < 1e-12 * expected.max()


def test_equal_object_modes_are_one_mode():
    problem, state = random_scene(object_modes=1, object_occupancy=np.ones(1))
    twice = state.replace(
        object_amplitude=np.repeat(state.object_amplitude, 2, 0), object_phase=np.repeat(state.object_phase, 2, 0)
    )
    one = ptycupy.forward(problem, state, [0, 1], **CALL)
    two = ptycupy.forward(replace(problem, object_occupancy=np.array([0.3, 0.7])), twice, [0, 1], **CALL)
    np.testing.assert_allclose(two, one, rtol=1e-10)


def test_vacuum_slices_add_up_to_one_gap():
    """Three gaps of unlike thickness through vacuum are one of their sum, tilted or not."""
    problem, state = random_scene(slices=4, object_modes=1, object_occupancy=np.ones(1))
    amplitude, phase = state.object_amplitude.copy(), state.object_phase.copy()
    amplitude[:, 1:3], phase[:, 1:3] = 1, 0
    many = state.replace(object_amplitude=amplitude, object_phase=phase)
    few = many.replace(
        object_amplitude=amplitude[:, [0, 3]],
        object_phase=phase[:, [0, 3]],
        slice_thickness=float(np.sum(state.slice_thickness)),
    )
    found = [ptycupy.forward(problem, s, np.arange(5), **CALL) for s in (many, few)]
    assert np.abs(found[0] - found[1]).max() < 1e-12 * found[1].max()


def test_a_turned_experiment_gives_turned_patterns():
    """Everything transposed, y for x: the patterns are transposed, so no axis is special."""
    problem, state = random_scene(window=(12, 10), pixel_size=(0.2, 0.25), detector=(9, 8))
    turned = ptycupy.State(
        *(np.swapaxes(a, -1, -2) for a in (state.object_amplitude, state.object_phase, state.probe)),
        state.shifts[:, ::-1], state.tilts[:, ::-1], state.slice_thickness,
    )  # fmt: skip
    other = replace(
        problem,
        patterns=np.swapaxes(problem.patterns, 1, 2),
        corners=problem.corners[:, ::-1],
        pixel_size=problem.pixel_size[::-1],
    )
    found = ptycupy.forward(other, turned, np.arange(5), **CALL)
    expected = np.swapaxes(ptycupy.forward(problem, state, np.arange(5), **CALL), 1, 2)
    assert np.abs(found - expected).max() < 1e-12 * expected.max()


def test_float32_agrees_to_its_digits():
    problem, state = random_scene(slices=4)
    double, single = (ptycupy.forward(problem, state, [0, 1], "cpu", dtype) for dtype in ("float64", "float32"))
    assert single.dtype == np.float32
    assert np.abs(single - double).max() < 3e-6 * double.max()
