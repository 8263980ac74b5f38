"""Every key of a PtyRAD file: changing it changes the resolved configuration, or is listed as a difference."""

from __future__ import annotations

import pytest

from ptycupy.config.ptyrad.constraints import ConstraintParams, Timed
from ptycupy.config.ptyrad.parameters import Parameters
from ptycupy.config.ptyrad.tuning import KEYS as KEYS_OF_TUNING

FILE = "start.hdf5"
INIT = {
    "random_seed": 3,
    "probe_illum_type": None,  # below
    "probe_kv": 300,
    "probe_conv_angle": 20.0,
    "probe_aberrations": {"C10": -100},
    "beam_kev": 8.0,
    "probe_dRn": 5e-8,
    "probe_Rn": 9e-5,
    "probe_D_H": 6e-5,
    "probe_D_FZP": 2e-4,
    "probe_Ls": 1e-3,
    "meas_Npix": None,  # below
    "pos_N_scans": 7,
    "pos_N_scan_slow": 25,
    "pos_N_scan_fast": 17,
    "pos_scan_step_size": 0.5,
    "meas_calibration": {"mode": "dx", "value": 0.15},
    "probe_pmode_max": 5,
    "probe_pmode_init_pows": [0.05],
    "obj_omode_max": 2,
    "obj_omode_init_occu": {"occu_type": "custom", "init_occu": [1.0]},
    "obj_Nlayer": 5,
    "obj_slice_thickness": 3,
    "simu_Npix": 256,
    "simu_match_mode": "resample",
    "meas_permute": [0, 2, 1],
    "meas_reshape": [-1, 128, 128],
    "meas_flipT": [1, 0, 0],
    "meas_crop": [[0, 10], None, [8, 120], [8, 120]],
    "meas_pad": {"target_Npix": 256},
    "meas_resample": {"scale_factors": [2, 2]},
    "meas_add_source_size": 0.3,
    "meas_add_detector_blur": 0.5,
    "meas_remove_neg_values": {"mode": "subtract_value", "value": 2},
    "meas_normalization": {"mode": "divide_const", "value": 10},
    "meas_add_poisson_noise": {"unit": "e_per_Ang2", "value": 1e6},
    "meas_export": True,
    "probe_permute": [0, 2, 1],
    "probe_z_shift": -20,
    "probe_normalization": {"mode": "target_intensity", "value": 9},
    "pos_scan_flipT": [0, 1, 1],
    "pos_scan_affine": [1, 0.01, -3, 0.5],
    "pos_scan_rand_std": None,
    "obj_z_crop": [1, 3],
    "obj_z_pad": {"pad_layers": [2, 2]},
    "obj_z_resample": {"mode": "target_Nlayer", "value": 12},
    "meas_source": "hdf5",
    "meas_params": {"path": "y.h5"},
    "probe_source": None,  # below
    "probe_params": FILE,
    "pos_source": None,
    "pos_params": FILE,
    "obj_source": None,
    "obj_params": FILE,
    "tilt_source": None,
    "tilt_params": {"tilt_type": "each", "init_tilts": [[1, 2]]},
}
MODEL = {
    "detector_blur_std": 1.0,
    "preload_data": False,
    "optimizer_params": {"name": "AdamW"},
    "scheduler_params": {"name": "StepLR", "configs": {"step_size": 10}},
    "update_params": {"obj_tilts": {"start_iter": 2, "lr": 1e-3}},
}
LOSS = {
    "loss_single": {"state": True, "weight": 0.5},
    "loss_poissn": {"state": True},
    "loss_pacbed": {"state": True},
    "loss_sparse": {"state": True},
    "loss_simlar": {"state": True},
}
RECON = {
    "NITER": 30,
    "INDICES_MODE": {"mode": "center"},
    "BATCH_SIZE": {"size": 64},
    "GROUP_MODE": "compact",
    "SAVE_ITERS": 5,
    "output_dir": "elsewhere/",
    "recon_dir_affixes": ["all"],
    "prefix_time": True,
    "prefix": "a",
    "postfix": "b",
    "save_result": ["probe"],
    "result_modes": {"bit": ["raw"]},
    "selected_figs": ["loss"],
    "copy_params": False,
    "compiler_configs": {"enable": True},
    "convergence_monitor": None,
}
GROUPS = {"init_params": INIT, "model_params": MODEL, "loss_params": LOSS, "recon_params": RECON}
KEYS = [(f"{group}.{key}", value) for group, keys in GROUPS.items() for key, value in keys.items()]
TOGETHER = {
    "init_params.probe_illum_type": {
        "init_params.probe_illum_type": "xray",
        **{f"init_params.{key}": INIT[key] for key in ("beam_kev", "probe_dRn", "probe_Rn", "probe_D_H")},
        **{f"init_params.{key}": INIT[key] for key in ("probe_D_FZP", "probe_Ls", "meas_calibration")},
        "init_params.pos_scan_step_size": 2e-7,  # metres
        "init_params.obj_slice_thickness": 1e-6,
        "init_params.probe_source": "PtyRAD",
        "init_params.probe_params": FILE,
    },
    "init_params.meas_Npix": {"init_params.meas_Npix": 64, "init_params.meas_params": {"path": "x.raw"}},
    "init_params.probe_source": {"init_params.probe_source": "PtyRAD", "init_params.probe_params": FILE},
    "init_params.pos_source": {"init_params.pos_source": "PtyRAD", "init_params.pos_params": FILE},
    "init_params.obj_source": {"init_params.obj_source": "PtyRAD", "init_params.obj_params": FILE},
    "init_params.tilt_source": {"init_params.tilt_source": "PtyRAD", "init_params.tilt_params": FILE},
    "init_params.obj_omode_max": {
        "init_params.obj_omode_max": 2,
        "init_params.obj_omode_init_occu": {"occu_type": "custom", "init_occu": [0.6, 0.4]},
    },
}


