"""Measured patterns padded and resampled batch by batch: the same loss and gradients as if it had been done before."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from scenes import random_scene

import ptycupy
from ptycupy import backends
from ptycupy.data import ArraySource
from ptycupy.data.pad import PadPatterns
from ptycupy.data.resample import ResamplePatterns
from ptycupy.data.views import MappedSource
from ptycupy.errors import ConfigError, DataError
from ptycupy.experiment.state import Problem, State
from ptycupy.model.experiment import place
from ptycupy.model.parameters import upload

LOSSES = {"gaussian": {}, "poisson": {}, "pacbed": {}}
CASES: dict[str, dict[str, Any]] = {
    "pad": {"pad": (15, 14), "window": (15, 14)},
    "pad one axis": {"pad": (9, 14), "window": (9, 14)},
    "resample": {"factors": (2.0, 1.5), "window": (18, 12)},
    "both": {"pad": (12, 13), "factors": (1.5, 2.0), "window": (18, 26)},
    "crop and blur": {"pad": (12, 13), "factors": (1.0, 2.0), "window": (15, 30), "detector_blur": 0.8},
}


def scene(window: tuple[int, int], **problem: Any) -> tuple[Problem, State]:
    problem = {"detector": (9, 8), "positions": 5, "seed": 3, **problem}
    return random_scene(window=window, slices=2, **problem)


def both_ways(
    pad: tuple[int, int] | None = None, factors: tuple[float, float] | None = None, **given: Any
) -> tuple[Problem, Problem, State]:
    """A problem whose patterns are changed on the fly, the same one with changed patterns, and their state."""
    problem, state = scene(**given)
    mask = np.ones((9, 8), bool)
    mask[3, 4] = False
    scale = 0.7
    patterns = np.where(mask, problem.patterns, np.nan)
    source: Any = ArraySource(patterns)
    around = None
    if pad is not None:
        around = np.random.default_rng(5).uniform(0.1, 1, pad)
        source = MappedSource.of(source, PadPatterns(around / scale))
    if factors is not None:
        source = MappedSource.of(source, ResamplePatterns(factors))
    changes = {"mask": mask, "pattern_scale": scale, "pattern_padding": around, "pattern_resampling": factors}
    before = replace(problem, patterns=source.read(np.arange(5)), pattern_scale=scale)
    return replace(problem, **changes), before, state


@pytest.mark.parametrize("case", CASES.values(), ids=CASES)
def test_on_the_fly_equals_precomputed(case: dict[str, Any]) -> None:
    late, early, state = both_ways(**case)
    indices = [4, 0, 2]
    loss, grads = ptycupy.loss_and_gradients(late, state, indices, LOSSES, "cpu", "float64")
    expected, expected_grads = ptycupy.loss_and_gradients(early, state, indices, LOSSES, "cpu", "float64")
    assert loss.total == pytest.approx(expected.total, rel=1e-6)
    for (name, found), (_, wanted) in zip(grads.items(), expected_grads.items(), strict=True):
        np.testing.assert_allclose(found, wanted, rtol=0, atol=1e-6 * np.abs(wanted).max(), err_msg=name)


def test_the_beam_stays_in_the_centre_and_masked_pixels_spread() -> None:
    for detector, padded in (((4, 5), (7, 8)), ((5, 4), (6, 9)), ((3, 4), (3, 5))):
        problem, state = scene(window=padded, detector=detector)
        patterns = np.zeros((5, *detector))
        patterns[:, detector[0] // 2, detector[1] // 2] = 9
        problem = replace(problem, patterns=patterns, pattern_padding=np.full(padded, 0.25))
        engine = ptycupy.Engine(problem, state, ptycupy.Settings({"gaussian": {}}), "cpu")
        measured = engine.measured([1])[0]
        assert measured[padded[0] // 2, padded[1] // 2] == 9
        assert np.count_nonzero(measured == 0.25) == np.prod(padded) - np.prod(detector)
    late, early, state = both_ways(factors=(2.0, 2.0), window=(18, 16))
    settings = ptycupy.Settings({"gaussian": {}})
    found = ptycupy.Engine(late, state, settings, "cpu", "float64").measured([0, 3])
    expected = np.asarray(early.patterns)[[0, 3]] * 0.7
    np.testing.assert_allclose(found, np.where(np.isnan(expected), -1, expected), rtol=1e-6)
    assert np.count_nonzero(found[0] == -1) == 16


def test_patterns_without_weight_have_no_background_either() -> None:
    late, _, state = both_ways(pad=(15, 14), window=(15, 14))
    late = replace(late, pattern_weights=np.array([True, False, True, True, True]))
    engine = ptycupy.Engine(late, state, ptycupy.Settings({"gaussian": {}}), "cpu")
    assert (engine.measured([1]) == -1).all()


@pytest.mark.parametrize("dtype", ["uint8", "float16"])
def test_only_the_small_patterns_are_stored(dtype: str) -> None:
    """The padded stack, 64 times as large and four times as wide, exists nowhere: neither stored nor for a moment."""
    import tracemalloc

    count, small, large = 400, (16, 16), (128, 128)
    problem, state = random_scene(positions=count, window=large, detector=small, slices=1, probe_modes=1)
    patterns = (problem.patterns * 50).astype(dtype)
    problem = replace(problem, patterns=patterns, pattern_padding=np.zeros(large))
    backend = backends.select("cpu", "float32")
    parameters = upload(backend, state)
    tracemalloc.start()
    experiment = place(backend, problem, parameters)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert experiment.patterns.dtype == dtype
    assert experiment.patterns.shape == (count, *small)
    assert experiment.detector_shape == large
    assert peak < count * 128 * 128 * 4 / 10


def test_backgrounds_that_do_not_fit_are_refused() -> None:
    problem, state = scene(window=(15, 14))
    for background, error, message in (
        (np.zeros((8, 14)), ConfigError, r"pattern_padding \(8, 14\) must be .* \(9, 8\)"),
        (np.full((15, 14), -1.0), DataError, "nowhere negative"),
        (np.full((15, 14), np.nan), DataError, "nowhere negative"),
    ):
        with pytest.raises(error, match=message):
            ptycupy.forward(replace(problem, pattern_padding=background), state, [0], "cpu")
