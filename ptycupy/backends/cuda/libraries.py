"""Where NVIDIA's libraries lie, and loading the right ones before CuPy looks for them itself."""

from __future__ import annotations

import ctypes
import importlib.util
import logging
import os
import sys
from collections.abc import Iterator
from importlib import metadata
from pathlib import Path

logger = logging.getLogger("ptycupy.backends")

# (folder of the wheel under nvidia/, file) per CUDA major: on Linux, then on Windows. nvJitLink comes before cuFFT,
# which uses it.
_LIBRARIES = {
    12: {
        "nvjitlink": ("nvjitlink", "libnvJitLink.so.12", "nvJitLink_120_0.dll"),
        "cufft": ("cufft", "libcufft.so.11", "cufft64_11.dll"),
        "nvrtc": ("cuda_nvrtc", "libnvrtc.so.12", "nvrtc64_120_0.dll"),
    },
    13: {
        "nvjitlink": ("cu13", "libnvJitLink.so.13", "nvJitLink_130_0.dll"),
        "cufft": ("cu13", "libcufft.so.12", "cufft64_12.dll"),
        "nvrtc": ("cu13", "libnvrtc.so.13", "nvrtc64_130_0.dll"),
    },
}


def wheel_folders() -> list[Path]:
    """The folders that NVIDIA's wheels install into."""
    spec = importlib.util.find_spec("nvidia")
    return [Path(entry) for entry in (spec.submodule_search_locations if spec else None) or ()]


def find(library: str, major: int) -> Path | None:
    """A library ("nvrtc", "cufft", "nvjitlink") of this CUDA major: from a wheel, else from a CUDA toolkit."""
    return next((path for path in _candidates(library, major) if path.is_file()), None)


def _candidates(library: str, major: int) -> Iterator[Path]:
    wheel, linux, windows = _LIBRARIES[major][library]
    for folder in wheel_folders():
        if sys.platform == "win32":
            yield folder / wheel / "bin" / "x86_64" / windows
            yield folder / wheel / "bin" / windows
        else:
            yield folder / wheel / "lib" / linux
    for variable in ("CUDA_PATH", "CUDA_HOME"):
        if os.environ.get(variable):
            toolkit = Path(os.environ[variable])
            yield toolkit / "bin" / windows if sys.platform == "win32" else toolkit / "lib64" / linux
    if sys.platform != "win32":
        yield Path("/usr/local/cuda/lib64") / linux


def cupy_major() -> int | None:
    """CUDA major that the installed CuPy was built for, without importing it; None where there is no CuPy wheel."""
    for major in _LIBRARIES:
        try:
            metadata.version(f"cupy-cuda{major}x")
        except metadata.PackageNotFoundError:
            continue
        return major
    return None


def preload(major: int) -> list[Path]:
    """Loads this major's libraries by absolute path, so that CuPy gets these and not another major's beside them.

    A library that cannot be loaded is left to CuPy's own search, with a debug message.
    """
    loaded = []
    for name in _LIBRARIES[major]:
        path = find(name, major)
        if path is None:
            continue
        if sys.platform == "win32":
            os.add_dll_directory(str(path.parent))
        try:
            ctypes.CDLL(str(path))
        except OSError as error:
            logger.debug("%s is left to CuPy's own search: %s", path, error)
            continue
        loaded.append(path)
    return loaded


__all__ = ["cupy_major", "find", "preload", "wheel_folders"]
