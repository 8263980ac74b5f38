"""`hypertune_params`: PtyRAD's search as a section `tune`."""

from __future__ import annotations

import re
from typing import Any

from ptycupy.config.optimizers import OPTIONS
from ptycupy.config.ptyrad.builder import Builder
from ptycupy.config.ptyrad.procedure import HypertuneParams
from ptycupy.config.registered import plain_name

SECTION = "hypertune_params"
KEYS = {
    "batch_size": "reconstruction.batch_size",
    "plr": "optimizer.probe.learning_rate",
    "oalr": "optimizer.object_amplitude.learning_rate",
    "oplr": "optimizer.object_phase.learning_rate",
    "slr": "optimizer.shifts.learning_rate",
    "tlr": "optimizer.tilts.learning_rate",
    "dzlr": "optimizer.slice_thickness.learning_rate",
    "dx": "calibration.value",
    "pmode_max": "illumination.modes",
    "conv_angle": "illumination.convergence_angle_mrad",
    "z_shift": "illumination.shift_along_beam_angstrom",
    "Nlayer": "object.slices",
    "dz": "object.slice_thickness_angstrom",
    "scale": "scan.affine.scale",
    "asymmetry": "scan.affine.asymmetry",
    "rotation": "scan.affine.rotation_degrees",
    "shear": "scan.affine.shear_degrees",
    "tilt_y": "object.tilt_mrad.0",
    "tilt_x": "object.tilt_mrad.1",
}
SAMPLERS = {
    "TPESampler": "tpe", "RandomSampler": "random", "CmaEsSampler": "cmaes", "GPSampler": "gp", "QMCSampler": "qmc",
    "GridSampler": "grid", "NSGAIISampler": "nsga2", "NSGAIIISampler": "nsga3", "BruteForceSampler": "brute_force",
}  # fmt: skip
PRUNERS = {
    "HyperbandPruner": "hyperband", "MedianPruner": "median", "PercentilePruner": "percentile",
    "SuccessiveHalvingPruner": "successive_halving", "PatientPruner": "patient", "ThresholdPruner": "threshold",
}  # fmt: skip
DEFAULT_PRUNER = {"name": "HyperbandPruner", "configs": {"min_resource": 5, "reduction_factor": 2}}
WITHOUT_EFFECT = ("verbosity", "collate_results", "append_params", "storage_path")


def tuning(to: Builder) -> None:
    """The section `tune`, where tuning is on."""
    given = to.parameters.hypertune_params
    if not given.if_hypertune:
        if next(to.changed(SECTION, *HypertuneParams.model_fields), None):
            to.differs(SECTION, "has no effect while if_hypertune is false, as in PtyRAD")
        return
    space = _space(to)
    if not space:
        to.unsupported(f"{SECTION}.if_hypertune", "true: no key of tune_params is on; name what is to be tuned")
        return
    tune: dict[str, Any] = {"study": given.study_name, "trials": given.n_trials, "objectives": [given.error_metric]}
    if given.timeout is not None:
        tune["timeout_seconds"] = given.timeout
    to.put("tune", {**tune, "sampler": _sampler(to), "pruner": _pruner(to), "space": space}, f"{SECTION}.tune_params")
    to.differs(f"{SECTION}.if_hypertune", "true: `ptycupy tune` runs the trials; `ptycupy recon` one reconstruction")
    to.differs(f"{SECTION}.n_trials", f"{given.n_trials} are those of the whole study, in PtyRAD those of each worker")
    for key in to.changed(SECTION, *WITHOUT_EFFECT):
        to.differs(key, "has no effect: the study's folder has a journal, best.yaml, trials.csv and pictures")


def _space(to: Builder) -> dict[str, Any]:
    space: dict[str, Any] = {}
    for name, one in (to.parameters.hypertune_params.tune_params or {}).items():
        if not (isinstance(one, dict) and one.get("state")):
            continue
        key, options = f"{SECTION}.tune_params.{name}", dict(one.get("kwargs") or {})
        if name == "optimizer":
            space["optimizer"] = {"choices": _optimizers(options)}
            continue
        ours = _keys(to, name)
        if not ours:
            to.unsupported(key, "no key of ours is tuned by it; it would stay as it is")
            continue
        if name == "dx":
            to.put("calibration.mode", "pixel_size_angstrom", key)
            to.put("calibration.value", options.get("low", 1.0), key)
            to.differs(key, "is tuned; in PtyRAD 1.0.0 it has no effect")
        dimension: dict[str, Any] = {"choices": list(dict.fromkeys(options.get("choices", ())))}
        if "choices" not in options:
            log = bool(options.get("log"))
            parts = ("low", "high") if log else ("low", "high", "step")
            dimension = {"log": log} | {part: options[part] for part in parts if options.get(part) is not None}
        space |= dict.fromkeys(ours, dimension)
    return space


def _keys(to: Builder, name: str) -> list[str]:
    """Our keys for one of PtyRAD's; an aberration that is not round has two parts."""
    if name in KEYS:
        return [KEYS[name]]
    found = re.fullmatch(r"C(\d)(\d)", name)
    if found is None:
        return []
    term = f"illumination.aberrations.{name}"
    if found[2] == "0":
        return [term]
    there = to.parameters.init_params.probe_aberrations or {}
    if {name, f"phi{found[1]}{found[2]}"} & there.keys():
        to.unsupported(
            f"{SECTION}.tune_params.{name}",
            f"probe_aberrations has {name} by size and angle; write {name}a and {name}b",
        )
        return []
    return [f"{term}a", f"{term}b"]


def _optimizers(options: dict[str, Any]) -> list[dict[str, Any]]:
    configs = options.get("optim_configs") or {}
    return [
        {"name": plain_name(name, OPTIONS), "options": dict(configs.get(name) or {})}
        for name in options.get("choices", ())
    ]


def _sampler(to: Builder) -> dict[str, Any]:
    return _named(to, to.parameters.hypertune_params.sampler_params or {}, SAMPLERS, "sampler_params", "tpe")


def _pruner(to: Builder) -> dict[str, Any] | None:
    given = to.parameters.hypertune_params.pruner_params
    if given is None and "pruner_params" in to.parameters.hypertune_params.model_fields_set:
        return None
    chosen = _named(to, DEFAULT_PRUNER if given is None else given, PRUNERS, "pruner_params", "hyperband")
    wrapped = chosen["options"].pop("wrapped_pruner_configs", None)
    if wrapped is not None:
        chosen["options"]["wrapped"] = _named(to, wrapped, PRUNERS, "pruner_params", "median")
    return chosen


def _named(to: Builder, given: dict[str, Any], names: dict[str, str], key: str, default: str) -> dict[str, Any]:
    name = given.get("name")
    if name is not None and name not in names:
        to.unsupported(f"{SECTION}.{key}", f"{name} is unknown; {default} would be used")
    return {"name": names.get(str(name), default), "options": dict(given.get("configs") or {})}
