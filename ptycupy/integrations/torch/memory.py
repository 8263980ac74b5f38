"""Tensors as arrays of a backend and back, without a copy, and the backend that works where they lie."""

from __future__ import annotations

import functools
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np
import torch

from ptycupy import backends
from ptycupy.backends.interface import Array, Backend
from ptycupy.errors import PtycupyError

REAL = {torch.float32: np.dtype(np.float32), torch.float64: np.dtype(np.float64)}


class WrongType(PtycupyError, TypeError):
    """A tensor of a dtype that cannot be meant, or no tensor at all; the message names the argument."""

    exit_code = 2


class WrongValue(PtycupyError, ValueError):
    """A tensor whose shape, device or values do not fit the others; the message names the argument."""

    exit_code = 2


class NotSupported(PtycupyError, NotImplementedError):
    """Something that torch can ask of an op and these ops do not have."""

    exit_code = 2


@contextmanager
def queue(device: torch.device, dtype: torch.dtype) -> Iterator[Backend]:
    """The backend of this device in the precision of this real dtype, on the stream that the caller queues on.

    It may be used until the block ends. Streams have backends of their own, and threads that share one take turns: no
    two have scratch in common. Raises ResourceError where the device's backend cannot be used.
    """
    if device.type == "cpu":
        yield _cpu(REAL[dtype])
        return
    from ptycupy.backends.cuda.guest import on_stream

    stream = torch.cuda.current_stream(device)
    index, pointer = stream.device.index, stream.cuda_stream
    backend, lock = _cuda(index, pointer, REAL[dtype])
    with lock, on_stream(index, pointer):
        yield backend


@functools.cache
def _cpu(dtype: np.dtype[Any]) -> Backend:
    return backends.select("cpu", dtype)


@functools.cache
def _cuda(index: int, stream: int, dtype: np.dtype[Any]) -> tuple[Backend, threading.RLock]:
    return backends.select(f"cuda:{index}", dtype), threading.RLock()


def array(tensor: torch.Tensor) -> Array:
    """The tensor's own memory as an array of its device's backend; of a copy where it is not contiguous."""
    plain = tensor.detach().resolve_conj().resolve_neg().contiguous()
    if plain.device.type == "cpu":
        return plain.numpy()
    from ptycupy.backends.cuda.guest import borrow

    return borrow(plain)


def tensor(values: Array) -> torch.Tensor:
    """A tensor on the memory of an array, which it keeps alive."""
    found: torch.Tensor = torch.from_numpy(values) if isinstance(values, np.ndarray) else torch.from_dlpack(values)
    return found


__all__ = ["REAL", "NotSupported", "WrongType", "WrongValue", "array", "queue", "tensor"]
