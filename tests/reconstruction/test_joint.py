"""Scans that share probe or object: against single scans, against the joined scan, and against the truth."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from scenes import random_scene
from thread_ranks import TOLERANCE, together

from ptycupy import Constraint, Engine, Problem, Residency, Settings, State, backends
from ptycupy.config.schema import Data
from ptycupy.data import open_source
from ptycupy.distributed.team import Team
from ptycupy.errors import ConfigError, MemoryShortage
from ptycupy.model.objective import Objective
from ptycupy.reconstruction.callbacks import Quiet
from ptycupy.reconstruction.joint import JointEngine

LOSSES = {"gaussian": {}, "sparsity": {"weight": 0.1}}
PER_POSITION = ("shifts", "tilts")
RATES = {"object_amplitude": 1e-2, "object_phase": 1e-2, "probe": 1e-3, "slice_thickness": 1e-2}


def part(problem: Problem, state: State, chosen: slice) -> tuple[Problem, State]:
    """Some positions of a scan, on the same canvas."""
    cut = {name: getattr(state, name)[chosen] for name in PER_POSITION}
    return replace(problem, patterns=problem.patterns[chosen], corners=problem.corners[chosen]), state.replace(**cut)


def settings(**changes) -> Settings:
    usual = {
        "losses": LOSSES,
        "learning_rates": RATES,
        "constraints": [Constraint("orthogonal_probe"), Constraint("fixed_probe_intensity"), Constraint("depth_blur"),
                        Constraint("lateral_blur", std=0.4), Constraint("amplitude_threshold"),
                        Constraint("position_recentring")],
        "batch_size": 3,
    }  # fmt: skip
    return Settings(**{**usual, **changes})


def same(state: State, other: State, rtol: float = 0.0, names=None) -> None:
    for name, value in state.items():
        if names is None or name in names:
            np.testing.assert_allclose(value, getattr(other, name), rtol=rtol, atol=rtol, err_msg=name)


@pytest.fixture(scope="module")
def backend(cpu_backend):
    return cpu_backend("float64")


@pytest.mark.parametrize("share", [("probe",), ("object",), ("object", "probe")])
def test_one_scan_is_the_single_engine_bit_for_bit(backend, share):
    problem, state = random_scene(positions=11)
    asked = settings(
        learning_rates=RATES | dict.fromkeys(PER_POSITION, 1e-2), gradient_accumulation=2, schedule=lambda n: 1 / n
    )
    alone = Engine(problem, state, asked, backend)
    alone.run(4)
    joint = JointEngine([Engine(problem, state, asked, backend)], share)
    joint.run(4)
    same(joint.first.state, alone.state)
    assert joint.history.total == pytest.approx(alone.history.total, rel=1e-15)
    assert joint.first.history.total == alone.history.total


@pytest.mark.parametrize("optimizer", ["adam", "sgd"])
@pytest.mark.parametrize("accumulated", [1, 2])
def test_two_halves_of_one_scan_are_the_joined_scan(backend, optimizer, accumulated):
    """The same batches in the same order. Under Adam positions and tilts are fixed: its memory of a position decays
    with every step of the joined scan, but only with those of its own half here."""
    problem, state = random_scene(positions=12)
    rates = RATES | dict.fromkeys(PER_POSITION, 1e-2) if optimizer == "sgd" else RATES
    asked = settings(optimizer=optimizer, learning_rates=rates, gradient_accumulation=accumulated)
    whole = Engine(problem, state, asked, backend)
    halves = [Engine(*part(problem, state, chosen), asked, backend) for chosen in (slice(0, 6), slice(6, 12))]
    joint = JointEngine(halves, ["object", "probe"])
    batches = [np.array(batch, np.int32) for batch in ([0, 3, 4], [1, 2, 5])]
    for _ in range(5):
        joint.engines[0].pending, joint.engines[1].pending = list(batches), list(batches[::-1])
        whole.pending = [batches[0], batches[1] + 6, batches[1], batches[0] + 6]
        whole.run(1)
        joint.run(1)
    np.testing.assert_allclose(joint.history.total, whole.history.total, rtol=1e-12)
    same(joint.first.state, whole.state, 1e-11, RATES)
    for name in PER_POSITION:
        found = np.concatenate([getattr(engine.state, name) for engine in joint.engines])
        np.testing.assert_allclose(found, getattr(whole.state, name), rtol=1e-11, atol=1e-12)
    assert len(set(whole.history.total)) == 5, "something moved in every iteration"


def test_the_kernels_of_the_cuda_backend_join_scans_alike(backend, host_cuda_backend):
    problem, state = random_scene(positions=8, slices=2)
    asked = settings(learning_rates=RATES | {"shifts": 1e-2}, gradient_accumulation=2)
    found = []
    for each in (backend, host_cuda_backend("float64")):
        engines = [Engine(*part(problem, state, chosen), asked, each) for chosen in (slice(0, 5), slice(5, 8))]
        joint = JointEngine(engines, ["object", "probe"])
        joint.run(2)
        found.append([engine.state for engine in joint.engines])
    for one, other in zip(*found, strict=True):
        same(one, other, 1e-9)


def test_scans_that_stream_from_disk_take_the_same_steps(backend, tmp_path):
    problem, state = random_scene(positions=12)
    engines = {"device": [], "disk": []}
    for name, chosen in (("one", slice(0, 7)), ("two", slice(7, 12))):
        here, start = part(problem, state, chosen)
        np.save(tmp_path / f"{name}.npy", here.patterns)
        for tier, patterns in (
            ("device", here.patterns),
            ("disk", open_source(Data(path=str(tmp_path / f"{name}.npy")))),
        ):
            streamed = replace(here, patterns=patterns)
            engines[tier].append(Engine(streamed, start, settings(), backend, residency=Residency(tier)))
    joined = [JointEngine(pair, ["object", "probe"]) for pair in engines.values()]
    for one in joined:
        one.run(2)
    assert all(engine.experiment.feed is None for engine in engines["device"])
    assert all(engine.experiment.feed is not None for engine in engines["disk"])
    assert joined[0].history.total == joined[1].history.total
    same(joined[1].engines[0].state, joined[0].engines[0].state)


def test_what_is_not_shared_is_moved_by_its_own_scan_alone(backend):
    """A probe with rate 0 ties nothing together: both scans are then what they are alone."""
    scenes = [random_scene(positions=n, seed=n) for n in (7, 9)]
    probe = scenes[0][1].probe
    scenes = [(problem, state.replace(probe=probe)) for problem, state in scenes]
    asked = settings(
        learning_rates={"object_phase": 1e-2, "shifts": 1e-2}, constraints=[Constraint("position_recentring")]
    )
    joint = JointEngine([Engine(*scene, asked, backend) for scene in scenes], ["probe"])
    joint.engines[1].generator.bit_generator.state = joint.engines[0].generator.bit_generator.state
    joint.run(3)
    for engine, scene in zip(joint.engines, scenes, strict=True):
        alone = Engine(*scene, asked, backend)
        alone.run(3)
        same(engine.state, alone.state)


def test_scans_take_turns_in_proportion_to_their_batches(backend):
    problem, state = random_scene(positions=12)
    engines = [Engine(*part(problem, state, chosen), settings(), backend) for chosen in (slice(0, 9), slice(9, 12))]
    seen = []

    class Watch(Quiet):
        def on_batch(self, engine, number, batches):
            seen.append((engine is engines[0], number, batches))

    watch = Watch()
    JointEngine(engines, ["object", "probe"]).run(1, of_scans=[[watch], [watch]])
    assert seen == [(True, 1, 3), (False, 1, 1), (True, 2, 3), (True, 3, 3)]


def test_shared_arrays_stay_one_through_growth_and_divergence(backend):
    """Positions that leave the canvas make it grow for all; an exploding loss puts all back."""
    problem, state = random_scene(positions=12, slices=1)
    leap = settings(
        learning_rates={"object_phase": 1e-3, "shifts": 3.0}, constraints=[], on_divergence="halve_lr", optimizer="adam"
    )
    engines = [Engine(*part(problem, state, chosen), leap, backend) for chosen in (slice(0, 6), slice(6, 12))]
    joint = JointEngine(engines, ["object", "probe"])
    canvas = joint.first.parameters.canvas
    joint.run(3)
    assert joint.first.parameters.canvas > canvas
    for engine in engines:
        assert engine.parameters.object_phase is joint.first.parameters.object_phase
        assert engine.moments["object_phase"] is joint.first.moments["object_phase"]
        room = np.subtract(engine.parameters.canvas, engine.parameters.window)
        corners = engine.problem.corners
        assert ((corners >= 0) & (corners <= room)).all()
    moved = engines[0].initial_positions[0] - (problem.corners[0] + state.shifts[0])
    np.testing.assert_allclose(
        engines[1].initial_positions - problem.corners[6:] - state.shifts[6:], moved + 0 * state.shifts[6:]
    )


def test_a_loss_that_explodes_takes_all_scans_back(backend, caplog):
    problem, state = random_scene(positions=12, slices=1)
    leap = settings(learning_rates={"object_amplitude": 3e4}, constraints=[], on_divergence="halve_lr")
    engines = [Engine(*part(problem, state, chosen), leap, backend) for chosen in (slice(0, 6), slice(6, 12))]
    joint = JointEngine(engines, ["object", "probe"])
    joint.run(1)
    assert "half the learning rates" in caplog.text
    factors = {engine.learning_rate_factor for engine in engines}
    assert len(factors) == 1
    assert factors.pop() < 1
    assert engines[0].parameters.object_amplitude is engines[1].parameters.object_amplitude
    assert np.isfinite(joint.history.total).all()


def test_a_stopped_joint_run_goes_on_as_if_it_never_had(backend):
    problem, state = random_scene(positions=12)

    def engines():
        asked = settings(learning_rates=RATES | {"shifts": 1e-2})
        return [Engine(*part(problem, state, chosen), asked, backend) for chosen in (slice(0, 7), slice(7, 12))]

    whole, cut = JointEngine(engines(), ["object", "probe"]), JointEngine(engines(), ["object", "probe"])
    whole.run(4)

    class Stop(Quiet):
        def on_batch(self, engine, number, batches):
            engine.stop_requested = engine.iteration == 2 and number == 3

    cut.run(4, [Stop()])
    assert cut.iteration == 2
    assert any(engine.pending for engine in cut.engines)
    again = engines()
    for engine, stopped in zip(again, cut.engines, strict=True):
        engine.restore(stopped.snapshot())
    resumed = JointEngine(again, ["object", "probe"])
    resumed.run(2)
    for engine, other in zip(resumed.engines, whole.engines, strict=True):
        same(engine.state, other.state)
    assert resumed.history.total == whole.history.total


def test_memory_that_runs_out_halves_the_sub_batch_and_changes_nothing(backend, monkeypatch):
    problem, state = random_scene(positions=12)
    joints = [
        JointEngine(
            [Engine(*part(problem, state, c), settings(), backend) for c in (slice(0, 6), slice(6, 12))],
            ["probe", "object"],
        )
        for _ in range(2)
    ]
    joints[0].run(2)
    accumulate, tried = Objective.accumulate, []

    def short(self, parameters, gradients, indices, values, factor=1.0):
        accumulate(self, parameters, gradients, indices, values, factor)
        tried.append(self.sub_batch)
        if len(tried) == 2:
            raise MemoryShortage("full")

    monkeypatch.setattr(Objective, "accumulate", short)
    joints[1].run(2)
    assert min(tried) == 2
    same(joints[1].first.state, joints[0].first.state, 1e-12)
    assert joints[1].history.total == pytest.approx(joints[0].history.total, rel=1e-12)


class Own:
    """A user's constraint that does not say what it changes."""

    def __call__(self, backend, parameters, context):
        """Nothing."""


