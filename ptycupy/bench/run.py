"""Whole suites, one after the other, into one record."""

from __future__ import annotations

import json
import sys
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

from ptycupy import backends
from ptycupy.backends.interface import Backend
from ptycupy.bench import iteration, quality
from ptycupy.bench.ceilings import copy_rate, fft_rates
from ptycupy.bench.iteration import Point, every_point, patterns_to_time, synthetic_engine, time_point
from ptycupy.bench.machine import describe_machine
from ptycupy.bench.ops import time_ops
from ptycupy.bench.progress import Tell, progress
from ptycupy.storage.atomic import atomic_write

SUITES = ("ops", "iteration", "paper", "load", "quality")
SCHEMA = 1


@dataclass(frozen=True)
class Effort:
    """How much is measured."""

    sweeps: dict[str, list[Point]]
    paper: dict[str, list[Point]]
    load: dict[str, list[Point]]
    op_point: Point
    repeats: int  # of an iteration at most
    point_budget_s: float  # for the iterations of a point; one is always made
    load_s: float  # for which the points of `load` are iterated
    op_budget_s: float
    batches: tuple[int, ...]  # of the runs for quality
    iterations: int  # of each
    images_at: tuple[int, ...]
    data: Path = quality.DATA


FULL = Effort(
    sweeps=iteration.SWEEPS,
    paper=iteration.PAPER,
    load=iteration.LOAD,
    op_point=Point(16, 4, 6),
    repeats=5,
    point_budget_s=60.0,
    load_s=60.0,
    op_budget_s=1.0,
    batches=quality.BATCHES,
    iterations=200,
    images_at=quality.IMAGES_AT,
)
QUICK = Effort(
    sweeps=iteration.QUICK_SWEEPS,
    paper=iteration.QUICK_PAPER,
    load=iteration.QUICK_LOAD,
    op_point=Point(16, 4, 6),
    repeats=3,
    point_budget_s=4.0,
    load_s=4.0,
    op_budget_s=0.2,
    batches=(16, 64),
    iterations=10,
    images_at=quality.IMAGES_AT,
)


def run_suites(
    device: str, suites: tuple[str, ...], effort: Effort, graphs: str = "auto", fft: str = "auto"
) -> dict[str, Any]:
    """The record of some SUITES on a backend ("auto", "cpu", "cuda", "cuda:1"), with CUDA graphs where they are "on",
    and with transforms as `backend.fft` names them.

    Raises ResourceError where the device is not there and DataError where quality has no data.
    """
    backend = backends.select(device, fft=fft, graphs=graphs)
    points, loads = _points(suites, effort), every_point([effort.load] if "load" in suites else [])
    qualities = len(effort.batches) if "quality" in suites else 0
    with progress(1 + ("ops" in suites) + len(points) + len(loads) + qualities) as tell:
        copied = copy_rate(backend)
        side = effort.op_point.window
        rates = fft_rates(backend, (side, side))
        tell(f"copy {copied:.1f} GB/s, transforms of {side} px {rates[0].gflops:.1f} GFLOP/s ({rates[0].library})")
        record: dict[str, Any] = {
            "schema": SCHEMA,
            **describe_machine(backend.name),
            "suites": list(suites),
            "graphs": backend.graphs,
            "fft": backend.fft,
            "ceilings": {"copy_gb_per_s": copied, "transforms": [asdict(rate) for rate in rates]},
        }
        if "ops" in suites:
            record["ops"] = {
                **asdict(effort.op_point),
                "rows": list(time_ops(backend, effort.op_point, copied, rates[0].gflops, effort.op_budget_s)),
            }
            tell(f"{len(record['ops']['rows'])} ops")
        for slices, window in sorted({(min(point.slices, 2), point.window) for point in (*points, *loads)}):
            synthetic_engine(backend, Point(1, 1, slices, window), 2).run(1)  # compiles: no point's budget pays for it
        rows = {point: _timed(backend, point, effort, rates[0].gflops, tell) for point in points}
        for suite, sweeps in (("iteration", effort.sweeps), ("paper", effort.paper)):
            if suite in suites:
                record[suite] = {name: [rows[point] for point in sweep] for name, sweep in sweeps.items()}
        if loads:
            longer = replace(effort, repeats=sys.maxsize, point_budget_s=effort.load_s)
            record["load"] = {
                name: [_timed(backend, point, longer, rates[0].gflops, tell) for point in sweep]
                for name, sweep in effort.load.items()
            }
        if qualities:
            record["quality"] = [_judged(backend, batch, effort, tell) for batch in effort.batches]
    return record


def _points(suites: tuple[str, ...], effort: Effort) -> list[Point]:
    asked = [sweeps for name, sweeps in (("iteration", effort.sweeps), ("paper", effort.paper)) if name in suites]
    return every_point(asked)


def _timed(backend: Backend, point: Point, effort: Effort, gflops: float, tell: Tell) -> dict[str, Any]:
    patterns = patterns_to_time(backend, point)
    row = time_point(backend, point, patterns, effort.repeats, effort.point_budget_s, gflops)
    what = f"batch {point.batch}, {point.modes} modes, {point.slices} slices, {point.window} px"
    tell(f"{what}: " + (row["failed"] if "failed" in row else f"{row['seconds_per_iteration']:.3g} s per iteration"))
    return row


def _judged(backend: Backend, batch: int, effort: Effort, tell: Tell) -> dict[str, Any]:
    images_at = effort.images_at if batch == effort.batches[0] else ()
    found = quality.run_quality(backend, effort.data, batch, effort.iterations, images_at)
    tell(f"batch {batch}: SSIM {found['ssim'][-1]:.3f} after {found['seconds'][-1]:.1f} s of iterations")
    return found


def write_record(path: Path, record: dict[str, Any]) -> None:
    """As JSON, whole or not at all. Raises ResourceError where it cannot be written."""
    with atomic_write(path) as sink:
        sink.write((json.dumps(record, indent=1) + "\n").encode())
