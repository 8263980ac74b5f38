"""Whole runs through the command line: results, refusals, interruptions, resuming."""

import re
import resource
import signal
import time

import numpy as np
import pytest
import tiny_run

from ptycupy.api import run
from ptycupy.cli import main
from ptycupy.errors import ResourceError
from ptycupy.reconstruction import checkpoint
from ptycupy.storage.result import load_result


@pytest.fixture(autouse=True)
def _no_figures(monkeypatch):
    """Figures have tests of their own and take most of a second."""
    tiny_run.without_pictures(monkeypatch)


def recon(config, *arguments):
    return main(["recon", str(config), "--backend", "cpu", *arguments])


def test_a_run_leaves_result_checkpoints_and_log(tmp_path, capsys):
    config = tiny_run.write(tmp_path, iterations=6)
    assert recon(config, "--set", "output.preview_seconds=null") == 0  # which a slow machine has time for
    folder = tiny_run.run_folder(config)
    captured = capsys.readouterr()
    assert captured.out == f"{folder}\n"
    assert re.search(r"iteration 1/6  loss .* s/iteration", captured.err)
    assert {"result.h5", "checkpoint_0004.h5", "checkpoint_0006.h5", "run.log"} == {p.name for p in folder.iterdir()}
    result = load_result(folder / "result.h5")
    assert result.iteration == 6
    assert result.history.total[-1] < result.history.total[0]
    assert "tiny" in folder.name
    assert "iterations: 6" in result.config
    assert (folder / "run.log").read_text().count(": iteration ") == 6


def test_a_second_run_gets_a_folder_of_its_own(tmp_path):
    config = tiny_run.write(tmp_path, iterations=1)
    assert [recon(config, "-q"), recon(config, "-q")] == [0, 0]
    assert len(list((tmp_path / "runs").iterdir())) == 2


def test_half_of_the_positions_can_be_used(tmp_path):
    config = tiny_run.write(tmp_path, iterations=1)
    assert recon(config, "-q", "--set", "reconstruction.half=odd", "--set", "output.name=odd") == 0
    assert len(load_result(tmp_path / "runs" / "odd" / "result.h5").used) == 8


def test_a_part_of_the_scan_keeps_the_whole_canvas(tmp_path):
    """16 positions; the canvas, normalisation and first probe are those of all of them."""
    config = tiny_run.write(tmp_path, iterations=1)
    found = []
    for name, part in (("all", "null"), ("part", "{mode: spread, shape: [2, 3]}")):
        assert recon(config, "-q", "--set", f"reconstruction.subscan={part}", "--set", f"output.name={name}") == 0
        found.append(load_result(tmp_path / "runs" / name / "result.h5"))
    assert found[0].state.object_phase.shape == found[1].state.object_phase.shape
    np.testing.assert_array_equal(found[1].used, [0, 1, 3, 12, 13, 15])


def test_resume_is_the_run_that_never_stopped(tmp_path):
    config = tiny_run.write(tmp_path, iterations=6)
    assert recon(config, "-q", "--set", "output.name=whole") == 0
    assert recon(config, "-q", "--set", "output.name=parts", "--set", "reconstruction.iterations=3") == 0
    assert recon(config, "-q", "--set", "output.name=parts", "--resume") == 0
    whole, parts = (load_result(tmp_path / "runs" / name / "result.h5") for name in ("whole", "parts"))
    assert parts.history.iterations == [1, 2, 3, 4, 5, 6]
    np.testing.assert_array_equal(parts.state.object_phase, whole.state.object_phase)
    assert parts.history.total == whole.history.total


def test_fault_43_divergence_stops_and_keeps_the_last_good_checkpoint(tmp_path, capsys):
    config = tiny_run.write(tmp_path, iterations=20, checkpoint_every=1)
    start = ["--set", "optimizer.object_amplitude={learning_rate: 1e6, start: 4}"]
    assert recon(config, "-q", *start) == 5
    message = capsys.readouterr().err
    assert re.search(r"iteration [4-9]: the loss became", message)
    assert re.search(r"object_amplitude 1e\+06.*: try a tenth", message)
    folder = tiny_run.run_folder(config)
    kept = checkpoint.list_checkpoints(folder)
    assert str(kept[-1]) in message
    assert np.isfinite(load_result(kept[-1]).state.object_phase).all()
    assert "the loss became" in (folder / "run.log").read_text()


def test_fault_43_divergence_at_once_says_that_nothing_was_kept(tmp_path, capsys):
    config = tiny_run.write(tmp_path)
    assert recon(config, "-q", "--set", "optimizer.probe=1e30") == 5
    assert "Last good checkpoint: none yet" in capsys.readouterr().err


