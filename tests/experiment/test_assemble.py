"""From configuration and patterns to Problem and State."""

from __future__ import annotations

import logging
import subprocess
import sys

import h5py
import numpy as np
import pytest

from ptycupy.config.schema import Config
from ptycupy.data.loading import open_source
from ptycupy.data.source import ArraySource, Calibration
from ptycupy.data.transform import crop_detector, crop_scan
from ptycupy.errors import ConfigError, DataError, ResourceError
from ptycupy.experiment import build, electron_wavelength
from ptycupy.experiment import object as first_object
from ptycupy.experiment.measured import raw_detector_shape

KV, ANGLE, DX = 80.0, 25.0, 0.25


def disk(shape, radius=3.6):
    y, x = np.ogrid[: shape[0], : shape[1]]
    return np.hypot(y - shape[0] // 2, x - shape[1] // 2) <= radius


def patterns(count=9, shape=(24, 24), seed=0):
    counts = np.random.default_rng(seed).poisson(20, (count, *shape))
    return (counts * disk(shape)).astype(np.uint16)


def source(count=9, shape=(24, 24), scan_shape=(3, 3), **calibration):
    return ArraySource(patterns(count, shape), scan_shape, Calibration(**calibration))


def config(**sections):
    base = {
        "illumination": {"voltage_kv": KV, "convergence_angle_mrad": ANGLE, "modes": 2},
        "calibration": {"mode": "pixel_size_angstrom", "value": DX},
        "scan": {"step_px": 3.0},
    }
    for name, values in sections.items():
        base[name] = {**base.get(name, {}), **values}
    return Config.model_validate(base)


PIXELS = {"mode": "none", "value": None}


def save(path, **arrays):
    with h5py.File(path, "w") as file:
        for name, values in arrays.items():
            file[name.replace("__", "/")] = values
    return str(path)


def test_a_raster_experiment_is_complete():
    problem, state = build(
        config(object={"slices": 3, "slice_thickness_angstrom": 4.0, "tilt_mrad": (1.0, -2.0)}), source()
    )
    assert problem.pixel_size == pytest.approx((DX, DX))
    assert problem.wavelength == pytest.approx(electron_wavelength(KV))
    assert problem.scan_shape == (3, 3)
    np.testing.assert_array_equal(problem.corners[1] - problem.corners[0], [0, 3])
    np.testing.assert_array_equal(problem.corners[3] - problem.corners[0], [3, 0])
    assert state.object_amplitude.shape == state.object_phase.shape == (1, 3, int(1.2 * 30), int(1.2 * 30))
    assert state.object_amplitude.dtype == state.object_phase.dtype == state.shifts.dtype == np.float32
    assert state.probe.shape == (2, 24, 24)
    assert state.probe.dtype == np.complex64
    np.testing.assert_array_equal(state.tilts, np.float32([[1, -2]]))
    assert state.slice_thickness == 4
    assert problem.pattern_weights is None
    assert problem.mask is None


def test_patterns_and_probe_share_one_unit():
    data = source()
    mean = data.patterns.mean(0)
    for name, reference in (("max_at_one", mean.max()), ("mean_at_one", mean.mean()), ("sum_to_one", mean.sum())):
        problem, state = build(config(data={"normalisation": name}), data)
        assert problem.pattern_scale == pytest.approx(1 / reference)
        assert np.sum(np.abs(state.probe) ** 2) == pytest.approx(mean.sum() / reference, rel=1e-5)
    powers = np.sum(np.abs(state.probe) ** 2, axis=(1, 2))
    np.testing.assert_allclose(powers / powers.sum(), [0.98, 0.02], rtol=1e-5)
    _, state = build(config(illumination={"total_intensity": 5.0}), data)
    assert np.sum(np.abs(state.probe) ** 2) == pytest.approx(5, rel=1e-5)


def test_a_tilt_per_position_and_a_thickness_per_gap():
    _, state = build(
        config(object={"slices": 3, "slice_thickness_angstrom": (4.0, 5.0), "tilt_per_position": True}), source()
    )
    assert state.tilts.shape == (9, 2)
    np.testing.assert_array_equal(state.slice_thickness, np.float32([4, 5]))


def test_the_seed_decides_object_and_jitter():
    jittered = config(scan={"jitter_px": 0.2})
    (first, a), (again, b) = build(jittered, source()), build(jittered, source())
    np.testing.assert_array_equal(a.object_phase, b.object_phase)
    np.testing.assert_array_equal(first.corners + a.shifts, again.corners + b.shifts)
    other, c = build(config(scan={"jitter_px": 0.2}, reconstruction={"seed": 1}), source())
    assert not np.array_equal(other.corners + c.shifts, first.corners + a.shifts)
    assert not np.array_equal(a.object_phase[..., :9, :9], c.object_phase[..., :9, :9])


def test_steps_in_angstrom_come_from_the_file_where_the_configuration_is_silent():
    silent = config(scan={"step_px": None})
    problem, _ = build(silent, source(scan_step_angstrom=(1.0, 0.5)))
    np.testing.assert_array_equal(problem.corners[4] - problem.corners[0], [4, 2])
    with pytest.raises(ConfigError, match=r"scan\.step_angstrom: missing"):
        build(silent, source())
    with pytest.raises(ConfigError, match="both given"):
        build(config(scan={"step_angstrom": 1.0}), source())


def test_an_xray_experiment_without_calibration_speaks_in_pixels(tmp_path):
    rng = np.random.default_rng(0)
    probe = (rng.normal(size=(24, 24)) + 1j * rng.normal(size=(24, 24))).astype(np.complex64)
    positions = rng.uniform(-40, 40, (9, 2))
    path = save(tmp_path / "extra.h5", probe=probe, positions=positions)
    section = {"kind": "xray", "voltage_kv": None, "convergence_angle_mrad": None, "path": path, "key": "probe"}
    problem, state = build(
        config(illumination=section, calibration=PIXELS, scan={"step_px": None, "path": path, "key": "positions"}),
        source(scan_shape=None),
    )
    assert problem.pixel_size is None
    assert problem.wavelength is None
    moved = problem.corners + state.shifts - positions
    np.testing.assert_allclose(moved, np.broadcast_to(moved[0], moved.shape), atol=1e-5)
    overlap = np.abs(np.vdot(state.probe[0], probe)) / np.linalg.norm(state.probe[0]) / np.linalg.norm(probe)
    assert overlap == pytest.approx(1, abs=1e-6)
    with pytest.raises(DataError, match=r"shape \(1, 24, 24\); the model's window needs \(mode, 32, 32\)"):
        build(
            config(
                illumination=section,
                calibration=PIXELS,
                scan={"step_px": None, "path": path, "key": "positions"},
                model={"window_shape": (32, 32)},
            ),
            source(scan_shape=None),
        )


def test_positions_in_angstrom_and_of_the_uncropped_scan(tmp_path):
    positions = np.stack(np.mgrid[:3, :3], -1).reshape(-1, 2) * 1.0
    np.save(tmp_path / "positions.npy", positions)
    section = {"step_px": None, "path": str(tmp_path / "positions.npy"), "unit": "angstrom"}
    problem, _ = build(config(scan=section), source())
    np.testing.assert_array_equal(problem.corners[4] - problem.corners[0], [4, 4])
    cropped = crop_scan(source(), ((1, None), (0, 2)))
    problem, _ = build(config(scan=section), cropped)
    assert problem.scan_shape == (2, 2)
    np.testing.assert_array_equal(problem.corners[3] - problem.corners[0], [4, 4])
    with pytest.raises(ConfigError, match=r"scan\.unit: angstrom needs a pixel size"):
        build(config(scan=section, calibration=PIXELS), source())


def test_calibration_refers_to_the_detector_before_its_crop():
    cropped = crop_detector(source(), ((3, 21), (2, 22)))
    assert raw_detector_shape(cropped) == (24, 24)
    problem, state = build(config(), cropped)
    assert problem.pixel_size == pytest.approx((DX * 24 / 18, DX * 24 / 20))
    assert state.probe.shape[1:] == (18, 20)


def test_a_larger_window_gets_a_larger_probe_and_a_finer_pixel():
    problem, state = build(config(model={"window_shape": (32, 36)}), source())
    assert problem.pixel_size == pytest.approx((DX * 24 / 32, DX * 24 / 36))
    assert state.probe.shape == (2, 32, 36)
    assert state.object_phase.shape[2:] == (int(1.2 * 38), int(1.2 * 42))


def test_an_object_from_a_result_keeps_its_phases_and_its_middle(tmp_path):
    amplitude, phase = np.full((1, 2, 20, 60), 0.9, "f4"), np.full((1, 2, 20, 60), 7.0, "f4")
    phase[0, :, 10, 30] = 9
    path = save(
        tmp_path / "result.h5", optimizable_tensors__obja=amplitude, optimizable_tensors__objp=phase, other=np.ones(3)
    )
    section = {"slices": 2, "slice_thickness_angstrom": 4.0, "path": path}
    fresh, _ = build(config(object={**section, "path": None}), source())
    problem, state = build(config(object=section), source())
    assert state.object_phase.shape == (1, 2, 36, 60)
    assert state.object_phase[0, 0, 18, 30] == 9
    assert state.object_phase.max() == 9
    assert state.object_amplitude[0, 0, 0, 0] == 1
    np.testing.assert_array_equal(problem.corners - fresh.corners, np.broadcast_to([0, 12], (9, 2)))
    _, thirds = build(config(object={**section, "slices": 3}), source())
    np.testing.assert_allclose(thirds.object_phase.sum(1), state.object_phase.sum(1), rtol=1e-6)


def test_an_object_from_a_complex_array(tmp_path):
    np.save(tmp_path / "object.npy", np.full((40, 40), 0.5 * np.exp(0.3j)))
    _, state = build(config(object={"path": str(tmp_path / "object.npy"), "modes": 2}), source())
    assert state.object_phase.shape == (2, 1, 40, 40)
    assert state.object_phase[0] == pytest.approx(0.3)
    assert state.object_amplitude[0] == pytest.approx(0.5)


@pytest.mark.parametrize(
    ("sections", "message"),
    [
        ({"illumination": {"convergence_angle_mrad": None}}, r"illumination\.convergence_angle_mrad: missing"),
        ({"illumination": {"voltage_kv": None}}, r"illumination\.voltage_kv: missing"),
        ({"illumination": {"voltage_kv": None, "energy_kev": 8.0}}, r"energy_kev: kind electron takes voltage_kv"),
        ({"illumination": {"kind": "xray"}}, r"voltage_kv: kind xray takes energy_kev"),
        ({"calibration": PIXELS}, "a simulated probe needs a pixel size"),
        ({"calibration": PIXELS, "object": {"slices": 2, "slice_thickness_angstrom": 2.0}}, "slices: 2 needs a pixel"),
        ({"object": {"slices": 2}}, "slice_thickness_angstrom: missing"),
        ({"illumination": {"aberrations": {"C1Oa": 3.0}}}, "unknown name 'C1Oa', did you mean"),
    ],
)
def test_what_is_missing_is_named(sections, message):
    with pytest.raises(ConfigError, match=message):
        build(config(**sections), source())


def test_fault_25_a_raster_needs_its_shape():
    with pytest.raises(DataError, match=r"data\.scan_shape"):
        build(config(), source(count=12, scan_shape=None))


def test_fault_32_an_all_zero_pattern_gets_weight_0_and_does_not_count_in_the_mean(caplog):
    data = patterns()
    data[4] = 0
    with caplog.at_level(logging.WARNING):
        problem, state = build(config(), ArraySource(data, (3, 3)))
    assert "1 of 9 patterns are all zero and get weight 0: 4" in caplog.text
    np.testing.assert_array_equal(np.flatnonzero(~problem.pattern_weights), [4])
    kept = np.delete(data, 4, axis=0)
    assert problem.pattern_scale == pytest.approx(1 / kept.mean(0).max())
    assert np.sum(np.abs(state.probe) ** 2) == pytest.approx(kept.sum((1, 2)).mean() / kept.mean(0).max(), rel=1e-5)


def test_fault_32_an_all_zero_data_set_is_refused():
    with pytest.raises(DataError, match="all 9 patterns are zero"):
        build(config(), ArraySource(np.zeros((9, 24, 24), np.uint8), (3, 3)))


def test_fault_35_positions_that_are_not_finite_name_file_and_index(tmp_path):
    positions = np.zeros((9, 2))
    positions[5] = np.nan
    np.save(tmp_path / "positions.npy", positions)
    section = {"step_px": None, "path": str(tmp_path / "positions.npy")}
    with pytest.raises(DataError, match=r"scan\.path: .*positions\.npy: 1 of 9 positions are not finite: 5 at"):
        build(config(scan=section), source())


def test_fault_36_a_step_larger_than_the_probe_is_a_warning(caplog):
    with caplog.at_level(logging.WARNING):
        build(config(), source())
        assert not caplog.text
        build(config(scan={"step_px": 20.0}), source())
    assert "scan step of 20.00 px is larger than the probe's diameter" in caplog.text


def test_fault_37_contradictions_reach_the_user():
    with pytest.raises(ConfigError, match="larger than the detector.*pixel size .* px, wavelength .* k_max"):
        build(config(illumination={"convergence_angle_mrad": 100.0}), source())
    with pytest.raises(ConfigError, match="but the data file says.*pixel size .* px, wavelength .* k_max"):
        build(config(), source(dk_inverse_angstrom=(0.5, 0.5)))
    with pytest.raises(ConfigError, match="but the data file says.*pixel size .* px, wavelength .* k_max"):
        build(config(), source(energy_kev=300.0))


@pytest.mark.parametrize("shape", [(24, 18), (23, 19), (31, 24)])
def test_fault_38_rectangular_odd_and_prime_detectors(shape):
    problem, state = build(config(calibration={"mode": "dk_inverse_angstrom", "value": 0.16}), source(shape=shape))
    assert state.probe.shape == (2, *shape)
    assert problem.pixel_size == pytest.approx((1 / (0.16 * shape[0]), 1 / (0.16 * shape[1])))
    assert (problem.corners.max(0) + shape <= state.object_phase.shape[2:]).all()


def test_fault_39_one_position_one_slice_one_mode():
    problem, state = build(config(illumination={"modes": 1}), source(count=1, scan_shape=(1, 1)))
    assert problem.corners.shape == (1, 2)
    assert state.probe.shape == (1, 24, 24)
    assert state.object_phase.shape[:2] == (1, 1)


def test_fault_40_a_thickness_of_zero_never_gets_in():
    with pytest.raises(ValueError, match="slice_thickness_angstrom"):
        config(object={"slices": 2, "slice_thickness_angstrom": 0.0})


def test_fault_41_a_huge_object_is_refused_before_it_is_made(monkeypatch):
    monkeypatch.setattr(first_object, "available_memory", lambda: 64 * 10**9)
    with pytest.raises(ResourceError, match=r"an object of 1200\d\d x 1200\d\d px .* needs about .* GiB"):
        build(config(scan={"step_px": 50_000.0}), source())


def test_the_measured_wse2_file_calibrates_itself(tmp_path):
    data = patterns(4, (24, 24))
    with h5py.File(tmp_path / "data.h5", "w") as file:
        file["dp"] = data
        file["dp"].attrs.update({"dx_A": DX, "energy_keV": KV, "scan_step_A": 1.0, "scan_shape": (2, 2)})
    settings = config(
        data={"path": str(tmp_path / "data.h5")},
        illumination={"voltage_kv": None},
        calibration={"mode": "file", "value": None},
        scan={"step_px": None},
    )
    problem, _ = build(settings, open_source(settings.data))
    assert problem.pixel_size == pytest.approx((DX, DX))
    assert problem.wavelength == pytest.approx(electron_wavelength(KV))
    np.testing.assert_array_equal(problem.corners[3] - problem.corners[0], [4, 4])


def test_importing_the_experiment_needs_neither_pydantic_nor_h5py():
    code = (
        "import sys, ptycupy.experiment as e; e.make_probe(80, 25, (8, 8), 0.3); "
        "print([m for m in ('pydantic', 'h5py', 'yaml') if m in sys.modules])"
    )
    shown = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert shown.stdout.strip() == "[]"
