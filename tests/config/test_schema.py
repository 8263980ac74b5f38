"""What belongs together, short forms, and the manners of the sections."""

from __future__ import annotations

from importlib.metadata import EntryPoint
from pathlib import Path

import numpy as np
import pytest
from pydantic import ValidationError

from ptycupy.config import check, from_dict, schema
from ptycupy.errors import ConfigError

XRAY_IN_PIXELS = {
    "data": {"path": "x.h5"}, "illumination": {"kind": "xray"}, "calibration": {"mode": "none"},
}  # fmt: skip


def problems(values: dict[str, object]) -> list[str]:
    with pytest.raises(ConfigError) as error:
        from_dict(values)
    return [line.split(":")[0] for line in str(error.value).splitlines()]


def changed(**sections: dict[str, object]) -> dict[str, object]:
    base = {"data": {"path": "x.h5"}, "illumination": {"voltage_kv": 80, "convergence_angle_mrad": 24.9}}
    return {**base, **sections}


@pytest.mark.parametrize(
    ("sections", "expected"),
    [
        ({"illumination": {}}, ["illumination.voltage_kv", "illumination.convergence_angle_mrad"]),
        ({"illumination": {"kind": "xray"}}, ["illumination.energy_kev", "illumination.convergence_angle_mrad"]),
        ({"illumination": {"voltage_kv": 80, "path": "p.h5"}}, ["illumination.convergence_angle_mrad"]),
        (
            {"illumination": {"voltage_kv": 80, "energy_kev": 8, "convergence_angle_mrad": 20}},
            ["illumination.energy_kev"],
        ),
        (
            {"illumination": {"kind": "xray", "voltage_kv": 80, "energy_kev": 8, "convergence_angle_mrad": 1}},
            ["illumination.voltage_kv"],
        ),
        ({"illumination": {"voltage_kv": 80, "convergence_angle_mrad": 20, "key": "p"}}, ["illumination.path"]),
        ({"object": {"slices": 2}}, ["object.slice_thickness_angstrom"]),
        ({"object": {"slices": 3, "slice_thickness_angstrom": [2, 2, 2]}}, ["object.slice_thickness_angstrom"]),
        ({"object": {"slices": 1, "slice_thickness_angstrom": [2]}}, ["object.slice_thickness_angstrom"]),
        ({"object": {"modes": 3, "occupancies": [0.5, 0.5]}}, ["object.occupancies"]),
        ({"calibration": {"mode": "pixel_size_angstrom"}}, ["calibration.value"]),
        ({"calibration": {"value": 2}}, ["calibration.value"]),
        ({"calibration": {"mode": "none"}, "scan": {"step_angstrom": 1}}, ["scan.step_angstrom"]),
        ({"calibration": {"mode": "none"}, "scan": {"path": "s", "unit": "angstrom"}}, ["scan.unit"]),
        (
            {"calibration": {"mode": "none"}, "object": {"slices": 2, "slice_thickness_angstrom": 1}},
            ["object.slices"],
        ),
        ({"scan": {"step_px": 1, "step_angstrom": 1}}, ["scan.step_px"]),
        ({"scan": {"path": "s.h5", "step_px": 1}}, ["scan.step_px"]),
        ({"scan": {"key": "positions"}}, ["scan.path"]),
        ({"losses": {"gaussian": None}}, ["losses"]),
        ({"optimizer": {"tilts": {"learning_rate": 1, "start": 5, "end": 5}}}, ["optimizer.tilts.end"]),
        ({"optimizer": {"name": "lsqml"}}, ["losses.sparsity"]),
        (
            {
                "optimizer": {"name": "lsqml"},
                "losses": {"gaussian": {"power": 1}, "poisson": {}, "sparsity": {"weight": 0}, "similarity": None},
            },
            ["losses.gaussian.power", "losses.poisson"],
        ),
        ({"data": {"path": "x", "permute": [0, 2, 2]}}, ["data.permute"]),
        ({"data": {"path": "x", "reshape": [-1, -1, 4]}}, ["data.reshape"]),
        ({"data": {"path": "x", "crop_scan": [[4, 4], [None, None]]}}, ["data.crop_scan.0"]),
        ({"data": {}}, ["data.path"]),
    ],
)
def test_contradictions_are_refused_at_their_key(sections, expected):
    assert problems(changed(**sections)) == expected