@pytest.mark.parametrize(
    ("changes", "share", "message"),
    [
        ({}, ["probes"], "must name what scans have in common: probe, object"),
        ({"optimizer": "lbfgs"}, ["probe"], "optimizer Lbfgs: cannot be used"),
        ({"constraints": [Constraint("depth_recentring")]}, ["probe"], "DepthRecentring: changes probe, which"),
        ({"constraints": [Constraint("phase_ramp_removal")]}, ["object", "probe"], "together with tilts"),
        ({"constraints": [Constraint(Own())]}, ["probe"], "Own: does not say which fields"),
    ],
)  # fmt: skip
def test_what_cannot_be_shared_is_refused(backend, changes, share, message):
    engine = Engine(*random_scene(), settings(**changes), backend)
    with pytest.raises(ConfigError, match=message):
        JointEngine([engine, engine], share)


def test_scans_must_fit_each_other(backend, cpu_backend):
    first = Engine(*random_scene(), settings(), backend)
    with pytest.raises(ConfigError, match=r"scan 2: probe \(2, 10, 12\) cannot be shared"):
        JointEngine([first, Engine(*random_scene(window=(10, 12)), settings(), backend)], ["probe"])
    with pytest.raises(ConfigError, match="scan 2: pixel sizes 0.2 x 0.25 angstrom and 0.21 x 0.25 angstrom differ"):
        JointEngine([first, Engine(*random_scene(pixel_size=(0.21, 0.25)), settings(), backend)], ["probe"])
    with pytest.raises(ConfigError, match="another backend"):
        JointEngine([first, Engine(*random_scene(), settings(), cpu_backend("float32"))], ["probe"])


