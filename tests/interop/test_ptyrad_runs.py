"""Every parameter file that PtyRAD 1.0.0 ships, run here and compared with PtyRAD on the same data.

The files name data sets that are not theirs to ship: simulated ones of the same format and detector stand in, on a scan
of 3 x 4 positions, and every file runs two iterations. What PtyRAD finds as the loss of all positions before the first
step, from its own reader, axes, padding, probe and object, is what is found here. PTYCUPY_PTYRAD_PYTHON names PtyRAD's
interpreter. PTYCUPY_PTYRAD_DATA may name a folder with the measured data, where the files look for them (`data/...`).
"""

import csv
import json
import os
from pathlib import Path

import h5py
import numpy as np
import pytest
import yaml
from interop import elsewhere
from interop.elsewhere import shipped_params

from ptycupy.cli import main
from ptycupy.storage.result import load_result

pytestmark = pytest.mark.interop
SCAN = (3, 4)
MEASURED = os.environ.get("PTYCUPY_PTYRAD_DATA")
NAMES = [
    "examples/PSO", "examples/tBL_WSe2", "templates/minimal", "templates/standard", "templates/advanced",
    "templates/full", "walkthrough/00_single_slice", "walkthrough/01_multi_slice", "walkthrough/02_positivity",
    "walkthrough/03_sparsity", "walkthrough/04_resume_reconstruction", "walkthrough/05_pad_vacuum",
    "walkthrough/06_resample_depth", "walkthrough/07_crop_pad_DP", "walkthrough/08_resample_DP",
    "walkthrough/09_detector_blur", "walkthrough/10_obja_thresh", "walkthrough/11_mirrored_amp",
    "walkthrough/12_jit_compile", "walkthrough/13_results_figures", "walkthrough/14_hypertune",
    "walkthrough/15_dataset_larger_than_GPU_RAM",
]  # fmt: skip
CONFIGS = Path(__file__).parents[2] / "configs"
EARLIER = "walkthrough/01_multi_slice"  # what the files on resuming start from


def shipped(name):
    """The parameters of a file in PtyRAD's wheel."""
    return yaml.safe_load((shipped_params() / f"{name}.yaml").read_text())


