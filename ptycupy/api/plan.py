"""plan: what a reconstruction will take and how it is best run, before its patterns are read."""

from __future__ import annotations

import math
import statistics
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ptycupy import backends, data, experiment
from ptycupy.api import settle
from ptycupy.api.forecast import Forecast
from ptycupy.api.forecast_ranks import Exchange, exchange_of, forecast_of
from ptycupy.config.schema import Config
from ptycupy.data.chunk_cache import is_chunked
from ptycupy.data.counts import PackedPatterns, form_of
from ptycupy.data.files import human
from ptycupy.data.held import SLAB_BYTES, Held
from ptycupy.data.source import ArraySource
from ptycupy.errors import ConfigError
from ptycupy.planning import Ceilings, How, counting, measure_ceilings, predicted_ceilings, twin_of
from ptycupy.reconstruction.configured import residency_from, settings_from
from ptycupy.reconstruction.residency import Holding

BATCHES = tuple(2**k for k in range(11))  # 1 to 1024
SLOWER = 1.1  # than the fastest batch: what a smaller one may take


@dataclass(frozen=True)
class Choice:
    """One way to run it."""

    batch: int  # patterns per update
    sub_batch: int  # patterns at once; 0 = none fits
    seconds: float  # per iteration
    device_bytes: int
    limit: str = ""  # what it waits for, if not for the device
    way: str = ""  # through the slices


@dataclass(frozen=True)
class Plan:
    """What `ptycupy plan` says."""

    description: tuple[tuple[str, str], ...]
    machine: Ceilings
    parameters: int  # real numbers that are refined
    measured_values: int
    holding: Holding  # where the patterns lie
    memory: Mapping[str, int]  # bytes on the device by what they are for, whatever the batch is
    bytes_per_pattern: int  # of the tape and its scratch, for every pattern of a sub-batch
    host_bytes: int
    configured: Choice
    choices: tuple[Choice, ...]
    exchange: Exchange | None = None  # of several ranks, of which this is one

    @property
    def overdetermination(self) -> float:
        """Measured values per refined number, as Lee et al. (PtyRAD, 2025) count it: every detector pixel of every
        pattern, over all real numbers of object (amplitude and phase), probe modes (complex: two each), positions (two
        each), and what else is refined. Their twisted WSe2 with 12 modes and 12 slices has 28.33: 128^4 values for
        2 x 12 x 614^2 + 2 x 12 x 128^2 + 2 x 128^2 = 9,473,888 numbers."""
        return self.measured_values / max(self.parameters, 1)

    @property
    def fits(self) -> bool:
        """Whether at least one pattern at a time has room."""
        return self.configured.sub_batch > 0

    @property
    def best(self) -> Choice:
        """The smallest batch that takes at most SLOWER times as long as the fastest: small ones give better images."""
        usable = [choice for choice in self.choices if choice.sub_batch > 0] or [self.configured]
        limit = SLOWER * min(choice.seconds for choice in usable)
        return next(choice for choice in usable if choice.seconds <= limit)

    def __str__(self) -> str:
        machine, fixed = self.machine, sum(self.memory.values())
        parts = ", ".join(f"{name} {human(size)}" for name, size in self.memory.items())
        cache = f", {machine.cache_bytes_per_second / 1e9:.0f} GB/s in a cache" if machine.cache_bytes else ""
        lines = [
            *self.description,
            ("parameters", f"{self.parameters:,} refined real numbers"),
            ("measured", f"{self.measured_values:,} values: overdetermined {self.overdetermination:.2f} times"),
            (
                "machine",
                f"{machine.name} ({machine.stated}): memory {machine.bytes_per_second / 1e9:.4g} GB/s{cache}, FFT "
                f"{machine.flops_per_second / 1e9:.4g} GFLOP/s, {human(machine.memory_bytes)} free",
            ),
            *(() if self.exchange is None else self.exchange.lines),
            ("patterns lie", str(self.holding)),
            ("device memory", f"{human(fixed)} ({parts})"),
            ("", f"and {human(self.bytes_per_pattern)} of tape for each pattern of a sub-batch"),
            ("host memory", human(self.host_bytes)),
            ("as configured", _told(self.configured)),
        ]
        lines += [("batches" if i == 0 else "", _told(choice)) for i, choice in enumerate(self.choices)]
        lines.append(("advice", self._advice))
        width = max(len(subject) for subject, _ in lines)
        return "\n".join(f"{subject:{width}}  {text}" for subject, text in lines)

    @property
    def _advice(self) -> str:
        if not self.fits:
            return (
                f"it does not fit: {human(self.configured.device_bytes)} are needed for one pattern at a time, "
                f"{human(self.machine.memory_bytes)} are free; take fewer slices or modes, crop the scan, or take a "
                "larger device"
            )
        best = self.best
        return (
            f"reconstruction.batch_size {best.batch}, sub_batch {best.sub_batch}: the smallest batch within "
            f"{100 * (SLOWER - 1):.0f} % of the fastest, because small batches give the better image; the sub-batch is "
            "what half of the free memory holds, on a GPU no more than keeps it busy"
            + (", or a cache, where that is faster" if self.machine.cache_bytes else "")
        )


