"""How kernels are compiled: two decorators, one cache folder, and a lock where threads are not safe.

The cache folder is named after a hash of all CPU sources, because Numba's own key does not see that a function
called from another file has changed.
"""

from __future__ import annotations

import functools
import importlib
import logging
import os
import platform
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar, cast

import numpy as np

from ptycupy.backends.cache import digest, package_version, writable_folder

# Both layers can be entered by several Python threads at once, the workqueue layer cannot.
os.environ.setdefault("NUMBA_THREADING_LAYER_PRIORITY", "omp tbb workqueue")
# Threads that wait for each other by spinning lose whole time slices on a busy machine: measured 16 times slower.
os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")

numba: Any = importlib.import_module("numba")  # only now that its threading layer is chosen

logger = logging.getLogger("ptycupy.backends.cpu")
Function = TypeVar("Function", bound=Callable[..., Any])

# Without nnan and ninf: tests for NaN and infinity must keep working.
FASTMATH = {"contract", "reassoc", "nsz", "arcp"}


def _cache_folder() -> Path | None:
    versions = [platform.python_version(), numba.__version__, np.__version__, package_version("rocket-fft") or "absent"]
    return writable_folder("cpu-" + digest(Path(__file__).parent.glob("*.py"), versions))


CACHE_FOLDER = _cache_folder()

numba.get_num_threads()  # starts the threads, and thereby settles which layer serves
THREADING_LAYER: str = numba.threading_layer()
_lock = threading.Lock()


class _ForgivingCache:
    """Numba's cache of one function, where a full disk only costs the next start a compilation."""

    def __init__(self, cache: Any) -> None:
        self._cache = cache

    def __getattr__(self, name: str) -> Any:
        return getattr(self._cache, name)

    def save_overload(self, signature: Any, data: Any) -> None:
        try:
            self._cache.save_overload(signature, data)
        except OSError as reason:
            logger.warning("compiled code could not be saved: %s", reason)


def _compile(function: Function, fastmath: bool, parallel: bool) -> Any:
    options: dict[str, Any] = {
        "nogil": True,
        "error_model": "numpy",
        "fastmath": FASTMATH if fastmath else False,
        "parallel": parallel,
        # A function that is called and not inlined exists twice, compiled on its own and with its caller; which one
        # runs depends on what was loaded from the cache, and the two round differently.
        "forceinline": not parallel,
    }
    if CACHE_FOLDER is None:
        return numba.njit(function, **options)
    before = numba.config.CACHE_DIR  # other users of Numba in this process keep their own folder
    numba.config.CACHE_DIR = str(CACHE_FOLDER)
    try:
        compiled = numba.njit(function, cache=True, **options)
    finally:
        numba.config.CACHE_DIR = before
    if hasattr(compiled, "_cache"):  # absent under NUMBA_DISABLE_JIT
        compiled._cache = _ForgivingCache(compiled._cache)
    return compiled


def jit(function: Function) -> Function:
    """Compiled, one thread."""
    return cast(Function, _compile(function, fastmath=True, parallel=False))


def jit_exact(function: Function) -> Function:
    """Compiled, one thread, and in exactly the written order of operations."""
    return cast(Function, _compile(function, fastmath=False, parallel=False))


def jit_parallel(function: Function) -> Function:
    """Compiled, its `prange` loops on all threads; call it from Python only."""
    compiled = _compile(function, fastmath=True, parallel=True)
    if THREADING_LAYER != "workqueue":
        return cast(Function, compiled)

    @functools.wraps(function)
    def one_at_a_time(*arguments: Any) -> Any:
        with _lock:
            return compiled(*arguments)

    return cast(Function, one_at_a_time)


__all__ = ["CACHE_FOLDER", "THREADING_LAYER", "jit", "jit_exact", "jit_parallel"]
