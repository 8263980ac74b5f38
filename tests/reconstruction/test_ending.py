"""The end of an iteration: one read by the host, constraints that can be recorded, and what a divergence leaves."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
import pytest
from cuda_on_cpu.host_device import HostDevice
from scenes import random_scene

from ptycupy import Constraint, Engine, Settings
from ptycupy.backends.cuda import CudaBackend
from ptycupy.errors import DivergenceError, NotRecordable
from ptycupy.reconstruction.callbacks import Quiet
from ptycupy.reconstruction.canvas import reanchor
from ptycupy.reconstruction.checkpoint import Checkpoints, list_checkpoints
from ptycupy.reconstruction.teamwork import constrain as apply
from ptycupy.storage.result import load_result
from ptycupy.update.constraints import CONSTRAINTS, make_constraint

RATES = {"object_amplitude": 1e-2, "object_phase": 1e-2, "probe": 1e-3, "shifts": 0.3, "tilts": 0.1}
ON_THE_HOST = {  # they decide by numbers that the host reads
    "probe_centring",
    "phase_ramp_removal",
    "probe_object_ambiguity",
    "probe_fourier_mask",
    "probe_real_mask",
    "depth_recentring",
}
PARAMETERS = {
    "total_variation": {"weight_depth": 1e-3, "iterations": 3},
    "tikhonov": {"weight_depth": 0.1},
    "lateral_blur": {"relax": 0.3},
    "grid_artefact_removal": {"step_px": (3.0, 3.0)},
    "probe_real_mask": {"z_steps": 3},
}
RECORDED = [Constraint(name, **PARAMETERS.get(name, {})) for name in CONSTRAINTS if name not in ON_THE_HOST]


def scene(positions=6, **of_scene):
    problem, state = random_scene(positions=positions, window=(8, 8), slices=3, **of_scene)
    return replace(problem, scan_shape=(2, positions // 2), pixel_size=0.2, wavelength=0.02), state


def make(kernel_folder, graphs="on", dtype="float32", constraints=RECORDED, **settings):
    problem, state = scene()
    given = {"losses": {"gaussian": {}}, "learning_rates": RATES, "batch_size": 3, "constraints": constraints}
    backend = CudaBackend(HostDevice(kernel_folder), dtype, graphs=graphs)
    return Engine(problem, state, Settings(**{**given, **settings}), backend)


def reads(engine):
    """What makes the host wait in one more iteration."""
    calls = engine.backend._device.calls
    calls.clear()
    engine.run(1)
    return [call for call in calls if call in ("download", "synchronize")]


def test_the_same_bits_from_all_of_them_recorded(kernel_folder):
    engines = [make(kernel_folder, graphs) for graphs in ("off", "on")]
    for engine in engines:
        engine.run(3)
        engine.backend._device.calls.clear()
        engine.run(1)
        assert [call for call in engine.backend._device.calls if call == "download"] == ["download"]
    assert engines[1].backend._device.calls.count("graph") == 3  # two batches, and the end
    off, on = (engine.state for engine in engines)
    for (name, expected), (_, found) in zip(off.items(), on.items(), strict=True):
        np.testing.assert_array_equal(found, expected, err_msg=name)
    assert (np.abs(off.shifts) <= 0.5).all()


@pytest.mark.parametrize("name", CONSTRAINTS)
def test_those_that_say_so_can_be_recorded_and_the_others_cannot(kernel_folder, name):
    constrain = make_constraint(Constraint(name, **PARAMETERS.get(name, {})))
    eager, engine = (make(kernel_folder, constraints=[]) for _ in range(2))
    for _ in range(2):
        apply(eager, constrain)
    apply(engine, constrain)
    if name in ON_THE_HOST:
        assert not getattr(constrain, "recordable", False)
        with pytest.raises(NotRecordable):
            engine.backend.record(lambda: apply(engine, constrain))
        return
    assert constrain.recordable
    engine.backend.record(lambda: apply(engine, constrain)).launch()
    for (field, expected), (_, found) in zip(eager.state.items(), engine.state.items(), strict=True):
        np.testing.assert_array_equal(found, expected, err_msg=field)


def test_the_smallest_phase_is_read_by_the_host():
    assert make_constraint(Constraint("positive_phase")).recordable
    assert not make_constraint(Constraint("positive_phase", mode="subtract_min")).recordable


@dataclass
class Own:
    """A user's constraint."""

    recordable: bool
    ran: int = 0

    def __call__(self, backend, parameters, context):
        self.ran += 1
        backend.scale(parameters.probe, 0.5)


@pytest.mark.parametrize(("recordable", "expected"), [(True, 1), (False, 2)])
def test_reads_with_a_constraint_of_ones_own(kernel_folder, recordable, expected):
    engine = make(kernel_folder, constraints=[Constraint(Own(recordable))])
    engine.run(3)
    assert reads(engine) == ["download"] * expected


@pytest.mark.parametrize("graphs", ["off", "on"])
@pytest.mark.parametrize("recordable", [True, False])
def test_a_divergence_that_stops_leaves_the_corners(kernel_folder, graphs, recordable):
    own = Own(recordable)
    rates = {"object_amplitude": 1e30, "shifts": 0.4}
    engine = make(kernel_folder, graphs, constraints=[Constraint(own)], learning_rates=rates)
    corners = engine.problem.corners
    with pytest.raises(DivergenceError):
        engine.run(3)
    np.testing.assert_array_equal(engine.problem.corners, corners)
    assert own.ran == (1 if recordable else 0)


