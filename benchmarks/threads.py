"""Seconds per iteration of the WSe2 set (4 probe modes, 6 slices) with 1, 2, ... threads of the CPU backend, in turns.

    python benchmarks/threads.py [--batch 16] [--rounds 5] [--out FILE.json]

All numbers of threads run in one process, an iteration each per round; the first round (compilation) is not counted.
"""

from __future__ import annotations

import argparse
import json
import statistics
from pathlib import Path

import numba

from ptycupy.backends import select
from ptycupy.bench.machine import describe_machine
from ptycupy.bench.quality import DATA, wse2_engine


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--batch", type=int, default=16)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--out", type=Path, default=Path(__file__).parent / "results" / "threads_cpu.json")
    given = parser.parse_args()
    engine = wse2_engine(select("cpu"), DATA, given.batch)
    most = numba.get_num_threads()
    seconds: dict[int, list[float]] = {threads: [] for threads in range(1, most + 1)}
    for number in range(given.rounds + 1):
        for threads, found in seconds.items():
            numba.set_num_threads(threads)
            engine.run(1)
            found += engine.history.seconds[-1:] if number else []
    medians = {threads: statistics.median(found) for threads, found in seconds.items()}
    result = {
        **describe_machine("cpu"),
        "batch": given.batch,
        "seconds": seconds,
        "median": medians,
        "speedup": {threads: medians[1] / median for threads, median in medians.items()},
        "speedup_of_the_fastest": {threads: min(seconds[1]) / min(found) for threads, found in seconds.items()},
    }
    given.out.parent.mkdir(parents=True, exist_ok=True)
    given.out.write_text(json.dumps(result, indent=1) + "\n")
    print(json.dumps({key: result[key] for key in ("median", "speedup", "speedup_of_the_fastest")}, indent=1))


if __name__ == "__main__":
    main()
