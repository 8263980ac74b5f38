"""Equal settings mean the same: PtyRAD's defaults where a key is absent, and its own rules where one is written."""

from __future__ import annotations

import h5py
import numpy as np
import pytest

from ptycupy.errors import ConfigError


def active(loaded):
    return [constraint.name for constraint in loaded.config.constraints]


def test_absent_keys_have_ptyrad_s_defaults(translated):
    config = translated().config
    assert active(translated()) == [
        "orthogonal_probe", "fixed_probe_intensity", "lateral_blur", "depth_blur", "position_recentring",
    ]  # fmt: skip
    assert {one.name: one.model_extra for one in config.constraints}["lateral_blur"]["std"] == 0.4
    assert (config.scan.jitter_px, config.reconstruction.batch_size, config.illumination.modes) == (0.15, 32, 4)
    assert (config.losses.gaussian.weight, config.losses.sparsity) == (1.0, None)
    rates = config.optimizer
    assert (rates.object_phase.learning_rate, rates.probe.learning_rate) == (5e-4, 1e-4)
    assert rates.tilts.learning_rate == rates.slice_thickness.learning_rate == 0
    assert config.calibration.mode == "fitted_disk"
    assert config.data.bad_pixels == "ignore"
    assert config.data.scan_shape == (24, 16)


@pytest.mark.parametrize("given", [{}, None, {"std": 0.5}, {"start_iter": None}])
def test_a_constraint_written_without_start_iter_is_off(translated, given):
    assert "lateral_blur" not in active(translated({"constraint_params.obj_rblur": given}))


def test_a_constraint_that_ends_before_it_starts_never_runs(translated):
    assert "lateral_blur" not in active(translated({"constraint_params.obj_rblur": {"start_iter": 5, "end_iter": 5}}))


def test_older_freq_is_a_step_from_the_first_iteration(translated):
    one = translated({"constraint_params.kr_filter": {"freq": 4}}).config.constraints[-2]
    assert (one.name, one.start, one.step) == ("lateral_low_pass", 1, 4)
    assert "lateral_low_pass" not in active(
        translated({"constraint_params.kr_filter": {"freq": 4, "start_iter": None}})
    )


def test_a_tensor_written_without_start_iter_is_fixed(translated):
    rates = translated({"model_params.update_params.obja": {"lr": 1e-3}}).config.optimizer
    assert (rates.object_amplitude.learning_rate, rates.object_phase.learning_rate) == (0, 5e-4)


def test_older_aberrations_move_unless_the_newer_are_there(translated):
    old = {"init_params.probe_defocus": 150, "init_params.probe_c3": 1e4}
    assert translated(old).config.illumination.aberrations == {"defocus": 150, "C30": 1e4}
    both = translated({**old, "init_params.probe_aberrations": {"C10": 5}})
    assert both.config.illumination.aberrations == {"C10": 5, "C30": 1e4}
    assert "init_params.probe_defocus" in [note.key for note in both.notes]


def test_haider_s_fourth_order_means_what_it_means_there(translated):
    found = translated({"init_params.probe_aberrations": {"B4": 10, "(1, 2)": 3, "C30": 1}}).config
    assert found.illumination.aberrations == {"B4": 8, "C12": 3, "C30": 1}


@pytest.mark.parametrize(("powers", "modes", "share"), [([0.02], 3, 0.02 / 1.04), ([0.9, 0.05, 0.05], 3, 0.05 / 1.1)])
def test_mode_powers_are_normalised_as_there(translated, powers, modes, share):
    loaded = translated({"init_params.probe_pmode_max": modes, "init_params.probe_pmode_init_pows": powers})
    assert loaded.config.illumination.mode_power == pytest.approx(share)


def test_random_batches_are_at_least_as_large_as_asked(translated):
    given = {"init_params.pos_N_scan_slow": 12, "init_params.pos_N_scan_fast": 12}
    assert translated(given).config.reconstruction.batch_size == 36  # 144 patterns make 4 batches of 32 or more
    assert translated().config.reconstruction.batch_size == 32


def test_padding_and_resampling(translated):
    off = {"init_params.meas_pad": {"mode": None}, "init_params.meas_resample": {"mode": None}}
    assert translated(off).config == translated().config
    both = {
        "init_params.meas_pad": {"padding_type": "exp", "target_Npix": 200},
        "init_params.meas_resample": {"mode": "precompute", "scale_factors": [2, 1.5]},
    }
    data = translated(both).config.data
    assert (data.pad.kind, data.pad.target_shape, data.pad.threshold_percentile) == ("exponential", (200, 200), 70)
    assert (data.resample.factors, data.resample.mode) == (1.5, "on_the_fly")


def test_raw_files_have_empad_s_rows(translated):
    data = translated({"init_params.meas_params": {"path": "scan.raw"}}).config.data
    assert (data.detector_shape, data.offset_bytes, data.gap_bytes) == ((128, 128), 0, 1024)
    named = {"init_params.meas_params": {"path": "scan.h5", "key": "a.b.data"}}
    assert translated(named).config.data.key == "a/b/data"


