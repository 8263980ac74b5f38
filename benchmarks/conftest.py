"""What the benchmarks of ops share."""

from functools import partial

import pytest

from ptycupy.backends import select
from ptycupy.bench.scene import counted
from ptycupy.planning import twin_of


def pytest_addoption(parser):
    parser.addoption("--backend", default="cpu", help="cpu, cuda or cuda:1")


@pytest.fixture(scope="module")
def bench(request):
    """The module's Bench on the backend that is asked for, and what its calls cost."""
    backend = select(request.config.getoption("--backend"), "float32")
    made = request.module.Bench(backend)
    return backend, made.calls(), counted(request.module.Bench(twin_of(backend)))


def pytest_generate_tests(metafunc):
    """A test of `name` runs for every call of its module's Bench."""
    if "name" in metafunc.fixturenames:
        without_arrays = type("Names", (), {"__getattr__": lambda self, name: None})()
        metafunc.parametrize("name", list(metafunc.module.Bench.calls(without_arrays)))


@pytest.fixture
def record_speed(benchmark):
    """Times a call of a `bench`; what it moves and computes per second stands beside the time."""

    def record(bench, name):
        backend, calls, cost_of = bench
        _timed_call(benchmark, backend, calls[name], cost_of(name))

    return record


@pytest.fixture
def timed_call(benchmark):
    """The same of a call whose Cost is known."""
    return partial(_timed_call, benchmark)


def _timed_call(benchmark, backend, call, cost):
    def timed():
        with backend.arena():
            call()
        backend.synchronize()

    timed()
    benchmark(timed)
    if benchmark.stats:
        seconds = benchmark.stats.stats.median
        benchmark.extra_info["GB/s"] = round(cost.bytes / seconds / 1e9, 2)
        benchmark.extra_info["GFLOP/s"] = round(cost.all_flops / seconds / 1e9, 2)
