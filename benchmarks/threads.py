"""Seconds per iteration of the WSe2 set (4 probe modes, 6 slices) with 1 to N threads of the CPU backend, in turns.

    python benchmarks/threads.py [--batch 16] [--rounds 5] [--threads 1,2,4] [--out FILE.json]

N is what the machine has, or NUMBA_NUM_THREADS; in between stand 2, 3, 4, 6, 8, 12, 16, 24, ... All of them run in one
process, an iteration each per round; the first round (compilation) is not counted.
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


def numbers(most: int) -> list[int]:
    """1, 2, 3, 4, 6, 8, 12, ... up to `most`, which is one of them."""
    found = {1, most} | {n * 2**power for power in range(1, most.bit_length()) for n in (1, 1.5)}
    return sorted(int(n) for n in found if n <= most)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--batch", type=int, default=16)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--threads", help="numbers of them, by commas; 1 must be the first")
    parser.add_argument("--out", type=Path, default=Path(__file__).parent / "results" / "threads_cpu.json")
    given = parser.parse_args()
    most = numba.get_num_threads()
    counts = [int(n) for n in given.threads.split(",")] if given.threads else numbers(most)
    if counts[0] != 1 or max(counts) > most:
        parser.error(f"--threads {given.threads}: 1, then others up to {most}, which this machine has")
    engine = wse2_engine(select("cpu"), DATA, given.batch)
    seconds: dict[int, list[float]] = {threads: [] for threads in counts}
    try:
        for number in range(given.rounds + 1):
            for threads, found in seconds.items():
                numba.set_num_threads(threads)
                engine.run(1)
                found += engine.history.seconds[-1:] if number else []
    finally:
        numba.set_num_threads(most)
    medians = {threads: statistics.median(found) for threads, found in seconds.items()}
    speedup = {threads: medians[1] / median for threads, median in medians.items()}
    result = {
        **describe_machine("cpu"),
        "batch": given.batch,
        "seconds": seconds,
        "median": medians,
        "speedup": speedup,
        "efficiency": {threads: gained / threads for threads, gained in speedup.items()},
        "speedup_of_the_fastest": {threads: min(seconds[1]) / min(found) for threads, found in seconds.items()},
    }
    given.out.parent.mkdir(parents=True, exist_ok=True)
    given.out.write_text(json.dumps(result, indent=1) + "\n")
    shown = ("median", "speedup", "efficiency", "speedup_of_the_fastest")
    print(json.dumps({key: result[key] for key in shown}, indent=1))


if __name__ == "__main__":
    main()