@pytest.mark.parametrize(
    "values",
    [
        XRAY_IN_PIXELS,
        {**XRAY_IN_PIXELS, "calibration": {"pixel_size": None}},
        {**XRAY_IN_PIXELS, "illumination": {}},
        {
            **XRAY_IN_PIXELS,
            "illumination": {"path": "p.h5"},
            "calibration": {"mode": "pixel_size_angstrom", "value": 1},
        },
        changed(calibration={"mode": "file"}, illumination={"convergence_angle_mrad": 20}),
        changed(data={}, simulation={}),
        changed(object={"slices": 3, "slice_thickness_angstrom": [2, 3]}),
        changed(object=None, scan=None),
        changed(losses={"gaussian": None, "poisson": {}}),
        changed(losses={"sparsity": None}, optimizer={"name": "lsqml", "options": {"momentum": 0.5}}),
        changed(data={"path": "x", "crop_scan": [[4, -4], [None, 8]], "permute": [2, 0, 1], "reshape": [-1, 4, 4]}),
    ],
)
def test_what_is_enough(values):
    check(from_dict(values))


def test_pixel_size_null_is_the_mode_none():
    assert from_dict({**XRAY_IN_PIXELS, "calibration": {"pixel_size": None}}).calibration.mode == "none"


def test_check_refuses_a_config_made_in_python():
    with pytest.raises(ConfigError, match=r"^data.path: required"):
        check(schema.Config())


def test_sections_take_lists_paths_and_numpy_scalars_but_convert_nothing_else():
    data = schema.Data.model_validate({"path": Path("a") / "b.h5", "scan_shape": [np.int64(4), 8]})
    assert data.path == str(Path("a") / "b.h5")
    assert data.scan_shape == (4, 8)
    for wrong in ({"scan_shape": ("4", 8)}, {"scan_shape": (4.0, 8)}, {"offset_bytes": True}, {"path": 5}):
        with pytest.raises(ValidationError):
            schema.Data.model_validate(wrong)
    with pytest.raises(ValidationError, match="frozen"):
        data.path = "c"


def test_every_key_is_described():
    def undescribed(section: type[schema.Section]) -> list[str]:
        from ptycupy.config.problems import section_in

        found = [f"{section.__name__}.{name}" for name, f in section.model_fields.items() if not f.description]
        for field in section.model_fields.values():
            inner = section_in(field.annotation)
            found += undescribed(inner) if inner is not None else []
        return found

    assert undescribed(schema.Config) == []


def test_constraints_as_list_and_as_mapping_are_equal():
    listed = from_dict(changed(constraints=[{"name": "depth_blur", "std": 2}, {"name": "positive_phase", "start": 3}]))
    mapped = from_dict(changed(constraints={"depth_blur": {"std": 2}, "positive_phase": {"start": 3}}))
    assert listed == mapped
    assert from_dict(changed(constraints={"positive_phase": None})).constraints[0].name == "positive_phase"


