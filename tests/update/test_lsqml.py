"""Least-squares maximum likelihood on simulated scenes, and its step against the least squares that it solves."""

from __future__ import annotations

import numpy as np
import pytest
from scenes import random_scene

import ptycupy
from ptycupy import Engine, Settings
from ptycupy.backends import select
from ptycupy.errors import ConfigError
from ptycupy.experiment.state import FIELDS
from ptycupy.reconstruction.callbacks import Quiet
from ptycupy.storage.result import load_result
from ptycupy.update.optimizers import make_optimizer
from ptycupy.update.optimizers.lsqml import Lsqml, Step
from ptycupy.update.schedules import make_schedule

RATES = {"object_amplitude": 5e-4, "object_phase": 5e-4, "probe": 1e-4}


def simulated(slices, **options):
    """Patterns of a known object, and a start without it."""
    problem, truth = random_scene(
        positions=24, window=(16, 16), probe_modes=2, object_modes=1, slices=slices, tilt_per_position=False, **options
    )
    flat = truth.replace(shifts=np.zeros_like(truth.shifts), tilts=np.zeros_like(truth.tilts))
    truth = flat.replace(object_amplitude=np.ones_like(flat.object_amplitude), object_phase=flat.object_phase)
    patterns = ptycupy.forward(problem, truth, np.arange(24), "cpu", "float64") * 50
    changed = {name: getattr(problem, name) for name in problem.__dataclass_fields__} | {"patterns": patterns}
    probe = truth.probe * np.sqrt(50)
    start = truth.replace(object_phase=np.zeros_like(truth.object_phase), probe=probe * 1.1)
    return ptycupy.Problem(**changed), start


def totals(problem, start, optimizer, iterations, **options):
    settings = Settings({"gaussian": {}}, optimizer, RATES, **{"batch_size": 8, **options})
    engine = Engine(problem, start, settings, "cpu")
    engine.run(iterations)
    return engine.history.total


def test_one_slice_gets_further_in_ten_iterations_than_adam():
    problem, start = simulated(1)
    adam, found = (totals(problem, start, name, 10) for name in ("adam", "lsqml"))
    assert found[-1] < 0.5 * adam[-1]


def test_the_object_comes_out_as_it_was():
    problem, start = simulated(1)
    truth = random_scene(positions=24, window=(16, 16), probe_modes=2, object_modes=1, slices=1)[1].object_phase
    engine = Engine(problem, start, Settings({"gaussian": {}}, "lsqml", RATES, batch_size=8), "cpu")
    engine.run(30)
    inside = (0, 0, slice(5, -5), slice(5, -5))  # what most patterns see
    assert np.corrcoef(engine.state.object_phase[inside].ravel(), truth[inside].ravel())[0, 1] > 0.95


@pytest.mark.parametrize("grouping", ["random", "compact", "sparse"])
def test_three_slices_get_better_with_every_iteration(grouping):
    problem, start = simulated(3)
    found = totals(problem, start, "lsqml", 6, grouping=grouping)
    assert found == sorted(found, reverse=True)
    assert found[-1] < 0.7 * found[0]


def test_momentum_gets_further():
    problem, start = simulated(1)
    plain, fast = (totals(problem, start, make_optimizer("lsqml", momentum=m), 8) for m in (0.0, 0.5))
    assert fast[-1] < plain[-1]


class StopInThirdIteration(Quiet):
    def on_batch(self, engine, number, batches):
        engine.stop_requested = engine.iteration == 2 and number == 1