@pytest.mark.parametrize(("policy", "code"), [("stop", 5), ("halve_lr", 0), ("continue", 0)])
def test_fault_44_an_exploding_loss_does_what_the_configuration_says(tmp_path, capsys, policy, code):
    """The amplitude leaps by 60 in iteration 3, which multiplies the loss by far more than 100 and stays finite."""
    config = tiny_run.write(tmp_path, iterations=4, checkpoint_every=1)
    leap = "optimizer.object_amplitude={learning_rate: 60, start: 3}"
    assert recon(config, "--set", leap, "--set", f"reconstruction.on_divergence={policy}") == code
    told = capsys.readouterr().err
    folder = tiny_run.run_folder(config)
    if policy == "stop":
        assert re.search(r"iteration 3: the loss became .*halve_lr", told)
        assert load_result(checkpoint.list_checkpoints(folder)[-1]).iteration == 2
        return
    result = load_result(folder / "result.h5")
    total = result.history.total
    assert result.iteration == 4
    assert np.isfinite(total).all()
    assert (max(total) > 100 * total[0]) == (policy == "continue")
    assert ("is over 100 times the first" in told) == (policy == "continue")


@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143), (signal.SIGUSR1, 143)])
def test_fault_53_54_a_signal_saves_and_resume_goes_on(tmp_path, number, code):
    config = tiny_run.write(tmp_path, iterations=100_000, checkpoint_every=1000)
    process = tiny_run.start("recon", config, "--backend", "cpu")
    for line in process.stderr:
        if line.startswith("iteration"):
            break
    process.send_signal(number)
    _, told = process.communicate(timeout=20)
    assert process.returncode == code, told
    assert f"{number.name}: finishing the batch" in told
    assert "--resume --set output.name=" in told
    result = load_result(tiny_run.run_folder(config) / "result.h5")
    assert result.iteration >= 1
    more = result.iteration + 2
    assert recon(config, "-q", "--resume", "--set", f"reconstruction.iterations={more}") == 0
    assert load_result(tiny_run.run_folder(config) / "result.h5").history.iterations == list(range(1, more + 1))


def test_fault_53_ctrl_c_twice_leaves_no_broken_file(tmp_path):
    config = tiny_run.write(tmp_path, iterations=100_000, checkpoint_every=1)
    process = tiny_run.start("recon", config, "--backend", "cpu")
    for line in process.stderr:
        if line.startswith("iteration"):
            break
    process.send_signal(signal.SIGINT)
    process.send_signal(signal.SIGINT)
    process.communicate(timeout=20)
    assert process.returncode == 130
    folder = tiny_run.run_folder(config)
    assert not list(folder.glob(".ptycupy*"))
    for path in folder.glob("*.h5"):
        assert load_result(path).iteration >= 1


def test_fault_55_a_killed_run_leaves_a_readable_checkpoint(tmp_path):
    config = tiny_run.write(tmp_path, iterations=100_000, checkpoint_every=1)
    process = tiny_run.start("recon", config, "--backend", "cpu")
    while not list((tmp_path / "runs").glob("*/checkpoint_0003.h5")):
        time.sleep(0.002)
        assert process.poll() is None
    process.kill()
    process.communicate()
    assert recon(config, "-q", "--resume", "--set", "reconstruction.iterations=5") == 0
    assert load_result(tiny_run.run_folder(config) / "result.h5").iteration >= 4


def test_fault_56_a_full_disk_does_not_stop_the_run(tmp_path, capsys, monkeypatch):
    config = tiny_run.write(tmp_path, iterations=6)

    def full(path, snapshot):
        raise ResourceError(f"{path}: could not be saved (No space left on device)")

    monkeypatch.setattr(checkpoint, "save_result", full)
    assert recon(config, "-q") == 0
    assert capsys.readouterr().err.count("checkpoint not saved, the run goes on") == 3
    monkeypatch.setattr(run, "save_result", full)
    assert recon(config, "-q", "--set", "output.name=full") == 4
    assert "No space left on device" in capsys.readouterr().err


def test_fault_56_a_file_size_limit_of_the_system_does_not_stop_the_run(tmp_path):
    """A real refusal of the operating system: no file of this process may exceed 20 kB."""
    config = tiny_run.write(tmp_path, iterations=4)

    def limit():
        signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
        resource.setrlimit(resource.RLIMIT_FSIZE, (20_000, 20_000))

    process = tiny_run.start("recon", config, "--backend", "cpu", "-q", preexec_fn=limit)
    _, told = process.communicate(timeout=300)
    assert process.returncode == 4, told
    assert told.count("the run goes on") == 2
    assert "Traceback" not in told
    assert not list(tiny_run.run_folder(config).glob("*.h5"))
    assert not list(tiny_run.run_folder(config).glob(".ptycupy*"))


