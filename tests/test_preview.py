"""preview.png: replaced as a run goes, whole at any moment, and cheap."""

import io
import signal
import threading

import numpy as np
import pytest
import snapshots
import thread_ranks
import tiny_run
from PIL import Image

from ptycupy.api import pictures, reconstruct
from ptycupy.api.pictures import Preview
from ptycupy.api.run import keepers, prepare
from ptycupy.backends import select
from ptycupy.config import load_config
from ptycupy.outputs.preview import write_preview
from ptycupy.reconstruction import turns
from ptycupy.reconstruction.callbacks import Quiet
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


class Asked:
    """Turns that come at these questions."""

    def __init__(self, due):
        self.left = iter(due)

    @property
    def due(self):
        return next(self.left, False)

    def took(self, seconds):
        """Nothing."""


@pytest.mark.parametrize("end", ["finished", "stopped early", "interrupted"])
@pytest.mark.parametrize(
    ("due", "on_the_way"),
    [
        ([False] * 4 + [True], [1]),  # four batches, and the end of the first iteration
        ([False] * 13 + [True], [2]),  # within the third, that ends
        ([True] * 15, [0, 0, 0, 0, 1, 1, 1, 1, 1, 2, 2, 2, 2, 2, 3]),
    ],
    ids=["once", "in the last iteration", "always"],
)
def test_the_last_one_shows_what_was_saved_and_none_is_drawn_twice(tmp_path, monkeypatch, end, due, on_the_way):
    drawn = []

    def draw(path, snapshot):
        path.write_text(str(snapshot.iteration))
        drawn.append(snapshot.iteration)

    class Stop(Quiet):
        def on_iteration(self, engine):
            if engine.iteration == 3 and end == "stopped early":
                engine.stop_requested = True
            if engine.iteration == 3 and end == "interrupted":
                signal.raise_signal(signal.SIGINT)

    tiny_run.without_pictures(monkeypatch)
    monkeypatch.setattr(pictures, "write_preview", draw)
    monkeypatch.setattr(pictures, "Turns", lambda seconds: Asked(due))
    config = tiny_run.write(tmp_path, iterations=3 if end == "finished" else 9)
    result = reconstruct(config, callbacks=[Stop()], backend="cpu")
    assert (result.snapshot.iteration, result.exit_code) == (3, 130 if end == "interrupted" else 0)
    assert drawn == (on_the_way if on_the_way[-1] == 3 else [*on_the_way, 3])
    assert (result.folder / "preview.png").read_text() == "3"


def test_a_stop_within_an_iteration_is_shown_and_a_resumed_run_replaces_what_was_left(tmp_path, monkeypatch):
    moments, due = [], [False] * 9 + [True]  # at the end of the second iteration

    def draw(path, snapshot):
        moments.append((snapshot.iteration, len(snapshot.pending)))
        path.write_text("a picture")

    class Stop(Quiet):
        def on_batch(self, engine, number, batches):
            engine.stop_requested |= (engine.iteration, number) == (2, 3)

    tiny_run.without_pictures(monkeypatch)
    monkeypatch.setattr(pictures, "write_preview", draw)
    monkeypatch.setattr(pictures, "Turns", lambda seconds: Asked(due))
    config, named = tiny_run.write(tmp_path, iterations=4), ["output.name=run"]
    reconstruct(config, overrides=named, callbacks=[Stop()], backend="cpu")
    assert moments == [(2, 0), (2, 1)]
    due.clear()
    reconstruct(config, overrides=named, backend="cpu", resume=True)
    assert moments == [(2, 0), (2, 1), (4, 0)]
    assert not (reconstruct(config, backend="cpu").folder / "preview.png").exists()  # a short run needs none


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
