"""What is minimised, how, and what is imposed: `loss_params`, `model_params` and `constraint_params`."""

from __future__ import annotations

from typing import Any

from ptycupy.config.constraints import PTYRAD_NAMES
from ptycupy.config.optimizers import OPTIONS
from ptycupy.config.ptyrad.builder import Builder
from ptycupy.config.ptyrad.constraints import Timed
from ptycupy.config.ptyrad.procedure import Term
from ptycupy.config.ptyrad.schedules import TENSORS, schedule
from ptycupy.config.registered import plain_name

LOSSES = {
    "loss_single": ("gaussian", {"weight": "weight", "dp_pow": "power"}),
    "loss_poissn": ("poisson", {"weight": "weight", "dp_pow": "power", "eps": "eps"}),
    "loss_pacbed": ("pacbed", {"weight": "weight", "dp_pow": "power"}),
    "loss_sparse": ("sparsity", {"weight": "weight", "ln_order": "order"}),
    "loss_simlar": (
        "similarity",
        {"weight": "weight", "obj_type": "fields", "blur_std": "blur", "scale_factor": "scale"},
    ),
}
NOT_HAD = {
    "Muon": "orthogonalises matrices of weights and takes no other tensor (2-D only), so that PtyRAD cannot run it "
    "either; take Adam, AdamW or NAdam",
}
TORCH_ONLY = {"foreach", "fused", "capturable", "differentiable", "maximize"}  # about torch's own arrays
ARRAYS_OF_OPTIONS = {"betas": ("beta1", "beta2"), "eps": ("eps1", "eps2")}


def losses(to: Builder) -> None:
    """The terms of the loss; those that are off are null."""
    for name, (ours, keys) in LOSSES.items():
        term: Term = getattr(to.parameters.loss_params, name)
        section = f"loss_params.{name}"
        if not term.state:
            to.put(f"losses.{ours}", None, section)
            continue
        for theirs, key in keys.items():
            value = getattr(term, theirs)
            to.put(f"losses.{ours}.{key}", 0.0 if value is None else value, f"{section}.{theirs}")


def optimizer(to: Builder) -> None:
    """The optimizer and the learning rates."""
    model = to.parameters.model_params
    chosen, key = model.optimizer_params, "model_params.optimizer_params"
    name = plain_name(chosen.name, OPTIONS)
    if name in OPTIONS:
        to.put("optimizer.name", name, f"{key}.name")
        options = _options(to, chosen.configs, f"{key}.configs")
        to.put("optimizer.options", options, f"{key}.configs")
    else:
        to.unsupported(f"{key}.name", f"{chosen.name}: {NOT_HAD.get(chosen.name, 'unknown')}; Adam would be used")
    if chosen.load_state is not None:
        to.put_path("optimizer.memory_path", chosen.load_state, f"{key}.load_state")
        to.differs(f"{key}.load_state", "the learning rates stay those of update_params; PtyRAD takes the file's")
    peaks = schedule(to)
    for theirs, ours in TENSORS.items():
        update, section = getattr(model.update_params, theirs), f"model_params.update_params.{theirs}"
        to.put(f"optimizer.{ours}", _rate(update.start_iter, peaks.get(theirs, update.lr), update.end_iter), section)
    if model.preload_data is not True:
        to.differs("model_params.preload_data", "has no effect: patterns are kept on the device as they were stored")


def _rate(start: int | None, rate: float, end: int | None) -> dict[str, Any]:
    never = start is None or (end is not None and end <= start)
    return {"learning_rate": 0.0} if never else {"learning_rate": rate, "start": start, "end": end}


def _options(to: Builder, configs: dict[str, Any], key: str) -> dict[str, Any]:
    options: dict[str, Any] = {}
    for name, value in configs.items():
        if name in TORCH_ONLY:
            if name == "maximize" and value:
                to.unsupported(f"{key}.{name}", f"{value}: the loss is minimised; leave it out")
            else:
                to.differs(f"{key}.{name}", "has no effect: it is about torch's arrays")
        elif name == "lr":
            to.differs(f"{key}.lr", "has no effect, as in PtyRAD: update_params has the learning rates")
        elif name in ARRAYS_OF_OPTIONS and isinstance(value, (tuple, list)):
            options |= {
                one: part for one, part in zip(ARRAYS_OF_OPTIONS[name], value, strict=False) if part is not None
            }
        else:
            options[name] = value
    return options


def constraints(to: Builder) -> None:
    """The constraints that are on, with PtyRAD's parameters, which have the same names here."""
    listed: dict[str, Any] = {}
    for name in type(to.parameters.constraint_params).model_fields:
        one: Timed = getattr(to.parameters.constraint_params, name)
        start, step = _timing(one)
        if start is None or (one.end_iter is not None and one.end_iter <= start):
            continue
        own = {key: value for key, value in one.model_dump().items() if key not in Timed.model_fields}
        if name == "kr_thresh":
            to.differs("constraint_params.kr_thresh", "the inverse transform is exact, PtyRAD's is not")
        listed[name] = {"start": start, "step": step, "end": one.end_iter} | {
            key: value for key, value in own.items() if value is not None
        }
    to.put("constraints", (), "constraint_params")
    for name, given in listed.items():
        to.append("constraints", {"name": PTYRAD_NAMES.get(name, name), **given}, f"constraint_params.{name}")


def _timing(one: Timed) -> tuple[int | None, int]:
    """(start, step), where an older `freq` stands for a step and a start in iteration 1."""
    written = one.model_fields_set
    start = 1 if one.freq is not None and "start_iter" not in written else one.start_iter
    step = one.freq if one.freq is not None and "step" not in written else one.step
    return start, step or 1
