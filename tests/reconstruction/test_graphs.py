"""Updates recorded as graphs: the same bits as without, far fewer calls of the host, and what makes them forget."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
import pytest
from cuda_on_cpu.host_device import HostDevice
from scenes import random_scene

from ptycupy import Active, Constraint, Engine, Settings
from ptycupy.backends.cuda import CudaBackend
from ptycupy.model.losses import Gaussian
from ptycupy.reconstruction.callbacks import Quiet
from ptycupy.update.optimizers.adam import Adam, AdamW
from ptycupy.update.schedules import make_schedule

H100 = 232448  # bytes of shared memory that a block may have
OBJECT = {"object_amplitude": 1e-2, "object_phase": 1e-2, "probe": 1e-3}
RATES = {**OBJECT, "shifts": 0.05, "tilts": 0.1, "slice_thickness": 0.05}
OPTIONAL = ("pattern_intensity", "background", "descan", "aberrations", "scan_affine", "probe_variations")
ALL = {**RATES, **dict.fromkeys(OPTIONAL, 1e-3), "variation_weights": 1e-3}
ONE_SCALE = {"gaussian": {}, "sparsity": {}}
MIXED = {"gaussian": {}, "poisson": {"weight": 0.3}, "pacbed": {}, "sparsity": {"order": 2}, "similarity": {}}
CONSTRAINTS = [Constraint(name) for name in ("orthogonal_probe", "fixed_probe_intensity", "positive_phase")]


@pytest.fixture
def made(kernel_folder):
    """Makes a CUDA backend on a host device of its own: graphs -> backend."""

    def make(graphs, dtype="float32", **options):
        return CudaBackend(HostDevice(kernel_folder, shared_memory=H100), dtype, graphs=graphs, **options)

    return make


def run(engine, iterations=3):
    engine.run(iterations)
    return engine


def launched(engine):
    """How many graphs the host launched."""
    return engine.backend._device.calls.count("graph")


def assert_same(eager, graphs):
    """Every bit of state, moments and history."""
    np.testing.assert_array_equal(eager.history.total, graphs.history.total)
    for (name, expected), (_, found) in zip(eager.state.items(), graphs.state.items(), strict=True):
        np.testing.assert_array_equal(found, expected, err_msg=name)
    assert eager.moments.keys() == graphs.moments.keys()
    for name, memory in eager.moments.items():
        assert graphs.moments[name].step == memory.step
        for key, array in memory.arrays.items():
            np.testing.assert_array_equal(graphs.moments[name].arrays[key], array, err_msg=f"{name} {key}")
    np.testing.assert_array_equal(eager.problem.corners, graphs.problem.corners)


CASES = {
    "a short last batch, all parameters": {"positions": 5, "optional": True, "learning_rates": ALL},
    "sub-batches, one scale, a tape of halves": {
        "positions": 7,
        "batch_size": 4,
        "sub_batch": 3,
        "tape": "half",
        "tilt_per_position": False,
        "learning_rates": OBJECT,
    },
    "sub-batches and two phases": {"positions": 5, "losses": MIXED, "batch_size": 5, "sub_batch": 2},
    "accumulation of gradients, constraints, AdamW": {
        "positions": 5,
        "gradient_accumulation": 2,
        "constraints": CONSTRAINTS,
        "optimizer": AdamW(weight_decay=0.1),
    },
    "a schedule by batch, windows, a filtered detector, AMSGrad": {
        "positions": 6,
        "optimizer": Adam(amsgrad=True, weight_decay=0.1),
        "schedule": make_schedule("exponential", "batch", gamma=0.9),
        "windows": {"probe": Active(start=3), "tilts": Active(end=2)},
        "detector": (6, 7),
        "detector_blur": 0.7,
    },
    "one slice, in fixed order, patterns as events": {
        "pattern_storage": "events",
        "positions": 6,
        "slices": 1,
        "learning_rates": OBJECT,
        "deterministic": True,
    },
}
LAUNCHES = {"whole": "multislice_forward", "steps": "transform_shifted"}
WAYS = {
    "whole waves": {"fft": "whole", "window": (64, 64), "positions": 5, "slices": 2, "tilt_per_position": False},
    "whole waves, in sub-batches, in fixed order": {
        "fft": "whole",
        "window": (64, 64),
        "positions": 5,
        "slices": 2,
        "tilt_per_position": False,
        "batch_size": 4,
        "sub_batch": 2,
        "deterministic": True,
        "constraints": CONSTRAINTS,
    },
    "steps, a tape of halves": {
        "fft": "steps",
        "tape": "half",
        "window": (64, 64),
        "positions": 4,
        "slices": 2,
        "tilt_per_position": False,
        "constraints": CONSTRAINTS,
    },
    "steps, with refined tilts and thickness": {
        "fft": "steps",
        "window": (64, 64),
        "positions": 3,
        "slices": 2,
        "learning_rates": {**OBJECT, "tilts": 1e-2, "slice_thickness": 1e-2},
    },
}
for way in WAYS.values():
    way.setdefault("learning_rates", {**OBJECT, "shifts": 1e-3})
SCENE = ("window", "positions", "optional", "slices", "detector", "detector_blur", "probe_modes", "tilt_per_position")


BACKEND = ("dtype", "deterministic", "tape", "fft")


def prepared(**case):
    """Problem, State, Settings, and options of the backend."""
    scene = {name: case.pop(name) for name in SCENE if name in case}
    options = {name: case.pop(name) for name in BACKEND if name in case}
    storage = case.pop("pattern_storage", None)
    problem, state = random_scene(**{"window": (8, 8), **scene})
    if storage is not None:
        problem = replace(problem, patterns=np.round(problem.patterns).astype(np.uint8), pattern_storage=storage)
    settings = Settings(**{"losses": ONE_SCALE, "batch_size": 2, "learning_rates": RATES, **case})
    return problem, state, settings, options


def pair(made, **case):
    """An engine without graphs and one with."""
    problem, state, settings, options = prepared(**case)
    return [Engine(problem, state, settings, made(graphs, **options)) for graphs in ("off", "on")]


@pytest.mark.parametrize("name", CASES)
def test_the_same_bits_as_without(made, name):
    eager, graphs = map(run, pair(made, **CASES[name]))
    assert_same(eager, graphs)
    assert launched(eager) == 0
    assert launched(graphs) > 0


@pytest.mark.parametrize("name", WAYS)
def test_the_same_bits_with_transforms_of_our_own(made, name):
    eager, graphs = map(run, pair(made, **WAYS[name]))
    assert_same(eager, graphs)
    launches = [engine.backend._device.launches for engine in (eager, graphs)]
    kernel = LAUNCHES[WAYS[name]["fft"]]
    assert launches[0].count(kernel) == launches[1].count(kernel) > 0
    assert launched(graphs) > launched(eager) == 0


@pytest.mark.gpu
@pytest.mark.parametrize("name", [*CASES, *WAYS])
def test_the_same_bits_on_a_device(name):
    from ptycupy.backends.cuda import open_device

    problem, state, settings, options = prepared(**{**CASES, **WAYS}[name])
    options["deterministic"] = True
    backends = [CudaBackend(open_device(0), graphs=graphs, **options) for graphs in ("off", "on")]
    eager, graphs = (run(Engine(problem, state, settings, backend)) for backend in backends)
    assert any(slot.work.recording is not None for slot in graphs.graphs._slots.values())
    assert_same(eager, graphs)


def test_a_canvas_that_grows(made):
    eager, graphs = map(run, pair(made, positions=6, learning_rates={**OBJECT, "shifts": 2.0}))
    assert eager.parameters.canvas != (15, 14)
    assert_same(eager, graphs)
    assert launched(graphs) > 0


def test_a_divergence_that_is_put_back(made):
    rates = {"object_amplitude": 60.0, "probe": 1e-3}
    eager, graphs = pair(made, positions=6, learning_rates=rates, on_divergence="halve_lr", dtype="float64")
    for engine in (eager, graphs):
        run(engine, 5)
        assert engine.learning_rate_factor < 1
    assert_same(eager, graphs)
    assert launched(graphs) > 0


class Interrupts(Quiet):
    """Stops within an iteration."""

    def on_batch(self, engine, number, batches):
        engine.stop_requested = engine.iteration == 2 and number == 2


def test_a_run_that_was_stopped_within_an_iteration_and_resumed(made):
    eager, stopped = pair(made, positions=7)
    run(eager, 4)
    stopped.run(4, [Interrupts()])
    assert len(stopped.pending) == 2
    snapshot = stopped.snapshot()
    (other,) = pair(made, positions=7)[1:]
    for engine in (stopped, other):
        before = launched(engine)
        engine.restore(snapshot)
        engine.stop_requested = False
        run(engine, 2)
        assert_same(eager, engine)
        assert launched(engine) > before


def test_two_engines_in_turns_on_one_backend(made):
    problem, state, settings, _ = prepared(positions=5)
    other = prepared(positions=5, probe_modes=3)
    alone = [run(Engine(*scene, made("off"))) for scene in ((problem, state, settings), other[:3])]
    backend = made("on")
    both = [Engine(problem, state, settings, backend), Engine(*other[:3], backend)]
    for _ in range(3):
        for engine in both:
            run(engine, 1)
    for expected, found in zip(alone, both, strict=True):
        assert_same(expected, found)
    assert launched(both[0]) > 4


class Meddles(Quiet):
    """Does between iterations, and between batches, what a user's code may do."""

    def on_batch(self, engine, number, batches):
        if engine.iteration == 2 and number == 1:
            engine.step([0, 1])  # moves everything, and counts Adam's steps

    def on_iteration(self, engine):
        probe = engine.backend.asarray(engine.backend.to_host(engine.parameters.probe) * 0.9)
        engine.parameters.probe = probe
        engine.backend.release()
        if engine.iteration == 2:
            engine.terms["gaussian"] = Gaussian(weight=0.5)
        if engine.iteration == 3:
            engine.sub_batch = 1


