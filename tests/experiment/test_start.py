"""Starts from results of ptycupy, PtyRAD, phaser, PtychoShelves, py4DSTEM and fold_slice, in the layouts they have."""

from __future__ import annotations

import json

import h5py
import numpy as np
import pytest
import scipy.io
from snapshots import make

from ptycupy import forward
from ptycupy.config.schema import Config
from ptycupy.data.source import ArraySource
from ptycupy.errors import DataError
from ptycupy.experiment import build
from ptycupy.experiment.results import load_earlier
from ptycupy.storage.result import save_result

RNG = np.random.default_rng(5)
AMPLITUDE = RNG.uniform(0.9, 1, (1, 2, 40, 44)).astype("f4")
PHASE = RNG.uniform(0, 0.3, (1, 2, 40, 44)).astype("f4")
PROBE = (RNG.normal(size=(2, 24, 24)) + 1j * RNG.normal(size=(2, 24, 24))).astype("c8")
CORNERS = (np.indices((3, 3)).reshape(2, -1).T * 4 + [2, 3]).astype("i2")
SHIFTS = RNG.uniform(-0.4, 0.4, (9, 2)).astype("f4")
POSITIONS = CORNERS + SHIFTS.astype(float)


def source(count=9, shape=(24, 24)):
    return ArraySource(np.random.default_rng(0).poisson(20, (count, *shape)).astype(np.uint16), (3, 3))


def config(**sections):
    base = {
        "illumination": {"voltage_kv": 80.0, "convergence_angle_mrad": 25.0, "modes": 2},
        "calibration": {"mode": "pixel_size_angstrom", "value": 0.25},
        "scan": {"step_px": 3.0},
    }
    return Config.model_validate(
        {name: {**base.get(name, {}), **sections.get(name, {})} for name in {**base, **sections}}
    )


def save(path, **arrays):
    with h5py.File(path, "w") as file:
        for name, values in arrays.items():
            file[name.replace("__", "/")] = values
    return str(path)


def started(path, *, tilts=False, **sections):
    """Problem and State of a model whose pixels, window and slices are the file's, all of it from there."""
    result = {"path": str(path)}
    given = {"object": {"slices": 2, **result, **({"tilt_path": str(path)} if tilts else {})},
             "illumination": result, "scan": {**result, "step_px": None}}  # fmt: skip
    return build(config(**{name: {**given.get(name, {}), **sections.get(name, {})} for name in {**given, **sections}}),
                 source())  # fmt: skip


def require_same(problem, state, *, phase=PHASE, positions=POSITIONS, powers=True):
    np.testing.assert_allclose(state.object_amplitude, AMPLITUDE, rtol=1e-5)
    np.testing.assert_allclose(state.object_phase, phase, atol=1e-5)
    np.testing.assert_allclose(problem.corners + state.shifts, positions, atol=1e-4)
    np.testing.assert_allclose(state.probe / np.linalg.norm(state.probe), PROBE / np.linalg.norm(PROBE), atol=1e-5)


def test_ptyrad(tmp_path):
    """Phases beyond pi and an optimised thickness survive, as they do not in PtyRAD; nothing is jittered again."""
    phase = PHASE + np.float32(9)
    path = save(
        tmp_path / "model.hdf5",
        optimizable_tensors__obja=AMPLITUDE, optimizable_tensors__objp=phase, optimizable_tensors__probe=PROBE,
        optimizable_tensors__probe_pos_shifts=SHIFTS, optimizable_tensors__obj_tilts=np.float32([[1, 2]]),
        optimizable_tensors__slice_thickness=np.float32(7.25), model_attributes__slice_thickness=np.float32(6),
        model_attributes__crop_pos=CORNERS, model_attributes__dx=0.25, model_attributes__scan_affine="__NONE__",
    )  # fmt: skip
    problem, state = started(path, tilts=True, scan={"jitter_px": 0.3, "affine": {"rotation_degrees": 5.0}})
    require_same(problem, state, phase=phase)
    assert state.slice_thickness == np.float32(7.25)
    np.testing.assert_array_equal(state.tilts, [[1, 2]])
    moved, other = started(path, scan={"jitter_px": 0.3, "adjust_loaded": True})
    assert np.abs(moved.corners + other.shifts - POSITIONS).max() > 0.1
    _, four = started(path, object={"slices": 4})
    assert four.slice_thickness == np.float32(7.25 / 2)
    _, given = started(path, object={"slice_thickness_angstrom": 5.0})
    assert given.slice_thickness == 5


