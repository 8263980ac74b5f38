"""Bad input at the command line: one message, the right exit code, and nothing left behind."""

import os
import re
import shutil

import h5py
import numpy as np
import pytest
import tiny_run

from ptycupy.cli import main


def recon(config, *settings):
    """Exit code of `ptycupy recon` with `--set` for each setting."""
    return main(
        ["recon", str(config), "--backend", "cpu", "-q", *(part for one in settings for part in ("--set", one))]
    )


@pytest.fixture
def config(tmp_path, monkeypatch):
    """tiny.yaml whose probe and positions stay good while scan.h5 is spoilt."""
    tiny_run.without_pictures(monkeypatch)
    path = tiny_run.write(tmp_path, iterations=2)
    shutil.copy(tmp_path / "scan.h5", tmp_path / "aux.h5")
    text = path.read_text(encoding="utf-8")
    path.write_text(re.sub(r"((?:illumination|scan): \{path: )scan\.h5", r"\1aux.h5", text), encoding="utf-8")
    return path


def spoilt(folder, change):
    """The patterns of scan.h5, float32, after `change`, in their place."""
    with h5py.File(folder / "scan.h5", "r+") as file:
        values = file["dp"][:].astype(np.float32)
        del file["dp"]
        file["dp"] = change(values)


def put(where, value):
    def change(patterns):
        patterns[where] = value
        return patterns

    return change


def cut(path):
    path.write_bytes(path.read_bytes()[:3000])


def positions(change):
    def replace(folder):
        with h5py.File(folder / "aux.h5", "r+") as file:
            values = change(file["positions_px"][:])
            del file["positions_px"]
            file["positions_px"] = values

    return replace


def saved(**arrays):
    """Writes arrays as .npy files beside the configuration."""

    def write(folder):
        for name, values in arrays.items():
            np.save(folder / f"{name}.npy", values)

    return write


CALIBRATED = [
    "illumination={voltage_kv: 80, convergence_angle_mrad: 20}",
    "calibration={mode: pixel_size_angstrom, value: 0.3}",
]
STACK = np.ones((15, 16, 16), np.uint16)
REFUSALS = {
    "fault_03_iterations": (None, ["reconstruction.iterations=-3"], 2, "-3 must be at least 1"),
    "fault_03_rate": (None, ["optimizer.probe=fast"], 2, "expected a number or a mapping"),
    "fault_09_nan": (None, ["optimizer.probe=.nan"], 2, "expected a finite number"),
    "fault_12_set": (None, ["reconstruction.iteration=3"], 2, "did you mean iterations?"),
    "fault_12_list": (None, ["data.crop_scan=[[0,2],[0,2]"], 2, "not YAML"),
    "fault_14_missing": (lambda folder: (folder / "scan.h5").unlink(), [], 3, "no such file; .* holds aux.h5"),
    "fault_15_text": (lambda folder: (folder / "scan.h5").write_text("text"), [], 3, "not an HDF5 file"),
    "fault_16_truncated": (lambda folder: cut(folder / "scan.h5"), [], 3, "truncated: 3000 of"),
    "fault_22_several": (None, ["data.key=null", "data.path=two.h5"], 3, r"name one with `key` \(data.key\)"),
    "fault_22_no_such_key": (None, ["data.key=dpp"], 3, "did you mean 'dp'"),
    "fault_23_pickle": (saved(a=np.array([{}], object)), ["data={path: a.npy}"], 3, "pickle and is refused unread"),
    "fault_24_bytes_of_a_raw_file": (saved(a=STACK), ["data={path: a.npy, offset_bytes: 9}"], 2, "is for raw files"),
    "fault_24_key_of_a_raw_file": (
        saved(a=STACK),
        ["data={path: a.npy, key: dp}"],
        2,
        "data.key: 'dp' is for files that may hold several",
    ),
    "fault_25_not_square": (saved(a=STACK), ["data={path: a.npy}", "scan={step_px: 3}"], 3, "one of 3 x 5, 1 x 15"),
    "fault_25_wrong_shape": (None, ["data.scan_shape=[4, 5]"], 3, "16 patterns, but data.scan_shape 4 x 5 needs 20"),
    "fault_27_complex": (saved(a=STACK * 1j), ["data={path: a.npy}"], 3, "complex waves"),
    "fault_30_many": (
        lambda folder: spoilt(folder, put(3, np.nan)),
        [],
        3,
        "256 in 1 patterns, the first at pattern 3",
    ),
    "fault_32_all_zero": (lambda folder: spoilt(folder, np.zeros_like), [], 3, "all 16 patterns are zero"),
    "fault_35_one_more": (positions(lambda p: np.vstack([p, p[:1]])), [], 3, "index 16 has no pattern"),
    "fault_35_nan": (positions(lambda p: np.where(p == 9, np.nan, p)), [], 3, "positions are not finite"),
    "fault_35_transposed": (positions(np.transpose), [], 3, r"positions must be numbers \(N, 2\)"),
    "fault_40_negative": (None, ["object.slice_thickness_angstrom=-2"], 2, "-2 must be greater than 0"),
    "fault_41_huge": (positions(lambda p: p * 1e5), [], 4, r"needs about .* GiB"),
    "fault_48_no_gpu": (None, ["backend=cuda"], 4, "backend 'cuda' was asked for but cannot be used"),
    "fault_14_truth": (None, [*CALIBRATED, "truth={path: no.h5, key: x}"], 3, "no.h5: no such file"),
    "fault_37_truth": (None, ["truth={path: scan.h5, key: dp}"], 2, "truth: a comparison needs a pixel size"),
    "fault_57_unwritable": (None, ["output.folder=/proc/runs"], 2, "cannot write to /proc"),
    "fault_57_two_names": (None, ["output.name=a/b"], 2, "must be one folder name"),
}