@pytest.mark.parametrize("name", ["SparseAdam", "Nadam", "RMSprop", "ASGD"])
def test_optimizers_have_torch_s_spellings(translated, name):
    found = translated({"model_params.optimizer_params": {"name": name, "configs": {}}})
    assert found.config.optimizer.name.replace("_", "") == name.lower()


def test_options_of_the_optimizer(translated):
    configs = {"betas": [0.8, 0.99], "eps": 1e-7, "foreach": True, "lr": 1}
    found = translated({"model_params.optimizer_params": {"name": "Adam", "configs": configs}})
    assert found.config.optimizer.options == {"beta1": 0.8, "beta2": 0.99, "eps": 1e-7}
    assert {"model_params.optimizer_params.configs.foreach", "model_params.optimizer_params.configs.lr"} <= {
        note.key for note in found.notes
    }


@pytest.mark.parametrize(("theirs", "ours"), [("center", "centre"), ("sub", "spread")])
def test_a_part_of_the_scan(translated, theirs, ours):
    given = {"mode": theirs, "subscan_slow": 10, "subscan_fast": 5}
    part = translated({"recon_params.INDICES_MODE": given}).config.reconstruction.subscan
    assert (part.mode, part.shape) == (ours, (10, 5))
    half = translated({"recon_params.INDICES_MODE": {"mode": theirs}}).config.reconstruction
    assert half.subscan.shape == (12, 8)
    assert half.batch_size == 32  # of 96 positions
    cropped = {"recon_params.INDICES_MODE": {"mode": theirs}, "init_params.meas_crop": [[0, 6], None, None, None]}
    assert translated(cropped).config.reconstruction.subscan.shape == (3, 8)


def test_parts_of_the_array(translated, tmp_path):
    def chosen(selection, **more):
        given = {"path": "x.h5", "key": "dp", **more.pop("source", {}), "selection": selection}
        return translated({"init_params.meas_params": given, **more})

    assert chosen([[0, 64], None, 3, [0, None, 2]]).config.data.selection == ((0, 64), None, 3, (0, None, 2))
    assert chosen([slice(1, 5), ...]).config.data.selection == ((1, 5, None),)
    assert chosen(2).config.data.selection == (2,)
    assert chosen([]).config.data.selection is None
    for wrong in ([..., 3], ["all"], [[0, 1, 2, 3]], [True], "0:5"):
        found = chosen(wrong)
        (note,) = [note for note in found.notes if note.unsupported]
        assert note.key == "init_params.meas_params.selection"
        assert "[start, stop, step]" in note.effect
        assert found.config.data.selection is None
    path = tmp_path / "dp.mat"
    with h5py.File(path, "w", userblock_size=512) as file:
        file["dp"] = np.zeros((4, 3, 2))
    data = chosen([[0, 2]], source={"path": str(path)}).config.data  # PtyRAD's first axis is MATLAB's last
    assert (data.selection, data.permute) == ((None, None, (0, 2)), (2, 1, 0))
    data = chosen([1, [0, 2]], source={"path": str(path)}).config.data
    assert (data.selection, data.permute) == ((None, None, (0, 2), 1), (2, 1, 0))


def test_options_of_zarr(translated):
    def with_options(options):
        return translated({"init_params.meas_params": {"path": "x.zarr", "key": "dp", "zarr_kwargs": options}})

    assert not [note for note in with_options({"zarr_format": 2}).notes if note.unsupported]
    (note,) = [note for note in with_options({"storage_options": {"anon": True}}).notes if note.unsupported]
    assert note.key == "init_params.meas_params.zarr_kwargs.storage_options"
    assert "{'anon': True}" in note.effect


def test_the_probe_s_axes_and_intensity(translated):
    given = {"init_params.probe_permute": [0, 2, 1], "init_params.probe_normalization": {"mode": "max_total_ints"}}
    beam = translated(given).config.illumination
    assert (beam.permute, beam.intensity_of) == ((0, 2, 1), "brightest_pattern")


def test_tilts_of_every_position(translated):
    scan = {"init_params.pos_N_scan_slow": 2, "init_params.pos_N_scan_fast": 2}
    each = {"tilt_type": "each", "init_tilts": [[0, 1], [0, 2], [0, 3], [0, 4]]}
    start = translated({**scan, "init_params.tilt_params": each}).config.object
    assert start.tilts_mrad == ((0, 1), (0, 2), (0, 3), (0, 4))
    for wrong in ({**each, "tilt_type": "all"}, {**each, "init_tilts": [[0, 1], [0, 2]]}):
        (note,) = [n for n in translated({**scan, "init_params.tilt_params": wrong}).notes if n.unsupported]
        assert note.key == "init_params.tilt_params.init_tilts"
        assert f"{len(wrong['init_tilts'])} tilts with tilt_type {wrong['tilt_type']} for 4 positions" in note.effect