def test_our_own_result_and_both_views_of_it(tmp_path):
    snapshot = make(thickness="each", tilts=20)
    save_result(tmp_path / "result.h5", snapshot)
    ours = load_earlier(str(tmp_path / "result.h5"))
    assert ours.program == "ptycupy"
    np.testing.assert_array_equal(ours.phase, snapshot.state.object_phase)
    np.testing.assert_array_equal(ours.slice_thickness, snapshot.state.slice_thickness)
    np.testing.assert_array_equal(ours.tilts, snapshot.state.tilts)
    np.testing.assert_allclose(ours.pixel_size, snapshot.pixel_size)
    np.testing.assert_allclose(ours.positions, snapshot.corners + snapshot.state.shifts, atol=1e-6)
    with h5py.File(tmp_path / "result.h5", "a") as file:
        del file["optimizable_tensors"], file["model_attributes"], file["ptycupy"]
    phaser = load_earlier(str(tmp_path / "result.h5"))
    assert phaser.program == "phaser"
    wrapped = np.exp(1j * snapshot.state.object_phase)
    np.testing.assert_allclose(np.exp(1j * phaser.phase), wrapped, atol=1e-5)
    np.testing.assert_allclose(phaser.positions, ours.positions, atol=1e-5)
    np.testing.assert_allclose(phaser.slice_thickness, ours.slice_thickness)
    np.testing.assert_allclose(phaser.tilts, ours.tilts)


def test_phaser(tmp_path):
    sampling = np.array([0.25, 0.25])
    corner = np.array([-3.0, 5.0])
    path = save(
        tmp_path / "final.h5", type="phaser_state", version="0.2",
        object__data=AMPLITUDE[0] * np.exp(1j * PHASE[0]), object__sampling=sampling, object__corner=corner,
        object__thicknesses=np.array([8.0, 8.0]), object__meta=json.dumps({}),
        probe__data=PROBE, probe__sampling=sampling,
        scan__data=((POSITIONS + 11.5) * 0.25 + corner).reshape(3, 3, 2), scan__tilt=np.ones((3, 3, 2)),
    )  # fmt: skip
    problem, state = started(path, tilts=True)
    require_same(problem, state)
    assert state.slice_thickness == 8
    np.testing.assert_array_equal(state.tilts, [[1, 1]])


def shelves():
    corner = np.ceil(np.array([40, 44]) / 2 - 12) - 1
    probe = np.moveaxis(PROBE, 0, 2)
    return {
        "object": np.moveaxis(AMPLITUDE[0] * np.exp(1j * PHASE[0]), 0, 2),
        "probe": np.stack([probe, 0 * probe], axis=3),
        "outputs": {"probe_positions": (POSITIONS - corner)[:, ::-1]},
        "p": {"dx_spec": np.array([[0.25e-10, 0.25e-10]])},
    }


@pytest.mark.parametrize("version", [5, 7.3])
def test_ptychoshelves(tmp_path, version):
    path = tmp_path / "Niter100.mat"
    if version == 5:
        scipy.io.savemat(path, shelves())
    else:
        with h5py.File(path, "w", userblock_size=512) as file:
            for name, value in shelves().items():
                for key, array in value.items() if isinstance(value, dict) else [("", value)]:
                    if array.dtype.kind == "c":
                        pairs = np.empty(array.T.shape, [("real", "f8"), ("imag", "f8")])
                        pairs["real"], pairs["imag"] = array.T.real, array.T.imag
                    file[f"{name}/{key}".rstrip("/")] = pairs if array.dtype.kind == "c" else array.T
        with open(path, "r+b") as stream:
            stream.write(b"MATLAB 7.3 MAT-file".ljust(124) + b"\x00\x02IM")
    assert load_earlier(str(path)).pixel_size == pytest.approx((0.25, 0.25))
    require_same(*started(path, object={"slice_thickness_angstrom": 4.0}))