@pytest.mark.parametrize(("spoil", "settings", "code", "message"), REFUSALS.values(), ids=REFUSALS)
def test_refused_with_one_message_and_nothing_left(config, capsys, monkeypatch, spoil, settings, code, message):
    with h5py.File(config.parent / "two.h5", "w") as file:
        file["a"] = file["b"] = STACK
    if spoil is not None:
        spoil(config.parent)
    if "backend=cuda" in settings:
        monkeypatch.setattr("ptycupy.backends.cuda.open_device", _no_driver)
        assert main(["recon", str(config), "-q", "--backend", "cuda"]) == code
    else:
        assert recon(config, *settings) == code
    captured = capsys.readouterr()
    assert captured.out == ""
    assert re.search(message, captured.err)
    assert captured.err.count("ptycupy: ") == 1
    assert "Traceback" not in captured.err
    assert not (config.parent / "runs").exists()


def _no_driver(index):
    from ptycupy.errors import ResourceError

    raise ResourceError("no driver")


def test_a_refused_run_leaves_what_was_there(config, capsys):
    runs = config.parent / "runs"
    (runs / "mine").mkdir(parents=True)
    (config.parent / "scan.h5").unlink()
    assert recon(config) == 3
    assert recon(config, "output.name=mine") == 3
    assert recon(config, "output.name=new") == 3
    assert [path.name for path in runs.iterdir()] == ["mine"]


TOLERATED = {
    "fault_26_big_endian": lambda patterns: patterns.astype(">u2"),
    "fault_26_half": lambda patterns: patterns.astype("f2"),
    "fault_30_rare": put((3, 2, 2), np.nan),
    "fault_32_one_dark_pattern": put(5, 0),
    "fault_38_prime": lambda patterns: patterns[:, :13, :11],
}


@pytest.mark.parametrize("change", TOLERATED.values(), ids=TOLERATED)
def test_tolerated(config, capsys, change):
    spoilt(config.parent, change)
    settings = [] if change is not TOLERATED["fault_38_prime"] else CALIBRATED
    assert recon(config, *settings) == 0


def test_fault_39_one_position_and_a_batch_beyond_it(config):
    assert recon(config, "data.crop_scan=[[1, 2], [2, 3]]", "reconstruction.batch_size=100") == 0


def test_fault_53_ctrl_c_while_data_are_read_leaves_nothing(config, capsys, monkeypatch):
    def interrupted(*given):
        raise KeyboardInterrupt

    monkeypatch.setattr("ptycupy.data.open_source", interrupted)
    assert recon(config) == 130
    assert capsys.readouterr().err == "ptycupy: stopped\n"
    assert not (config.parent / "runs").exists()


def test_fault_59_resume_and_overwrite_exclude_each_other(config, capsys):
    with pytest.raises(SystemExit) as caught:
        main(["recon", str(config), "--resume", "--overwrite"])
    assert caught.value.code == 2
    assert "not allowed with" in capsys.readouterr().err


def test_fault_59_resume_of_a_finished_run(config, capsys):
    assert recon(config) == 0
    assert main(["recon", str(config), "--backend", "cpu", "--resume"]) == 0
    assert "nothing to do: 2 iterations are done" in capsys.readouterr().err
    assert len(os.listdir(config.parent / "runs")) == 1
