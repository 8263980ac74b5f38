"""The schedule of the learning rates: `model_params.scheduler_params`.

PtyRAD has one group of torch's optimizer for every tensor whose lr is not 0, so that what torch sets for a group
(eta_min, max_lr) is for one tensor: here the schedule of one parameter, relative to its own rate.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any

from ptycupy.config.ptyrad.builder import Builder
from ptycupy.config.ptyrad.procedure import SchedulerParams, UpdateParams
from ptycupy.config.schedules import TORCH_NAMES
from ptycupy.errors import ConfigError

TENSORS = {
    "obja": "object_amplitude",
    "objp": "object_phase",
    "probe": "probe",
    "probe_pos_shifts": "shifts",
    "obj_tilts": "tilts",
    "slice_thickness": "slice_thickness",
}
# torch's name of an option, and ours.
OPTIONS = {
    "ConstantLR": {"factor": "factor", "total_iters": "total"},
    "LinearLR": {"start_factor": "start", "end_factor": "end", "total_iters": "total"},
    "StepLR": {"step_size": "every", "gamma": "gamma"},
    "MultiStepLR": {"milestones": "milestones", "gamma": "gamma"},
    "ExponentialLR": {"gamma": "gamma"},
    "PolynomialLR": {"total_iters": "total", "power": "power"},
    "CosineAnnealingLR": {"T_max": "total"},
    "CosineAnnealingWarmRestarts": {"T_0": "first", "T_mult": "growth"},
    "ReduceLROnPlateau": {
        "factor": "factor",
        "patience": "patience",
        "threshold": "threshold",
        "threshold_mode": "threshold_mode",
        "cooldown": "cooldown",
    },
    "OneCycleLR": {
        "total_steps": "total",
        "pct_start": "rise",
        "anneal_strategy": "shape",
        "div_factor": "start_division",
        "final_div_factor": "end_division",
        "three_phase": "three_phase",
    },
    "CyclicLR": {"step_size_up": "up", "step_size_down": "down", "mode": "shape", "gamma": "gamma"},
}
LEAST = {"CosineAnnealingLR": "eta_min", "CosineAnnealingWarmRestarts": "eta_min", "ReduceLROnPlateau": "min_lr"}
MOMENTA = {"OneCycleLR": (0.85, 0.95), "CyclicLR": (0.8, 0.9)}  # torch's base_momentum and max_momentum
WITHOUT_MOMENTUM = {"Adadelta", "Adafactor", "Adagrad", "ASGD", "LBFGS", "Rprop"}
USED_APART = {
    "OneCycleLR": {"max_lr", "epochs", "steps_per_epoch", "cycle_momentum", "base_momentum", "max_momentum"},
    "CyclicLR": {"base_lr", "max_lr", "scale_fn", "scale_mode", "cycle_momentum", "base_momentum", "max_momentum"},
    "ReduceLROnPlateau": {"min_lr", "mode"},
    "CosineAnnealingLR": {"eta_min"},
    "CosineAnnealingWarmRestarts": {"eta_min"},
}
MOST_FACTORS = 10_000


def schedule(to: Builder) -> dict[str, float]:
    """torch's schedule by its own options; what it sets learning rates to, by tensor, instead of update_params."""
    given, key = to.parameters.model_params.scheduler_params, "model_params.scheduler_params"
    if given is None:
        return {}
    lbfgs = to.parameters.model_params.optimizer_params.name == "LBFGS"
    if lbfgs and given.step_unit == "batch" and given.name != "ReduceLROnPlateau":
        to.differs(f"{key}.step_unit", "batch: LBFGS never takes such a step, as in PtyRAD")
        return {}
    if given.load_state is not None:
        to.unsupported(
            f"{key}.load_state",
            f"{given.load_state}: the schedule would start anew; `ptycupy recon --resume` goes on where a run of ours "
            "ended",
        )
    updates = to.parameters.model_params.update_params
    rates = {name: getattr(updates, name).lr for name in UpdateParams.model_fields}
    rates = {name: rate for name, rate in rates.items() if rate}
    if lbfgs:  # one group for all tensors
        rates = dict.fromkeys(rates, min(rates.values()))
    peaks = _peaks(to, given, rates, f"{key}.configs")
    common = _common(to, given, f"{key}.configs")
    if common is None or peaks is None:
        return {}
    own = {name: _own(to, given, list(rates), name, rates | peaks, f"{key}.configs") for name in rates}
    if None in own.values():
        return {}
    whole = {name: common | (options or {}) for name, options in own.items()}
    first = next(iter(whole.values()), common)
    if all(options == first for options in whole.values()):
        to.put("optimizer.schedule", first, key)
    else:
        for name, options in whole.items():
            to.put(f"optimizer.schedules.{TENSORS[name]}", options, key)
    return peaks


def _peaks(to: Builder, given: SchedulerParams, rates: dict[str, float], key: str) -> dict[str, float] | None:
    """The highest learning rates, by tensor, where the schedule and not update_params sets them; None = refused."""
    if given.name not in MOMENTA:
        return {}
    if "max_lr" not in given.configs:
        to.unsupported(f"{key}.max_lr", f"required by {given.name}: the highest learning rate")
        return None
    found: dict[str, float] = {}
    for name in rates:
        peak = _of(to, given, "max_lr", list(rates), name, key)
        if peak is None:
            return None
        found[name] = peak
    if found != rates:
        to.differs(f"{key}.max_lr", "is the highest learning rate instead of those in update_params, as in torch")
    return found