def test_measured_positions_are_adjusted_as_there(translated):
    given = {
        "init_params.pos_source": "foldslice_hdf5",
        "init_params.pos_params": "positions.h5",
        "init_params.pos_scan_affine": [1, 0, 2, 0],
    }
    scan = translated(given).config.scan
    assert scan.path.endswith("positions.h5")
    assert (scan.step_angstrom, scan.unit, scan.adjust_loaded) == (None, "angstrom", True)
    assert (scan.affine.rotation_degrees, scan.jitter_px) == (2, 0.15)


def test_arrays_in_memory_may_be_files(translated):
    given = {f"init_params.{name}_source": "custom" for name in ("probe", "pos", "obj", "tilt")}
    noted = {note.key: note.effect for note in translated(given).notes if note.unsupported}
    assert set(noted) == {f"init_params.{name}_params" for name in ("probe", "pos", "obj", "tilt")}
    assert all("save it, as .npy" in effect for effect in noted.values())
    files = {f"init_params.{name}_params": f"{name}.npy" for name in ("probe", "pos", "obj", "tilt")}
    found = translated(given | files)
    assert not [note for note in found.notes if note.unsupported]
    config = found.config
    paths = (config.illumination.path, config.scan.path, config.object.path, config.object.tilt_path)
    assert [path.rpartition("/")[2] for path in paths] == ["probe.npy", "pos.npy", "obj.npy", "tilt.npy"]
    for name in ("probe", "meas", "tilt"):
        with pytest.raises(ConfigError, match=rf"{name}_params: .*an array in memory \(3, 4\) must be saved"):
            translated({f"init_params.{name}_params": np.zeros((3, 4))})


def test_depth_is_cropped_padded_and_resampled_with_the_total_thickness_kept(translated):
    changes = {
        "init_params.obj_z_crop": [1, 5],
        "init_params.obj_z_pad": {"pad_layers": [2, None], "pad_types": ["edge", "mean"]},
        "init_params.obj_z_resample": {"mode": "scale_Nlayer", "value": 2},
    }
    start = translated(changes).config.object
    assert (start.slices, start.slice_thickness_angstrom) == (12, 1.0)  # 6 - 2 + 2 slices of 2 angstrom, halved
    assert (start.depth.crop, start.depth.pad, start.depth.pad_values) == ((1, 5), (2, 0), ("edge", "mean"))


def test_loaded_starts_are_not_changed_again(translated):
    loaded = translated({"init_params.pos_source": "PtyRAD", "init_params.pos_params": "model.hdf5"})
    assert loaded.config.scan.path.endswith("model.hdf5")
    assert loaded.config.scan.step_angstrom is None
    assert not loaded.config.scan.adjust_loaded
    assert "init_params.pos_source" in [note.key for note in loaded.notes]


def test_axes_of_a_matlab_7_3_file_are_as_ptyrad_sees_them(translated, tmp_path):
    """PtyRAD sees (ky, kx, N) of MATLAB as (N, kx, ky); here it is read as (ky, kx, N)."""
    path = tmp_path / "dp.mat"
    with h5py.File(path, "w", userblock_size=512) as file:
        file["dp"] = np.zeros((4, 3, 2))
    named = {"init_params.meas_params": {"path": str(path), "key": "dp"}}
    found = translated(named)
    assert found.config.data.permute == (2, 1, 0)
    assert "init_params.meas_permute" in [note.key for note in found.notes]
    assert translated({**named, "init_params.meas_permute": [0, 2, 1]}).config.data.permute == (2, 0, 1)
    assert translated({"init_params.meas_params": {"path": "missing.mat", "key": "dp"}}).config.data.permute is None


def test_an_xray_file_has_metres(translated):
    found = translated(
        {
            "init_params.probe_illum_type": "xray",
            "init_params.beam_kev": 8.8,
            "init_params.probe_Rn": 90e-6,
            "init_params.probe_dRn": 50e-9,
            "init_params.probe_D_FZP": 160e-6,
            "init_params.probe_D_H": 60e-6,
            "init_params.probe_Ls": 400e-6,
            "init_params.pos_scan_step_size": 200e-9,
            "init_params.meas_calibration": {"mode": "dx", "value": 10e-9},
            "init_params.obj_Nlayer": 1,
            "init_params.obj_slice_thickness": 1e-6,
        }
    ).config
    plate = found.illumination.zone_plate
    assert (found.illumination.kind, found.illumination.energy_kev) == ("xray", 8.8)
    assert (plate.outer_radius_um, plate.outer_zone_width_nm) == pytest.approx((90, 50))
    assert (plate.aperture_um, plate.central_stop_um, plate.focus_to_sample_um) == pytest.approx((160, 60, 400))
    assert (found.scan.step_angstrom, found.calibration.value) == pytest.approx((2000, 100))


def test_lbfgs_is_translated(translated):
    found = translated({"model_params.optimizer_params": {"name": "LBFGS", "configs": {"history_size": 5}}})
    assert (found.config.optimizer.name, found.config.optimizer.options) == ("lbfgs", {"history_size": 5})
