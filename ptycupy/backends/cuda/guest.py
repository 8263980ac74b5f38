"""Working for another package on a GPU that it uses too: on its stream, on its memory."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from ptycupy.backends.cuda.cupy_device import import_cupy
from ptycupy.backends.interface import Array


@contextmanager
def on_stream(index: int, pointer: int) -> Iterator[None]:
    """While open, everything is queued on this stream (a cudaStream_t) of this device, behind what is queued there."""
    cupy = import_cupy()
    with cupy.cuda.Device(index), cupy.cuda.ExternalStream(pointer, index):
        yield


def borrow(values: Any) -> Array:
    """An array of CuPy on the memory of anything with DLPack that lies on the current device."""
    return import_cupy().from_dlpack(values)


__all__ = ["borrow", "on_stream"]