@pytest.mark.parametrize(
    ("constraint", "expected"),
    [
        ({"name": "depthblur"}, "did you mean depth_blur?"),
        ({"name": "obj_zblur"}, "did you mean depth_blur?"),
        ({"std": 1}, "constraints.0.name: required"),
        ({"name": "depth_blur", "sdt": 1}, "constraints.depth_blur.sdt: unknown key; did you mean std?"),
        ({"name": "orthogonal_probe", "std": 0.5}, "constraints.orthogonal_probe.std: unknown key"),
        ({"name": "probe_real_mask", "z_range": [5, -5]}, "[5, -5] must be [low, high]"),
        ({"name": "probe_fourier_mask", "power_thresh": 95}, "power_thresh: 95 of 1? It looks like percent"),
        ({"name": "positive_phase", "mode": "clip"}, "did you mean clip_neg?"),
        (
            {"name": "total_variation", "weight_lateral": 0},
            "weight_lateral: 0 must be positive where",
        ),
        ({"name": "tikhonov", "weight_depth": 1}, "weight_depth: 1 must be at most 0.25"),
        ({"name": "frequency_threshold", "thresh": 0}, "thresh: 0 must be greater than 0"),
        ({"name": "depth_blur", "obj_type": "phas"}, "did you mean phase?"),
        ({"name": "depth_blur", "std": -1}, "constraints.depth_blur.std: -1 must be at least 0"),
        ({"name": "depth_blur", "std": float("nan")}, "constraints.depth_blur.std: expected a finite number"),
        ({"name": "depth_blur", "kernel_size": 0}, "constraints.depth_blur.kernel_size: 0 must be at least 1"),
        ({"name": "positive_phase", "relax": 2}, "constraints.positive_phase.relax: 2 must be at most 1"),
        ({"name": "amplitude_threshold", "thresh": [1.1, 0.9]}, "[1.1, 0.9] must be [low, high]"),
        ({"name": "fixed_probe_intensity", "target": 0}, "target: 0 must be greater than 0"),
        ({"name": "depth_blur", "start": 5, "end": 5}, "constraints.depth_blur.end: 5 must be after start"),
        ({"name": "depth_blur", "start": 0}, "constraints.depth_blur.start: 0 must be at least 1 (iterations)"),
        (3, "constraints.0: expected a mapping"),
    ],
)
def test_constraints_are_checked_with_their_parameters(constraint, expected):
    with pytest.raises(ConfigError) as error:
        from_dict(changed(constraints=[constraint]))
    assert expected in str(error.value)


def test_a_constraint_of_another_package_takes_any_parameters(monkeypatch):
    own = EntryPoint("own_one", "package:Own", "ptycupy.constraints")
    monkeypatch.setattr(
        "ptycupy.config.registered.entry_points", lambda group: [own] if group == "ptycupy.constraints" else []
    )
    (constraint,) = from_dict(changed(constraints=[{"name": "own_one", "strength": 3}])).constraints
    assert constraint.model_extra == {"strength": 3}


def test_optimizer_names_and_options():
    assert from_dict(changed(optimizer={"name": "Adam", "options": {"beta1": 0.5}})).optimizer.name == "adam"
    assert problems(changed(optimizer={"name": "adm"})) == ["optimizer.name"]
    assert problems(changed(optimizer={"options": {"beta1": 1}})) == ["optimizer.options.beta1"]


def test_a_dict_that_contains_itself_is_refused():
    values: dict[str, object] = changed()
    values["scan"] = values
    with pytest.raises(ConfigError, match="nested deeper than 32 levels"):
        from_dict(values)


def test_parameters_are_those_of_the_constraints_themselves():
    """The same names in the same order, with the same parameters and defaults."""
    import inspect

    from ptycupy.config.constraints import PARAMETERS
    from ptycupy.update.constraints import CONSTRAINTS

    def defaults(constraint):
        return {name: parameter.default for name, parameter in inspect.signature(constraint).parameters.items()}

    assert list(PARAMETERS) == list(CONSTRAINTS)
    for name, section in PARAMETERS.items():
        assert {key: field.default for key, field in section.model_fields.items()} == defaults(CONSTRAINTS[name]), name
        assert "relax" in section.model_fields


def test_every_constraint_of_ptyrad_has_a_name_here():
    from ptycupy.config.constraints import PARAMETERS, PTYRAD_NAMES

    assert len(PTYRAD_NAMES) + 1 == 16  # complex_ratio has the same name in both
    assert {*PTYRAD_NAMES.values(), "complex_ratio"} <= set(PARAMETERS)


def test_optimizers_have_their_own_options_and_torchs_names():
    for given, name in (("SparseAdam", "sparse_adam"), ("NAdam", "nadam"), ("RMSprop", "rmsprop"), ("SGD", "sgd")):
        assert from_dict(changed(optimizer={"name": given})).optimizer.name == name
    made = from_dict(changed(optimizer={"name": "sgd", "options": {"momentum": 0.9, "nesterov": True}})).optimizer
    assert made.options == {"momentum": 0.9, "nesterov": True}
    assert problems(changed(optimizer={"name": "sgd", "options": {"beta1": 0.5}})) == ["optimizer.options.beta1"]
    assert problems(changed(optimizer={"name": "sgd", "options": {"nesterov": True}})) == ["optimizer.options"]
    assert problems(changed(optimizer={"name": "rprop", "options": {"etas": [1.5, 2]}})) == ["optimizer.options.etas.0"]
