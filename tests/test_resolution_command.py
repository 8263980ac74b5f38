"""`ptycupy resolution`: two halves of a run's data, their correlation in its folder and in its report."""

import re

import numpy as np
import pytest
import tiny_run

from ptycupy.analysis.halves import read_halves
from ptycupy.api.halves import measure_resolution
from ptycupy.cli import main
from ptycupy.errors import ConfigError, DataError
from ptycupy.storage.result import load_result


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    config = tiny_run.write_wider(tmp_path_factory.mktemp("run"), iterations=10)
    assert main(["recon", str(config), "-q", "--backend", "cpu"]) == 0
    return tiny_run.run_folder(config)


def test_counts_are_divided_and_the_report_shows_the_curve(run, capsys):
    before = (run / "report.html").read_text(encoding="utf-8")
    assert "ring correlation</td><td>not measured; ptycupy resolution" in before
    assert main(["resolution", str(run), "-q"]) == 0
    out = capsys.readouterr().out
    assert out.splitlines()[-1] == str(run)
    assert "half of the counts each" in out
    halves = read_halves(run / "frc.json")
    assert halves.by == "counts"
    assert 0.9 < halves.curve.correlation[0] <= 1
    parts = [load_result(run / f"half_{n}" / "result.h5") for n in (1, 2)]
    assert all(len(part.used) == 49 for part in parts)
    assert parts[0].data_fingerprint != parts[1].data_fingerprint
    page = (run / "report.html").read_text(encoding="utf-8")
    assert "half of the counts each" in page
    assert page.count("<img ") == before.count("<img ") + 1
    assert page.count("<h2>Resolution</h2>") == 1
    assert re.sub("<!-- resolution -->.*<!-- end of resolution -->", "", page, flags=re.S) == re.sub(
        "<!-- resolution -->.*<!-- end of resolution -->", "", before, flags=re.S
    )


def test_positions_are_divided_where_that_is_asked_for_and_finished_halves_are_kept(run):
    found = measure_resolution(run, by="positions", backend="cpu")
    used = [set(load_result(run / f"half_{n}" / "result.h5").used.tolist()) for n in (1, 2)]
    assert used[0] | used[1] == set(range(49))
    assert not used[0] & used[1]
    written = (run / "half_2" / "result.h5").stat().st_mtime_ns
    again = measure_resolution(run, by="positions", backend="cpu", resume=True)
    assert (run / "half_2" / "result.h5").stat().st_mtime_ns == written
    np.testing.assert_array_equal(again.halves.curve.correlation, found.halves.curve.correlation)


def test_a_configuration_gets_a_folder_of_its_own(tmp_path, monkeypatch):
    tiny_run.without_pictures(monkeypatch)
    config = tiny_run.write_wider(tmp_path)
    found = measure_resolution(config, backend="cpu", overrides=["output.name=both"])
    assert sorted(path.name for path in found.folder.iterdir() if path.is_dir()) == ["half_1", "half_2"]
    assert (found.folder / "frc.png").exists()


def test_halves_that_would_not_be_independent_are_refused(run, tmp_path):
    config = tiny_run.write(tmp_path)
    with pytest.raises(ConfigError, match=r"object\.path: .* both halves would start"):
        measure_resolution(config, overrides=[f"object.path={run / 'result.h5'}"])
    with pytest.raises(ConfigError, match="part of the data already"):
        measure_resolution(config, overrides=["reconstruction.half=odd"])
    with pytest.raises(DataError, match=r"result\.h5"):
        measure_resolution(tmp_path)
    (tmp_path / "frc.json").write_text("{}")
    with pytest.raises(DataError, match="no ring correlation"):
        read_halves(tmp_path / "frc.json")
