"""A forecast against engines that really run: what they count, hold, send and exchange."""

from __future__ import annotations

import tracemalloc
from dataclasses import replace

import numpy as np
import pytest
from scenes import random_scene

from ptycupy import Engine, Settings
from ptycupy.api.forecast import Forecast
from ptycupy.api.forecast_ranks import forecast_of
from ptycupy.api.pace import Pace
from ptycupy.backends.cpu import CpuBackend
from ptycupy.config.schema import Distributed
from ptycupy.model.parameters import upload
from ptycupy.planning import How, ceilings, counting, twin_of
from ptycupy.planning.chip import USUAL, Chip
from ptycupy.reconstruction.residency import Residency
from ptycupy.reconstruction.teamwork import agree, constrain
from ptycupy.reconstruction.tiling import begin_tiles
from ptycupy.update.settings import Constraint

RATES = dict.fromkeys(("object_amplitude", "object_phase", "probe", "shifts"), 1e-3)


def test_an_iteration_takes_as_long_as_what_it_waits_for():
    pace = Pace(device=1.0, host=0.5, passing=2.0, apart=True, threads=2, way="")
    assert pace.seconds == 2.0
    assert pace.limit == "the patterns' way to it"
    assert replace(pace, apart=False).seconds == 2.5  # they are read by a core that computes otherwise
    assert replace(pace, passing=0.5).limit == ""
    assert replace(pace, exchange=2.5).seconds == 4.5
    assert replace(pace, exchange=2.5).limit == "the other ranks"
    assert replace(pace, exchange=1.5).limit == "the patterns' way to it"


def test_reading_is_timed_where_patterns_stream():
    problem, state = random_scene(positions=6)
    settings = Settings({"gaussian": {}}, learning_rates=RATES, batch_size=2, seed=3)
    forecast = Forecast(problem, state, settings, counting("cpu"))
    batches = forecast.some_batches()
    assert sorted(np.concatenate(batches).tolist()) == list(range(6))
    machine = replace(ceilings.GPUS["h200"], bus_bytes_per_second=0.0)
    forecast.hold(Residency("disk"), machine, chunked=False)
    forecast.read_seconds = 0.5
    assert forecast.pace(machine, 2, 2).passing == 3.0
    forecast.hold(Residency("device"), machine, chunked=False)
    assert forecast.pace(machine, 2, 2).passing == 0.0


def test_what_streams_is_what_an_engine_sends(kernel_folder, monkeypatch):
    from cuda_on_cpu.host_device import HostDevice

    from ptycupy.backends.cuda import CudaBackend

    problem, state = random_scene(positions=9, window=(16, 16), tilt_per_position=False)
    problem = replace(problem, patterns=(100 * problem.patterns).astype(np.uint16), pattern_storage="dense")
    settings = Settings({"gaussian": {}}, learning_rates=RATES, batch_size=2)
    backend, sent = CudaBackend(HostDevice(kernel_folder), "float32"), []
    send = backend.send
    monkeypatch.setattr(
        backend, "send", lambda target, values, after: sent.append(values) or send(target, values, after)
    )
    engine = Engine(problem, state, settings, backend, residency=Residency("host"))
    forecast = Forecast(problem, state, settings, twin_of(backend))
    holding = forecast.hold(Residency("host"), ceilings.GPUS["h200"], chunked=False)
    engine.run(1)
    assert sum(values.nbytes for values in sent) == (holding.count - holding.kept) * holding.pattern_bytes
    assert forecast.memory["patterns"] == engine.experiment.patterns.nbytes