def test_gauge_constraints_move_all_positions_with_a_shared_probe(backend):
    """The probe's centring is taken back by the shifts of every scan, so that no pattern changes."""
    scenes = [random_scene(positions=5, seed=n) for n in (1, 2)]
    asked = settings(learning_rates={}, constraints=[Constraint("probe_centring")])
    joint = JointEngine([Engine(*scene, asked, backend) for scene in scenes], ["probe"])
    before = [engine.predict(np.arange(5)) for engine in joint.engines]
    joint.run(1)
    moved = [engine.state.shifts - state.shifts for engine, (_, state) in zip(joint.engines, scenes, strict=True)]
    assert np.abs(moved[0]).max() > 0.01
    np.testing.assert_allclose(moved[1], moved[0][:5])
    assert joint.engines[0].predict(np.arange(5)) == pytest.approx(before[0], rel=0.05, abs=0.05 * before[0].max())


# --- several ranks --------------------------------------------------------------------------------------------
def of_ranks(team: Team | None, share: tuple[str, ...], **changes) -> list[State]:
    """Two scans of 7 and 5 positions after some iterations, on one process or dealt out to a team's ranks."""
    problem, state = random_scene(positions=12)
    asked = settings(learning_rates=RATES | dict.fromkeys(PER_POSITION, 1e-2), **changes)
    engines, backend = [], backends.select("cpu", "float64")
    for chosen in (slice(0, 7), slice(7, 12)):
        given, more = part(problem, state, chosen), {}
        if team is not None:
            more = {"ranks": team.sibling()}
            more["ranks"].deal(np.arange(len(given[0].corners), dtype=np.int32), alternating=False)
        engines.append(Engine(*given, asked, backend, **more))
    joint = JointEngine(engines, share)
    joint.run(4)
    states = [engine.state for engine in joint.engines]
    assert len(set(joint.history.total)) == 4
    return states


@pytest.mark.parametrize("share", [("probe",), ("object", "probe")])
@pytest.mark.parametrize("accumulated", [1, 2])
def test_scans_on_several_ranks_go_the_way_of_one(share, accumulated):
    alone = of_ranks(None, share, gradient_accumulation=accumulated)
    many = together(3, lambda team: of_ranks(team, share, gradient_accumulation=accumulated))
    for states in many:
        for one, other in zip(alone, states, strict=True):
            same(one, other, TOLERANCE["float64"])


def test_a_rank_without_memory_makes_all_begin_the_batch_of_a_scan_again(monkeypatch):
    alone, failed = of_ranks(None, ("probe",)), []
    accumulate = Objective.accumulate

    def short(self, parameters, gradients, batch, *rest):
        if self.ranks.rank == 1 and self.experiment.positions == 5 and len(failed) < 2:
            failed.append(len(batch))
            raise MemoryShortage("no room")
        return accumulate(self, parameters, gradients, batch, *rest)

    monkeypatch.setattr(Objective, "accumulate", short)
    many = together(2, lambda team: of_ranks(team, ("probe",)))
    assert len(failed) == 2
    for states in many:
        for one, other in zip(alone, states, strict=True):
            same(one, other, TOLERANCE["float64"])
