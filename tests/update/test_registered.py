"""Parts of another package: loss terms, optimizers and constraints, as entry points in YAML and as objects."""

from __future__ import annotations

from importlib.metadata import EntryPoint

import numpy as np
import pytest
import tiny_run
from scenes import random_scene

from ptycupy import Constraint, Engine, Settings
from ptycupy.cli import main
from ptycupy.errors import ConfigError
from ptycupy.model.losses import make_terms
from ptycupy.storage.result import load_result
from ptycupy.update.constraints import make_constraint
from ptycupy.update.optimizers import Adam, make_optimizer

PARTS = """
from dataclasses import dataclass
from ptycupy.model.losses import Gaussian
from ptycupy.update.optimizers import Moments

class Total(Gaussian):
    "The amplitude loss under another name."

@dataclass
class Descent:
    damping: float
    def init(self, backend, parameter):
        names = "first", "second"
        return Moments({name: backend.zeros(parameter.shape, parameter.dtype) for name in names})
    def update(self, backend, parameter, grad, moments, learning_rate):
        moments.step += 1
        rate = learning_rate / self.damping
        backend.adam(parameter, grad, *moments.arrays.values(), rate, moments.step, 0, 0, 1)

@dataclass
class Still:
    phase: float = 0.0
    def __call__(self, backend, parameters, context):
        backend.fill(parameters.object_phase, self.phase)
"""
GROUPS = {
    "ptycupy.losses": [EntryPoint("total", "own_parts:Total", "ptycupy.losses")],
    "ptycupy.optimizers": [
        EntryPoint("Descent", "own_parts:Descent", "ptycupy.optimizers"),
        EntryPoint("broken", "own_parts:Absent", "ptycupy.optimizers"),
    ],
    "ptycupy.constraints": [EntryPoint("still", "own_parts:Still", "ptycupy.constraints")],
}


@pytest.fixture
def installed(tmp_path, monkeypatch):
    """A package with one part of each kind."""
    (tmp_path / "own_parts.py").write_text(PARTS, encoding="utf-8")
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.setattr("ptycupy.config.registered.entry_points", lambda group: GROUPS.get(group, []))
    tiny_run.without_pictures(monkeypatch)


def own_config(tmp_path, **changes):
    """tiny.yaml with the three own parts; `changes` replace text by text."""
    config = tiny_run.write(tmp_path / "run", iterations=2)
    text = config.read_text(encoding="utf-8")
    text = text.replace("optimizer: {", "optimizer: {name: Descent, options: {damping: 2.0}, ")
    text = text.replace("constraints: []", "constraints: [{name: still, phase: 0.25}]")
    text += "losses: {gaussian: null, sparsity: null, total: {weight: 2.0, power: 0.5}}\n"
    for old, new in changes.items():
        assert old in text
        text = text.replace(old, new)
    config.write_text(text, encoding="utf-8")
    return config


@pytest.mark.usefixtures("installed")
def test_a_configuration_names_the_parts_of_another_package(tmp_path):
    config = own_config(tmp_path)
    assert main(["recon", str(config), "--backend", "cpu", "-q"]) == 0
    result = load_result(tiny_run.run_folder(config) / "result.h5")
    assert list(result.history.losses) == ["total"]
    np.testing.assert_array_equal(result.state.object_phase, np.float32(0.25))
    assert result.moments["object_phase"].step == 8
    assert "damping: 2.0" in result.config
    assert (
        main(["recon", str(config), "--backend", "cpu", "-q", "--resume", "--set", "reconstruction.iterations=3"]) == 0
    )
    assert load_result(tiny_run.run_folder(config) / "result.h5").iteration == 3


@pytest.mark.usefixtures("installed")
@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("total:", "totl:", "losses.totl: unknown key; did you mean total?"),
        ("total: {weight: 2.0, power: 0.5}", "total: 3", "losses.total: expected a mapping"),
        ("power:", "powr:", "losses.total: unknown parameter 'powr'; known are weight, power; did you mean power?"),
        ("Descent", "Desent", "did you mean Descent?"),
        ("Descent", "broken", "own_parts:Absent, registered as ptycupy.optimizers, cannot be imported"),
        ("damping: 2.0", "", "optimizer Descent: damping must be given"),
        ("still", "stil", "did you mean still?"),
        ("phase: 0.25", "phas: 0.25", "constraint still: unknown parameter 'phas'"),
        ("total: {weight: 2.0, power: 0.5}", "total: null", "none compares with the data"),
    ],
)
def test_what_they_cannot_be_is_refused_by_name(tmp_path, capsys, old, new, message):
    config = own_config(tmp_path, **{old: new})
    assert main(["recon", str(config), "--backend", "cpu", "-q"]) == 2
    assert message in capsys.readouterr().err
    assert not (config.parent / "runs").exists()


def test_without_the_package_its_names_are_unknown(tmp_path, capsys):
    assert main(["validate", str(own_config(tmp_path))]) == 2
    told = capsys.readouterr().err
    assert "losses.total: unknown key" in told
    assert "unknown name 'Descent'" in told
    assert "unknown name 'still'" in told


def test_objects_work_without_being_registered():
    calls = []

    class Counted(Adam):
        def update(self, *given):
            calls.append("update")
            super().update(*given)

    def still(backend, parameters, context):
        calls.append(context.scan_shape)
        backend.fill(parameters.object_phase, 0.0)

    problem, state = random_scene()
    rates = {"object_phase": 1e-2}
    for constraints in ([], [Constraint(still, start=2)]):
        engine = Engine(problem, state, Settings({"gaussian": {}}, Counted(), rates, constraints=constraints), "cpu")
        engine.run(2)
    assert calls == ["update", "update", "update", "update", problem.scan_shape]
    assert not engine.state.object_phase.any()


def test_unknown_parts_are_named_with_the_nearest():
    with pytest.raises(ConfigError, match=r"losses\.gausian: unknown; .*did you mean gaussian"):
        make_terms({"gausian": {}})
    with pytest.raises(ConfigError, match=r"optimizer adma: unknown; known are .*; did you mean adam"):
        make_optimizer("adma")
    with pytest.raises(ConfigError, match="constraint depth_blur: unknown parameter 'sigma'"):
        make_constraint(Constraint("depth_blur", sigma=1))
