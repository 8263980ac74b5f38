"""benchmarks/streaming.py on a small scan: it streams within its limit, and takes the same steps as in memory."""

from __future__ import annotations

import importlib.util
from pathlib import Path

BENCHMARK = Path(__file__).parents[2] / "benchmarks" / "streaming.py"


def test_a_scan_streams_within_the_memory_that_it_may_take(tmp_path):
    spec = importlib.util.spec_from_file_location("benchmark_streaming", BENCHMARK)
    benchmark = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(benchmark)
    side = 36
    size = benchmark.simulate(tmp_path, side).stat().st_size  # 42 MB
    held = benchmark.worker(tmp_path, side, "--residency", "device")
    streamed = benchmark.worker(tmp_path, side, "--memory", str(2**28))  # next to nothing beside what it reserves
    assert (held["streamed"], streamed["streamed"]) == (False, True)
    assert streamed["kept"] == 0
    assert streamed["losses"] == held["losses"]
    assert held["peak_rss"] - streamed["peak_rss"] > size / 2