def _common(to: Builder, given: SchedulerParams, key: str) -> dict[str, Any] | None:
    """What is the same for every tensor; None where the schedule cannot be had."""
    unit = "iteration" if given.step_unit == "iter" else given.step_unit
    name, configs = given.name, given.configs
    if name in ("LambdaLR", "MultiplicativeLR"):
        return {"name": "listed", "step_unit": unit}
    found: dict[str, Any] = {"name": TORCH_NAMES[name], "step_unit": unit}
    for option, value in configs.items():
        if option in OPTIONS[name]:
            if value is not None:
                found[OPTIONS[name][option]] = value
        elif option not in USED_APART.get(name, ()):
            to.differs(f"{key}.{option}", "has no effect")
    if name == "OneCycleLR" and "total" not in found:
        if not {"epochs", "steps_per_epoch"} <= configs.keys():
            to.unsupported(f"{key}.total_steps", "required by OneCycleLR, or epochs with steps_per_epoch")
            return None
        found["total"] = configs["epochs"] * configs["steps_per_epoch"]
    if configs.get("scale_fn") is not None:
        to.unsupported(f"{key}.scale_fn", "is code; mode takes triangular, triangular2 or exp_range")
        return None
    if configs.get("mode") == "max" and name == "ReduceLROnPlateau":
        to.unsupported(f"{key}.mode", "max: the rates would fall as the loss falls; min waits for a loss that stays")
        return None
    return found


def _own(
    to: Builder, given: SchedulerParams, names: Sequence[str], name: str, rates: dict[str, float], key: str
) -> dict[str, Any] | None:
    """What is for the group of one tensor alone; None where it cannot be had."""
    found: dict[str, Any] = {}
    if given.name in ("LambdaLR", "MultiplicativeLR"):
        factors = _factors(to, given, names, name, key)
        return None if factors is None else {"factors": factors}
    if LEAST.get(given.name, "") in given.configs:
        least = _of(to, given, LEAST[given.name], names, name, key)
        if least is None:
            return None
        share = least / rates[name]
        # torch's plateau leaves a rate that is below its least; its cosines rise to it.
        found["least"] = min(share, 1.0) if given.name == "ReduceLROnPlateau" else share
    if given.name == "CyclicLR":
        base = _of(to, given, "base_lr", names, name, key)
        if base is None:
            return None
        found["least"] = base / rates[name]
    if given.name in MOMENTA and given.configs.get("cycle_momentum", True):
        optimizer = to.parameters.model_params.optimizer_params.name
        if optimizer in WITHOUT_MOMENTUM:
            if name == names[0]:
                to.unsupported(f"{key}.cycle_momentum", f"{optimizer} has none, and torch refuses; set it to false")
            return None
        momenta = [
            _of(to, given, option, names, name, key, default)
            for option, default in zip(("base_momentum", "max_momentum"), MOMENTA[given.name], strict=True)
        ]
        if None in momenta:
            return None
        found["momenta"] = momenta
    return found


def _of(
    to: Builder, given: SchedulerParams, option: str, names: Sequence[str], name: str, key: str, default: Any = None
) -> float | None:
    """A number for all tensors, or this tensor's of a list with one for each; None and a refusal otherwise."""
    value = given.configs.get(option, default)
    if isinstance(value, (list, tuple)) and len(value) == len(names):
        value = value[list(names).index(name)]
    if isinstance(value, (int, float)) and not isinstance(value, bool):
        return float(value)
    if name == names[0]:
        listed = ", ".join(names)
        to.unsupported(f"{key}.{option}", f"{value!r}: expected one number, or one for each of {listed}")
    return None


def _factors(
    to: Builder, given: SchedulerParams, names: Sequence[str], name: str, key: str
) -> tuple[float, ...] | None:
    """What the user's function says for every step of the run; torch multiplies those of MultiplicativeLR up."""
    value = given.configs.get("lr_lambda")
    if isinstance(value, (list, tuple)) and len(value) == len(names):
        value = value[list(names).index(name)]
    if not callable(value):
        if name == names[0]:
            to.unsupported(
                f"{key}.lr_lambda",
                f"{value!r}: {given.name} needs a Python function, which only a .py file named to --ptyrad has; "
                "optimizer.schedule with name: listed takes the factors themselves",
            )
        return None
    steps = _steps(to, given)
    if steps > MOST_FACTORS:
        if name == names[0]:
            to.unsupported(f"{key}.lr_lambda", f"{steps} steps, {MOST_FACTORS} at most: step_unit iter takes fewer")
        return None
    called = [_called(value, step, f"{key}.lr_lambda") for step in range(steps)]
    if given.name == "LambdaLR":
        return tuple(called)
    return tuple(math.prod(called[1 : step + 1]) for step in range(steps))


def _steps(to: Builder, given: SchedulerParams) -> int:
    """Steps of the schedule in the whole run."""
    init, recon = to.parameters.init_params, to.parameters.recon_params
    if given.step_unit == "iter":
        return recon.NITER
    batches = max(1, init.pos_N_scan_slow * init.pos_N_scan_fast // recon.BATCH_SIZE.size)
    return recon.NITER * -(-batches // recon.BATCH_SIZE.grad_accumulation)


def _called(function: Callable[[int], Any], step: int, key: str) -> float:
    try:
        factor = float(function(step))
    except Exception as error:
        raise ConfigError(f"{key}: step {step} ended with {type(error).__name__}: {error}") from error
    if not (math.isfinite(factor) and factor >= 0):
        raise ConfigError(f"{key}: step {step} gave {factor}; a factor is a number of at least 0")
    return factor
