"""reconstruct without any data: simulate, reconstruct, write everything, compare with the truth."""

import pytest
import tiny_run

from ptycupy import reconstruct
from ptycupy.analysis import score_result
from ptycupy.api import simulate_to_file
from ptycupy.config import from_dict
from ptycupy.config.schema import Truth
from ptycupy.errors import ConfigError, DataError
from ptycupy.reconstruction.logs import console

FIGURES = {"phase.png", "amplitude.png", "phase_fft.png", "probe.png", "positions.png", "loss.png", "patterns.png"}
PAGE = {"report.html", "residuals.png"}  # at the end of a run only


def simulated(folder, **sections):
    return {
        "illumination": {"voltage_kv": 80, "convergence_angle_mrad": 24.9, "modes": 1},
        "calibration": {"mode": "pixel_size_angstrom", "value": 0.2},
        "scan": {"step_angstrom": 0.6},
        "simulation": {"scan_shape": [8, 8], "detector_shape": [32, 32], "dose_per_square_angstrom": 1e6},
        "reconstruction": {"iterations": 2, "batch_size": 16},
        "optimizer": {"object_phase": 1e-2, "object_amplitude": 0, "shifts": 0, "probe": 0},
        "constraints": [],
        "output": {"folder": str(folder), "name": "run", "figures_every": 2},
        **sections,
    }


@pytest.fixture(scope="module")
def result(tmp_path_factory):
    return reconstruct(simulated(tmp_path_factory.mktemp("runs")), backend="cpu")


def test_everything_is_written(result):
    names = {path.name for path in result.folder.iterdir()}
    assert names >= FIGURES | PAGE | {
        "course.png",
        "result.h5",
        "run.log",
        "simulated.h5",
        "object_phase.tif",
        "object_amplitude.tif",
    }
    assert {path.name for path in (result.folder / "figures_0002").iterdir()} >= FIGURES
    assert "run.lock" not in names


def test_the_result_is_compared_with_its_truth(result):
    assert result.scores["correlation"] > 0.3
    assert -1 <= result.scores["ssim"] <= 1
    assert "against the truth: correlation" in (result.folder / "run.log").read_text()


def test_a_truth_must_say_where_it_lies(result):
    with pytest.raises(DataError, match="scan_origin_angstrom are needed"):
        score_result(
            result.snapshot, Truth(path=str(result.folder / "simulated.h5"), key="dp", pixel_size_angstrom=0.1)
        )


def test_a_truth_that_does_not_fit_is_a_warning(tmp_path, caplog):
    config = simulated(tmp_path, simulation={"scan_shape": [2, 2], "detector_shape": [16, 16]})
    assert reconstruct(config, backend="cpu").scores == {}
    assert "not compared with the truth" in caplog.text


def test_a_result_is_exported_elsewhere(result, tmp_path):
    result.export(tmp_path)
    assert {path.name for path in tmp_path.iterdir()} >= FIGURES - {"patterns.png"}


def test_a_simulation_is_not_repeated_on_resume(result):
    before = (result.folder / "simulated.h5").stat().st_mtime_ns
    config = simulated(result.folder.parent, reconstruction={"iterations": 3, "batch_size": 16})
    again = reconstruct(config, backend="cpu", resume=True)
    assert again.history.iterations == [1, 2, 3]
    assert (again.folder / "simulated.h5").stat().st_mtime_ns == before


def test_simulate_to_file_makes_what_reconstruct_reads(tmp_path):
    config = simulated(tmp_path)
    path = simulate_to_file(config, tmp_path / "scan.h5")
    measured = {**config, "data": {"path": str(path), "key": "dp"}}
    del measured["simulation"]
    assert reconstruct(measured, backend="cpu").history.iterations == [1, 2]
    with pytest.raises(ConfigError, match="exists already"):
        simulate_to_file(config, path)


def test_overrides_reach_a_dict_but_not_a_config(tmp_path):
    config = tiny_run.write(tmp_path, iterations=9)
    assert len(reconstruct(config, overrides=["reconstruction.iterations=1"], backend="cpu").history.total) == 1
    with pytest.raises(ConfigError, match="model_copy"):
        reconstruct(from_dict(simulated(tmp_path)), overrides=["reconstruction.iterations=1"])


def test_a_caller_who_asks_sees_progress(tmp_path, capsys):
    config = tiny_run.write(tmp_path, iterations=1)
    reconstruct(config, backend="cpu", quiet=False)
    assert "iteration 1/1" in capsys.readouterr().err
    with console(30):
        reconstruct(config, backend="cpu", quiet=False)
    assert capsys.readouterr().err == "", "a console that is open already decides what is shown"


def test_a_config_made_in_python_is_checked_as_a_file_is(tmp_path):
    """Two slices without a thickness: every field is right, the whole is not."""
    config = from_dict(simulated(tmp_path))
    wrong = config.model_copy(update={"object": config.object.model_copy(update={"slices": 2})})
    with pytest.raises(ConfigError, match="slice_thickness_angstrom"):
        reconstruct(wrong, backend="cpu")
    assert not any(tmp_path.iterdir())
