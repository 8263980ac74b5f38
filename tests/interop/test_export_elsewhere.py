"""The packages themselves open what `ptycupy.export` writes and see the same, and what they write is read.

Each runs in an environment of its own, named by PTYCUPY_PTYRAD_PYTHON, PTYCUPY_PHASER_PYTHON, PTYCUPY_PTYCHODUS_PYTHON,
PTYCUPY_PY4DSTEM_PYTHON and PTYCUPY_QUANTEM_PYTHON: PtyRAD 1.0.0, phaserEM 0.3.1, ptychodus 1.7.0, py4DSTEM 0.14.18,
quantem 0.1.10. PtyPy is not here: it is on conda-forge alone.
"""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from interop.elsewhere import run
from interop.test_result_elsewhere import patterns
from snapshots import make

import ptycupy
from ptycupy.experiment.optics import electron_wavelength
from ptycupy.experiment.results import load_earlier
from ptycupy.storage.result import load_result

pytestmark = pytest.mark.interop
SEVERAL = {"thickness": "each", "probes": 3, "window": (16, 12), "pixel_size": (0.2, 0.25)}


def see(tmp_path, package, path, *more):
    script = Path(__file__).with_name(f"read_with_{package}.py")
    run(package, script, path, tmp_path / "seen.npz", *more, timeout=300)
    return np.load(tmp_path / "seen.npz")


def transmission(snapshot):
    return snapshot.state.object_amplitude * np.exp(1j * snapshot.state.object_phase)


@pytest.mark.parametrize("options", [{}, {"modes": 2, "probes": 3, "tilts": 20}, {"slices": 1}], ids=str)
def test_ptyrad(tmp_path, options):
    snapshot = make(**options)
    seen = see(tmp_path, "ptyrad", ptycupy.export(snapshot, tmp_path / "model.hdf5", "ptyrad").path)
    np.testing.assert_allclose(seen["object"], transmission(snapshot), rtol=1e-5)
    np.testing.assert_array_equal(seen["probe"], snapshot.state.probe)
    np.testing.assert_array_equal(seen["obj_tilts"], snapshot.state.tilts)
    centres = snapshot.corners + 8 + snapshot.state.shifts
    np.testing.assert_allclose(seen["positions_angstrom"], centres * snapshot.pixel_size, rtol=1e-6)
    assert seen["slice_thickness"] == 10


@pytest.mark.parametrize("options", [{}, {**SEVERAL, "tilts": 20}], ids=str)
def test_phaser(tmp_path, options):
    snapshot = make(**options)
    seen = see(tmp_path, "phaser", ptycupy.export(snapshot, tmp_path / "state.h5", "phaser").path)
    np.testing.assert_array_equal(seen["probe"], snapshot.state.probe)
    ours = patterns(snapshot)
    np.testing.assert_allclose(seen["patterns"], ours, rtol=0, atol=2e-5 * ours.max())


@pytest.mark.parametrize("name", ["ptychodus", "ptychodus-npz", "cxi"])
@pytest.mark.parametrize("options", [{}, SEVERAL, {"slices": 1, "probes": 1}], ids=str)
def test_ptychodus(tmp_path, name, options):
    snapshot = make(**options)
    suffix = {"ptychodus": ".h5", "ptychodus-npz": ".npz", "cxi": ".cxi"}[name]
    path = ptycupy.export(snapshot, tmp_path / f"product{suffix}", name).path
    again = tmp_path / f"again{suffix}"
    seen = see(tmp_path, "ptychodus", path, again)
    state, window = snapshot.state, np.asarray(snapshot.state.probe.shape[-2:])
    np.testing.assert_allclose(seen["object"], transmission(snapshot)[0], atol=1e-6)
    np.testing.assert_array_equal(seen["probe"], state.probe[None])
    middles = snapshot.corners + state.shifts + (window - 1) / 2  # what pty-chi cuts windows about
    np.testing.assert_allclose(np.stack([seen["y"], seen["x"]], 1), middles, atol=1e-4)
    np.testing.assert_allclose(seen["pixels"] * 1e10, snapshot.pixel_size)
    np.testing.assert_allclose(seen["probe_pixels"] * 1e10, snapshot.pixel_size)
    gaps = np.broadcast_to(state.slice_thickness, (len(state.object_phase[0]) - 1,))
    np.testing.assert_allclose(seen["spacing"] * 1e10, gaps)
    assert seen["wavelength"] * 1e10 == pytest.approx(snapshot.wavelength, rel=1e-8)
    np.testing.assert_array_equal(seen["losses"][:, 1], snapshot.history.total)
    ours, theirs = (load_earlier(str(file)) for file in (path, again))  # what it has written itself is read too
    assert theirs.program == {"cxi": "CXI"}.get(name, "ptychodus")
    for part in ("amplitude", "phase", "probe", "positions", "slice_thickness", "pixel_size", "wavelength"):
        np.testing.assert_allclose(getattr(theirs, part), getattr(ours, part)) if getattr(
            ours, part
        ) is not None else None