def test_it_resumes_from_a_file_bit_for_bit_within_an_iteration(tmp_path):
    """Momentum in its middle, and all that Adam refines beside it."""
    problem, start = random_scene(positions=7, optional=True)
    rates = {**dict.fromkeys(FIELDS, 1e-3), **RATES}
    settings = Settings({"gaussian": {}}, make_optimizer("lsqml", momentum=0.5), rates, batch_size=3)
    whole, begun, again = (Engine(problem, start, settings, "cpu") for _ in range(3))
    whole.run(4)
    begun.run(4, [StopInThirdIteration()])
    assert (begun.iteration, len(begun.pending)) == (2, 2)
    begun.save(tmp_path / "result.h5")
    again.restore(load_result(tmp_path / "result.h5"))
    again.run(2)
    for name, found in again.state.items():
        np.testing.assert_array_equal(found, getattr(whole.state, name), err_msg=name)
        at_first = getattr(start, name)
        assert found.shape != at_first.shape or (found != at_first).any(), name  # the canvas grows
    assert again.history.total == whole.history.total


def work_of(engine, batch):
    """What the engine hands its algorithm for one batch."""
    caught = []
    engine.algorithm = type("Catch", (), {"advance": lambda self, work: caught.append(work)})()
    engine.step(batch)
    return caught[0]


def products_and_waves(engine, batch, monkeypatch):
    """A step of lsqml, and what its least squares are of."""
    step = Step(work_of(engine, batch), 0.1)
    step.find_directions()
    seen, real = [], type(engine.backend).lsqml_products

    def products(self, waves, u, v, grad, occupancy):
        seen.append([x.copy() for x in (waves, u, v, grad)])
        return real(self, waves, u, v, grad, occupancy)

    monkeypatch.setattr(type(engine.backend), "lsqml_products", products)
    return step, step.products(), [np.concatenate(x) for x in zip(*seen, strict=True)]


@pytest.mark.parametrize("scene", [{"object_modes": 1}, {"optional": True}], ids=["plain", "everything"])
def test_steps_solve_the_least_squares_of_what_the_waves_lack(scene, monkeypatch):
    problem, state = random_scene(**scene)
    rates = {**RATES, "shifts": 1e-3}
    engine = Engine(problem, state, Settings({"gaussian": {}}, "lsqml", rates, batch_size=5), "cpu", "float64")
    step, products, (waves, u, v, grad) = products_and_waves(engine, np.arange(5), monkeypatch)
    measured = np.fft.ifftshift(problem.patterns, axes=(1, 2))
    model = np.fft.ifftshift(ptycupy.forward(problem, state, np.arange(5), "cpu", "float64"), axes=(1, 2))
    np.testing.assert_allclose(grad, 1 - np.sqrt(measured / model), rtol=1e-9, atol=1e-12)
    weights = np.sqrt(np.asarray(engine.experiment.occupancy))[:, None, None, None]
    found = []
    for n in range(5):
        chi, *changes = (x * weights for x in (-grad[n] * waves[n], u[n], v[n]))
        matrix = np.stack([np.r_[x.real.ravel(), x.imag.ravel()] for x in changes], 1)
        found.append(np.linalg.lstsq(matrix, np.r_[chi.real.ravel(), chi.imag.ravel()], rcond=None)[0])
    np.testing.assert_allclose(engine.backend.lsqml_steps(products), np.mean(found, axis=0), rtol=1e-6)


@pytest.mark.parametrize("optional", [False, True], ids=["plain", "everything"])
def test_directions_are_gradients_of_the_amplitudes_misfit(optional):
    """So large a delta leaves the gradients, times one number per slice: against central differences."""
    problem, state = random_scene(optional=optional)
    engine = Engine(problem, state, Settings({"gaussian": {}}, "lsqml", RATES, batch_size=5), "cpu", "float64")
    step = Step(work_of(engine, np.arange(5)), 1e9)
    step.find_directions()
    g = np.random.default_rng(2)

    def misfit(state):
        model = ptycupy.forward(problem, state, np.arange(5), "cpu", "float64")
        return ((np.sqrt(model) - np.sqrt(problem.patterns)) ** 2).sum()

    def ratio(found, move):
        direction = g.standard_normal(found.shape) + 1j * g.standard_normal(found.shape)
        slope = (misfit(move(1e-5 * direction)) - misfit(move(-1e-5 * direction))) / 2e-5
        return -np.vdot(found, direction).real / slope

    def with_slice(s, change):
        turned = state.object_amplitude * np.exp(1j * state.object_phase)
        turned[:, s] += change
        return state.replace(object_amplitude=np.abs(turned), object_phase=np.angle(turned))

    moves = [(step.object[:, s], lambda change, s=s: with_slice(s, change)) for s in range(3)]
    for found, move in [*moves, (step.probe, lambda change: state.replace(probe=state.probe + change))]:
        first, second = ratio(found, move), ratio(found, move)
        assert first > 0
        assert first == pytest.approx(second, rel=1e-5)


