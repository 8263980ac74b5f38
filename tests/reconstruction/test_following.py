"""Reconstructions that follow a file while it is written."""

from __future__ import annotations

import subprocess
import sys
import threading
import time

import h5py
import numpy as np
import pytest
import tiny_run
import yaml
from scipy.ndimage import gaussian_filter

from ptycupy import Engine, make_probe, reconstruct
from ptycupy.cli import main
from ptycupy.config import from_dict
from ptycupy.experiment.following import build_following
from ptycupy.reconstruction.callbacks import Quiet
from ptycupy.reconstruction.configured import settings_from
from ptycupy.reconstruction.following import Follower, wait_for_patterns
from ptycupy.storage.result import load_result

FOLLOW = {"settle_seconds": 0.1, "timeout_seconds": 20.0, "start_with": 4}


@pytest.fixture(autouse=True)
def _no_figures(monkeypatch):
    tiny_run.without_pictures(monkeypatch)


def patterns(folder):
    with h5py.File(folder / "scan.h5") as file:
        return file["dp"][()]


def configured(folder, *, path="growing.npy", key=None, iterations=40, **follow):
    """The tiny run, of a file that is not there yet."""
    config = yaml.safe_load(tiny_run.write(folder, iterations=iterations).read_text().replace("e-", ".0e-"))
    config["data"] = {"path": str(folder / path), "key": key, "scan_shape": [4, 4], "follow": {**FOLLOW, **follow}}
    for section in ("illumination", "scan"):
        config[section]["path"] = str(folder / "scan.h5")
    config["output"]["name"] = "run"
    return config


