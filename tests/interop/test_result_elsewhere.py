"""PtyRAD 1.0.0 and phaserEM 0.3.1 open result.h5 and see what was saved.

Each runs in an environment of its own, named by PTYCUPY_PTYRAD_PYTHON and PTYCUPY_PHASER_PYTHON.
"""

from pathlib import Path

import numpy as np
import pytest
from interop.elsewhere import run
from snapshots import make

from ptycupy.storage.result import save_result

pytestmark = pytest.mark.interop


def see(tmp_path, package, snapshot):
    """What the package's own reader found in the saved snapshot."""
    save_result(tmp_path / "result.h5", snapshot)
    script = Path(__file__).with_name(f"read_with_{package}.py")
    run(package, script, tmp_path / "result.h5", tmp_path / "seen.npz", timeout=300)
    return np.load(tmp_path / "seen.npz")


@pytest.mark.parametrize("options", [{}, {"modes": 2, "probes": 3, "tilts": 20}, {"slices": 1}], ids=str)
def test_ptyrad_sees_the_same(tmp_path, options):
    snapshot = make(**options)
    state, seen = snapshot.state, see(tmp_path, "ptyrad", snapshot)
    expected = state.object_amplitude * np.exp(1j * state.object_phase)
    centres = snapshot.corners + np.asarray(state.probe.shape[-2:]) // 2 + state.shifts
    np.testing.assert_allclose(seen["object"], expected, rtol=1e-5)
    np.testing.assert_allclose(seen["object_cropped"], expected[(..., *snapshot.field_of_view())], rtol=1e-5)
    np.testing.assert_array_equal(seen["obja"], state.object_amplitude)
    np.testing.assert_array_equal(seen["phase"], state.object_phase)
    np.testing.assert_array_equal(seen["probe"], state.probe)
    np.testing.assert_array_equal(seen["obj_tilts"], state.tilts)
    np.testing.assert_array_equal(seen["omode_occu"], snapshot.object_occupancy)
    np.testing.assert_allclose(seen["positions"], centres, rtol=1e-6)
    np.testing.assert_allclose(seen["positions_angstrom"], centres * snapshot.pixel_size, rtol=1e-6)
    np.testing.assert_array_equal(seen["loss_iters"][:, 0], snapshot.history.iterations)
    np.testing.assert_array_equal(seen["loss_iters"][:, 1], snapshot.history.total)
    modes, slices = state.object_phase.shape[:2]
    numbers = [0.2, 1 / (16 * 0.2), snapshot.wavelength, snapshot.iteration, slices, modes, len(state.probe)]
    np.testing.assert_allclose(seen["numbers"], numbers)
    assert seen["slice_thickness"] == 10


def patterns(snapshot):
    """[n, y, x], zero frequency in the corner: a plain paraxial multislice, written from the conventions alone."""
    state, (rows, columns) = snapshot.state, snapshot.state.probe.shape[-2:]
    fy, fx = np.fft.fftfreq(rows)[:, None], np.fft.fftfreq(columns)
    ky, kx = fy / snapshot.pixel_size[0], fx / snapshot.pixel_size[1]
    transmission = state.object_amplitude[0] * np.exp(1j * state.object_phase[0].astype(float))
    gaps = np.broadcast_to(np.asarray(state.slice_thickness, float), (len(transmission) - 1,))
    result = []
    for index, (top, left) in enumerate(snapshot.corners):
        tilt_y, tilt_x = np.tan(state.tilts[index % len(state.tilts)] * 1e-3)
        shift_y, shift_x = state.shifts[index]
        waves = np.fft.ifft2(np.fft.fft2(state.probe) * np.exp(-2j * np.pi * (shift_y * fy + shift_x * fx)))
        for number, layer in enumerate(transmission):
            waves = waves * layer[top : top + rows, left : left + columns]
            if number < len(gaps):
                path = -snapshot.wavelength * (ky**2 + kx**2) / 2 + ky * tilt_y + kx * tilt_x
                waves = np.fft.ifft2(np.fft.fft2(waves) * np.exp(2j * np.pi * gaps[number] * path))
        result.append((np.abs(np.fft.fft2(waves, norm="ortho")) ** 2).sum(axis=0))
    return np.stack(result)


@pytest.mark.parametrize(
    "options",
    [{}, {"thickness": "each", "tilts": 20, "window": (16, 12), "pixel_size": (0.2, 0.25)}, {"slices": 1}],
    ids=str,
)
def test_phaser_sees_and_simulates_the_same(tmp_path, options):
    """Its own cutouts, sub-pixel shifts, propagators and tilts give our patterns: orientation, sign and scale agree."""
    snapshot = make(**options)
    state, seen = snapshot.state, see(tmp_path, "phaser", snapshot)
    expected = state.object_amplitude[0] * np.exp(1j * state.object_phase[0])
    np.testing.assert_allclose(seen["object"], expected, rtol=1e-5)
    np.testing.assert_array_equal(seen["probe"], state.probe)
    np.testing.assert_allclose(seen["sampling"], snapshot.pixel_size)
    np.testing.assert_allclose(seen["probe_sampling"], snapshot.pixel_size)
    np.testing.assert_allclose(seen["wavelength"], snapshot.wavelength)
    np.testing.assert_allclose(seen["tilt"].reshape(-1, 2), np.broadcast_to(state.tilts, (20, 2)), rtol=1e-6)
    moved = (seen["scan"] - seen["initial"]).reshape(-1, 2) / snapshot.pixel_size
    np.testing.assert_allclose(moved, state.shifts, atol=1e-5)
    np.testing.assert_array_equal(seen["loss"], snapshot.history.total)
    np.testing.assert_array_equal(seen["loss_iterations"], snapshot.history.iterations)
    assert seen["iterations"] == snapshot.iteration
    ours = patterns(snapshot)
    np.testing.assert_allclose(seen["patterns"], ours, rtol=0, atol=2e-5 * ours.max())