def _told(choice: Choice) -> str:
    if choice.sub_batch == 0:
        return f"batch {choice.batch:4d}: does not fit, {human(choice.device_bytes)} are needed at least"
    limit = f", waits for {choice.limit}" if choice.limit else ""
    way = f", {choice.way}" if choice.way else ""
    return (
        f"batch {choice.batch:4d}, sub-batch {choice.sub_batch:4d}: {choice.seconds:9.3g} s per iteration, "
        f"{human(choice.device_bytes)}{way}{limit}"
    )


def plan(
    config: str | Path | Mapping[str, Any] | Config,
    *,
    overrides: Sequence[str] = (),
    backend: str | None = None,
    gpu: str | None = None,
    bytes_per_second: float | None = None,
    flops_per_second: float | None = None,
    ranks: int = 1,
    link_bytes_per_second: float | None = None,
    ptyrad: bool = False,
    allow_unsupported: bool = False,
) -> Plan:
    """The Plan of a configuration, from the headers of its data and a few patterns; nothing is reconstructed.

    Memory, seconds and the best batch follow precision, transforms (`backend.fft`), tape, graphs and residency as they
    are configured. The ceilings are measured on the backend of the configuration, or are those of a `gpu` by name
    ("H200", "A100", "RTX 4090"), as predicted; `bytes_per_second` (memory) and `flops_per_second` (FFT) replace either.
    How long the host takes for an update is measured here in either case. Of several `ranks`, each with such a device,
    it is the plan of the one with the largest tile (`distributed.object: tiled`), with what they send each other at
    `link_bytes_per_second`. Of a run in stages the last one counts. Raises the errors of `ptycupy.errors`.
    """
    settled = settle(config, overrides, backend, ptyrad, allow_unsupported)[0]
    if settled.data.path is None:
        raise ConfigError("plan: data.path is missing; `ptycupy simulate` makes the data of a simulation first")
    predicted = None if gpu is None else predicted_ceilings(gpu)
    source = data.open_source(settled.data)
    problem, state = experiment.outline(settled, source)
    device = settled.backend
    window = (int(state.probe.shape[1]), int(state.probe.shape[2]))
    dtype, graphs = settled.model.dtype, device.graphs
    if predicted is not None:
        how = How(dtype, device.deterministic, device.tape, device.fft, graphs == "on")
        machine, counted = predicted, counting("cuda", how, predicted.chip)
    else:
        chosen = backends.select(device.device, dtype, device.fft, device.deterministic, device.tape, graphs)
        machine, counted = measure_ceilings(chosen, window), twin_of(chosen)
    machine = replace(
        machine,
        bytes_per_second=bytes_per_second or machine.bytes_per_second,
        flops_per_second=flops_per_second or machine.flops_per_second,
        library_flops_per_second=flops_per_second or machine.library_flops_per_second,
        link_bytes_per_second=link_bytes_per_second or machine.link_bytes_per_second,
    )
    settings = settings_from(settled)
    forecast = forecast_of(problem, state, settings, counted, ranks, settled.distributed)
    holding = forecast.hold(residency_from(settled), machine, is_chunked(source))
    forecast.read_seconds = _seconds_to_read(Held(source), holding, forecast.some_batches())
    host = sum(int(getattr(array, "nbytes", 0)) for _, array in state.items())
    configured = _choice(forecast, machine, settings.batch_size, settings.sub_batch)
    host += holding.host_bytes + SLAB_BYTES if counted.kind != "cpu" else configured.device_bytes
    sizes = [batch for batch in BATCHES if batch <= forecast.positions]
    return Plan(
        description=_described(problem, state),
        machine=machine,
        parameters=forecast.parameters,
        measured_values=forecast.measured_values,
        holding=holding,
        memory=forecast.memory,
        bytes_per_pattern=forecast.bytes_per_pattern,
        host_bytes=host,
        configured=configured,
        choices=tuple(_choice(forecast, machine, batch, None) for batch in sizes),
        exchange=exchange_of(forecast, machine),
    )


