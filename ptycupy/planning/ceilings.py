"""What a machine can do at best: measured here in a second or two, or as predicted for a GPU that is not here."""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from ptycupy.backends.interface import Array, Backend
from ptycupy.backends.interface.losses import Likelihood
from ptycupy.errors import ConfigError, NotRecordable
from ptycupy.planning.backend import chip_of, cost_of, shaped, twin_of
from ptycupy.planning.chip import USUAL, Chip
from ptycupy.planning.ledger import ELEMENTARY, Cost

COPIED = 2**26  # bytes: larger than the caches
PATTERNS, MODES, SLICES = 8, 4, 4  # of a small batch
SHORTEST = 0.05  # s that a measurement takes at least
SIDE = 512  # px of an object whose transmission is worked out: more than threads take to start
CALLS = 32  # of the host in a row
PASSED = 2**24  # bytes: about what a batch moves between two runs of the same code


@dataclass(frozen=True)
class Ceilings:
    """Rates that no op exceeds."""

    name: str
    stated: str  # how these numbers are known
    bytes_per_second: float  # of memory, reads and writes together
    flops_per_second: float  # of 2-D transforms, 5 N log2 N each, and what is done to waves between them
    library_flops_per_second: float  # of transforms by a library, alone
    elementary_per_second: float  # of sines with cosines, and of whatever else is worked out one by one
    launch_seconds: float  # from one kernel to the next, without work
    memory_bytes: int  # that may be taken
    call_seconds: float = 0.0  # of the host for each call, while the device works; 0 = the host does the work itself
    bus_bytes_per_second: float = 0.0  # from the host's memory to the device's; 0 = they are the same
    cache_bytes: int = 0  # of a cache that all cores share and that waves may stay in; 0 = none is counted on
    cache_bytes_per_second: float = 0.0
    # Between two processes of one host, through its memory: benchmarks/results/scaling_cpu.json.
    link_bytes_per_second: float = 1.3e9
    link_seconds: float = 5.6e-6  # for every message
    chip: Chip = USUAL

    def seconds(self, cost: Cost, cached: bool = False) -> float:
        """What an op takes of the device: memory and arithmetic at once, and the launches."""
        rate = self.cache_bytes_per_second if cached else self.bytes_per_second
        own = cost.transform_flops - cost.library_flops + cost.flops + cost.idle_flops
        arithmetic = own / self.flops_per_second + cost.library_flops / self.library_flops_per_second
        arithmetic += cost.elementary / self.elementary_per_second
        return max(cost.bytes / rate, arithmetic) + cost.launches * self.launch_seconds


