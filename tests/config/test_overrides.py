"""`--set key.path=value`."""

from __future__ import annotations

import pytest

from ptycupy.config import from_dict
from ptycupy.config.schema import DEFAULT_CONSTRAINTS

RIGHT = {"data": {"path": "x.h5"}, "illumination": {"voltage_kv": 80, "convergence_angle_mrad": 24.9}}


@pytest.mark.parametrize(
    ("override", "path", "value"),
    [
        ("reconstruction.iterations=50", "reconstruction.iterations", 50),
        ("optimizer.probe=1e-3", "optimizer.probe.learning_rate", 1e-3),
        ("optimizer.probe.learning_rate=.5", "optimizer.probe.learning_rate", 0.5),
        ("data.scan_shape=[4, 8]", "data.scan_shape", (4, 8)),
        ("illumination.aberrations={C10: -20}", "illumination.aberrations", {"C10": -20.0}),
        ("illumination.aberrations.C10=-20", "illumination.aberrations", {"C10": -20.0}),
        ("output.name=a=b", "output.name", "a=b"),
        ("output.name='1e3'", "output.name", "1e3"),
        ("losses.sparsity=null", "losses.sparsity", None),
        ("losses.sparsity=", "losses.sparsity", None),
        ("losses.poisson.weight=2", "losses.poisson.weight", 2.0),
        ("backend=cuda:1", "backend.device", "cuda:1"),
    ],
)
def test_values_follow_the_rules_of_yaml(override, path, value):
    found = from_dict(RIGHT, [override])
    for part in path.split("."):
        found = getattr(found, part)
    assert found == value


def test_the_last_override_wins_and_the_file_is_overridden(load, right):
    config = load(right + "reconstruction: {iterations: 5}\n", "reconstruction.iterations=6", "reconstruction.seed=3")
    assert config.reconstruction.iterations == 6
    config = load(right, "reconstruction.iterations=6", "reconstruction.iterations=7")
    assert config.reconstruction.iterations == 7


def test_a_bare_value_keeps_its_meaning_when_a_neighbour_is_set(load, right):
    config = load(right + "backend: cpu\noptimizer: {probe: 0.5}\n", "backend.fft=own", "optimizer.probe.start=4")
    assert (config.backend.device, config.backend.fft) == ("cpu", "own")
    assert (config.optimizer.probe.learning_rate, config.optimizer.probe.start) == (0.5, 4)


def test_constraints_by_name_and_by_index(load, right):
    text = right + "constraints: [{name: depth_blur, std: 1.0}, {name: lateral_blur}]\n"
    config = load(text, "constraints.depth_blur.std=3", "constraints.1.end=9", "constraints.positive_phase.relax=0.5")
    assert [(c.name, c.end, c.model_extra) for c in config.constraints] == [
        ("depth_blur", None, {"std": 3}),
        ("lateral_blur", 9, {}),
        ("positive_phase", None, {"relax": 0.5}),
    ]


def test_setting_one_default_constraint_keeps_the_others(load, right):
    config = load(right, "constraints.depth_blur.std=2.5")
    assert [c.name for c in config.constraints] == [c.name for c in DEFAULT_CONSTRAINTS]
    assert config.constraints[2].model_extra == {"std": 2.5}


def test_an_alias_is_not_changed_through_its_other_name(load, right):
    text = right + "optimizer: {object_amplitude: &r {learning_rate: 1.0}, object_phase: *r}\n"
    config = load(text, "optimizer.object_phase.learning_rate=2")
    assert config.optimizer.object_amplitude.learning_rate == 1.0
    assert config.optimizer.object_phase.learning_rate == 2.0


@pytest.mark.parametrize(
    ("override", "expected"),
    [
        ("iterations", "--set iterations: expected key.path=value, e.g. reconstruction.iterations=50"),
        ("=5", "--set =5: expected key.path=value"),
        ("a..b=5", "--set a..b=5: expected key.path=value"),
        (
            "iterations=5",
            "--set iterations=5: iterations: unknown key; did you mean reconstruction.iterations or tune.iterations?",
        ),
        (
            "scan.jitter_px=off",
            "--set scan.jitter_px=off: scan.jitter_px: expected a number (px), found the text 'off'",
        ),
        ("data.scan_shape=[4, 8", "--set data.scan_shape=[4, 8: not YAML: "),
        ("output=!!python/name:os.system x", "--set output=!!python/name:os.system x: tag "),
        ("constraints.17.std=1", "--set constraints.17.std=1: constraints has no item 17; it has 6 items"),
        ("constraints.depthblur.std=1", "--set constraints.depthblur.std=1: constraints.depthblur.name: unknown name"),
        (".".join("a" * 40) + "=1", "--set a.a.a"),
        ("reconstruction.seed.x=1", "--set reconstruction.seed.x=1: reconstruction.seed: expected a whole number"),
    ],
)
def test_refusals_name_the_override(refused, right, override, expected):
    assert refused(right, override)[0].startswith(expected)


def test_a_value_of_the_file_without_keys_of_its_own(refused, right):
    (line,) = refused(right + "reconstruction: {seed: 4}\n", "reconstruction.seed.x=1")
    assert line == "cfg.yaml:3: reconstruction.seed is 4, which has no keys of its own"