def append(path, values, *, pause=0.0, whole=16):
    """Writes patterns in pieces of a third, with pauses."""
    if not path.exists():
        with path.open("wb") as file:
            header = {"descr": values.dtype.str, "fortran_order": False, "shape": (whole, *values.shape[1:])}
            np.lib.format.write_array_header_1_0(file, header)
    with path.open("ab", buffering=0) as file:
        for pattern in values:
            raw = pattern.tobytes()
            for piece in range(3):
                file.write(raw[piece * len(raw) // 3 : (piece + 1) * len(raw) // 3])
                time.sleep(pause / 3)


def scan_of_a_phantom(folder):
    """49 patterns of 32 x 32 px with many counts, the configuration of their reconstruction, and the true phase."""
    rng = np.random.default_rng(4)
    window, side, step = 32, 7, 4
    probe = make_probe(80, 24.9, (window, window), 0.2, aberrations={"C10": -60.0}).reshape(window, window)
    canvas = window + (side - 1) * step
    phase = gaussian_filter(rng.standard_normal((canvas, canvas)), 1.2)
    phase *= 0.25 / phase.std()
    corners = step * np.stack(np.indices((side, side)), -1).reshape(-1, 2)
    waves = [probe * np.exp(1j * phase[y : y + window, x : x + window]) for y, x in corners]
    intensities = np.abs(np.fft.fftshift(np.fft.fft2(waves, norm="ortho"), axes=(1, 2))) ** 2
    with h5py.File(folder / "start.h5", "w") as file:
        file["probe"], file["positions"] = probe, corners.astype(float)
    config = {
        "data": {"path": str(folder / "growing.npy"), "scan_shape": [side, side]},
        "illumination": {"path": str(folder / "start.h5"), "key": "probe", "modes": 1},
        "calibration": {"mode": "none"},
        "scan": {"path": str(folder / "start.h5"), "key": "positions"},
        "object": {"margin": 0.0},
        "optimizer": {"object_phase": 1e-2, "object_amplitude": 0, "probe": 1e-3, "shifts": 0},
        "constraints": [],
        "losses": {"sparsity": None},
        "reconstruction": {"iterations": 30, "batch_size": 8},
        "output": {"folder": str(folder / "runs")},
    }
    return rng.poisson(1e5 * intensities).astype(np.uint16), config, phase


def test_a_run_beside_the_writer_is_as_good_as_one_on_the_whole_file(tmp_path, caplog):
    """As many iterations with all patterns. The normalisation is that of the first patterns, so that the numbers are
    not the same: loss and agreement with the truth are."""
    values, config, phase = scan_of_a_phantom(tmp_path)
    iterated = threading.Event()

    def write():
        append(tmp_path / "growing.npy", values[:11], whole=49)
        iterated.wait(60)
        append(tmp_path / "growing.npy", values[11:], pause=0.02)

    class Watch(Quiet):
        def on_iteration(self, engine):
            iterated.set()
            count = len(engine.used)
            np.testing.assert_array_equal(engine.experiment.patterns[:count], values[:count])
            assert not np.any(engine.experiment.patterns[count:])

    writer = threading.Thread(target=write)
    writer.start()
    caplog.set_level("INFO", "ptycupy")
    following = {**config, "data": {**config["data"], "follow": {"settle_seconds": 0.1}}}
    while not (tmp_path / "growing.npy").exists():
        time.sleep(0.01)
    followed = reconstruct(following, backend="cpu", callbacks=[Watch()])
    writer.join()
    counts = followed.history.patterns
    assert counts[0] in (10, 11)
    assert counts[-30:] == [49] * 30
    assert counts == sorted(counts)
    assert len(counts) > 30, "it iterated before the scan was whole"
    assert "49 of 49 patterns are there" in caplog.text
    whole = reconstruct(config, backend="cpu")
    assert followed.history.total[-1] < 1.05 * whole.history.total[-1]
    agreement = [np.corrcoef(r.state.object_phase[0, 0][18:-18, 18:-18].ravel(), phase[18:-18, 18:-18].ravel())[0, 1]
                 for r in (followed, whole)]  # fmt: skip
    assert agreement[1] > 0.9
    assert agreement[0] > agreement[1] - 0.01
    assert followed.snapshot.data_fingerprint == whole.snapshot.data_fingerprint


WRITER = """
import sys, time, h5py, numpy as np
source, target = sys.argv[1:]
with h5py.File(source) as file:
    values = file["dp"][()]
with h5py.File(target, "w", libver="latest") as file:
    dataset = file.create_dataset("dp", (0, 16, 16), values.dtype, maxshape=(None, 16, 16), chunks=(2, 16, 16))
    file.swmr_mode = True
    print("open", flush=True)
    for number, pattern in enumerate(values):
        if number == 6:
            sys.stdin.readline()
        dataset.resize(number + 1, axis=0)
        dataset[number, :8] = pattern[:8]
        dataset.flush()
        time.sleep(0.03)
        dataset[number, 8:] = pattern[8:]
        dataset.flush()
        time.sleep(0.03)
"""


def test_an_hdf5_file_is_followed_while_another_process_has_it_open(tmp_path):
    config = configured(tmp_path, path="growing.h5", key="dp", iterations=5)
    command = [sys.executable, "-c", WRITER, str(tmp_path / "scan.h5"), str(tmp_path / "growing.h5")]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as writer:
        assert writer.stdout.readline() == "open\n"

        class Watch(Quiet):
            beside = 0

            def on_iteration(self, engine):
                if not self.beside:
                    writer.stdin.write("go on\n")
                    writer.stdin.flush()
                self.beside += writer.poll() is None
                count = len(engine.used)
                np.testing.assert_array_equal(engine.experiment.patterns[:count], values[:count])

        watch, values = Watch(), patterns(tmp_path)
        followed = reconstruct(config, backend="cpu", callbacks=[watch])
    assert watch.beside > 0
    assert followed.history.patterns[-5:] == [16] * 5


def test_new_patterns_reach_a_device(tmp_path, host_cuda_backend):
    """The CUDA backend on the CPU: only what is new is copied, into the arrays that are there."""
    config, values = from_dict(configured(tmp_path, settle_seconds=0)), patterns(tmp_path)
    append(tmp_path / "growing.npy", values[:6])
    problem, state = build_following(config, *wait_for_patterns(config.data))
    backend = host_cuda_backend("float32")
    engine = Engine(problem, state, settings_from(config), backend)
    held = engine.experiment.patterns, engine.experiment.weights
    follower = Follower(engine, np.ones(16, bool), 3, 60.0)
    np.testing.assert_array_equal(engine.used, np.arange(4))
    for there in (6, 16):
        append(tmp_path / "growing.npy", values[6:there])
        while follower.there < there:
            follower.grow()
        assert (engine.experiment.patterns, engine.experiment.weights) == held
        whole = np.where(np.arange(16)[:, None, None] < there, values, 0)
        np.testing.assert_array_equal(backend.to_host(engine.experiment.patterns), whole)
        np.testing.assert_array_equal(backend.to_host(engine.experiment.weights), np.arange(16) < there)
        np.testing.assert_array_equal(engine.used, np.arange(there))
    engine.run(1)


def test_a_writer_that_dies_leaves_a_run_of_what_came(tmp_path, capsys):
    config = configured(tmp_path, iterations=3, timeout_seconds=0.5)
    append(tmp_path / "growing.npy", patterns(tmp_path)[:9])
    (tmp_path / "follow.yaml").write_text(yaml.safe_dump(config))
    assert main(["recon", str(tmp_path / "follow.yaml"), "--backend", "cpu"]) == 0
    told = capsys.readouterr().err
    assert "warning: no new pattern for 0.5 s (data.follow.timeout_seconds): going on with 9 of 16" in told
    result = load_result(tmp_path / "runs" / "run" / "result.h5")
    np.testing.assert_array_equal(result.used, np.arange(9))
    assert result.history.patterns[-3:] == [9] * 3
    append(tmp_path / "growing.npy", patterns(tmp_path)[9:])
    assert main(["recon", str(tmp_path / "follow.yaml"), "--backend", "cpu", "-q", "--resume"]) == 0
    result = load_result(tmp_path / "runs" / "run" / "result.h5")
    assert result.history.patterns[-3:] == [16] * 3
    assert main(["recon", str(tmp_path / "follow.yaml"), "--backend", "cpu", "--resume"]) == 0
    assert "nothing to do" in capsys.readouterr().err


def test_a_writer_that_never_begins_is_an_error(tmp_path, capsys):
    config = configured(tmp_path, timeout_seconds=0.5)
    (tmp_path / "follow.yaml").write_text(yaml.safe_dump(config))
    command = ["recon", str(tmp_path / "follow.yaml"), "--backend", "cpu"]
    assert main(command) == 3
    assert "no such file" in (told := capsys.readouterr().err)
    assert "waiting for patterns: " in told
    assert "nothing new for 0.5 s (data.follow.timeout_seconds)" in told
    append(tmp_path / "growing.npy", patterns(tmp_path)[:3])
    assert main(command) == 3
    assert "3 patterns came, data.follow.start_with wants 4" in capsys.readouterr().err


class StopAfter(Quiet):
    """Stops as Ctrl-C would, in the iteration in which so many patterns are there."""

    def __init__(self, count):
        self.count = count

    def on_batch(self, engine, number, batches):
        if len(engine.used) == self.count and number == 1:
            engine.stop_requested = True


def test_resume_goes_on_with_what_has_come_since_and_refuses_other_patterns(tmp_path, capsys):
    config, values = configured(tmp_path, iterations=4), patterns(tmp_path)
    append(tmp_path / "growing.npy", values[:9])
    stopped = reconstruct(config, backend="cpu", callbacks=[StopAfter(9)])
    assert stopped.snapshot.pending
    assert stopped.snapshot.data_fingerprint.startswith("9 of 16, ")
    append(tmp_path / "growing.npy", values[9:])
    resumed = reconstruct(config, backend="cpu", resume=True)
    done = len(stopped.history.total)
    assert resumed.history.total[:done] == stopped.history.total
    assert resumed.history.patterns[done + 1 :][-4:] == [16] * 4
    assert resumed.history.total[-1] < resumed.history.total[0]

    folder = tmp_path / "runs" / "run"
    stopped.save(folder / "result.h5")
    for checkpoint in folder.glob("checkpoint_*.h5"):
        checkpoint.unlink()
    (tmp_path / "growing.npy").unlink()
    append(tmp_path / "growing.npy", values[::-1])
    (tmp_path / "follow.yaml").write_text(yaml.safe_dump(config))
    assert main(["recon", str(tmp_path / "follow.yaml"), "--backend", "cpu", "-q", "--resume"]) == 3
    assert "the first 9 patterns are others than it is of" in capsys.readouterr().err


def test_half_of_the_positions_and_empty_patterns_stay_out(tmp_path, caplog):
    config, values = configured(tmp_path, iterations=2), patterns(tmp_path)
    config["reconstruction"]["half"] = "odd"
    values[6] = 0
    values[9] = 0
    append(tmp_path / "growing.npy", values)
    result = reconstruct(config, backend="cpu")
    np.testing.assert_array_equal(result.snapshot.used, [1, 3, 4, 11, 12, 14])
    assert "2 new patterns are all zero and get weight 0: [6, 9]" in caplog.text


def test_counts_that_turn_negative_are_clipped_as_everywhere(tmp_path):
    config, values = configured(tmp_path, iterations=2), patterns(tmp_path).astype(np.float32)
    values[12, 0, 0] = -50
    append(tmp_path / "growing.npy", values)

    class Watch(Quiet):
        least = 0.0

        def on_iteration(self, engine):
            self.least = engine.experiment.patterns.min()

    watch = Watch()
    reconstruct(config, backend="cpu", callbacks=[watch])
    assert watch.least == 0


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        (["data.scan_shape=null"], "data.scan_shape: required to follow"),
        (["data.follow.start_with=17"], "data.follow.start_with: 17 patterns; the scan has fewer"),
        (["data.negative=subtract_min"], "data.negative: needs the whole file"),
        (["data.device_storage=packed"], "data.device_storage: needs the whole file"),
        (["data.source_blur_angstrom=1"], "data.source_blur_angstrom: needs the whole file"),
        (["output.export_patterns=p.h5"], "output.export_patterns: needs the whole file"),
    ],
)
def test_what_needs_the_whole_file_is_refused(tmp_path, capsys, changes, message):
    (tmp_path / "follow.yaml").write_text(yaml.safe_dump(configured(tmp_path)))
    sets = [word for change in changes for word in ("--set", change)]
    assert main(["recon", str(tmp_path / "follow.yaml"), "-q", *sets]) == 2
    assert message in capsys.readouterr().err