def measure_ceilings(backend: Backend, window: tuple[int, int]) -> Ceilings:
    """Those of the machine at hand, with transforms of this window's size."""
    # A kernel of the backend's own: a library's copy takes one thread, and writes past the caches, as no op does.
    source, target = (backend.zeros((COPIED // backend.real.itemsize,), backend.real) for _ in range(2))
    backend.fill(source, 1.0)  # memory that nobody has written to takes no time to read
    moved = _best(backend, lambda: backend.relax(target, source, 0.5))
    many, few = (backend.zeros((1, 1, side, side), backend.real) for side in (SIDE, 2))
    backend.fill(many, 0.5)
    calls = _best(backend, lambda: _calls(backend, few)) / CALLS
    library = _library(backend, window)
    here = backend.name == "cpu"
    return Ceilings(
        name=backend.name,
        stated="measured here",
        bytes_per_second=3 * COPIED / moved,
        flops_per_second=_flops_per_second(backend, window, library),
        library_flops_per_second=library,
        elementary_per_second=SIDE**2 / _best(backend, lambda: backend.transmission_forward(many, many)),
        launch_seconds=cold_seconds(lambda: _calls(backend, few, 1)) if here else _recorded(backend, few) or calls,
        memory_bytes=backend.free_bytes(),
        call_seconds=0.0 if here else calls,
        bus_bytes_per_second=0.0 if here else _bus(backend, target),
        chip=chip_of(backend),
    )


def _library(backend: Backend, window: tuple[int, int]) -> float:
    """Of transforms to the detector, of as many waves as a batch has."""
    waves = backend.zeros((PATTERNS, 1, MODES, *window), backend.complex)
    counted = cost_of(backend, "far_field_forward", waves)
    return counted.library_flops / _best(backend, lambda: backend.far_field_forward(waves))


def _best(backend: Backend, call: Callable[[], object]) -> float:
    """Seconds of a call, with its scratch given back."""

    def scratch() -> None:
        with backend.arena():
            call()

    return best_seconds(scratch, backend.synchronize, SHORTEST)


def _calls(backend: Backend, few: Array, count: int = CALLS) -> None:
    """Kernels without work."""
    for _ in range(count):
        backend.transmission_forward(few, few)


def _recorded(backend: Backend, few: Array) -> float:
    """Seconds from one kernel to the next in a recording; 0 where the device makes none."""
    with backend.arena():  # of which a recording keeps some
        _calls(backend, few)
        try:
            recording = backend.record(lambda: _calls(backend, few))
        except NotRecordable:
            return 0.0
        seconds = best_seconds(recording.launch, backend.synchronize, SHORTEST) / CALLS
        recording.drop()
    return seconds


def _bus(backend: Backend, target: Array) -> float:
    """Bytes per second from page-locked memory."""
    values = backend.staging(target)
    values[:] = 0
    return COPIED / best_seconds(lambda: backend.send(target, values, backend.mark()).wait(), lambda: None, SHORTEST)


def _flops_per_second(backend: Backend, window: tuple[int, int], library: float) -> float:
    """Of transforms as a batch has them, there and back through SLICES slices with what is done between them, without
    those that are left to a library."""
    count = np.arange(PATTERNS, dtype=np.int32)
    probe = backend.zeros((MODES, *window), backend.complex)
    shifts = backend.zeros((PATTERNS, 2), backend.real)
    transmission = backend.zeros((1, SLICES, *window), backend.complex)
    transfer = backend.zeros((1, 1, *window), backend.complex)
    places = (backend.zeros((PATTERNS, 2), np.int32), backend.asarray(count), backend.asarray(np.ones(1, backend.real)))
    measured = backend.asarray(np.ones((PATTERNS, *window), backend.real))
    wanted = [backend.zeros(array.shape, array.dtype) for array in (probe, shifts, transmission)]
    arrays = (probe, shifts, (transmission, transfer, *places, measured), wanted)
    counted = twin_of(backend)
    _there_and_back(counted, *shaped(arrays))
    cost = counted.ledger.total
    seconds = best_seconds(lambda: _there_and_back(backend, *arrays), backend.synchronize, SHORTEST)
    own, left = cost.transform_flops - cost.library_flops + cost.flops, cost.library_flops
    if own < left:  # no transforms of our own: all of it has one rate
        return (own + left) / seconds
    return own / max(seconds - left / library, seconds / 2)


def _there_and_back(backend: Any, probe: Array, shifts: Array, given: Sequence[Array], wanted: Sequence[Array]) -> None:
    """The misfit of some patterns, and what it would change."""
    likelihood = Likelihood("gaussian", 0.5)
    with backend.arena():
        statistics, saved = backend.misfit_forward(probe, shifts, *given, likelihood, False)
        backend.misfit_backward(1.0, statistics, saved, shifts, *given, likelihood, *wanted, None)


def best_seconds(call: Callable[[], object], synchronize: Callable[[], None], budget_s: float) -> float:
    """The shortest of the runs that `budget_s` allows, at least three, after one that is not counted."""
    call()
    synchronize()
    best, runs, begun = float("inf"), 0, time.perf_counter()
    while runs < 3 or time.perf_counter() - begun < budget_s:
        start = time.perf_counter()
        call()
        synchronize()
        best = min(best, time.perf_counter() - start)
        runs += 1
    return best


def cold_seconds(call: Callable[[], object]) -> float:
    """The median of some runs, each where the caches hold other numbers, as they do when a batch has passed: the host's
    own code and objects have to come from memory again then."""
    other, seconds = np.zeros(PASSED, np.uint8), []
    call()
    for _ in range(9):
        other += 1
        start = time.perf_counter()
        call()
        seconds.append(time.perf_counter() - start)
    return statistics.median(seconds)


def _gpu(
    name: str, memory: float, rate: float, peak: float, cache: float, cache_rate: float, bus: float, chip: Chip
) -> Ceilings:
    """GB, TB/s, TFLOP/s, MB, TB/s, GB/s. Issue slots allow 0.63 of the arithmetic's peak (counted from compiled
    kernels), of which 0.7 is expected. A kernel takes 1.3 microseconds to follow another one in a graph; the host takes
    5 of Python for a call (benchmarks/results/host_time.json, beside what the engine takes) and 4 of the driver."""
    flops = 0.63 * 0.7 * peak * 1e12
    return Ceilings(
        name=name,
        stated="predicted, never measured",
        bytes_per_second=rate * 1e12,
        flops_per_second=flops,
        library_flops_per_second=flops,
        elementary_per_second=flops / ELEMENTARY,
        launch_seconds=1.3e-6,
        memory_bytes=int(memory * 1e9),
        call_seconds=9e-6,
        bus_bytes_per_second=bus * 1e9,
        cache_bytes=int(cache * 1e6),
        cache_bytes_per_second=cache_rate * 1e12,
        chip=chip,
    )


# Memory, its rate, the float32 peak, shared memory and multiprocessors as their makers state them. The rates of the L2
# caches are assumed: 5.5 TB/s for the H200 from public microbenchmarks of its kind, the others in proportion to what
# was predicted for them; of the bus 0.85 of what PCIe 5 or 4 has with 16 lanes.
GPUS = {
    "h200": _gpu("NVIDIA H200", 141, 4.8, 67.0, 60, 5.5, 54, Chip(227 * 1024, 132)),
    "a100": _gpu("NVIDIA A100", 80, 2.04, 19.5, 40, 2.6, 27, Chip(163 * 1024, 108)),
    "rtx4090": _gpu("NVIDIA RTX 4090", 24, 1.008, 82.6, 72, 3.5, 27, Chip(99 * 1024, 128)),
}


def predicted_ceilings(name: str) -> Ceilings:
    """Those of a GPU by its name, in any spelling of case, spaces and hyphens; ConfigError for an unknown one."""
    found = GPUS.get("".join(letter for letter in name.lower() if letter.isalnum()))
    if found is None:
        known = ", ".join(gpu.name.removeprefix("NVIDIA ") for gpu in GPUS.values())
        raise ConfigError(f"--gpu {name}: nothing is known of it; known are {known}")
    return found


__all__ = ["GPUS", "Ceilings", "best_seconds", "cold_seconds", "measure_ceilings", "predicted_ceilings"]