def test_what_others_do_in_between(made):
    eager, graphs = pair(made, positions=8)
    for engine in (eager, graphs):
        engine.run(5, [Meddles()])
    assert_same(eager, graphs)
    assert launched(graphs) > 5


@dataclass(frozen=True)
class Own:
    """A loss of one's own, which looks at its value on the host where it should not."""

    weight: float = 1.0
    looks: bool = False

    def ops(self, batch, statistics):
        if self.looks:
            batch.backend.to_host(batch.intensity.value)
        return Gaussian().ops(batch, statistics)


class Recordable(Own):
    recordable = True


@pytest.mark.parametrize(
    ("case", "told"),
    [
        ({"losses": {"own": Own()}}, "losses.own does not say that it is `recordable`"),
        ({"optimizer": "nadam"}, "NAdam takes what differs between its steps from the host"),
        ({"optimizer": "lsqml", "losses": {"gaussian": {}}}, "Lsqml decides on the host"),
        ({"schedule": make_schedule("one_cycle", total=10, momenta=(0.8, 0.9))}, "a schedule moves the momentum"),
    ],
    ids=["a loss that does not say", "nadam", "lsqml", "momentum"],
)
def test_what_has_no_graphs_says_so(made, caplog, case, told):
    caplog.set_level("INFO")
    problem, state, settings, _ = prepared(positions=4, learning_rates=OBJECT, **case)
    assert not Engine(problem, state, settings, made("on")).graphs.usable
    assert told in caplog.text
    caplog.clear()
    Engine(problem, state, settings, made("off"))
    assert told not in caplog.text


