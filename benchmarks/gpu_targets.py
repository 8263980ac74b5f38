"""What is to be reached on an H200, beside what the records of a GPU say: one line for each target.

    python benchmarks/gpu_targets.py [FOLDER]

Reads against_ptyrad_gpu_*.json and bench_gpu_*.json of the folder (default: benchmarks/results), which sections 10 and
11 of GPU_CHECKS.md make, and takes the best that they have for each target, with the way that gave it.
"""

from __future__ import annotations

import argparse
import json
import statistics
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any, NamedTuple

HERE = Path(__file__).resolve().parent
Record = dict[str, Any]
Found = tuple[float, str]  # a number, and the way that gave it


class Target(NamedTuple):
    """A figure that is to be reached."""

    name: str
    wanted: float
    least: bool  # whether that is the least that is wanted, or the most
    find: Callable[[list[Record], list[Record]], Iterator[Found]]

    def line(self, against: list[Record], bench: list[Record]) -> str:
        """Name, what is wanted, what was found, and whether that is enough."""
        wanted = f"{'at least' if self.least else 'at most'} {self.wanted:g}"
        found = sorted(self.find(against, bench))
        if not found:
            return f"{self.name:60} {wanted:15} not measured"
        value, way = found[-1] if self.least else found[0]
        reached = value >= self.wanted if self.least else value <= self.wanted
        return f"{self.name:60} {wanted:15} {value:<8.3g} {'reached' if reached else 'MISSED':8} {way}"


def way_of(record: Record) -> str:
    """The way through the slices, and graphs."""
    return f"{record['fft']}, graphs {'on' if record['graphs'] in (True, 'on') else 'off'}"


def ratio(batch: int, other: str) -> Callable[[list[Record], list[Record]], Iterator[Found]]:
    """PtyRAD's seconds over ours at a batch."""

    def find(against: list[Record], bench: list[Record]) -> Iterator[Found]:
        for record in against:
            value = record["ratio"].get(other)
            if record["job"]["batch"] == batch and value is not None:
                yield value, way_of(record["job"])

    return find


def seconds(batch: int) -> Callable[[list[Record], list[Record]], Iterator[Found]]:
    """Of an iteration beside PtyRAD."""

    def find(against: list[Record], bench: list[Record]) -> Iterator[Found]:
        for record in against:
            value = record["median_seconds_per_iteration"].get("ptycupy")
            if record["job"]["batch"] == batch and value is not None:
                yield value, way_of(record["job"])

    return find


def small_to_large(*ways: str) -> Callable[[list[Record], list[Record]], Iterator[Found]]:
    """The time of batch 16 over that of batch 1024."""

    def find(against: list[Record], bench: list[Record]) -> Iterator[Found]:
        for record in bench:
            rows = {row["batch"]: row for row in rows_of(record, "iteration", "figure 3b")}
            if record["fft"] in ways and {16, 1024} <= rows.keys():
                yield rows[16]["seconds_per_iteration"] / rows[1024]["seconds_per_iteration"], way_of(record)

    return find


def busy(against: list[Record], bench: list[Record]) -> Iterator[Found]:
    """Percent of the time, over a minute."""
    for record in bench:
        for row in rows_of(record, "load", "load"):
            if "gpu_percent" in row["load"]:
                yield row["load"]["gpu_percent"]["mean"], way_of(record)


def large_windows(against: list[Record], bench: list[Record]) -> Iterator[Found]:
    """Seconds of an iteration of the patterns that were timed, 4096."""
    for record in bench:
        for row in rows_of(record, "iteration", "large windows"):
            yield statistics.median(row["seconds_timed"]), way_of(record)


def memory(against: list[Record], bench: list[Record]) -> Iterator[Found]:
    """GB beyond the patterns at the batch that takes most, CUDA's own included."""
    for record in bench:
        sizes = [
            row["load"]["memory_mib"]["max"] * 2**20 - row["pattern_bytes"]
            for row in rows_of(record, "iteration", "figure 3b")
            if "memory_mib" in row["load"]
        ]
        if sizes:
            yield max(sizes) / 1e9, way_of(record)


def rows_of(record: Record, suite: str, sweep: str) -> Iterable[Record]:
    """The points of a sweep that were measured."""
    return [row for row in record.get(suite, {}).get(sweep, []) if "failed" not in row]


TARGETS = (
    Target("batch 16: PtyRAD eager over ptycupy", 10, True, ratio(16, "ptyrad")),
    Target("batch 16: PtyRAD compiled over ptycupy", 6, True, ratio(16, "ptyrad compiled")),
    Target("batch 256: PtyRAD eager over ptycupy", 6, True, ratio(256, "ptyrad")),
    Target("batch 256: PtyRAD compiled over ptycupy", 4, True, ratio(256, "ptyrad compiled")),
    Target("batch 256: seconds per iteration", 0.5, False, seconds(256)),
    Target("batch 16 over batch 1024, in steps of rows and columns", 1.3, False, small_to_large("steps")),
    Target("batch 16 over batch 1024, whole waves", 1.5, False, small_to_large("whole", "own")),
    Target("batch 16: % of a minute in which the GPU is busy", 95, True, busy),
    Target("256 x 256 px, 8 modes, 21 slices, 4096 patterns: seconds", 1, False, large_windows),
    Target("GB beyond the patterns at any batch", 2, False, memory),
)


def lines(folder: Path) -> list[str]:
    """One for each target."""
    against, bench = (
        [json.loads(path.read_text(encoding="utf-8")) for path in sorted(folder.glob(f"{name}_gpu_*.json"))]
        for name in ("against_ptyrad", "bench")
    )
    return [target.line(against, bench) for target in TARGETS]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", nargs="?", type=Path, default=HERE / "results")
    print("\n".join(lines(parser.parse_args().folder)))


if __name__ == "__main__":
    main()