def test_fault_57_results_are_not_replaced_by_accident(tmp_path, capsys):
    config = tiny_run.write(tmp_path, iterations=1)
    named = ["-q", "--set", "output.name=mine"]
    assert recon(config, *named) == 0
    before = (tmp_path / "runs" / "mine" / "result.h5").read_bytes()
    assert recon(config, *named) == 2
    assert "already holds result.h5; use --overwrite" in capsys.readouterr().err
    assert (tmp_path / "runs" / "mine" / "result.h5").read_bytes() == before
    assert recon(config, *named, "--overwrite") == 0


def test_fault_57_an_unwritable_folder_is_refused_before_data_are_read(tmp_path, capsys):
    config = tiny_run.write(tmp_path)
    (tmp_path / "file").write_text("")
    (tmp_path / "scan.h5").unlink()
    assert recon(config, "-q", "--set", f"output.folder={tmp_path / 'file'}") == 2
    assert "cannot write" in capsys.readouterr().err


def test_fault_58_spaces_and_unicode_in_every_path(tmp_path):
    config = tiny_run.write(tmp_path / "Messung 3 µm" / "日本", iterations=1, checkpoint_every=1)
    assert recon(config, "-q", "--set", "output.name=zweite Messung ü") == 0
    assert (config.parent / "runs" / "zweite Messung ü" / "result.h5").exists()


def test_fault_58_a_name_that_is_too_long_is_refused(tmp_path, capsys):
    config = tiny_run.write(tmp_path)
    assert recon(config, "-q", "--set", f"output.name={'x' * 300}") == 2
    assert "too long" in capsys.readouterr().err


def test_fault_59_resume_refuses_other_data_and_shows_what_differs(tmp_path, capsys):
    config = tiny_run.write(tmp_path, iterations=2)
    assert recon(config, "-q") == 0
    tiny_run.write(tmp_path, iterations=4, seed=1)
    assert recon(config, "-q", "--resume") == 3
    assert re.search(r"data set: saved fingerprint \w+, now \w+", capsys.readouterr().err)


def test_fault_59_resume_refuses_the_other_half(tmp_path, capsys):
    config = tiny_run.write(tmp_path, iterations=2)
    assert recon(config, "-q") == 0
    assert recon(config, "-q", "--resume", "--set", "reconstruction.half=even") == 3
    assert "16 positions were reconstructed, now 8" in capsys.readouterr().err


def test_fault_59_resume_falls_back_and_warns_of_changes(tmp_path, capsys):
    config = tiny_run.write(tmp_path, iterations=4)
    assert recon(config, "-q") == 0
    folder = tiny_run.run_folder(config)
    for name in ("result.h5", "checkpoint_0004.h5"):
        (folder / name).write_bytes((folder / name).read_bytes()[:1000])
    assert recon(config, "--resume", "--set", "reconstruction.iterations=5") == 0
    told = capsys.readouterr().err
    assert "cannot resume from checkpoint_0004.h5" in told
    assert "reconstruction.iterations: saved 4, now 5" in told
    assert "resumed after iteration 2" in told
    assert load_result(folder / "result.h5").history.iterations == [1, 2, 3, 4, 5]


def test_resume_without_a_run_is_refused(tmp_path, capsys):
    assert recon(tiny_run.write(tmp_path), "-q", "--resume") == 3
    assert "start without --resume" in capsys.readouterr().err


def test_fault_60_two_processes_do_not_share_a_run_folder(tmp_path, capsys):
    config = tiny_run.write(tmp_path, iterations=100_000)
    process = tiny_run.start("recon", config, "--backend", "cpu", "--set", "output.name=mine")
    for line in process.stderr:
        if line.startswith("iteration"):
            break
    assert recon(config, "-q", "--set", "output.name=mine", "--overwrite") == 4
    assert f"in use by process {process.pid}" in capsys.readouterr().err
    process.kill()
    process.communicate()
    assert recon(config, "-q", "--set", "output.name=mine", "--overwrite", "--set", "reconstruction.iterations=1") == 0


def test_the_library_call_is_silent_and_takes_a_dict(tmp_path, capsys, monkeypatch):
    config = tiny_run.write(tmp_path)
    monkeypatch.chdir(tmp_path)
    import yaml

    from ptycupy import reconstruct

    class Watch:
        seen = 0

        def on_batch(self, engine, number, batches):
            """Nothing."""

        def on_iteration(self, engine):
            self.seen += 1
            engine.stop_requested = engine.iteration == 2

        def on_stop(self, engine):
            """Nothing."""

    watch = Watch()
    result = reconstruct(yaml.safe_load(config.read_text().replace("e-", ".0e-")), backend="cpu", callbacks=[watch])
    assert capsys.readouterr() == ("", "")
    assert (watch.seen, result.history.iterations, result.exit_code) == (2, [1, 2], 0)
    assert result.state.object_phase.ndim == 4
    result.save(tmp_path / "copy.h5")
    assert load_result(tmp_path / "copy.h5").iteration == 2
