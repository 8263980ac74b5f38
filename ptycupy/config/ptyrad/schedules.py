"""The schedule of the learning rates: `model_params.scheduler_params`."""

from __future__ import annotations

from typing import Any

from ptycupy.config.ptyrad.builder import Builder
from ptycupy.config.ptyrad.procedure import SchedulerParams
from ptycupy.config.schedules import TORCH_NAMES

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
}
RATES = {"eta_min", "min_lr", "base_lr", "max_lr"}  # one rate for all parameters, where a schedule has a factor on each


def schedule(to: Builder) -> None:
    """torch's schedule by its own options; those that set one rate for all parameters have no equivalent."""
    given, key = to.parameters.model_params.scheduler_params, "model_params.scheduler_params"
    if given is None:
        return
    if given.load_state is not None:
        to.unsupported(f"{key}.load_state", "the schedule would start anew")
    names = OPTIONS.get(given.name)
    if names is None:
        to.unsupported(f"{key}.name", f"{given.name}: the learning rates would stay as they are")
        return
    to.put("optimizer.schedule", _schedule(to, given, names, f"{key}.configs"), key)


def _schedule(to: Builder, given: SchedulerParams, names: dict[str, str], key: str) -> dict[str, Any]:
    unit = "iteration" if given.step_unit == "iter" else given.step_unit
    found: dict[str, Any] = {"name": TORCH_NAMES[given.name], "step_unit": unit}
    for option, value in given.configs.items():
        if option in names:
            found[names[option]] = value
        elif option not in RATES:
            to.differs(f"{key}.{option}", "has no effect")
        elif value:
            to.unsupported(
                f"{key}.{option}", "one rate for all parameters; each would fall to a share of its own, to 0"
            )
    return found
