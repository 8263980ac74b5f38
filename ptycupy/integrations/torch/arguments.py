"""What the ops take: shapes, dtypes and devices, refused by the argument's name before anything is computed."""

from __future__ import annotations

from typing import Any

import torch

from ptycupy.integrations.torch.memory import REAL, WrongType, WrongValue

COMPLEX = {torch.float32: torch.complex64, torch.float64: torch.complex128}


def require_real(name: str, given: Any) -> None:
    """A tensor of float32 or float64 on a CPU or an NVIDIA GPU: the precision and the place of the whole call."""
    require_tensor(name, given)
    if given.dtype not in REAL:
        raise WrongType(f"{name}: {given.dtype}; it must be torch.float32 or torch.float64")
    if given.device.type not in ("cpu", "cuda"):
        raise WrongValue(f"{name}: on {given.device}; it must lie on a CPU or an NVIDIA GPU")


def require_tensor(name: str, given: Any) -> None:
    if not isinstance(given, torch.Tensor):
        raise WrongType(f"{name}: {type(given).__name__}; it must be a torch.Tensor")


def require_like(name: str, given: Any, dtype: torch.dtype, first: str, reference: torch.Tensor) -> None:
    """A tensor of this dtype beside `reference`, the argument named `first`."""
    require_tensor(name, given)
    if given.dtype != dtype:
        raise WrongType(f"{name}: {given.dtype}; beside {first} of {reference.dtype} it must be {dtype}")
    if given.device != reference.device:
        raise WrongValue(f"{name}: on {given.device}, but {first} is on {reference.device}; all must be on one device")


def require_shape(name: str, given: torch.Tensor, *allowed: tuple[int, ...], meaning: str) -> None:
    """One of these shapes."""
    if tuple(given.shape) not in allowed:
        told = " or ".join(str(shape) for shape in dict.fromkeys(allowed))
        raise WrongValue(f"{name}: shape {tuple(given.shape)} must be {told}: {meaning}")


def require_axes(name: str, given: torch.Tensor, axes: str) -> None:
    """As many axes as `axes` names, none of them empty but the first, which may count patterns."""
    names = axes.split()
    if given.ndim != len(names) or 0 in given.shape[1 if names[0] == "n" else 0 :]:
        raise WrongValue(f"{name}: shape {tuple(given.shape)} must be ({', '.join(names)}), none of them 0")


__all__ = ["COMPLEX", "require_axes", "require_like", "require_real", "require_shape", "require_tensor"]
