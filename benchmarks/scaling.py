"""What many ranks should bring: a model of 1 to 64 of them, from what is measured on this machine.

    python benchmarks/scaling.py [--out benchmarks/results/scaling_cpu.json]

Measured, each rank with one thread: seconds of an update over the patterns of a batch, of one rank alone and of two
under mpiexec (which have more to do for a pattern, because no pass over it knows the whole batch's loss); seconds of
the sums that two ranks meet in, over their bytes.
The workload is the paper's (128 x 128 px, 6 slices) with fewer probe modes, and a scan of 64 x 64 positions.

An update of a batch of B on P ranks takes

    fixed + slope * (patterns of the rank that has most) + 2 waits + sum(statistics) + sum(gradients),

where a batch of random patterns falls on the ranks as it comes. Sums take latency * (P - 1) + bytes * 2 (P - 1) / P /
rate: what the exchange in parts sends, between hosts that are as fast as this memory. Nothing here was measured on more
than two ranks, or over a network.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import time
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np

from ptycupy.planning.exchange import most

POSITIONS = 16384  # of the scan that is modelled
MODES, SLICES, WINDOW, PATTERNS = 4, 6, 128, 4096
BATCHES = (1, 2, 4, 8, 16, 32)
MODELLED = (16, 64, 256, 1024)
RANKS = (1, 2, 4, 8, 16, 32, 64)
SIZES = tuple(2**k for k in range(10, 25, 2))  # bytes
REPEATS = 12


@dataclass(frozen=True)
class Model:
    """What an update is made of, in seconds and bytes."""

    alone_fixed: float  # of one rank, whatever the batch is: transmission, optimizer, ...
    alone_per_pattern: float
    fixed: float  # of one of several, without their sums
    per_pattern: float
    latency: float  # of a message of a sum
    bytes_per_second: float
    gradient_bytes: int
    wait: float  # for the other ranks, each time

    def seconds(self, ranks: int, batch: int) -> float:
        """Of one update."""
        if ranks == 1:
            return self.alone_fixed + self.alone_per_pattern * batch
        work = self.fixed + self.per_pattern * most(ranks, batch, POSITIONS)
        return float(work + 2 * self.wait * np.log2(ranks) + self.summed(ranks))

    def summed(self, ranks: int) -> float:
        """Of the sums of one update."""
        carried = 2 * (ranks - 1) / ranks * self.gradient_bytes / self.bytes_per_second
        return float(2 * self.latency * (ranks - 1) + carried)


def least(work: Any, repeats: int = REPEATS) -> float:
    work()
    times = []
    for _ in range(repeats):
        begun = time.perf_counter()
        work()
        times.append(time.perf_counter() - begun)
    return min(times)  # what else runs on the machine only adds


def engine_of(patterns: int, batch: int, ranks: Any = None) -> Any:
    from ptycupy import Engine, backends
    from ptycupy.bench.iteration import Point, synthetic_engine

    alone = synthetic_engine(backends.select("cpu", "float32"), Point(batch, MODES, SLICES, WINDOW), patterns)
    if ranks is None:
        return alone
    ranks.deal(np.arange(patterns, dtype=np.int32), alternating=False)
    return Engine(alone.problem, alone.state, alone.settings, alone.backend, ranks=ranks)


def measured_updates() -> dict[str, Any]:
    """Seconds of an update for some batches, on one thread."""
    engine = engine_of(PATTERNS, max(BATCHES))
    seconds = [least(lambda n=n: engine.step(np.arange(n))) for n in BATCHES]
    fields = ("object_amplitude", "object_phase", "probe")
    return {"seconds": seconds, "gradient_bytes": sum(int(getattr(engine.parameters, n).nbytes) for n in fields)}


def measured_sums() -> None:
    """Of two ranks, under mpiexec; rank 0 prints them, and the seconds of an update."""
    from ptycupy.distributed.comm import join
    from ptycupy.distributed.team import Team

    comm = join()
    sums = []
    for size in SIZES:
        values = np.zeros(size // 4, np.float32)
        sums.append(least(lambda values=values: comm.add(values), 4 * REPEATS))
    wait = least(lambda: comm.either(0), 100)
    engine = engine_of(PATTERNS, 2 * max(BATCHES), Team(comm))
    evenly = [np.arange(0, PATTERNS, PATTERNS // (2 * n)) for n in BATCHES]  # n on each rank
    updates = [least(lambda batch=batch: engine.step(batch)) for batch in evenly]
    if comm.rank == 0:
        print(json.dumps({"sums": sums, "wait": wait, "updates": updates}))


def child(*command: str) -> dict[str, Any]:
    """What this file prints in a process of its own, with one thread."""
    environment = {**os.environ, "NUMBA_NUM_THREADS": "1"}
    done = subprocess.run([*command, sys.executable, __file__], capture_output=True, env=environment, check=False)
    if done.returncode:
        raise SystemExit(done.stderr.decode())
    found: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return found


def main() -> None:
    from ptycupy.bench.machine import describe_machine

    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", type=Path)
    out = parser.parse_args().out
    alone = child("env", "SCALING=updates")
    together = child("mpiexec", "-n", "2", "env", "SCALING=sums")
    alone_per_pattern, alone_fixed = np.polyfit(BATCHES, alone["seconds"], 1)
    per_pattern, fixed = np.polyfit(BATCHES, together["updates"], 1)
    # t = latency + bytes / rate between two ranks, each of which sends half of it twice
    per_byte, latency = np.polyfit(SIZES[-4:], together["sums"][-4:], 1)[0], float(np.min(together["sums"]))
    sums = np.interp(alone["gradient_bytes"], SIZES, together["sums"])
    model = Model(
        max(0.0, float(alone_fixed)),
        float(alone_per_pattern),
        max(0.0, float(fixed - sums)),
        float(per_pattern),
        latency / 2,
        1 / float(per_byte),
        alone["gradient_bytes"],
        together["wait"],
    )
    speedup = {
        str(batch): {str(ranks): model.seconds(1, batch) / model.seconds(ranks, batch) for ranks in RANKS}
        for batch in MODELLED
    }
    record = {
        **describe_machine("cpu"),
        "command": "python benchmarks/scaling.py",
        "workload": {"window": WINDOW, "slices": SLICES, "probe_modes": MODES, "threads_per_rank": 1},
        "batches": BATCHES,
        "update_seconds_alone": alone["seconds"],
        "update_seconds_of_two_with_as_many_each": together["updates"],
        "sum_bytes": SIZES,
        "sum_seconds_two_ranks": together["sums"],
        "wait_seconds_two_ranks": together["wait"],
        "model": asdict(model),
        "modelled_speedup": speedup,
    }
    text = json.dumps(record, indent=1)
    print(text)
    print("| batch |", *(f"{ranks} |" for ranks in RANKS))
    for batch, row in speedup.items():
        print(f"| {batch} |", *(f"{value:.1f} |" for value in row.values()))
    if out is not None:
        out.write_text(text + "\n", encoding="utf-8")


if __name__ == "__main__":
    part = os.environ.get("SCALING")
    if part == "updates":
        print(json.dumps(measured_updates()))
    elif part == "sums":
        measured_sums()
    else:
        main()
