"""Tiny runs of each suite, and the record that they leave."""

import dataclasses
import json

import numpy as np
import pytest

from ptycupy.bench import ceilings, iteration, quality, run
from ptycupy.bench.iteration import Point
from ptycupy.cli import main
from ptycupy.errors import DataError, ResourceError

TINY = run.Effort(
    sweeps={"figure 3b": [Point(4, 1, 2, 16), Point(8, 1, 2, 16)]},
    paper={"table s5": [Point(4, 1, 2, 16)]},
    load={"load": [Point(3, 1, 2, 16)]},
    op_point=Point(2, 1, 2, 16),
    repeats=2,
    point_budget_s=30.0,
    load_s=0.2,
    op_budget_s=0.0,
    batches=(192,),
    iterations=2,
    images_at=(1,),
)


@pytest.fixture(autouse=True)
def _small(monkeypatch):
    monkeypatch.setattr(ceilings, "COPIED", 2**16)
    monkeypatch.setattr(run, "copy_rate", lambda backend: ceilings.copy_rate(backend, 0.0))
    monkeypatch.setattr(run, "fft_rates", lambda backend, window: ceilings.fft_rates(backend, window, 0.0))
    monkeypatch.setattr(iteration, "patterns_to_time", lambda backend, point: 9)
    monkeypatch.setattr(run, "patterns_to_time", lambda backend, point: 9)


def test_suites_of_speed(tmp_path, capsys):
    record = run.run_suites("cpu", ("ops", "iteration", "paper"), TINY)
    lines = capsys.readouterr().err.splitlines()
    assert lines[0].startswith("[1/4] copy ")
    assert lines[-1].startswith("[4/4] batch 8, 1 modes")
    path = tmp_path / "bench.json"
    run.write_record(path, record)
    found = json.loads(path.read_text(encoding="utf-8"))
    assert found["schema"] == run.SCHEMA
    assert found["device"] == "cpu"
    assert (found["graphs"], found["fft"]) == (False, "auto")
    assert {"date", "machine", "versions", "ceilings"} <= set(found)
    for row in found["ops"]["rows"]:
        assert row["seconds"] > 0
        assert row["gb_per_s"] > 0
    (first, second) = found["iteration"]["figure 3b"]
    assert (first["batch"], second["batch"]) == (4, 8)
    assert found["paper"]["table s5"] == [first]  # measured once
    assert first["patterns_timed"] == 9
    assert len(first["seconds_timed"]) == 2
    scaled = np.median(first["seconds_timed"]) * first["patterns_stated"] / 9
    assert first["seconds_per_iteration"] == pytest.approx(scaled)
    assert first["load"]["resident_mib"]["max"] > 0


def test_how_busy_the_device_is():
    record = run.run_suites("cpu", ("load",), TINY)
    (row,) = record["load"]["load"]
    assert row["batch"] == 3
    assert sum(row["seconds_timed"]) < 0.2 + max(row["seconds_timed"])
    assert len(row["seconds_timed"]) > TINY.repeats  # as many as there is time for
    assert set(row["load"]["resident_mib"]) == {"mean", "max"}
    assert not {"iteration", "paper"} & set(record)


def test_a_point_over_its_budget_is_made_once():
    backend = run.backends.select("cpu")
    row = iteration.time_point(backend, Point(4, 1, 1, 16), 4, 5, 0.0, 1.0)
    assert not row["warmed_up"]
    assert len(row["seconds_timed"]) == 1
    assert row["deviation"] is None


def test_a_point_without_room_says_so(monkeypatch):
    def refuse(*_):
        raise ResourceError("no room")

    monkeypatch.setattr(iteration, "synthetic_engine", refuse)
    row = iteration.time_point(run.backends.select("cpu"), Point(4, 1, 1, 16), 4, 5, 0.0, 1.0)
    assert row["failed"] == "no room"


def test_quality_and_images(monkeypatch):
    monkeypatch.setattr(
        quality, "wse2_engine", lambda backend, data, batch, modes, slices, make=quality.wse2_engine: make(
            backend, data, batch, 1, 1
        )
    )  # fmt: skip
    (found,) = run.run_suites("cpu", ("quality",), TINY)["quality"]
    assert len(found["ssim"]) == len(found["seconds"]) == 2
    assert found["seconds"][1] > found["seconds"][0]
    assert set(found["images"]) == {"1", "truth"}


def test_quality_without_data(tmp_path):
    with pytest.raises(DataError, match=r"absent\.h5: the abTEM set is not here"):
        run.run_suites("cpu", ("quality",), dataclasses.replace(TINY, data=tmp_path / "absent.h5"))


def test_command(tmp_path, monkeypatch, capsys):
    asked = {}

    def fake(device, suites, effort, graphs, fft):
        asked.update(device=device, suites=suites, quick=effort is run.QUICK, graphs=graphs, fft=fft)
        return {"schema": run.SCHEMA}

    monkeypatch.setattr(run, "run_suites", fake)
    assert main(["bench", "--backend", "cpu", "--suite", "ops", "--quick", "--graphs", "on", "--fft", "own"]) == 0
    assert json.loads(capsys.readouterr().out) == {"schema": run.SCHEMA}
    assert asked == {"device": "cpu", "suites": ("ops",), "quick": True, "graphs": "on", "fft": "own"}
    assert main(["bench", "--out", str(tmp_path / "b.json")]) == 0
    assert asked["suites"] == run.SUITES
    assert json.loads((tmp_path / "b.json").read_text()) == {"schema": run.SCHEMA}
    assert main(["bench", "--out", str(tmp_path / "none" / "b.json")]) == 2
