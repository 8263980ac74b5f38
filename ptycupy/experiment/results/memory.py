"""What an optimizer remembered of each parameter at the end of an earlier reconstruction: PtyRAD's, or one of ours."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from numpy.typing import NDArray

from ptycupy.config.ptyrad.procedure import UpdateParams
from ptycupy.config.ptyrad.schedules import TENSORS
from ptycupy.data.contents import Contents
from ptycupy.errors import DataError

OURS = "ptycupy/moments"
STATE = "optim_state_dict/state"
RATES = "model_attributes/lr_params"
TORCH_NAMES = {
    "exp_avg": "first",
    "exp_avg_sq": "second",
    "max_exp_avg_sq": "largest",
    "exp_inf": "largest",
    "momentum_buffer": "buffer",
    "square_avg": "squares",
    "acc_delta": "updates",
    "grad_avg": "mean",
    "prev": "previous",
    "step_size": "steps",
    "ax": "average",
    "sum": "sum",
    "mu_product": "momentum_product",
}


@dataclass(frozen=True)
class Memory:
    """Of one parameter, by our optimizers' own names."""

    arrays: dict[str, NDArray[Any]]  # of a complex parameter, real ones may end in an axis of real and imaginary part
    scalars: dict[str, float]
    step: int


def load_memory(path: str, name: str) -> dict[str, Memory]:
    """By State field. DataError, which begins with `name`, where the file holds no optimizer's memory."""
    contents = Contents(path)
    memory = _ours(contents) if any(key.startswith(f"{OURS}/") for key in contents.shapes) else _ptyrad(contents)
    if not memory:
        raise DataError(
            f"{name}: {path}: holds no memory of an optimizer; PtyRAD saves one where save_result lists optim_state, "
            "and result.h5 of ptycupy has it unless nothing was refined"
        )
    return memory


def _ours(contents: Contents) -> dict[str, Memory]:
    found: dict[str, Memory] = {}
    for field in {key.split("/")[2] for key in contents.shapes if key.startswith(f"{OURS}/")}:
        start = f"{OURS}/{field}/"
        keys = [key.removeprefix(start) for key in contents.shapes if key.startswith(start)]
        scalars = [key.removeprefix("scalars/") for key in keys if key.startswith("scalars/")]
        found[field] = Memory(
            {key: contents.array(f"{start}{key}") for key in keys if key != "step" and "/" not in key},
            {key: contents.number(f"{start}scalars/{key}") or 0.0 for key in scalars},
            int(contents.number(f"{start}step") or 0),
        )
    return found


def _ptyrad(contents: Contents) -> dict[str, Memory]:
    # torch's groups are in PtyRAD's order of its tensors, without those that have a learning rate of 0.
    refined = [TENSORS[tensor] for tensor in UpdateParams.model_fields if contents.number(f"{RATES}/{tensor}")]
    found: dict[str, Memory] = {}
    for index, field in enumerate(refined):
        start = f"{STATE}/{index}/"
        keys = [key.removeprefix(start) for key in contents.shapes if key.startswith(start)]
        if not keys:
            continue  # a tensor whose turn had not come
        named = {TORCH_NAMES.get(key, key): f"{start}{key}" for key in keys if key != "step"}
        single = [name for name in named if name == "momentum_product"]
        found[field] = Memory(
            {name: contents.array(key) for name, key in named.items() if name not in single},
            {name: contents.number(named[name]) or 0.0 for name in single},
            int(contents.number(f"{start}step") or 1),  # torch's SGD counts no steps
        )
    return found
