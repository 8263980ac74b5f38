"""Several reconstructions after each other in one run folder."""

import re

import numpy as np
import pytest
import tiny_run

from ptycupy.api import run
from ptycupy.cli import main
from ptycupy.config import from_dict, stage_configs
from ptycupy.errors import ConfigError
from ptycupy.storage.result import load_result

STAGES = """
stages:
  - reconstruction: {{iterations: {first}}}
  - optimizer: {{object_phase: 5e-3}}
    reconstruction: {{iterations: {second}}}
"""


@pytest.fixture(autouse=True)
def _no_figures(monkeypatch):
    monkeypatch.setattr(run, "write_outputs", lambda *given, **named: None)


def staged(folder, *, first=4, second=4):
    config = tiny_run.write(folder)
    config.write_text(config.read_text() + STAGES.format(first=first, second=second))
    return config


def recon(config, *arguments):
    return main(["recon", str(config), "--backend", "cpu", "-q", "--set", "output.name=run", *arguments])


def test_each_stage_starts_where_the_one_before_ended_and_keeps_its_history(tmp_path):
    config = staged(tmp_path)
    assert recon(config) == 0
    folder = tmp_path / "runs" / "run"
    first, second = load_result(folder / "stage_1" / "result.h5"), load_result(folder / "result.h5")
    assert first.iteration == second.iteration == 4
    assert first.history.iterations == second.history.iterations == [1, 2, 3, 4]
    assert second.history.total[0] < first.history.total[-1]
    ended = first.corners + first.state.shifts
    np.testing.assert_allclose(np.diff(second.initial_positions, axis=0), np.diff(ended, axis=0), atol=1e-5)


@pytest.mark.parametrize("stopped_after", [("stages.0.reconstruction.iterations", 2), None])
def test_resume_goes_on_in_the_right_stage_bit_for_bit(tmp_path, stopped_after):
    whole = staged(tmp_path / "a")
    assert recon(whole) == 0
    config = staged(tmp_path / "b")
    assert recon(config) == 0
    folder = tmp_path / "b" / "runs" / "run"
    (folder / "result.h5").unlink()
    (folder / "checkpoint_0004.h5").unlink()  # the second stage stopped after its iteration 2
    if stopped_after is not None:  # or the first one did, before the second began
        for path in (
            folder / "checkpoint_0002.h5",
            *(folder / "stage_1" / n for n in ("result.h5", "checkpoint_0004.h5")),
        ):
            path.unlink()
    assert recon(config, "--resume") == 0
    for name in ("stage_1/result.h5", "result.h5"):
        resumed, never = (load_result(tmp_path / run / "runs" / "run" / name) for run in "ba")
        np.testing.assert_array_equal(resumed.state.object_phase, never.state.object_phase)
        assert resumed.history.total == never.history.total


def test_fault_59_other_data_are_refused_in_a_stage_too(tmp_path, capsys):
    config = staged(tmp_path)
    assert recon(config) == 0
    (tmp_path / "runs" / "run" / "result.h5").unlink()
    tiny_run.write(tmp_path / "other", seed=1)
    (tmp_path / "other" / "scan.h5").replace(tmp_path / "scan.h5")
    assert recon(config, "--resume") == 3
    assert "data set: saved fingerprint" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("stage", "message"),
    [
        ("{reconstruction: {iteration: 3}}", r"tiny\.yaml:\d+: reconstruction\.iteration: unknown key; did you mean"),
        ("{output: {name: x}}", r"tiny\.yaml:\d+: stages\.0\.output: a stage cannot change this"),
        ("{data: {path: x.h5}}", r"stages\.0\.data\.path: a stage cannot change this"),
        ("{object: {slices: 3}}", r"stages\.0\.object\.slice_thickness_angstrom: required"),
        ("5", r"expected"),
    ],
)
def test_a_wrong_stage_is_refused_where_it_stands(tmp_path, capsys, stage, message):
    config = tiny_run.write(tmp_path)
    config.write_text(config.read_text() + f"stages:\n  - {stage}\n")
    assert main(["validate", str(config)]) == 2
    captured = capsys.readouterr()
    assert re.search(message, captured.err + captured.out), captured


def test_a_stage_is_merged_onto_the_whole():
    base = {"data": {"path": "x.h5"}, "illumination": {"voltage_kv": 80, "convergence_angle_mrad": 25},
            "stages": [{"optimizer": {"object_phase": 1e-3}, "reconstruction": {"iterations": 3}}, {}]}  # fmt: skip
    first, second = stage_configs(from_dict(base))
    assert (first.reconstruction.iterations, second.reconstruction.iterations) == (3, 200)
    assert (first.optimizer.object_phase.learning_rate, first.reconstruction.batch_size) == (1e-3, 16)
    with pytest.raises(ConfigError, match="cannot change"):
        from_dict({**base, "stages": [{"backend": "cpu"}]})
