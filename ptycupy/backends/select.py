"""Which backends this machine has, and the one that a device name asks for."""

from __future__ import annotations

import functools
import logging
import re
from typing import Any

from numpy.typing import DTypeLike

from ptycupy.backends.interface import Backend
from ptycupy.errors import ConfigError, PtycupyError, ResourceError

logger = logging.getLogger("ptycupy.backends")


def _one_line(reason: BaseException) -> str:
    """What an exception says, its first line only; its name where it says nothing."""
    lines = str(reason).strip().splitlines()
    return lines[0] if lines else type(reason).__name__


def _open(index: int) -> Any:
    """The CUDA device of this index; raises ResourceError with the reason where there is none."""
    try:
        from ptycupy.backends.cuda import open_device
    except ImportError as reason:
        raise ResourceError(f"CuPy cannot be imported ({_one_line(reason)})") from reason
    try:
        return open_device(index)
    except PtycupyError:
        raise
    # CuPy 13 raises its own RuntimeErrors without a driver; a broken CUDA library shows as an import or OS error.
    except (ImportError, OSError, RuntimeError) as reason:
        raise ResourceError(f"CUDA does not work here ({_one_line(reason)})") from reason


def spread(device: str, rank: int) -> str:
    """The device of one of several ranks on this host: where any GPU would do, they take all of them in turn."""
    if device not in ("auto", "cuda") or available()["cuda"] != "":
        return device
    from ptycupy.backends.cuda import count_devices

    return f"cuda:{rank % count_devices()}"


@functools.cache
def _cuda_failure() -> str:
    try:
        _open(0)
    except PtycupyError as reason:
        return _one_line(reason)
    return ""


def available() -> dict[str, str]:
    """Every backend by name with the reason, in one line, why it cannot be used; an empty reason means usable."""
    return {"cpu": "", "cuda": _cuda_failure()}


def _cpu(dtype: DTypeLike, fft: str) -> Backend:
    from ptycupy.backends.cpu import CpuBackend

    return CpuBackend(dtype, fft if fft in ("own", "rocket", "scipy") else "auto")


def _cuda(index: int, dtype: DTypeLike, fft: str, deterministic: bool, tape: str, graphs: str) -> Backend:
    device = _open(index)
    from ptycupy.backends.cuda import CudaBackend

    backend: Backend = CudaBackend(device, dtype, fft=fft, deterministic=deterministic, tape=tape, graphs=graphs)
    return backend


@functools.cache
def _tell_once(reason: str) -> None:
    logger.info("running on the CPU: %s", reason)


def select(
    device: str = "auto",
    dtype: DTypeLike = "float32",
    fft: str = "auto",
    deterministic: bool = False,
    tape: str = "full",
    graphs: str = "auto",
) -> Backend:
    """The backend of a device: "cpu", "cuda", "cuda:1", or "auto", which is CUDA where it works.

    dtype: float32 or float64. fft: which transforms the CUDA backend takes ("auto", "cufft", "own"); the CPU backend
    knows "own", "rocket" and "scipy" and takes its own choice otherwise. deterministic: the same bits from every run
    on CUDA; the CPU backend always gives them. tape: "full", or "half" for half the memory between the slices on
    CUDA; the CPU backend keeps them in full. graphs: "on" records an engine's updates as CUDA graphs, "auto" is "off";
    the CPU backend has none.
    Raises ConfigError for an unknown name and ResourceError where the named device is not there.
    """
    if device == "cpu":
        return _cpu(dtype, fft)
    if device == "auto":
        try:
            return _cuda(0, dtype, fft, deterministic, tape, graphs)
        except ResourceError as reason:
            _tell_once(_one_line(reason))
            return _cpu(dtype, fft)
    wanted = re.fullmatch(r"cuda(?::(\d+))?", device)
    if wanted is None:
        raise ConfigError(f"backend {device!r} is unknown: auto, cpu, cuda, or cuda:N with the number of the device")
    try:
        return _cuda(int(wanted[1] or 0), dtype, fft, deterministic, tape, graphs)
    except ResourceError as reason:
        raise ResourceError(
            f"backend {device!r} was asked for but cannot be used: {reason}; auto or cpu run on this machine"
        ) from reason


__all__ = ["available", "select", "spread"]
