"""Patterns that stream from the host or from disk: the same results, errors where they belong, and no thread left."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest
from cuda_on_cpu.host_device import HostDevice
from numpy.typing import NDArray
from scenes import random_scene
from watched_source import WatchedSource

from ptycupy import Engine, Problem, Residency, Settings, State
from ptycupy.backends.cuda import CudaBackend
from ptycupy.config.schema import Data
from ptycupy.data import ArraySource, PatternSource, open_source
from ptycupy.data.held import Held
from ptycupy.errors import ConfigError, DataError
from ptycupy.model.holding import hold_some
from ptycupy.reconstruction import engine as engine_module
from ptycupy.reconstruction.callbacks import Quiet

COUNT, WINDOW = 23, (12, 12)
RATES = {"object_phase": 1e-2, "object_amplitude": 1e-2, "probe": 1e-3, "shifts": 1e-2}


@pytest.fixture(params=["cpu", "cuda"])
def backend(request: pytest.FixtureRequest, cpu_backend: Any, host_cuda_backend: Any) -> Any:
    return {"cpu": cpu_backend, "cuda": host_cuda_backend}[request.param]("float32")


@pytest.fixture(autouse=True)
def no_thread_is_left() -> Iterator[None]:
    yield
    assert [thread.name for thread in threading.enumerate() if thread.name == "ptycupy-patterns"] == []


def scene(count: int = COUNT, **problem: Any) -> tuple[Problem, State]:
    shapes = {"positions": count, "window": WINDOW, "slices": 2, "object_modes": 1, "probe_modes": 2}
    return random_scene(**shapes, tilt_per_position=False, pattern_scale=1e-2, **problem)


def counts(count: int = COUNT) -> NDArray[np.uint16]:
    return np.random.default_rng(5).integers(0, 300, (count, *WINDOW)).astype(np.uint16)


def stored(path: Path, patterns: NDArray[Any], chunks: tuple[int, ...] | None = None) -> PatternSource:
    if path.suffix == ".npy":
        np.save(path, patterns)
    else:
        with h5py.File(path, "w") as file:
            file.create_dataset("dp", data=patterns, chunks=chunks, compression="gzip" if chunks else None)
    return open_source(Data(path=str(path)))


def run(
    backend: Any, patterns: Any, tier: str = "auto", iterations: int = 2, callbacks: Any = (), **settings: Any
) -> Engine:
    problem, state = scene(len(patterns) if isinstance(patterns, np.ndarray) else patterns.shape[0])
    chosen: dict[str, Any] = {"learning_rates": RATES, "batch_size": 5, **settings}
    engine = Engine(
        replace(problem, patterns=patterns),
        state,
        Settings({"gaussian": {}}, **chosen),
        backend,
        residency=Residency(tier),
    )
    engine.run(iterations, callbacks)
    return engine


def assert_same(found: Engine, expected: Engine) -> None:
    assert found.history.total == expected.history.total
    for (name, value), (_, other) in zip(found.state.items(), expected.state.items(), strict=True):
        np.testing.assert_array_equal(value, other, err_msg=name)
    assert found.fingerprint == expected.fingerprint


@pytest.mark.parametrize(
    "settings",
    [
        {},
        {"grouping": "compact", "sub_batch": 2},
        {"gradient_accumulation": 2},
        {"optimizer": "lsqml", "grouping": "sparse", "learning_rates": {"object_phase": 1.0, "probe": 1.0}},
    ],
    ids=["random", "compact", "accumulated", "lsqml"],
)
@pytest.mark.parametrize("tier", ["disk", "host"])
def test_fault_51_streamed_patterns_give_the_same_bits(
    backend: Any, tier: str, settings: dict[str, Any], tmp_path: Path
) -> None:
    source = stored(tmp_path / "scan.h5", counts(), (4, *WINDOW))
    streamed = run(backend, source, tier, **settings)
    assert_same(streamed, run(backend, counts(), **settings))
    if tier == "disk" or backend.name != "cpu":
        assert streamed.experiment.feed is not None
        assert streamed.experiment.patterns.dtype == np.uint16


@pytest.mark.parametrize("accumulated", [1, 2])
def test_updates_recorded_as_graphs_read_what_is_staged(kernel_folder: Path, accumulated: int, tmp_path: Path) -> None:
    source = stored(tmp_path / "scan.npy", counts())
    settings = {"iterations": 3, "gradient_accumulation": accumulated}
    engines = [
        run(CudaBackend(HostDevice(kernel_folder), "float32", graphs=graphs), patterns, **settings)
        for graphs, patterns in (("off", counts()), ("on", source))
    ]
    streamed = run(CudaBackend(HostDevice(kernel_folder), "float32", graphs="on"), source, "disk", **settings)
    assert streamed.backend._device.calls.count("graph") == engines[1].backend._device.calls.count("graph") > 5
    assert_same(streamed, engines[0])


def test_an_optimizer_that_looks_at_a_batch_many_times(cpu_backend: Any, tmp_path: Path) -> None:
    settings = {"optimizer": "lbfgs", "batch_size": 6, "gradient_accumulation": 2, "iterations": 1}
    source = stored(tmp_path / "scan.npy", counts())
    assert_same(
        run(cpu_backend("float32"), source, "disk", **settings), run(cpu_backend("float32"), counts(), **settings)
    )


@pytest.mark.parametrize("kept", [1, 9, COUNT - 1])
def test_patterns_that_stay_and_patterns_that_come(
    backend: Any, kept: int, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    expected = run(backend, counts())

    def some(*arguments: Any) -> Any:
        backend, wanted = arguments[-2:]
        return hold_some(backend, Held(wanted.source), wanted.used, kept, 5, 2)

    monkeypatch.setattr(engine_module, "hold", some)
    streamed = run(backend, stored(tmp_path / "scan.npy", counts()))
    assert streamed.experiment.patterns.shape[0] == kept + 4 * 5
    assert_same(streamed, expected)


@pytest.mark.parametrize("dtype", ["bool", ">u2", "int16", "float16", "uint64", "float64"])
def test_every_element_type_streams(backend: Any, dtype: str, tmp_path: Path) -> None:
    patterns = (counts() % (2 if dtype == "bool" else 100)).astype(dtype)
    assert_same(run(backend, stored(tmp_path / "scan.npy", patterns), "disk", 1), run(backend, patterns, iterations=1))


def test_a_look_at_other_patterns_between_batches_changes_nothing(backend: Any, tmp_path: Path) -> None:
    class Curious(Quiet):
        def on_batch(self, engine: Engine, number: int, batches: int) -> None:
            np.testing.assert_array_equal(engine.measured([22, 3, 7]), looked)

    expected = run(backend, counts())
    looked = expected.measured([22, 3, 7])
    streamed = run(backend, stored(tmp_path / "scan.npy", counts()), "disk", callbacks=[Curious()])
    assert_same(streamed, expected)
    every = np.arange(COUNT)
    np.testing.assert_array_equal(streamed.measured(every), expected.measured(every))
    assert streamed.step(every[:5]).total == expected.step(every[:5]).total
    with pytest.raises(ConfigError, match="23 patterns at once, but they stream in batches of 5: Settings.batch_size"):
        streamed.step(every)


def test_a_run_goes_on_in_another_tier(backend: Any, tmp_path: Path) -> None:
    source = stored(tmp_path / "scan.npy", counts())
    first = run(backend, source, "disk", iterations=1)
    second = run(backend, source, "device", iterations=0)
    second.restore(first.snapshot())
    second.run(1)
    assert_same(second, run(backend, counts()))


def test_two_engines_of_one_file_at_once(backend: Any, tmp_path: Path) -> None:
    source = stored(tmp_path / "scan.h5", counts(), (3, *WINDOW))
    one = run(backend, source, "disk", iterations=0)
    other = run(backend, source, "disk", iterations=0, seed=4)

    class Between(Quiet):
        def on_batch(self, engine: Engine, number: int, batches: int) -> None:
            other.stop_requested = False
            other.run(1, [Stop()])

    class Stop(Quiet):
        def on_batch(self, engine: Engine, number: int, batches: int) -> None:
            engine.stop_requested = True

    one.run(2, [Between()])
    assert_same(one, run(backend, counts()))
    assert_same(other, run(backend, counts(), seed=4))


# --- what goes wrong ----------------------------------------------------------------------------------------
class Cut(Quiet):
    """Does something to the file when the first batch is done."""

    def __init__(self, action: Callable[[], Any]) -> None:
        self.action = action

    def on_batch(self, engine: Engine, number: int, batches: int) -> None:
        self.action()


def test_a_file_that_is_cut_short_ends_the_run_with_its_name_and_the_patterns(backend: Any, tmp_path: Path) -> None:
    path = tmp_path / "scan.npy"
    source = stored(path, counts(60))

    def cut() -> None:
        with open(path, "r+b") as file:
            file.truncate(200)

    with pytest.raises(DataError, match=rf"{path}: truncated: 200 .*while reading 5 of the patterns \d+\.\.\d+"):
        run(backend, source, "disk", 3, [Cut(cut)])


@dataclass(frozen=True)
class Broken(ArraySource):
    """One of whose patterns cannot be read."""

    def read(self, indices: Any) -> Any:
        if 17 in np.asarray(indices):
            raise ZeroDivisionError("no such thing")
        return super().read(indices)


def test_any_failure_in_the_thread_is_raised_in_the_run(backend: Any) -> None:
    source = WatchedSource(Broken(counts()))
    with pytest.raises(DataError, match=r"<array>: reading 5 of .* failed \(ZeroDivisionError: no such thing\)"):
        run(backend, source, "disk", batch_size=5, seed=1)


def test_an_interrupt_ends_the_thread(backend: Any, tmp_path: Path) -> None:
    def interrupt() -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        run(backend, stored(tmp_path / "scan.npy", counts()), "disk", callbacks=[Cut(interrupt)])


def test_a_stopped_iteration_is_finished_later(backend: Any, tmp_path: Path) -> None:
    class Stop(Quiet):
        def on_batch(self, engine: Engine, number: int, batches: int) -> None:
            engine.stop_requested = number == 2

    engine = run(backend, stored(tmp_path / "scan.npy", counts()), "disk", callbacks=[Stop()])
    engine.stop_requested = False
    engine.run(2)
    assert_same(engine, run(backend, counts()))


# --- what is read ---------------------------------------------------------------------------------------------
def test_patterns_without_weight_are_never_read(backend: Any) -> None:
    """But for those that the fingerprint takes from the whole scan."""
    source = WatchedSource(ArraySource(counts()))
    weights = np.arange(COUNT) % 3 == 1
    problem, state = scene(pattern_weights=weights)
    settings = Settings({"gaussian": {}}, learning_rates=RATES, batch_size=3)
    engines = [
        Engine(replace(problem, patterns=patterns), state, settings, backend, residency=Residency(where))
        for patterns, where in ((counts(), "auto"), (source, "disk"))
    ]
    for engine in engines:
        engine.run(2)
    assert source.seen == set(np.flatnonzero(weights).tolist())
    assert all(indices == sorted(set(indices)) for indices in source.reads)  # in the order of the file
    assert_same(engines[1], engines[0])
    np.testing.assert_array_equal(engines[1].measured(range(COUNT)), engines[0].measured(range(COUNT)))


def test_patterns_on_disk_take_no_memory_beside_their_buffers(cpu_backend: Any, tmp_path: Path) -> None:
    import tracemalloc

    path, count = tmp_path / "scan.npy", 1500
    np.lib.format.open_memmap(path, "w+", np.uint16, (count, *WINDOW))[:] = 3
    source = open_source(Data(path=str(path), scan_shape=(30, 50)))
    run(cpu_backend("float32"), source, "disk", 1, batch_size=50)  # compiled
    tracemalloc.start()
    run(cpu_backend("float32"), source, "disk", 1, batch_size=50)
    streamed = tracemalloc.get_traced_memory()[1]
    tracemalloc.reset_peak()
    run(cpu_backend("float32"), source, "device", 1, batch_size=50)
    held = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert held - streamed > 0.6 * count * 12 * 12 * 2  # six buffers of 50 are a fifth
