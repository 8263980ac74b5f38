"""What the machine can do at best, measured where it is used: copying memory and transforming waves."""

from __future__ import annotations

import math
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from typing import Any, cast

import numpy as np
from numpy.typing import NDArray

from ptycupy.backends.interface import Backend
from ptycupy.errors import ResourceError
from ptycupy.planning.ceilings import best_seconds

COPIED = 2**27  # bytes of one array: more than caches hold
STACKS = (4, 64)  # waves per thread: in the caches of the cores, and in the one that they share
GPU_STACK = 2**27  # bytes of waves


@dataclass(frozen=True)
class FftRate:
    """How fast a library transforms stacks of waves in place, every wave on one core of the CPU."""

    library: str
    waves: int
    seconds_per_wave: float
    gflops: float  # at 5 N log2 N flops, N = pixels


def transform_flops(window: tuple[int, int]) -> float:
    """Flops of one 2-D transform as usually counted: 5 N log2 N, N = pixels."""
    pixels = window[0] * window[1]
    return 5 * pixels * math.log2(pixels)


def iteration_transform_flops(window: tuple[int, int], patterns: int, modes: int, slices: int) -> float:
    """Flops of the transforms of one iteration: 4 per slice and wave (forward and adjoint), a wave per mode."""
    return 4 * slices * patterns * modes * transform_flops(window)


def cpu_threads() -> int:
    """Threads of the CPU backend."""
    from ptycupy.backends.cpu import jit

    return int(jit.numba.get_num_threads())


def _transforms(window: tuple[int, int]) -> dict[str, Callable[[NDArray[Any]], object]]:
    """Unitary transforms of a stack in place by every library that works here, so that no value ever overflows."""
    from scipy import fft

    from ptycupy.backends.cpu.fourier import load_fourier

    threads, scale = cpu_threads(), 1 / math.sqrt(window[0] * window[1])
    found: dict[str, Callable[[NDArray[Any]], object]] = {
        "scipy": lambda waves: fft.fft2(waves, norm="ortho", overwrite_x=True, workers=threads)
    }
    try:
        rocket = load_fourier("rocket").transform
    except ResourceError:
        return found
    return {"rocket-fft": lambda waves: rocket(waves, True, scale), **found}


def cpu_fft_rates(window: tuple[int, int], budget_s: float = 1.0) -> list[FftRate]:
    """Every library that works here on complex64 waves, all threads, best first."""
    rates: list[FftRate] = []
    random = np.random.default_rng(0)
    for library, transform in _transforms(window).items():
        for stack in (cpu_threads() * count for count in STACKS):
            waves = random.standard_normal((stack, *window, 2), np.float32).view(np.complex64)[..., 0]
            seconds = best_seconds(partial(transform, waves), lambda: None, budget_s)
            rates.append(FftRate(library, stack, seconds / stack, stack * transform_flops(window) / seconds / 1e9))
    return sorted(rates, key=lambda rate: -rate.gflops)


def fft_rates(backend: Backend, window: tuple[int, int], budget_s: float = 1.0) -> list[FftRate]:
    """Of the backend's device; on a GPU its plans, on stacks of 128 MiB."""
    if backend.name == "cpu":
        return cpu_fft_rates(window, budget_s)
    from ptycupy.backends.cuda.transforms import Transforms

    stack = max(1, GPU_STACK // (8 * window[0] * window[1]))
    transforms = Transforms(cast(Any, backend)._device)
    waves = backend.zeros((stack, *window), np.complex64)
    seconds = best_seconds(lambda: transforms.forward(waves), backend.synchronize, budget_s)
    return [FftRate("cufft", stack, seconds / stack, stack * transform_flops(window) / seconds / 1e9)]


def copy_rate(backend: Backend, budget_s: float = 1.0) -> float:
    """GB/s of a copy between arrays of 128 MiB by all threads, read and written bytes counted."""
    if backend.name != "cpu":
        source, target = (backend.zeros((COPIED // 4,), np.float32) for _ in range(2))
        seconds = best_seconds(lambda: backend.copy(target, source), backend.synchronize, budget_s)
        return 2 * COPIED / seconds / 1e9
    threads = cpu_threads()
    pairs = [
        (np.zeros(COPIED // 4 // threads, np.float32), np.ones(COPIED // 4 // threads, np.float32))
        for _ in range(threads)
    ]
    with ThreadPoolExecutor(threads) as pool:
        seconds = best_seconds(lambda: list(pool.map(lambda pair: np.copyto(*pair), pairs)), lambda: None, budget_s)
    return 2 * sum(target.nbytes for target, _ in pairs) / seconds / 1e9