def patterns(size):
    """[n, ky, kx] float32 counts: an astigmatic disc through a random screen, beside the centre, so that nothing of it
    is symmetric."""
    random = np.random.default_rng(size)
    y, x = np.mgrid[-size // 2 : size // 2, -size // 2 : size // 2]
    disc = np.hypot(y - 1, x + 2) < size / 8
    phase = 0.02 * (y**2 - 0.6 * x**2 + 0.3 * x * y)
    probe = np.fft.fftshift(np.fft.ifft2(np.fft.ifftshift(disc * np.exp(1j * phase * (16 / size) ** 2 * 4))))
    screen = np.exp(0.4j * random.standard_normal((size + 16, size + 16)))
    corners = np.indices(SCAN).reshape(2, -1).T * 3
    waves = [probe * screen[row : row + size, column : column + size] for row, column in corners]
    found = np.abs(np.fft.fftshift(np.fft.fft2(waves), axes=(1, 2))) ** 2
    return (found / found.max() * 1e3).astype(np.float32)


def simulate(source, size):
    """The data set that `meas_params` names, in its own format: EMPAD's raw frames, or MATLAB 7.3."""
    path = Path(source["path"])
    path.parent.mkdir(parents=True, exist_ok=True)
    found = patterns(size)
    if path.suffix == ".raw":
        frames = np.zeros((len(found), size + 2, size), np.float32)  # two rows of metadata
        frames[:, :size] = found
        frames.tofile(path)
        return
    assert path.suffix == ".mat"
    with h5py.File(path, "w", userblock_size=512) as file:
        file[source["key"]] = found
    header = b"MATLAB 7.3 MAT-file, simulated".ljust(124) + b"\x00\x02IM"
    with open(path, "r+b") as stream:
        stream.write(header)


def small(params):
    """The same run on the small scan: two iterations of one batch, and no random shifts of the positions."""
    init, recon = params["init_params"], params["recon_params"]
    init |= {"pos_N_scan_slow": SCAN[0], "pos_N_scan_fast": SCAN[1], "pos_scan_rand_std": None}
    if "pos_N_scans" in init:
        init["pos_N_scans"] = SCAN[0] * SCAN[1]
    recon |= {"NITER": 2, "SAVE_ITERS": None}
    recon["BATCH_SIZE"] |= {"size": SCAN[0] * SCAN[1], "grad_accumulation": 1}
    return params


def run(path, folder):
    """Reconstructs a file as a user would; the result."""
    command = ["recon", "--ptyrad", str(path), "--backend", "cpu", "-q", "--allow-unsupported"]
    assert main([*command, "--set", f"output.folder={folder}", "--set", "output.name=run"]) == 0
    return load_result(Path(folder) / "run" / "result.h5")


def prepared(name):
    """A shipped file made small in the current folder, with its data beside it; its path, and what it says."""
    params = small(shipped(name))
    simulate(params["init_params"]["meas_params"], params["init_params"]["meas_Npix"])
    for key in ("probe_params", "pos_params", "obj_params"):
        start = params["init_params"].get(key)
        if start and not Path(start).exists():
            earlier, _ = prepared(EARLIER)
            result = run(earlier, "earlier")
            assert result.iteration == 2
            Path(start).parent.mkdir(parents=True, exist_ok=True)
            os.link("earlier/run/result.h5", start)
    path = Path(f"{name.replace('/', '_')}.yaml")
    path.write_text(yaml.safe_dump(params))
    return path, params


@pytest.mark.parametrize("name", NAMES)
def test_a_shipped_file_runs_from_the_loss_that_ptyrad_has(name, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    path, _ = prepared(name)
    result = run(path, "ours")
    assert result.iteration == 2
    assert np.isfinite(result.history.total).all()
    assert result.history.total[1] < result.history.total[0]
    agrees(result, path)


WHOLE = [[0.1 * row, -0.05 * column] for row in range(24) for column in range(24)]  # mrad
PARTS = {
    "spread": {"probe_normalization": {"mode": "max_total_ints"}, "INDICES_MODE": "sub"},
    "centre": {"probe_permute": [0, 2, 1], "probe_aberrations": {"C10": 50, "C12": 80, "phi12": 20}},
    "tilted": {"tilt_params": {"tilt_type": "each", "init_tilts": WHOLE}},
    "selected": {"meas_params": {"selection": [[24, 312], [None, None], None]}, "pos_N_scan_slow": 12},
}


@pytest.mark.parametrize("name", PARTS)
def test_part_of_a_scan_has_the_loss_that_ptyrad_has(name, tmp_path, monkeypatch):
    """6 x 5 positions of the WSe2 set beside our example of a parameter file."""
    elsewhere.interpreter("ptyrad")
    if not (CONFIGS / "data" / "abtem_wse2.h5").exists():
        pytest.skip("configs/data has no abtem_wse2.h5")
    monkeypatch.chdir(tmp_path)
    params = yaml.safe_load((CONFIGS / "ptyrad_wse2.yaml").read_text())
    changes = dict(PARTS[name])
    mode = changes.pop("INDICES_MODE", "center")
    source = params["init_params"]["meas_params"] | changes.pop("meas_params", {})
    source["path"] = str(CONFIGS / "data" / "abtem_wse2.h5")
    params["init_params"] |= {"pos_scan_rand_std": None, "meas_params": source, **changes}
    params["recon_params"] |= {"NITER": 1, "BATCH_SIZE": {"size": 30}}
    params["recon_params"]["INDICES_MODE"] = {"mode": mode, "subscan_slow": 6, "subscan_fast": 5}
    Path("part.yaml").write_text(yaml.safe_dump(params))
    result = run(Path("part.yaml"), "ours")
    assert len(result.used) == 30
    agrees(result, Path("part.yaml"))


SCHEDULES = {
    "one cycle": {"name": "OneCycleLR", "configs": {"max_lr": 2e-3, "total_steps": 6}},
    "cycles": {
        "name": "CyclicLR",
        "configs": {"base_lr": 1e-4, "max_lr": 2e-3, "step_size_up": 2},
        "step_unit": "batch",
    },
    "cosine": {"name": "CosineAnnealingLR", "configs": {"T_max": 4, "eta_min": 3e-4}},
    "plateau": {"name": "ReduceLROnPlateau", "configs": {"patience": 0, "threshold": 0.5, "min_lr": 1e-4}},
}


@pytest.mark.parametrize("name", SCHEDULES)
def test_losses_and_rates_under_a_schedule_are_ptyrad_s(name, tmp_path, monkeypatch):
    """Six iterations of one batch, with Adam, whose momentum some schedules move, and PtyRAD's default constraints but
    one: the phases of orthogonalised modes are as LAPACK happens to choose there, and jump under Adam's memory."""
    monkeypatch.chdir(tmp_path)
    path, params = prepared("templates/minimal")
    params["init_params"] |= {"obj_Nlayer": 2, "probe_pmode_max": 2}
    params["recon_params"] |= {"NITER": 6, "SAVE_ITERS": 6, "selected_figs": [], "output_dir": "theirs"}
    params["model_params"] = {"scheduler_params": SCHEDULES[name]}
    params["constraint_params"] = {"ortho_pmode": {"start_iter": None}}
    path.write_text(yaml.safe_dump(params))
    history = run(path, "ours").history
    ran_by_ptyrad(path)
    (model,) = Path("theirs").glob("**/model*.hdf5")
    with h5py.File(model) as file:
        losses = file["loss_iters"][:, 1]
        rates = {name: file[f"lr_iters/{name}"][...] for name in ("obja", "objp", "probe", "probe_pos_shifts")}
    np.testing.assert_allclose(history.total, losses, rtol=1e-4)
    fields = ("object_amplitude", "object_phase", "probe", "shifts")
    for field, expected in zip(fields, rates.values(), strict=True):
        np.testing.assert_allclose(history.learning_rates[field], expected, rtol=1e-6)


def ran_by_ptyrad(path):
    elsewhere.run("ptyrad", Path(__file__).with_name("run_ptyrad.py"), path)


def test_the_memory_of_ptyrad_s_optimizer_is_taken_over(tmp_path, monkeypatch):
    """One iteration there, of 12 positions in one batch; then one here from its object, probe, positions and Adam."""
    monkeypatch.chdir(tmp_path)
    path, params = prepared("templates/minimal")
    params["init_params"] |= {"obj_Nlayer": 2, "probe_pmode_max": 2}
    params["recon_params"] |= {"NITER": 1, "SAVE_ITERS": 1, "save_result": ["model", "optim_state"]}
    params["recon_params"] |= {"selected_figs": [], "output_dir": "theirs"}
    path.write_text(yaml.safe_dump(params))
    ran_by_ptyrad(path)
    (model,) = Path("theirs").glob("**/model*.hdf5")
    for part in ("probe", "pos", "obj"):
        params["init_params"] |= {f"{part}_source": "PtyRAD", f"{part}_params": str(model)}
    params["model_params"] = {"optimizer_params": {"name": "Adam", "load_state": str(model)}}
    path.write_text(yaml.safe_dump(params))
    result = run(path, "ours")
    assert {name: memory.step for name, memory in result.moments.items()} == dict.fromkeys(
        ("object_amplitude", "object_phase", "probe", "shifts"), 2
    )


@pytest.mark.parametrize("name", NAMES)
def test_a_shipped_file_runs_on_its_measured_data(name, tmp_path, monkeypatch):
    """The middle 4 x 4 positions, two iterations."""
    params = shipped(name)
    needed = [params["init_params"]["meas_params"]["path"]]
    needed += [params["init_params"].get(f"{part}_params") for part in ("probe", "pos", "obj")]
    absent = [path for path in needed if path and not (MEASURED and (Path(MEASURED) / path).exists())]
    if absent:
        pytest.skip(f"PTYCUPY_PTYRAD_DATA names no folder with {', '.join(absent)}")
    monkeypatch.chdir(str(MEASURED))
    params["recon_params"] |= {"NITER": 2, "SAVE_ITERS": None}
    params["recon_params"]["INDICES_MODE"] = {"mode": "center", "subscan_slow": 4, "subscan_fast": 4}
    path = tmp_path / "params.yaml"
    path.write_text(yaml.safe_dump(params))
    losses = run(path, tmp_path / "ours").history.total
    assert np.isfinite(losses).all()
    assert losses[1] < losses[0]


def agrees(result, path):
    """The first loss, in one batch, the pixel size and the canvas are PtyRAD's."""
    elsewhere.run("ptyrad", Path(__file__).with_name("first_loss_of_ptyrad.py"), path, "loss.json")
    theirs = json.loads(Path("loss.json").read_text())
    assert result.pixel_size[0] == pytest.approx(theirs["dx"], rel=1e-5)
    assert list(result.state.object_phase.shape) == theirs["canvas"]
    assert result.history.total[0] == pytest.approx(theirs["total"], rel=1e-5)


def test_the_list_is_complete():
    assert shipped("templates/minimal")
    assert {f"{path.parent.name}/{path.stem}" for path in shipped_params().glob("*/*.yaml")} == set(NAMES)


def test_a_search_of_ptyrad_runs_to_its_end(tmp_path, monkeypatch):
    """The shipped walkthrough of hypertuning, two trials of it: defocus and slices within what PtyRAD may suggest."""
    monkeypatch.chdir(tmp_path)
    path, params = prepared("walkthrough/14_hypertune")
    params["hypertune_params"] |= {"n_trials": 2, "study_name": "search"}
    on = {name: one["kwargs"] for name, one in params["hypertune_params"]["tune_params"].items() if one["state"]}
    path.write_text(yaml.safe_dump(params))
    assert main(["tune", "--ptyrad", str(path), "-q", "--allow-unsupported", "--set", "output.folder=ours"]) == 0
    assert Path("ours/search/report.html").exists()
    with open("ours/search/trials.csv", newline="") as file:
        trials = list(csv.DictReader(file))
    assert [trial["state"] for trial in trials] == ["complete"] * 2
    for name, key in (("C10", "illumination.aberrations.C10"), ("Nlayer", "object.slices")):
        found = {float(trial[key]) for trial in trials}
        assert len(found) == 2
        assert on[name]["low"] <= min(found) < max(found) <= on[name]["high"]
