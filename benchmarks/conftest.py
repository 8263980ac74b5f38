"""What the benchmarks of ops share."""

import pytest

from ptycupy.backends import select


def pytest_addoption(parser):
    parser.addoption("--backend", default="cpu", help="cpu, cuda or cuda:1")


@pytest.fixture(scope="module")
def bench(request):
    """The module's Bench on the backend that is asked for."""
    return request.module.Bench(select(request.config.getoption("--backend"), "float32"))


def pytest_generate_tests(metafunc):
    """A test of `name` runs for every call of its module's Bench."""
    if "name" in metafunc.fixturenames:
        without_arrays = type("Names", (), {"__getattr__": lambda self, name: None})()
        metafunc.parametrize("name", list(metafunc.module.Bench.calls(without_arrays)))


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
