"""The live page of a batch: it follows the reconstruction that is under way."""

import live_page
import pytest
import tiny_run
from live_page import until

from ptycupy.api import reconstruct_batch
from ptycupy.errors import ConfigError

LIST = """\
base: tiny.yaml
entries:
  - {{name: first}}
  - {{name: broken, set: {{data.path: absent.h5}}}}
  - {{name: last, set: {{reconstruction.iterations: {last}}}}}
"""


def listed(folder, last):
    tiny_run.write(folder, iterations=100_000, checkpoint_every=1_000_000)
    path = folder / "list.yaml"
    path.write_text(LIST.format(last=last))
    return path


def test_it_goes_on_with_the_next_one_and_stop_ends_them_all(tmp_path, monkeypatch):
    with live_page.running(listed(tmp_path, 100_000), monkeypatch, call=reconstruct_batch) as run:
        until(lambda: run.page.board.controls is not None)
        assert run.status()["of_batch"] == "reconstruction 1 of 3"
        run.order(do="set", key="optimizer.probe.learning_rate", value="2e-3")
        until(lambda: len(run.status()["notes"]) == 2)
        run.order(do="finish")
        until(lambda: run.status()["of_batch"] == "reconstruction 3 of 3" and run.status()["listens"])
        notes = run.status()["notes"]
        assert notes[0] == "reconstruction 1 of 3: first"
        assert notes[1].startswith("optimizer.probe.learning_rate: 0.001 -> 0.002")
        assert notes[2] == "reconstruction 2 of 3: broken"
        assert notes[3].startswith("broken failed: ")
        assert notes[4] == "reconstruction 3 of 3: last"
        assert run.status()["controls"]["rates"]["probe"] == 1e-3  # as its own file has it
        assert run.order(do="stop")[0] == 200
        result = run.end()
    assert [one.status for one in result.outcomes] == ["finished", "failed", "interrupted"]
    assert result.exit_code == 130
    assert run.page.board.news(-1, 0)[1]["state"] == "stopped"


def test_it_says_at_the_end_how_many_failed(tmp_path, monkeypatch):
    with live_page.running(listed(tmp_path, 2), monkeypatch, call=reconstruct_batch) as run:
        until(lambda: run.page.board.controls is not None)
        run.order(do="finish")
        result = run.end()
    status = run.page.board.news(-1, 0)[1]
    assert status["message"] == "1 of 3 reconstructions failed; see summary.csv"
    assert (status["state"], status["folder"]) == ("failed", str(result.folder))


def test_scans_that_share_something_have_no_page(tmp_path):
    path = listed(tmp_path, 2)
    path.write_text("base: tiny.yaml\nshare: [probe]\nentries: [{name: first}, {name: last}]\n")
    with pytest.raises(ConfigError, match="--live: scans that share something"):
        reconstruct_batch(path, live=True)
