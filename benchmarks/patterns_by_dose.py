"""What patterns take on the device and how fast batches are decoded, dense, packed and as events, over the dose.

    python benchmarks/patterns_by_dose.py [--backend cpu] [--patterns 1024] [--rounds 30] [--out FILE.json]

Counts are drawn from the mean pattern of configs/multislice_wse2.yaml, 128 x 128 px with a bright disk, at so many
electrons per pattern. The forms take turns; times are medians of one call for a random batch of 16, the numbers that
all of them give are compared bit by bit.
"""

from __future__ import annotations

import argparse
import json
import statistics
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ptycupy import data
from ptycupy.backends import select
from ptycupy.backends.interface import Array, Backend
from ptycupy.bench.machine import describe_machine
from ptycupy.config import load_config
from ptycupy.data.counts import BITS, count_of, form_of, pack
from ptycupy.data.source import ArraySource
from ptycupy.planning import cost_of

ROOT = Path(__file__).resolve().parents[1]
DOSES = (50, 100, 500, 5000, 50000, 100000)  # electrons per pattern
BATCH = 16
Call = Callable[[Array], Array]


def mean_pattern() -> NDArray[np.float64]:
    """[128, 128], sum 1."""
    source = data.open_source(load_config(ROOT / "configs" / "multislice_wse2.yaml").data)
    mean = np.asarray(source.read(range(source.shape[0])), float).mean(0)
    return np.asarray(mean / mean.sum())


def forms(backend: Backend, counts: NDArray[np.uint16]) -> tuple[dict[str, Call], dict[str, dict[str, Any]]]:
    """Calls by form, and what each form takes; of packed ones the smallest."""
    count, *shape = counts.shape
    source, kept = ArraySource(counts), (np.ones(shape, bool), np.ones(count, bool))
    census = count_of(source, *kept)
    rest = [backend.asarray(np.ones(count, np.float32)), backend.asarray(np.ones(shape, np.uint8))]
    rest.append(backend.asarray(np.ones(count, np.uint8)))
    dense, here = backend.asarray(counts), backend.asarray(np.arange(BATCH, dtype=np.int32))
    cost = cost_of(backend.name, "patterns", dense, here, *rest)
    calls: dict[str, Call] = {"dense": lambda at: backend.patterns(dense, at, *rest)}
    told = {"dense": {"form": str(counts.dtype), "bytes": counts.nbytes / count, "counted_bytes": cost.bytes}}
    for name, bits in (("packed", min(BITS[1:], key=census.bytes)), ("events", 0)):
        stored = pack(source, census, bits, *kept).moved(backend.asarray)
        cost = cost_of(backend.name, "packed_patterns", stored, here, *rest)
        calls[name] = lambda at, stored=stored: backend.packed_patterns(stored, at, *rest)  # type: ignore[misc]
        told[name] = {"form": form_of(bits), "bytes": stored.nbytes / count, "counted_bytes": cost.bytes}
    auto = census.choose("auto", "")
    told["auto"] = {"form": "dense" if auto is None else form_of(auto), "largest_count": census.largest}
    return calls, told


def timed(backend: Backend, calls: dict[str, Call], count: int, rounds: int) -> dict[str, float]:
    """Median seconds of a batch by form; AssertionError where forms differ in a bit."""
    random, taken = np.random.default_rng(1), {name: [] for name in calls}  # type: dict[str, list[float]]
    for number in range(rounds + 1):
        at = backend.asarray(random.permutation(count)[:BATCH].astype(np.int32))
        results = []
        for name, call in calls.items():
            start = time.perf_counter()
            with backend.arena():
                found = call(at)
                backend.synchronize()
                taken[name].append(time.perf_counter() - start)
                if number == 0:
                    results.append(backend.to_host(found).tobytes())
        assert all(result == results[0] for result in results)
    return {name: statistics.median(seconds[1:]) for name, seconds in taken.items()}  # the first ones compile


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--backend", default="cpu")
    parser.add_argument("--patterns", type=int, default=1024)
    parser.add_argument("--rounds", type=int, default=30)
    parser.add_argument("--out", type=Path)
    given = parser.parse_args()
    backend, mean, rows = select(given.backend, "float32"), mean_pattern(), []
    for dose in DOSES:
        random = np.random.default_rng(dose)
        counts = random.poisson(mean * dose, (given.patterns, *mean.shape)).astype(np.uint16)
        calls, told = forms(backend, counts)
        for name, seconds in timed(backend, calls, given.patterns, given.rounds).items():
            told[name]["milliseconds"] = 1e3 * seconds
            print(
                f"{dose:7d} electrons, {name:6s} ({told[name]['form']:26s}): {told[name]['bytes']:8.0f} bytes per "
                f"pattern, {told[name]['milliseconds']:.3f} ms per batch of {BATCH}",
                flush=True,
            )
        print(f"{dose:7d} electrons: auto takes {told['auto']['form']}", flush=True)
        rows.append({"electrons": dose, **told})
    if given.out is not None:
        record = {**describe_machine(backend.name), "patterns": given.patterns, "batch": BATCH, "rows": rows}
        given.out.write_text(json.dumps(record, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
