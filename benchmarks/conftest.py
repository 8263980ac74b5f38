"""What the benchmarks of ops share."""

import pytest


def pytest_addoption(parser):
    parser.addoption("--backend", default="cpu", help="cpu, cuda or cuda:1")


@pytest.fixture
def record_speed(benchmark):
    """Times a call on a backend; with the bytes and flops it needs, its GB/s and GFLOP/s stand beside the time."""

    def record(backend, call, moved_bytes, flops=0):
        def timed():
            with backend.arena():
                call()
            backend.synchronize()

        timed()
        benchmark(timed)
        if benchmark.stats:
            seconds = benchmark.stats.stats.median
            benchmark.extra_info["GB/s"] = round(moved_bytes / seconds / 1e9, 2)
            benchmark.extra_info["GFLOP/s"] = round(flops / seconds / 1e9, 2)

    return record
