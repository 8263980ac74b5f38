"""What CUDA is here, for those who ask why it does not work: driver, devices, compiler. Nothing raises."""

from __future__ import annotations

import ctypes
import sys
import time

from ptycupy.errors import PtycupyError

WITHOUT_DEVICE = 80  # the compute capability that is compiled for where no GPU is


def cuda_driver() -> tuple[int, int] | None:
    """The CUDA version (major, minor) that NVIDIA's driver knows; None without a driver."""
    try:
        library = ctypes.CDLL("nvcuda.dll" if sys.platform == "win32" else "libcuda.so.1")
        version = ctypes.c_int()
        if library.cuDriverGetVersion(ctypes.byref(version)) != 0 or version.value == 0:
            return None
    except (OSError, AttributeError):
        return None
    return version.value // 1000, version.value % 1000 // 10


def list_devices() -> list[str]:
    """One line per GPU that CuPy sees: "cuda:0 NVIDIA H200, compute capability 9.0, 139.8 GiB"."""
    from ptycupy.backends.cuda.cupy_device import import_cupy
    from ptycupy.backends.cuda.devices import describe

    try:
        return describe(import_cupy())
    except Exception:  # CuPy 13 and 14, driver and runtime each have error classes of their own; available() says why
        return []


def compile_anew() -> str:
    """One kernel compiled by NVRTC without the cache, for the device that is here, and what did it.

    Raises ResourceError where there is no NVRTC, or where it refuses.
    """
    from ptycupy.backends.cuda import sources
    from ptycupy.backends.cuda.compile import OPTIONS
    from ptycupy.backends.cuda.libraries import cupy_major, find
    from ptycupy.backends.cuda.nvrtc import nvrtc_of

    major = cupy_major() or 12
    compiler = nvrtc_of(major)
    target = compiler.target(_capability())
    headers = {name: sources.read(name) for name in sources.headers()}
    start = time.perf_counter()
    compiler.compile("propagate.cu", sources.read("propagate.cu"), headers, target, (*OPTIONS, "-DREAL=float"))
    version = ".".join(map(str, compiler.version))
    return f"NVRTC {version} for {target}, {time.perf_counter() - start:.2f} s a kernel: {find('nvrtc', major)}"


def _capability() -> int:
    from ptycupy.backends.cuda.cupy_device import import_cupy

    try:
        properties = import_cupy().cuda.runtime.getDeviceProperties(0)
        return 10 * int(properties["major"]) + int(properties["minor"])
    except (PtycupyError, RuntimeError):
        return WITHOUT_DEVICE


__all__ = ["compile_anew", "cuda_driver", "list_devices"]
