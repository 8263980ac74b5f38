"""Several reconstructions after each other in one run folder."""

import os
import re
import signal

import numpy as np
import pytest
import tiny_run
from scipy.ndimage import map_coordinates

from ptycupy import reconstruct
from ptycupy.api import run
from ptycupy.cli import main
from ptycupy.config import from_dict, stage_configs
from ptycupy.errors import ConfigError
from ptycupy.reconstruction.callbacks import Quiet
from ptycupy.storage.result import load_result

STAGES = """
stages:
  - reconstruction: {{iterations: {first}}}
  - optimizer: {{object_phase: 5e-3}}
    reconstruction: {{iterations: {second}}}
"""


@pytest.fixture(autouse=True)
def _no_figures(monkeypatch):
    tiny_run.without_pictures(monkeypatch)


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


class Terminate(Quiet):
    """Sends SIGTERM to this process after the second iteration."""

    def on_iteration(self, engine):
        if engine.iteration == 2:
            os.kill(os.getpid(), signal.SIGTERM)


def test_fault_54_a_signal_in_an_early_stage_names_the_runs_own_folder_and_how_to_go_on(tmp_path, caplog):
    config = staged(tmp_path)
    stopped = reconstruct(config, backend="cpu", callbacks=[Terminate()])
    assert stopped.exit_code == 143
    assert stopped.folder == tiny_run.run_folder(config)  # which has a name of its own, with date and time
    assert (stopped.folder / "stage_1" / "result.h5").exists()
    assert f"stage_1/result.h5. The same command with --resume --set output.name={stopped.folder.name}" in caplog.text
    again = reconstruct(config, backend="cpu", resume=True, overrides=[f"output.name={stopped.folder.name}"])
    assert (again.exit_code, again.folder) == (0, stopped.folder)
    assert load_result(again.folder / "result.h5").iteration == 4


def test_fault_54_a_signal_between_two_stages_is_not_forgotten(tmp_path, monkeypatch):
    config = staged(tmp_path)
    monkeypatch.setattr(run, "write_outputs", lambda *given, **named: os.kill(os.getpid(), signal.SIGTERM))
    stopped = reconstruct(config, backend="cpu")
    assert (stopped.exit_code, stopped.snapshot.iteration) == (143, 0)
    assert load_result(stopped.folder / "stage_1" / "result.h5").iteration == 4
    monkeypatch.setattr(run, "write_outputs", lambda *given, **named: None)
    again = reconstruct(config, backend="cpu", resume=True)
    assert again.history.iterations == [1, 2, 3, 4]


SCAN = {
    "illumination": {"voltage_kv": 80, "convergence_angle_mrad": 24.9, "modes": 1},
    "calibration": {"mode": "pixel_size_angstrom", "value": 0.2},
    "scan": {"step_angstrom": 0.6},
    "object": {"slices": 2, "slice_thickness_angstrom": 3.0},
    "simulation": {"scan_shape": [6, 6], "detector_shape": [32, 32], "dose_per_square_angstrom": 1e6},
    "optimizer": {"object_phase": 1e-2, "object_amplitude": 0, "shifts": 0, "probe": 1e-3},
    "reconstruction": {"iterations": 1, "batch_size": 12, "seed": 0},
    "constraints": [],
}


STILL = {"optimizer": {"object_phase": 1e-9, "probe": 1e-9}}  # so that a stage ends as it began


def stages_of(folder, first, last):
    """The results of two stages."""
    sections = {"output": {"folder": str(folder), "name": "run"}, "stages": [first, last]}
    result = reconstruct({**SCAN, **sections}, backend="cpu")
    return load_result(folder / "run" / "stage_1" / "result.h5"), result.snapshot


def middle(snapshot):
    """Angstrom from the first object pixel, of the windows' centres."""
    centres = snapshot.initial_positions + np.asarray(snapshot.state.probe.shape[1:]) // 2
    return centres * snapshot.pixel_size


def test_a_detector_crop_of_the_first_stage_ends_with_it(tmp_path):
    first, second = stages_of(tmp_path, {"data": {"crop_detector": [[8, 24], [8, 24]]}}, STILL)
    assert (first.pixel_size, second.pixel_size) == (pytest.approx((0.4, 0.4)), pytest.approx((0.2, 0.2)))
    assert (first.state.probe.shape, second.state.probe.shape) == ((1, 16, 16), (1, 32, 32))
    np.testing.assert_allclose(np.ptp(middle(first), axis=0), np.ptp(middle(second), axis=0), atol=1e-4)
    there = [
        map_coordinates(snapshot.state.object_phase[0].sum(0), (middle(snapshot) / snapshot.pixel_size).T)
        for snapshot in (first, second)
    ]
    assert np.corrcoef(there)[0, 1] > 0.95


def test_slices_may_become_more_and_the_specimen_stays_as_thick(tmp_path):
    first, second = stages_of(tmp_path, {"object": {"slices": 1, "slice_thickness_angstrom": 6.0}}, STILL)
    assert (first.state.object_phase.shape[1], second.state.object_phase.shape[1]) == (1, 2)
    assert float(np.asarray(second.state.slice_thickness)) == pytest.approx(3.0)
    phases = [snapshot.state.object_phase.sum(axis=1) for snapshot in (first, second)]
    np.testing.assert_allclose(phases[1], phases[0], atol=1e-5)


@pytest.mark.parametrize(("before", "after"), [(1, 3), (3, 1)])
def test_probe_modes_may_become_more_or_fewer(tmp_path, before, after):
    stages = ({"illumination": {"modes": before}}, {"illumination": {"modes": after}, **STILL})
    first, second = (snapshot.state.probe for snapshot in stages_of(tmp_path, *stages))
    assert (len(first), len(second)) == (before, after)
    assert np.linalg.norm(second) == pytest.approx(np.linalg.norm(first), rel=0.02)  # that of the patterns again
    assert abs(np.vdot(first[0], second[0])) > 0.98 * np.linalg.norm(first[0]) * np.linalg.norm(second[0])


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