@pytest.mark.parametrize("names", [("object", "probe", "positions_px"), (
    "ptychography/_object_emd/data", "ptychography/_probe_emd/data",
    "ptychography/metadatabundle/preprocess_metadata/positions_px")], ids=["root", "emd"])  # fmt: skip
def test_py4dstem(tmp_path, names):
    with h5py.File(tmp_path / "py4dstem.h5", "w") as file:
        probe = PROBE if names[0] == "object" else np.fft.ifftshift(PROBE, axes=(-2, -1))  # as its to_h5 leaves it
        values = AMPLITUDE[0] * np.exp(1j * PHASE[0]), probe, POSITIONS + 12
        for name, value in zip(names, values, strict=True):
            file[name] = value
    require_same(*started(tmp_path / "py4dstem.h5", object={"slice_thickness_angstrom": 4.0}))


def test_positions_of_fold_slice(tmp_path):
    path = save(tmp_path / "positions.h5", ppX=-POSITIONS[::-1, 1] * 0.25, ppY=-POSITIONS[::-1, 0] * 0.25)
    problem, state = build(config(scan={"path": path, "step_px": None}), source())
    moved = problem.corners + state.shifts - POSITIONS
    np.testing.assert_allclose(moved, np.broadcast_to(moved[0], moved.shape), atol=1e-4)


@pytest.mark.parametrize(("unit", "size"), [("angstrom", 1.0), ("metre", 1e-10)])
def test_positions_of_fold_slice_are_measured_and_may_be_adjusted(tmp_path, unit, size):
    given = {name: -POSITIONS[::-1, axis] * 0.25 * size for name, axis in (("ppY", 0), ("ppX", 1))}
    path = save(tmp_path / "positions.h5", **given)
    section = {"path": path, "step_px": None, "unit": unit, "adjust_loaded": True, "affine": {"scale": 2.0}}
    problem, state = build(config(scan=section), source())
    moved = problem.corners + state.shifts - 2 * POSITIONS
    np.testing.assert_allclose(moved, np.broadcast_to(moved[0], moved.shape), atol=1e-4)


def test_axes_of_a_probe(tmp_path):
    beam = {"path": save(tmp_path / "probe.h5", waves=PROBE.transpose(1, 2, 0)), "key": "waves", "permute": (2, 0, 1)}
    given = build(config(illumination=beam), source())[1].probe
    np.testing.assert_allclose(given / np.linalg.norm(given), PROBE / np.linalg.norm(PROBE), rtol=1e-5)
    with pytest.raises(DataError, match=r"shape \(24, 24, 2\); .* illumination\.permute"):
        build(config(illumination={**beam, "permute": None}), source())
    astigmatic = {"aberrations": {"C12": 100.0, "phi12": 0.0}, "modes": 1}
    turned = build(config(illumination={**astigmatic, "permute": (0, 2, 1)}), source())[1].probe
    plain = build(config(illumination=astigmatic), source())[1].probe
    np.testing.assert_allclose(turned, plain.transpose(0, 2, 1), atol=1e-6)
    assert not np.allclose(turned, plain, atol=1e-3)


def test_the_probe_may_have_the_intensity_of_the_brightest_pattern():
    patterns = source()
    read = patterns.read(range(9)).astype(float)
    state = build(config(illumination={"intensity_of": "brightest_pattern"}), patterns)[1]
    expected = read.sum((1, 2)).max() / read.mean(0).max()
    assert np.sum(np.abs(state.probe) ** 2) == pytest.approx(expected, rel=1e-4)


def test_a_tilt_for_every_position():
    tilts = tuple((float(n), 0.5) for n in range(9))
    np.testing.assert_array_equal(build(config(object={"tilts_mrad": tilts}), source())[1].tilts, tilts)
    with pytest.raises(DataError, match=r"object\.tilts_mrad: 3 tilts for 9 positions"):
        build(config(object={"tilts_mrad": tilts[:3]}), source())


