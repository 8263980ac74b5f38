"""The GPUs of this machine, and opening one of them."""

from __future__ import annotations

from functools import cache
from typing import Any

from ptycupy.backends.cuda.cupy_device import CupyDevice, import_cupy
from ptycupy.backends.cuda.device import Device
from ptycupy.errors import ResourceError


def describe(cupy: Any) -> list[str]:
    """One line per GPU: "cuda:0 NVIDIA H200, compute capability 9.0, 139.8 GiB"."""
    lines = []
    for index in range(cupy.cuda.runtime.getDeviceCount()):
        device = cupy.cuda.runtime.getDeviceProperties(index)
        name = device["name"].decode() if isinstance(device["name"], bytes) else device["name"]
        capability = f"{device['major']}.{device['minor']}"
        memory = device["totalGlobalMem"] / 2**30
        lines.append(f"cuda:{index} {name}, compute capability {capability}, {memory:.1f} GiB")
    return lines


def count_devices() -> int:
    """GPUs that this process sees."""
    return int(import_cupy().cuda.runtime.getDeviceCount())


def open_device(index: int = 0) -> Device:
    """The GPU of this index (one object per index).

    Raises ResourceError without CuPy, driver or GPU, for an index that is not there and for a GPU too old for the
    compiler; the last two list what there is.
    """
    return _open(import_cupy(), index)


@cache
def _open(cupy: Any, index: int) -> Device:
    try:
        lines = describe(cupy)
    except Exception as error:  # CuPy 13 and 14, driver and runtime each have error classes of their own
        raise ResourceError(f"CuPy {cupy.__version__} finds no working CUDA driver: {error}") from error
    listed = "; ".join(lines) or "none"
    if not 0 <= index < len(lines):
        raise ResourceError(f"there is no GPU cuda:{index}; GPUs here: {listed}")
    try:
        return CupyDevice(cupy, index)
    except ResourceError as error:
        raise ResourceError(f"cuda:{index} cannot be used: {error}; GPUs here: {listed}") from error


__all__ = ["count_devices", "describe", "open_device"]