def _choice(forecast: Forecast, machine: Ceilings, batch: int, sub_batch: int | None) -> Choice:
    """Of a batch, in sub-batches of the given size, or of the one that is fastest."""
    batch = min(batch, forecast.positions)
    sizes = forecast.sub_batches(machine) if sub_batch is None else (sub_batch,)
    own = forecast.most(batch)
    choices = [_sized(forecast, machine, batch, part) for part in dict.fromkeys(min(own, size) for size in sizes)]
    return min(choices, key=lambda choice: choice.seconds)


def _sized(forecast: Forecast, machine: Ceilings, batch: int, part: int) -> Choice:
    needed = forecast.bytes_at(batch, max(part, 1))
    if part == 0 or needed > machine.memory_bytes:
        return Choice(batch, 0, float("inf"), needed)
    pace = forecast.pace(machine, batch, part)
    return Choice(batch, part, pace.seconds, needed, pace.limit, pace.way)


def _seconds_to_read(held: Held, holding: Holding, batches: Sequence[NDArray[np.integer[Any]]]) -> float:
    """Per pattern of such batches, from where the patterns lie (a file that the system may have in its memory already);
    0 where that is the device."""
    if holding.tier == "device":
        return 0.0
    if holding.tier == "host":
        most = int(max(batch.max() for batch in batches)) + 1
        held = Held(ArraySource(np.broadcast_to(np.zeros((), held.dtype), (most, *held.shape[1:]))))
    elif holding.decoded_bytes:
        held = held.cached(holding.decoded_bytes)
    seconds = []
    for batch in batches:
        start = time.perf_counter()
        held.read(batch)
        seconds.append((time.perf_counter() - start) / len(batch))
    return statistics.median(seconds)


def _described(problem: experiment.Problem, state: experiment.State) -> tuple[tuple[str, str], ...]:
    count, *detector = problem.patterns.shape
    modes, slices, *canvas = state.object_phase.shape
    probes, *window = state.probe.shape
    scan = "" if problem.scan_shape is None else ", scan {} x {}".format(*problem.scan_shape)
    return (
        (
            "patterns",
            f"{count} of {detector[0]} x {detector[1]} px, {problem.patterns.dtype}{scan}{_form(problem.patterns)}",
        ),
        ("object", f"{modes} modes, {slices} slices, {canvas[0]} x {canvas[1]} px"),
        ("probe", f"{probes} modes, {window[0]} x {window[1]} px"),
    )


def _form(patterns: Any) -> str:
    """How they are held, where that is not as they came; estimated from a few of them."""
    if not isinstance(patterns, PackedPatterns):
        return ""
    dense = math.prod(patterns.shape) * patterns.dtype.itemsize
    return f"; on the device as {form_of(patterns.bits)}, about {human(patterns.nbytes)} instead of {human(dense)}"


__all__ = ["Choice", "Plan", "plan"]