def test_the_tables_name_every_key():
    for group, keys in GROUPS.items():
        section = Parameters.model_fields[group].annotation
        assert set(keys) == set(section.model_fields), group


@pytest.mark.parametrize(("key", "value"), KEYS, ids=[key for key, _ in KEYS])
def test_a_changed_key_changes_the_configuration_or_is_listed(translated, key, value):
    before, after = translated(), translated(TOGETHER.get(key, {key: value}))
    noted = {note.key for note in after.notes} - {note.key for note in before.notes}
    assert after.config != before.config or any(note.startswith(key) for note in noted)


@pytest.mark.parametrize("name", ConstraintParams.model_fields)
def test_every_constraint_keeps_its_parameters(translated, name):
    section = type(getattr(ConstraintParams(), name))
    own = {key: value for key, value in section().model_dump().items() if key not in Timed.model_fields}
    before = translated({f"constraint_params.{name}": {}})
    after = translated({f"constraint_params.{name}": {"start_iter": 2, "step": 3, "end_iter": 9, **own}})
    (added,) = set(map(str, after.config.constraints)) - set(map(str, before.config.constraints))
    assert "start=2 step=3 end=9" in added
    (constraint,) = [one for one in after.config.constraints if str(one) == added]
    assert {key: value for key, value in (constraint.model_extra or {}).items()} == own


ON = {"low": 1, "high": 4}
TUNED = {  # PtyRAD's name: our keys
    **{name: [key] for name, key in KEYS_OF_TUNING.items()},
    "C10": ["illumination.aberrations.C10"],
    "C34": ["illumination.aberrations.C34a", "illumination.aberrations.C34b"],
}


@pytest.mark.parametrize("name", TUNED)
def test_every_tuned_parameter_has_its_key(translated, name):
    search = {"if_hypertune": True, "tune_params": {name: {"state": True, "suggest": "float", "kwargs": ON}}}
    found = translated({"hypertune_params": search})
    assert list(found.config.tune.space) == TUNED[name]
    assert not [note for note in found.notes if note.unsupported]
    assert found.config.tune.pruner.name == "hyperband"


def test_a_search_of_ptyrad_is_a_section_tune(translated):
    search = {
        "if_hypertune": True,
        "n_trials": 7,
        "study_name": "PSO",
        "error_metric": "contrast",
        "timeout": 60,
        "sampler_params": {"name": "CmaEsSampler", "configs": {"sigma0": 0.2}},
        "pruner_params": {
            "name": "PatientPruner",
            "configs": {"patience": 3, "wrapped_pruner_configs": {"name": "MedianPruner", "configs": {}}},
        },
        "tune_params": {
            "plr": {"state": True, "suggest": "cat", "kwargs": {"choices": [1e-2, 1e-4, 1e-4]}},
            "Nlayer": {"state": True, "suggest": "int", "kwargs": {"low": 1, "high": 8, "step": 1, "log": False}},
            "dx": {"state": False, "suggest": "float", "kwargs": ON},
            "optimizer": {
                "state": True,
                "suggest": "cat",
                "kwargs": {"choices": ["Adam", "SGD"], "optim_configs": {"SGD": {"momentum": 0.9}}},
            },
        },
    }
    tune = translated({"hypertune_params": search}).config.tune
    assert (tune.study, tune.trials, tune.objectives, tune.timeout_seconds) == ("PSO", 7, ("contrast",), 60)
    assert (tune.sampler.name, tune.sampler.options) == ("cmaes", {"sigma0": 0.2})
    assert tune.pruner.options == {"patience": 3, "wrapped": {"name": "median", "options": {}}}
    assert tune.space["optimizer.probe.learning_rate"].choices == (1e-2, 1e-4)
    assert (tune.space["object.slices"].low, tune.space["object.slices"].high) == (1, 8)
    names = [one["name"] for one in tune.space["optimizer"].choices]
    assert (names, tune.space["optimizer"].choices[1]["options"]) == (["adam", "sgd"], {"momentum": 0.9})
    assert len(tune.space) == 3


@pytest.mark.parametrize(
    ("search", "key"),
    [
        ({}, "if_hypertune"),
        ({"tune_params": {"nobody": {"state": True, "kwargs": ON}, "dz": {"state": True, "kwargs": ON}}}, "nobody"),
        ({"tune_params": {"dz": {"state": True, "kwargs": ON}}, "sampler_params": {"name": "X"}}, "sampler_params"),
    ],
)
def test_what_of_a_search_has_no_equivalent(translated, search, key):
    found = translated({"hypertune_params": {"if_hypertune": True, **search}})
    assert [note.key.rpartition(".")[2] for note in found.notes if note.unsupported] == [key]


def test_what_is_for_tuning_is_noted_where_it_is_off(translated):
    (note,) = [note for note in translated({"hypertune_params.n_trials": 50}).notes if "hypertune" in note.key]
    assert not note.unsupported