class Spoils(Quiet):
    """Multiplies the object in the middle of the third iteration, once."""

    def __init__(self, factor):
        self.factor = factor

    def on_batch(self, engine, number, batches):
        if engine.iteration == 2 and number == 1:
            engine.backend.scale(engine.parameters.object_amplitude, self.factor)
            self.factor = 1.0


def diverging(kernel_folder, folder, way, policy, factor):
    """The engine after five iterations of which the third diverges, and what it said."""
    names = ("orthogonal_probe", "fixed_probe_intensity", "depth_blur", "positive_phase", "position_recentring")
    constraints = [Constraint(name) for name in names]
    engine = make(kernel_folder, "on" if way == "graphs" else "off", constraints=constraints, on_divergence=policy)
    engine.backend.queues = way != "read first"  # as on the CPU: constraints run once the loss is known
    folder.mkdir()
    watchers = [Spoils(factor), Checkpoints(folder, 1)]
    if policy == "halve_lr":
        engine.run(5, watchers)
        return engine, ""
    with pytest.raises(DivergenceError) as error:
        engine.run(5, watchers)
    return engine, str(error.value)


def left(engine, folder):
    """Every array of it that is in a file, or that a run which was put back goes on from."""
    kept = [load_result(path) for path in list_checkpoints(folder)]
    assert [snapshot.iteration for snapshot in kept] == [engine.iteration - 1, engine.iteration]
    if engine.learning_rate_factor < 1:
        kept.append(engine.snapshot())
    for number, snapshot in enumerate(kept):
        yield f"{number} history", np.array(snapshot.history.total)
        yield f"{number} corners", snapshot.corners
        for name, values in snapshot.state.items():
            yield f"{number} {name}", values
        for name, memory in snapshot.moments.items():
            for key, values in memory.arrays.items():
                yield f"{number} {name} {key}", values
    yield "corners", engine.problem.corners
    yield "shifts", engine.state.shifts


@pytest.mark.parametrize(
    ("policy", "factor"),
    [
        ("stop", 1e3),
        pytest.param("stop", np.nan, marks=pytest.mark.slow),
        pytest.param("halve_lr", 1e3, marks=pytest.mark.slow),
        ("halve_lr", np.nan),
    ],
)
def test_a_divergence_leaves_the_same_whatever_ran_before_it_was_seen(kernel_folder, tmp_path, policy, factor):
    """Constraints that were queued, or recorded, behind the batches have run on arrays that had diverged by then."""
    ways = ("read first", "queued", "graphs")
    found = {way: diverging(kernel_folder, tmp_path / way, way, policy, factor) for way in ways}
    expected, told = dict(left(found["read first"][0], tmp_path / "read first")), found["read first"][1]
    assert ("iteration 3" in told) == (policy == "stop")
    for way in ways[1:]:
        engine, message = found[way]
        assert message == told
        arrays = dict(left(engine, tmp_path / way))
        assert arrays.keys() == expected.keys()
        for name, values in arrays.items():
            np.testing.assert_array_equal(values, expected[name], err_msg=f"{way}: {name}")
    assert engine.backend._device.calls.count("graph") > 0


def test_windows_of_constraints_have_recordings_of_their_own(kernel_folder):
    chosen = [Constraint("orthogonal_probe", step=2), Constraint("positive_phase", start=3)]
    few = {"object_phase": 1e-2, "probe": 1e-3, "shifts": 1e-3}  # the canvas stays
    engines = [make(kernel_folder, graphs, constraints=chosen, learning_rates=few) for graphs in ("off", "on")]
    for engine in engines:
        engine.run(8)
    assert {kind for kind, slot in engines[1].ending._slots.items() if slot.work.recording} == {
        ((0, 1), True),
        ((1,), True),
    }
    np.testing.assert_array_equal(engines[1].state.probe, engines[0].state.probe)
    np.testing.assert_array_equal(engines[1].state.object_phase, engines[0].state.object_phase)
    assert engines[1].history.total == engines[0].history.total


def test_whole_pixels_of_a_distorted_scan_are_taken_exactly(kernel_folder):
    problem, state = scene(optional=True)
    nominal = np.asarray(problem.corners, float)
    state = replace(state, scan_affine=np.array([0.6, 0.3, 5.0, -4.0], np.float32))
    problem = replace(problem, nominal_positions=nominal)
    settings = Settings({"gaussian": {}}, learning_rates={"scan_affine": 1e-3})
    engine = Engine(problem, state, settings, CudaBackend(HostDevice(kernel_folder), "float32"))
    backend, parameters = engine.backend, engine.parameters
    everyone = backend.asarray(np.arange(engine.experiment.positions, dtype=np.int32))
    whole = np.rint(
        backend.scan_affine_forward(parameters.shifts, engine.experiment.nominal, everyone, parameters.scan_affine)
    )
    corners, shifts = engine.problem.corners, engine.state.shifts
    grown = reanchor(engine)
    np.testing.assert_array_equal(engine.problem.corners - (0 if grown is None else grown), corners + whole)
    np.testing.assert_array_equal(engine.state.shifts, shifts - whole)
    assert np.abs(whole).max() >= 1
