"""What a batch costs the host, with CUDA graphs and without: calls of the device, and Python's time between them.

    python benchmarks/host_time.py [--out benchmarks/results/host_time.json]

The device does nothing and its calls return at once, so that what is measured is the engine's own processor time; a
driver adds some microseconds for each call. The workload is the paper's (128 x 128 px, 12 probe modes, 6 slices).
"""

from __future__ import annotations

import argparse
import json
import time
from collections import Counter
from collections.abc import Callable, Sequence
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np

from ptycupy.backends.cuda import CudaBackend
from ptycupy.backends.recording import Recorder, Recording
from ptycupy.bench.iteration import Point, synthetic_engine
from ptycupy.bench.machine import describe_machine

PATTERNS = 256  # at least, and eight batches
BATCHES = (1, 4, 16, 64, 256, 1024)
REPEATS = 10


class IdleDevice:
    """A Device that counts what the host asks of it and does none of it; memory that is never touched takes none."""

    name = "host"
    shared_memory, multiprocessors = 0, 1

    def __init__(self) -> None:
        self.calls: Counter[str] = Counter()
        self._recorder = Recorder()

    def _count(self, what: str) -> None:
        self.calls[what] += 1

    def alloc(self, shape: tuple[int, ...], dtype: Any) -> Any:
        self._count("allocation")
        return np.ones(shape, dtype) if shape == (1, 1) else np.zeros(shape, dtype)  # sums of 0: all has collapsed

    def upload(self, values: Any, dtype: Any) -> Any:
        self._count("upload")
        return np.ascontiguousarray(values, dtype)

    def download(self, array: Any) -> Any:
        self._count("download")
        return array

    def copy(self, target: Any, source: Any) -> None:
        self._count("copy")
        if source.shape == (1,):  # a sum
            target[0] = source[0]

    def clear(self, array: Any) -> None:
        self._count("clear")

    def kernel(self, op: str, name: str, defines: tuple[str, ...]) -> Any:
        return name

    def launch(self, kernel: Any, grid: int, block: int, shared: int, arguments: Sequence[Any]) -> None:
        self._count("launch")

    def fft_plan(self, shape: tuple[int, int], batch: int, dtype: Any) -> Any:
        return SimpleNamespace(**dict.fromkeys(("forward", "inverse"), lambda waves: self._count("transform")))

    def free_bytes(self) -> int:
        return 80 * 2**30

    def release(self) -> None:
        self._recorder.drop_all()

    def synchronize(self) -> None:
        self._count("wait")

    def record(self, queue: Callable[[], None]) -> Recording:
        with self._recorder.open():
            queue()
        return self._recorder.made(lambda: self._count("graph"), ())


def measured(batch: int, graphs: str) -> dict[str, Any]:
    """The quickest of some iterations, once everything that repeats is recorded."""
    device, patterns = IdleDevice(), max(PATTERNS, 8 * batch)
    engine = synthetic_engine(CudaBackend(device, graphs=graphs), Point(batch, 12, 6), patterns)
    engine.run(3)
    batches, seconds, ends = patterns // batch, [], []

    def on_batch(*_: Any) -> None:
        moments.append((time.thread_time(), device.calls.total()))

    callback = SimpleNamespace(on_batch=on_batch, on_iteration=lambda *_: None, on_stop=lambda *_: None)
    calls: Counter[str] = Counter()
    for _ in range(REPEATS):
        moments: list[tuple[float, int]] = []
        device.calls.clear()
        begun = time.thread_time()
        engine.run(1, [callback])
        ends.append(time.thread_time() - moments[-1][0])
        seconds.append((moments[-1][0] - begun) / batches)
        calls, within = device.calls.copy(), moments[-1][1]
    return {
        "batch": batch,
        "graphs": graphs,
        "us_per_batch": min(seconds) * 1e6,
        "ms_after_the_last_batch": min(ends) * 1e3,
        "calls_per_batch": within / batches,
        "calls_after_the_last_batch": calls.total() - within,
        "downloads_per_iteration": calls["download"],
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--out", type=Path)
    arguments = parser.parse_args()
    rows = [measured(batch, graphs) for batch in BATCHES for graphs in ("off", "on")]
    for row in rows:
        print(json.dumps(row))
    if arguments.out is not None:
        arguments.out.write_text(json.dumps({"machine": describe_machine("cpu"), "rows": rows}, indent=1) + "\n")


if __name__ == "__main__":
    main()