@pytest.mark.parametrize(
    ("options", "name"),
    [
        ({"slices": 1, "probes": 1}, "SingleslicePtychography"),
        ({"slices": 1}, "MixedstatePtychography"),
        ({"probes": 1}, "MultislicePtychography"),
        (SEVERAL, "MixedstateMultislicePtychography"),
    ],
    ids=str,
)
def test_py4dstem(tmp_path, options, name):
    """Its own windows, sub-pixel shifts, propagators and tilts give our patterns: orientation, sign and scale agree."""
    snapshot = make(**options)
    seen = see(tmp_path, "py4dstem", ptycupy.export(snapshot, tmp_path / "there.h5", "py4dstem").path)
    assert seen["name"] == name
    np.testing.assert_allclose(np.squeeze(seen["object"]), np.squeeze(transmission(snapshot)), atol=1e-6)
    np.testing.assert_array_equal(np.squeeze(seen["probe"]), np.squeeze(snapshot.state.probe))
    np.testing.assert_allclose(seen["sampling"], snapshot.pixel_size, rtol=1e-6)  # by its own wavelength
    assert electron_wavelength(float(seen["energy"]) / 1e3) == pytest.approx(snapshot.wavelength, rel=1e-9)
    np.testing.assert_array_equal(seen["errors"], snapshot.history.total)
    ours = patterns(snapshot)
    np.testing.assert_allclose(seen["patterns"], ours, rtol=0, atol=1e-4 * ours.max())


@pytest.mark.parametrize("kind", ["single", "mixed"])
def test_what_py4dstem_writes_is_read(tmp_path, kind):
    script = Path(__file__).with_name("write_with_py4dstem.py")
    run("py4dstem", script, kind, tmp_path / "there.h5", tmp_path / "seen.npz", timeout=300)
    seen, found = np.load(tmp_path / "seen.npz"), load_earlier(str(tmp_path / "there.h5"))
    assert found.program == "py4DSTEM"
    np.testing.assert_allclose(np.squeeze(found.amplitude * np.exp(1j * found.phase)), seen["object"], atol=1e-5)
    np.testing.assert_allclose(np.squeeze(found.probe), seen["probe"], atol=1e-6 * np.abs(seen["probe"]).max())
    np.testing.assert_allclose(found.positions + 8, seen["positions"], atol=1e-5)
    np.testing.assert_allclose(found.pixel_size, seen["sampling"])
    assert found.wavelength == pytest.approx(electron_wavelength(80))
    if kind == "mixed":
        np.testing.assert_allclose(found.slice_thickness, [10, 12])
        np.testing.assert_allclose(found.tilts, [[-3, 2]])


def held(**options):
    """A snapshot as quantem holds it: an amplitude of at most 1, and orthogonal modes, the strongest first."""
    snapshot = make(**options)
    state = snapshot.state
    modes = state.probe.reshape(len(state.probe), -1)
    _, strengths, orthogonal = np.linalg.svd(modes, full_matrices=False)
    probe = (strengths[:, None] * orthogonal).reshape(state.probe.shape).astype(np.complex64)
    state = state.replace(object_amplitude=np.minimum(state.object_amplitude, 1), probe=probe)
    return replace(snapshot, state=state)


@pytest.mark.parametrize("options", [{}, {**SEVERAL, "pixel_size": (0.2, 0.2)}, {"slices": 1, "probes": 1}], ids=str)
def test_quantem(tmp_path, options):
    """Its own windows, sub-pixel shifts, propagators and tilt give our patterns."""
    snapshot = held(**options)
    ours = patterns(snapshot)
    np.save(tmp_path / "patterns.npy", np.fft.fftshift(ours, axes=(-2, -1)))
    there = ptycupy.export(snapshot, tmp_path / "there.npz", "quantem").path
    script = Path(__file__).with_name("read_with_quantem.py")
    run("quantem", script, there, tmp_path / "patterns.npy", 3, 4, 5, tmp_path / "seen.npz", timeout=300)
    seen = np.load(tmp_path / "seen.npz")
    found = np.fft.ifftshift(seen["patterns"], axes=(-2, -1))
    np.testing.assert_allclose(found, ours, rtol=0, atol=1e-5 * ours.max())
    assert electron_wavelength(float(seen["energy"]) / 1e3) == pytest.approx(snapshot.wavelength, rel=1e-9)


def test_what_quantem_writes_is_read(tmp_path):
    """Reconstructed there; our forward model gives its patterns from what it has written."""
    snapshot = held()
    np.save(tmp_path / "patterns.npy", np.fft.fftshift(patterns(snapshot), axes=(-2, -1)))
    blank = snapshot.state.replace(object_phase=0.5 * snapshot.state.object_phase)
    start = ptycupy.export(replace(snapshot, state=blank), tmp_path / "start.npz", "quantem").path
    there, seen = tmp_path / "there.npz", tmp_path / "seen.npz"
    script = Path(__file__).with_name("write_with_quantem.py")
    run("quantem", script, start, tmp_path / "patterns.npy", 3, 4, 5, 4, there, seen, timeout=300)
    found = load_earlier(str(there))
    assert found.program == "quantem"
    theirs = np.load(seen)
    assert theirs["losses"][-1] < theirs["losses"][0]
    back = load_result(ptycupy.export(there, tmp_path / "back.h5", "ptycupy").path)
    ours = np.fft.fftshift(patterns(back), axes=(-2, -1))
    np.testing.assert_allclose(ours, theirs["patterns"], rtol=0, atol=1e-5 * ours.max())