@pytest.mark.parametrize("constraints", [(), ("lateral_blur",), ("lateral_low_pass", "positive_phase")])
def test_what_tiles_exchange_is_what_ranks_send(constraints):
    from thread_ranks import ThreadComm, together

    problem, state = random_scene(positions=12, window=(16, 16), scan_shape=(3, 4), tilt_per_position=False)
    corners = 9 * np.stack(np.divmod(np.arange(12), 4), axis=1)
    canvas = (*np.shape(state.object_phase)[:2], 34, 43)
    state = state.replace(object_amplitude=np.ones(canvas), object_phase=np.zeros(canvas))
    problem = replace(problem, corners=corners.astype(np.int32))
    settings = Settings(
        {"gaussian": {}},
        learning_rates=RATES | {"shifts": 0.0},
        batch_size=12,
        constraints=[Constraint(name) for name in constraints],
    )
    forecast = forecast_of(problem, state, settings, counting("cpu"), 3, Distributed(object="tiled"))

    class Noting(ThreadComm):
        summed = passed = 0

        def add(self, values):
            self.summed += values.nbytes
            super().add(values)

        def broadcast(self, values):
            self.passed += values.nbytes
            super().broadcast(values)

        def swap(self, outgoing, incoming):
            self.passed += max(sum(a.nbytes for a in arrays.values()) for arrays in (outgoing, incoming))
            super().swap(outgoing, incoming)

        def take(self):
            found, self.summed, self.passed = (self.summed, self.passed), 0, 0
            return found

    def work(team):
        team.comm.__class__ = Noting
        tiles = begin_tiles(team, problem, state, settings)
        engine = Engine(problem, state, settings, "cpu", "float32", ranks=team, tiles=tiles)
        team.comm.take()
        engine.step(engine.used)
        update = team.comm.take()
        for _, apply in engine.constraints:
            constrain(engine, apply)
        agree(engine)
        return update, team.comm.take()

    update, end = together(3, work)[forecast.team.rank]
    assert (forecast.traffic[0].summed, forecast.traffic[0].passed) == update
    assert (forecast.traffic[1].summed, forecast.traffic[1].passed) == end
    assert forecast.most(12) == 4


def test_multiprocessors_without_a_block_lose_their_flops():
    problem, state = random_scene(positions=4, window=(64, 64), object_modes=1, tilt_per_position=False)
    chip = Chip(USUAL.shared_memory, 16)  # room for 32 waves of 64 x 64
    settings = Settings({"gaussian": {}}, learning_rates=RATES)
    forecast = Forecast(problem, state, settings, counting("cuda", How(fft="whole"), chip=chip))
    costs = forecast._step(4, 4)
    transforms = [cost for cost in costs.values() if cost.idle_flops]
    assert len(transforms) == 2
    for cost in transforms:  # 8 waves forth; back as many blocks, of one mode each
        assert cost.idle_flops == pytest.approx(3 * cost.all_flops, rel=0.3)


def test_parameters_are_counted_as_they_are_uploaded():
    problem, state = random_scene(positions=6, optional=True)
    fields = [name for name, _ in state.items()]
    forecast = Forecast(
        problem, state, Settings({"gaussian": {}}, learning_rates=dict.fromkeys(fields, 1.0)), counting("cpu")
    )
    arrays = [array for _, array in upload(CpuBackend("float64"), state).items()]
    assert forecast.parameters == sum(a.view(np.float64).size for a in arrays)
    assert forecast.measured_values == problem.patterns.size


def test_what_is_fixed_or_without_effect_is_no_parameter():
    problem, state = random_scene(positions=6, slices=1)
    settings = Settings({"gaussian": {}}, learning_rates={"probe": 1e-3, "tilts": 1e-3, "shifts": 0.0})
    assert Forecast(problem, state, settings, counting("cpu")).parameters == 2 * state.probe.size


@pytest.mark.parametrize("sub_batch", [8, 3])
def test_memory_is_what_an_engine_allocates(sub_batch):
    problem, state = random_scene(positions=8, window=(48, 48), probe_modes=3, tilt_per_position=False)
    settings = Settings({"gaussian": {}}, learning_rates=RATES, batch_size=8, sub_batch=sub_batch)
    problem = replace(problem, patterns=problem.patterns.astype(np.float32))
    forecast = Forecast(problem, state, settings, counting("cpu"))
    warm = Engine(problem, state, settings, CpuBackend("float32"))
    warm.step(range(8))  # compiles
    tracemalloc.start()
    engine = Engine(problem, state, settings, CpuBackend("float32"))
    engine.step(range(8))
    held, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    # The patterns were there before; what an engine keeps is parameters, moments, tables and scratch.
    predicted = forecast.bytes_at(8, sub_batch) - forecast.memory["patterns"]
    assert peak == pytest.approx(predicted, rel=0.15)
    assert held < predicted


def test_parts_beyond_those_that_are_counted_cost_what_they_do_when_they_are():
    problem, state = random_scene(positions=12)
    forecast = Forecast(problem, state, Settings({"gaussian": {}}, learning_rates=RATES), counting("cuda"))
    extrapolated, counted = forecast._of_batch(12, 2), forecast._step(12, 2)
    assert extrapolated.keys() == counted.keys()
    for name, cost in counted.items():
        assert extrapolated[name].bytes == pytest.approx(cost.bytes)
        assert extrapolated[name].launches == cost.launches
        assert extrapolated[name].transforms == cost.transforms