@pytest.mark.parametrize(("looks", "graphs"), [(True, 2), (False, 13)])
def test_a_loss_that_looks_where_it_should_not_runs_as_ever(made, caplog, looks, graphs):
    caplog.set_level("INFO")
    case = {"positions": 8, "learning_rates": OBJECT, "losses": {"own": Recordable(looks=looks)}}
    eager, on = map(run, pair(made, **case))
    assert_same(eager, on)
    assert launched(on) == graphs
    assert ("a download cannot be recorded; such batches run without" in caplog.text) == looks


def test_host_calls_per_batch(made):
    """66 without graphs, and with them: a row of indices and rates, the graph, its losses."""
    per_batch = []
    for engine in pair(made, positions=12, learning_rates={**OBJECT, "shifts": 1e-3}, tilt_per_position=False):
        run(engine, 2)
        counted = Counted()
        engine.run(1, [counted])
        per_batch.append(counted.between)
    assert set(map(len, per_batch[0])) == {66}
    assert per_batch[1] == [["copy", "graph", "copy"]] * 5


class Counted(Quiet):
    """The host's calls from one batch to the next."""

    def __init__(self):
        self.between, self.seen = [], None

    def on_batch(self, engine, number, batches):
        calls = engine.backend._device.calls
        if self.seen is not None:
            self.between.append(calls[self.seen :])
        self.seen = len(calls)
