"""Adam for tensors, by the kernel that ptycupy's own reconstructions use."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch

from ptycupy.integrations.torch.memory import REAL, NotSupported, WrongType, array, queue

ABSENT = ("maximize", "capturable", "differentiable", "decoupled_weight_decay")


class Adam(torch.optim.Adam):
    """torch.optim.Adam with steps of ptycupy: the same arguments, the same state, the same values up to rounding.

    For contiguous parameters of float32 or float64. Options that the kernel does not have raise NotSupported when they
    are met, another dtype WrongType.
    """

    @torch.no_grad()  # type: ignore[untyped-decorator]
    def step(self, closure: Callable[[], Any] | None = None) -> Any:
        """One step of every parameter that has a gradient; `closure` is called before and its value returned."""
        loss = None
        if closure is not None:
            with torch.enable_grad():
                loss = closure()
        _steps(self)
        return loss


@torch.compiler.disable  # type: ignore[untyped-decorator]
def _steps(optimizer: Adam) -> None:
    for group in optimizer.param_groups:
        chosen = [name for name in ABSENT if group.get(name)]
        if chosen:
            raise NotSupported(f"Adam: {', '.join(chosen)} is not supported; torch.optim.Adam has it")
        for parameter in group["params"]:
            if parameter.grad is not None:
                _step(parameter, optimizer.state[parameter], group)


def _step(parameter: torch.Tensor, state: dict[str, Any], group: dict[str, Any]) -> None:
    if parameter.dtype not in REAL or not parameter.is_contiguous():
        raise WrongType(f"Adam: a parameter of {parameter.dtype}; it must be contiguous torch.float32 or torch.float64")
    names = ("exp_avg", "exp_avg_sq") + (("max_exp_avg_sq",) if group["amsgrad"] else ())
    if not state:
        state["step"] = torch.tensor(0.0)
        state |= {name: torch.zeros_like(parameter) for name in names}
    state["step"] += 1
    beta1, beta2 = (float(beta) for beta in group["betas"])
    with queue(parameter.device, parameter.dtype) as backend:
        gradient, first, second = array(parameter.grad), array(state["exp_avg"]), array(state["exp_avg_sq"])
        largest = array(state["max_exp_avg_sq"]) if group["amsgrad"] else None
        at = float(group["lr"]), int(state["step"]), beta1, beta2, group["eps"]
        backend.adam(array(parameter), gradient, first, second, *at, largest, group["weight_decay"])


__all__ = ["Adam"]
