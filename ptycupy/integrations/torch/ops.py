"""The ops as torch knows them: `torch.ops.ptycupy.diffraction` and `.patches` for graphs, and what eager mode does.

An op of a graph keeps nothing but tensors, so that `diffraction` there goes its way once more before it goes back. In
eager mode the waves are kept instead.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch

from ptycupy.integrations.torch.memory import NotSupported, array, queue, tensor
from ptycupy.integrations.torch.run import DIFFERENTIABLE, Inputs, Pass, require_inside

_TENSORS = (
    "Tensor amplitude, Tensor phase, Tensor probe, Tensor? shifts, Tensor? transfer, Tensor corners, Tensor occupancy"
)
TWICE = "double backward is not supported: the gradients of ptycupy's ops cannot be differentiated again"


def diffraction(inputs: Inputs) -> torch.Tensor:
    """Intensities [n, y, x], zero frequency in the corner, with gradients for all of DIFFERENTIABLE."""
    if torch.compiler.is_compiling() or not all(x is None or type(x) in _PLAIN for x in inputs):
        found: torch.Tensor = _diffraction(*inputs)
        return found
    needed = [name for name in DIFFERENTIABLE if _needs(getattr(inputs, name))]
    if not (needed and torch.is_grad_enabled()):
        return Pass(inputs, ()).intensity
    recorded: torch.Tensor = _Eager.apply(needed, *inputs)
    return recorded


_PLAIN = (torch.Tensor, torch.nn.Parameter)  # others may have no memory of their own: fake, functional, wrapped ones


def _needs(x: torch.Tensor | None) -> bool:
    return x is not None and x.requires_grad


class _Eager(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, needed: Sequence[str], *inputs: torch.Tensor | None) -> torch.Tensor:
        ctx.save_for_backward(*inputs)
        ctx.needed = needed
        ctx.kept = Pass(Inputs(*inputs), needed)  # type: ignore[arg-type]
        intensity = ctx.kept.intensity
        ctx.kept.intensity = None  # the result must not keep itself alive
        return intensity

    @staticmethod
    def backward(ctx: Any, grad: torch.Tensor) -> tuple[Any, ...]:
        inputs, kept, ctx.kept = ctx.saved_tensors, ctx.kept, None  # a second time it goes its way again
        return (None, *_Back.apply(kept, ctx.needed, grad, *inputs))


class _Back(torch.autograd.Function):
    """The gradients of a pass, which refuse to be differentiated."""

    @staticmethod
    def forward(
        ctx: Any, kept: Pass | None, needed: Sequence[str], grad: torch.Tensor, *tensors: torch.Tensor
    ) -> tuple[torch.Tensor | None, ...]:
        inputs = Inputs(*tensors)
        found = (Pass(inputs, needed) if kept is None else kept).back(inputs, grad)
        return tuple(found.get(name) for name in Inputs._fields)

    @staticmethod
    def backward(ctx: Any, *grads: Any) -> Any:
        raise NotSupported(TWICE)


# --- for graphs -----------------------------------------------------------------------------------------------------
def _run(*tensors: Any) -> torch.Tensor:
    return Pass(Inputs(*tensors), ()).intensity


def _run_back(grad: torch.Tensor, *given: Any) -> list[torch.Tensor]:
    inputs, wanted = Inputs(*given[:-1]), given[-1]
    needed = [name for name, want in zip(DIFFERENTIABLE, wanted, strict=True) if want]
    found = Pass(inputs, needed).back(inputs, grad)
    return [found[name] if name in found else grad.new_empty(0) for name in DIFFERENTIABLE]


def _like_run(*tensors: Any) -> torch.Tensor:
    inputs = Inputs(*tensors)
    return inputs.amplitude.new_empty(inputs.shape())


def _like_run_back(grad: torch.Tensor, *given: Any) -> list[torch.Tensor]:
    inputs, wanted = Inputs(*given[:-1]), given[-1]
    tensors = [getattr(inputs, name) for name in DIFFERENTIABLE]
    return [
        grad.new_empty(0) if x is None or not want else x.new_empty(x.shape)
        for x, want in zip(tensors, wanted, strict=True)
    ]


def _keep(ctx: Any, inputs: tuple[Any, ...], output: torch.Tensor) -> None:
    ctx.save_for_backward(*inputs)


def _back(ctx: Any, grad: torch.Tensor) -> tuple[torch.Tensor | None, ...]:
    needs = dict(zip(Inputs._fields, ctx.needs_input_grad, strict=True))
    wanted = [bool(needs[name]) for name in DIFFERENTIABLE]
    grads = dict(zip(DIFFERENTIABLE, _diffraction_backward(grad, *ctx.saved_tensors, wanted), strict=True))
    return tuple(grads[name] if needs[name] else None for name in Inputs._fields)


def _refuse(ctx: Any, *grads: Any) -> None:
    raise NotSupported(TWICE)


def _nothing(ctx: Any, inputs: Any, output: Any) -> None: ...


def _patches_run(field: torch.Tensor, corners: torch.Tensor, height: int, width: int) -> torch.Tensor:
    if len(corners) == 0:
        return _like_patches(field, corners, height, width)
    require_inside(corners, (height, width), (field.shape[2], field.shape[3]))
    with queue(field.device, field.dtype) as backend:
        numbers = array(torch.arange(len(corners), dtype=torch.int32, device=corners.device))
        return tensor(backend.patch_forward(array(field), (height, width), array(corners), numbers))


def _patches_run_back(grad: torch.Tensor, corners: torch.Tensor, height: int, width: int) -> torch.Tensor:
    total = grad.new_zeros((*grad.shape[1:3], height, width))
    if len(corners) > 0:
        require_inside(corners, (grad.shape[3], grad.shape[4]), (height, width))
        with queue(grad.device, grad.dtype) as backend:
            numbers = array(torch.arange(len(corners), dtype=torch.int32, device=corners.device))
            backend.patch_backward(array(grad), array(corners), numbers, array(total))
    return total


def _like_patches(field: torch.Tensor, corners: torch.Tensor, height: int, width: int) -> torch.Tensor:
    return field.new_empty((corners.shape[0], *field.shape[:2], height, width))


def _like_patches_back(grad: torch.Tensor, corners: torch.Tensor, height: int, width: int) -> torch.Tensor:
    return grad.new_empty((*grad.shape[1:3], height, width))


def _keep_corners(ctx: Any, inputs: tuple[Any, ...], output: torch.Tensor) -> None:
    ctx.save_for_backward(inputs[1])
    ctx.size = inputs[0].shape[-2:]


def _patches_back(ctx: Any, grad: torch.Tensor) -> tuple[Any, ...]:
    return _patches_backward(grad, ctx.saved_tensors[0], *ctx.size), None, None, None


def _patches_twice(ctx: Any, grad: torch.Tensor) -> tuple[Any, ...]:
    return patches(grad, ctx.saved_tensors[0], *ctx.size), None, None, None


def _register(name: str, run: Any, schema: str, like: Any, back: Any, keep: Any) -> Any:
    op = torch.library.custom_op(f"ptycupy::{name}", run, mutates_args=(), schema=schema)
    op.register_fake(like)
    op.register_autograd(back, setup_context=keep)
    return op


_diffraction = _register("diffraction", _run, f"({_TENSORS}) -> Tensor", _like_run, _back, _keep)
_diffraction_backward = _register(
    "diffraction_backward",
    _run_back,
    f"(Tensor grad, {_TENSORS}, bool[] wanted) -> Tensor[]",
    _like_run_back,
    _refuse,
    _nothing,
)
_SIZE = "Tensor corners, int height, int width) -> Tensor"
patches = _register("patches", _patches_run, f"(Tensor field, {_SIZE}", _like_patches, _patches_back, _keep_corners)
_patches_backward = _register(
    "patches_backward", _patches_run_back, f"(Tensor grad, {_SIZE}", _like_patches_back, _patches_twice, _keep_corners
)

__all__ = ["TWICE", "diffraction", "patches"]