def test_sub_batches_make_the_same_step():
    problem, start = random_scene(positions=8, optional=True)
    found = [
        Engine(problem, start, Settings({"gaussian": {}}, Lsqml(), RATES, batch_size=8, sub_batch=n), "cpu", "float64")
        for n in (16, 5)
    ]
    for engine in found:
        engine.step(range(8))
    for name in RATES:
        one, parts = (getattr(engine.state, name) for engine in found)
        np.testing.assert_allclose(one, parts, atol=1e-10, err_msg=name)


def test_what_has_no_learning_rate_stays():
    problem, start = simulated(1)
    settings = Settings({"gaussian": {}}, "lsqml", {"object_phase": 1.0}, batch_size=8)
    engine = Engine(problem, start, settings, "cpu", "float64")
    engine.run(1)
    np.testing.assert_array_equal(engine.state.probe, start.probe)
    np.testing.assert_array_equal(engine.state.object_amplitude, start.object_amplitude)
    assert (engine.state.object_phase != 0).any()


def test_a_schedule_scales_its_steps():
    problem, start = simulated(1)
    moved = []
    for factor in (1.0, 0.25):
        schedules = {"schedule": lambda _, f=factor: f, "schedules": {"object_amplitude": lambda _: 0.5}}
        settings = Settings({"gaussian": {}}, "lsqml", RATES, **schedules, batch_size=24)
        engine = Engine(problem, start, settings, "cpu", "float64")
        engine.step(range(24))
        moved.append(engine.state)
    probes = [state.probe - start.probe for state in moved]
    np.testing.assert_allclose(probes[1], 0.25 * probes[0], rtol=1e-9, atol=1e-12)
    np.testing.assert_array_equal(moved[0].object_amplitude, moved[1].object_amplitude)
    assert (moved[0].object_phase != moved[1].object_phase).any()


def test_momenta_of_a_schedule_are_its_momentum():
    problem, start = simulated(1)
    steady = make_schedule("cyclic", least=1.0, up=1, momenta=(0.5, 0.5))
    found = []
    for optimizer, schedule in ((Lsqml(momentum=0.5), None), (Lsqml(), steady)):
        settings = Settings({"gaussian": {}}, optimizer, RATES, schedule, batch_size=8)
        engine = Engine(problem, start, settings, "cpu")
        engine.run(4)
        found.append(engine.history.total)
    assert found[0] == found[1]


@pytest.mark.parametrize("options", [{"momentum": 1.0}, {"momentum": -0.1}, {"delta": -1.0}, {"beta_probe": np.nan}])
def test_options_out_of_range_are_named(options):
    with pytest.raises(ConfigError, match=next(iter(options))):
        make_optimizer("lsqml", **options)


def test_all_its_arithmetic_is_in_kernels():
    """On the CPU backend behind arrays that refuse arithmetic."""
    from test_layers import SealedBackend

    problem, start = random_scene(optional=True)
    settings = Settings({"gaussian": {}}, Lsqml(momentum=0.5), {**RATES, "shifts": 1e-3, "descan": 1e-3}, batch_size=3)
    engine = Engine(problem, start, settings, SealedBackend(select("cpu", "float64")), "float64")
    engine.run(2)
    assert engine.iteration == 2