def test_what_a_file_lacks_is_named_and_pickles_are_refused(tmp_path):
    path = save(tmp_path / "positions.h5", ppX=np.zeros(9), ppY=np.zeros(9))
    with pytest.raises(DataError, match=r"illumination\.path: .*positions\.h5: this fold_slice file holds no probe"):
        build(config(illumination={"path": path}), source())
    (tmp_path / "model.pt").write_bytes(b"PK\x03\x04cos\nsystem\n")
    with pytest.raises(DataError, match="refused"):
        build(config(object={"path": str(tmp_path / "model.pt")}), source())


def test_a_raster_over_a_loaded_object_lies_where_its_scan_was(tmp_path):
    path = save(
        tmp_path / "model.hdf5", optimizable_tensors__obja=AMPLITUDE, optimizable_tensors__objp=PHASE,
        optimizable_tensors__probe=PROBE, model_attributes__crop_pos=CORNERS, model_attributes__dx=0.25,
    )  # fmt: skip
    section = {"path": path, "slices": 2, "slice_thickness_angstrom": 4.0}
    problem, state = build(config(object=section, scan={"step_px": 4.0}), source())
    np.testing.assert_allclose(problem.corners + state.shifts, CORNERS, atol=1e-5)


def smooth(shape, seed):
    """Random fields without fine detail: nothing beyond a quarter of the Nyquist frequency."""
    spectrum = np.fft.fft2(np.random.default_rng(seed).normal(size=shape))
    ky, kx = np.fft.fftfreq(shape[-2])[:, None], np.fft.fftfreq(shape[-1])
    return np.fft.ifft2(spectrum * (np.hypot(ky, kx) < 0.125)).real


@pytest.mark.parametrize(
    ("pixel_size", "window"), [(0.25, (24, 24)), (0.25, (32, 32)), (0.1875, (32, 32)), (0.375, (16, 16))]
)
def test_patterns_stay_when_pixels_and_window_change(tmp_path, pixel_size, window):
    """The model on other grids predicts the same intensity per angle: within 1 % of the brightest pixel."""
    y, x = np.mgrid[-12:12, -12:12]
    probe = (np.exp(-(y**2 + x**2) / 9) * np.exp(0.02j * (y**2 + x**2)))[None].astype("c8")
    phase = 0.2 * smooth((1, 2, 56, 60), 3)
    path = save(
        tmp_path / "model.hdf5", optimizable_tensors__obja=np.ones(phase.shape, "f4"),
        optimizable_tensors__objp=phase.astype("f4"), optimizable_tensors__probe=probe,
        optimizable_tensors__probe_pos_shifts=SHIFTS, optimizable_tensors__slice_thickness=np.float32(4),
        model_attributes__crop_pos=CORNERS + 6, model_attributes__dx=0.25,
    )  # fmt: skip
    seen = {}
    for size, shape in ((0.25, (24, 24)), (pixel_size, window)):
        data = source(shape=shape)
        sections = {"object": {"path": path, "slices": 2}, "scan": {"path": path, "step_px": None},
                    "illumination": {"path": path, "modes": 1, "total_intensity": 1.0}}  # fmt: skip
        problem, state = build(config(**sections, calibration={"value": size}), data)
        seen[size, shape] = forward(problem, state, np.arange(9), backend="cpu"), shape, size
    (first, _, _), (second, shape, size) = seen[0.25, (24, 24)], seen[pixel_size, window]
    extent = shape[0] * size / 6.0  # 24 px of 0.25 angstrom
    if extent == pytest.approx(1):  # the same angles per pixel
        n = min(24, shape[0])
        cut = [image[:, (k := image.shape[1] // 2 - n // 2) : k + n, k : k + n] for image in (first, second)]
        np.testing.assert_allclose(cut[1], cut[0], atol=0.01 * first.max())
    else:  # finer angles: the same intensity in the same angles
        mean_square = []
        for image, length in ((first, 6.0), (second, shape[0] * size)):
            k = (np.arange(image.shape[1]) - image.shape[1] // 2) / length
            mean_square.append((image * (k[:, None] ** 2 + k**2)).sum((1, 2)) / image.sum((1, 2)))
        np.testing.assert_allclose(mean_square[1], mean_square[0], rtol=0.01)
