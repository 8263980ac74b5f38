"""Which library transforms: rocket-fft inside compiled code, or scipy.fft around it."""

from __future__ import annotations

import functools
import importlib
import logging
from types import ModuleType

import numpy as np
from numba.core.errors import NumbaError

from ptycupy.errors import ResourceError

logger = logging.getLogger("ptycupy.backends.cpu")

PROVIDERS = ("rocket", "scipy")


@functools.cache
def _failure(provider: str) -> str:
    """Why this library cannot be used; empty where it transforms a pair of numbers rightly."""
    waves = np.array([[[1, 2j]]], np.complex64)
    try:
        importlib.import_module(f"ptycupy.backends.cpu.fourier_{provider}").transform(waves, True, 1.0)
    except (ImportError, OSError, AttributeError, TypeError, NumbaError) as reason:
        return f"{type(reason).__name__}: {str(reason).splitlines()[0] if str(reason) else 'no message'}"
    return "" if np.array_equal(waves, [[[1 + 2j, 1 - 2j]]]) else f"transforms wrongly: {waves.ravel()}"


def load_fourier(fft: str) -> ModuleType:
    """The module of "rocket" or "scipy"; "auto" takes the first that works and says so once if it is not rocket.

    Raises ValueError for another name and ResourceError where the library does not work.
    """
    if fft not in ("auto", *PROVIDERS):
        raise ValueError(f"fft {fft!r}: the CPU backend knows auto, {', '.join(PROVIDERS)}")
    failures: list[str] = []
    for provider in PROVIDERS if fft == "auto" else (fft,):
        failure = _failure(provider)
        if not failure:
            if failures:
                _tell_once(failures[0])
            return importlib.import_module(f"ptycupy.backends.cpu.fourier_{provider}")
        failures.append(f"{provider} ({failure})")
    raise ResourceError(f"no Fourier transform on the CPU: {'; '.join(failures)}; install rocket-fft or scipy")


@functools.cache
def _tell_once(failure: str) -> None:
    logger.warning("the CPU backend transforms with scipy.fft, which is slower: %s", failure)


__all__ = ["load_fourier"]
