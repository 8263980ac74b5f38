"""preview.png: replaced as a run goes, whole at any moment, and cheap."""

import io
import threading

import numpy as np
import pytest
import snapshots
import thread_ranks
import tiny_run
from PIL import Image

from ptycupy.api import pictures
from ptycupy.api.pictures import Preview
from ptycupy.api.run import keepers, prepare
from ptycupy.backends import select
from ptycupy.config import load_config
from ptycupy.outputs.preview import write_preview
from ptycupy.reconstruction import turns
from ptycupy.reconstruction.run_folder import RunFolder
from ptycupy.reconstruction.turns import Turns


@pytest.fixture
def engine(tmp_path):
    folder = tmp_path / "run"
    folder.mkdir()
    config = load_config(tiny_run.write(tmp_path, iterations=3))
    with RunFolder(folder) as place:
        yield prepare(config, place, False, select("cpu", "float32"))


def test_it_is_a_picture_of_phase_probe_and_loss(tmp_path):
    for snapshot in (snapshots.make(probes=7), snapshots.make(slices=1, pixel_size=None, iterations=0)):
        write_preview(tmp_path / "preview.png", snapshot)
        pixels = np.asarray(Image.open(tmp_path / "preview.png").convert("L"), float)
        assert pixels.shape == (576, 960)
        assert pixels[:, :480].std() > 10  # the phase
        assert pixels[:, 500:].std() > 10


def test_whoever_looks_sees_a_whole_picture(tmp_path):
    path, broken, done = tmp_path / "preview.png", [], threading.Event()
    write_preview(path, snapshots.make())

    def look():
        while not done.is_set():
            try:
                Image.open(io.BytesIO(path.read_bytes())).load()
            except OSError as error:
                broken.append(error)

    looking = threading.Thread(target=look)
    looking.start()
    for seed in range(2):
        write_preview(path, snapshots.make(seed=seed))
    done.set()
    looking.join()
    assert not broken
    assert [entry.name for entry in tmp_path.iterdir()] == ["preview.png"]


def test_a_run_replaces_it_after_a_while(engine, tmp_path, monkeypatch):
    drawn = []
    monkeypatch.setattr(pictures, "write_preview", lambda path, snapshot: drawn.append((path, snapshot.iteration)))
    monkeypatch.setattr(turns, "SHARE", 1.0)
    preview = Preview(tmp_path, 3600.0, writes=True)
    engine.run(1, [preview])
    assert drawn == []  # not at once: short runs need none
    preview.turns.seconds = 0.0
    preview.turns.took(0.0)
    engine.run(1, [preview])
    assert drawn[0] == (tmp_path / "preview.png", 1)  # within the iteration
    assert drawn[-1] == (tmp_path / "preview.png", 2)


def test_drawing_takes_a_fiftieth_of_the_time(monkeypatch):
    now = [100.0]
    monkeypatch.setattr(turns.time, "monotonic", lambda: now[0])
    some = Turns(5.0)
    assert some.due
    drawing = 0.0
    while now[0] < 1100:
        if some.due:
            now[0] += 0.4
            drawing += 0.4
            some.took(0.4)
        now[0] += 0.05
    assert drawing / 1000 < 0.021
    some.took(0.01)
    now[0] += 4.9
    assert not some.due
    now[0] += 0.2
    assert some.due


def test_a_disk_that_is_full_costs_the_picture_only(engine, tmp_path, monkeypatch, caplog):
    def full(path, snapshot):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(pictures, "write_preview", full)
    preview = Preview(tmp_path, 1e-9, writes=True)
    engine.run(1, [preview])
    assert engine.iteration == 1
    assert "preview not written, the run goes on" in caplog.text


def test_the_configuration_switches_it(tmp_path):
    config = load_config(tiny_run.write(tmp_path))
    off = load_config(tiny_run.write(tmp_path), ["output.preview_seconds=null"])
    with RunFolder(tmp_path) as place:
        assert [type(one).__name__ for one in keepers(config, place)] == ["Checkpoints", "Preview"]
        assert [type(one).__name__ for one in keepers(off, place)] == ["Checkpoints"]


def test_of_several_ranks_one_writes(monkeypatch, tmp_path):
    written = []
    monkeypatch.setattr(pictures, "write_preview", lambda path, snapshot: written.append(path))

    def work(team):
        from ptycupy.reconstruction.run_folder import Followed

        engine = prepare(config, Followed(tmp_path), False, select("cpu", "float32"), team)
        engine.run(2, [Preview(tmp_path, 0.0 if team.rank == 0 else 1e9, writes=team.rank == 0)])

    config = load_config(tiny_run.write(tmp_path, iterations=2))
    thread_ranks.together(2, work)
    assert set(written) == {tmp_path / "preview.png"}
