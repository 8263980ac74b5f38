"""Every warning of the diagnosis where its fault is really made, in data or configuration, and none where it is not.

One small set of twisted WSe2 is simulated; each case reconstructs it with one thing wrong.
"""

import json

import h5py
import numpy as np
import pytest
import tiny_run

import ptycupy
from ptycupy.api import simulate_to_file
from ptycupy.experiment.probe import make_probe
from ptycupy.simulate import grid

SHAPE, STEP, PIXEL = (14, 14), 0.5, 0.25
SIMULATED = {
    "atoms": {"structure": "wse2_bilayer", "twist_degrees": 6.0},
    "scan_shape": list(SHAPE),
    "detector_shape": [48, 48],
    "oversampling": 2,
    "potential_slice_angstrom": 2.0,
    "dose_per_square_angstrom": 1e6,
}
CONFIG = {
    "version": 1,
    "illumination": {"voltage_kv": 80, "convergence_angle_mrad": 24.9, "aberrations": {"C10": -50}, "modes": 1},
    "calibration": {"mode": "pixel_size_angstrom", "value": PIXEL},
    "scan": {"step_angstrom": STEP},
    "object": {"slices": 4, "slice_thickness_angstrom": 3.0},
    "losses": {"sparsity": None},
    "optimizer": {"object_amplitude": 2e-3, "object_phase": 5e-3, "probe": 1e-4, "shifts": 0},
    "constraints": [{"name": "positive_phase"}, {"name": "fixed_probe_intensity"}],
    "reconstruction": {"iterations": 12, "batch_size": 16, "checkpoint_every": None},
}


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    path = tmp_path_factory.mktemp("data") / "scan.h5"
    simulate_to_file({**CONFIG, "simulation": SIMULATED}, path)
    return path


@pytest.fixture
def warnings_of(data, tmp_path, monkeypatch):
    """What a run warns of whose configuration has these changes, as text; `path` are other data."""
    monkeypatch.setattr(tiny_run.run, "write_outputs", lambda *given, **named: None)

    def run(*changes, path=data, **sections):
        config = {**CONFIG, "data": {"path": str(path), "key": "dp", "scan_shape": list(SHAPE)}, **sections}
        overrides = [f"output.folder={tmp_path}", *changes]
        result = ptycupy.reconstruct(config, overrides=overrides, backend="cpu")
        return result, [str(finding) for finding in result.findings]

    return run


def only(found, part):
    """The finding that has this, which must be there."""
    named = [text for text in found if part in text]
    assert named, f"no {part!r} among {found}"
    return named[0]


def test_nothing_is_wrong(warnings_of):
    found = warnings_of()[1]
    assert [text for text in found if "still falls" not in text] == []


def test_orientation(warnings_of):
    found = warnings_of("data.orientation.transpose=true")[1]
    assert "data.orientation: {flip_y: false, flip_x: false, transpose: false}" in only(found, "curl")


def test_rotation(warnings_of):
    text = only(warnings_of("scan.affine.rotation_degrees=25")[1], "rotated by")
    assert abs(float(text.rsplit(" ", 1)[-1])) < 4


def test_aperture(warnings_of):
    assert "illumination.convergence_angle_mrad" in only(
        warnings_of("illumination.convergence_angle_mrad=32")[1], "disk"
    )


def test_probe_at_the_edge(warnings_of):
    text = only(warnings_of("illumination.aberrations.C10=-500")[1], "edge of its window")
    assert "model.window_shape" in text


def test_object_in_the_probe(warnings_of):
    found = warnings_of("optimizer.probe=1e-1", "optimizer.object_phase=0", "optimizer.object_amplitude=0")[1]
    assert "optimizer.probe" in only(found, "outside of the aperture")


def test_saturated_pixels(warnings_of, data, tmp_path):
    clipped = tmp_path / "clipped.h5"
    with h5py.File(data) as whole, h5py.File(clipped, "w") as file:
        counts = whole["dp"][()]
        file["dp"] = np.minimum(counts, 255).astype(np.uint8)
    assert "data.mask_path" in only(warnings_of("data.bad_pixels=ignore", path=clipped)[1], "largest value")
    np.save(tmp_path / "mask.npy", (counts < 255).all(axis=tuple(range(counts.ndim - 2))))
    masked = {"path": str(clipped), "key": "dp", "scan_shape": list(SHAPE), "mask_path": str(tmp_path / "mask.npy")}
    mended = warnings_of(f"data={json.dumps(masked)}", path=clipped)[1]
    assert not [text for text in mended if "largest value" in text]


def test_thick_slices(warnings_of):
    text = only(warnings_of("object.slices=2", "object.slice_thickness_angstrom=80")[1], "thicker than")
    assert "object.slices" in text


def test_empty_slices_and_a_specimen_off_the_middle(warnings_of):
    start, _ = warnings_of()
    begun = f"object.path={start.folder / 'result.h5'}"
    little = ["reconstruction.iterations=1", "optimizer.object_phase=1e-6", "optimizer.object_amplitude=0"]
    both = warnings_of(begun, "object.slices=12", "object.depth.pad=[4, 4]", *little)[1]
    assert "object.slices" in only(both, "hold nothing")
    above = warnings_of(begun, "object.slices=12", "object.depth.pad=[8, 0]", *little)[1]
    assert "depth_recentring" in only(above, "below the middle")


def test_a_wrong_scan_step(warnings_of):
    found = warnings_of("scan.affine.scale=1.06", "optimizer.scan_affine=3e-3")[1]
    assert "calibration.value" in only(found, "larger than the given one")


def test_a_drift_of_the_specimen(warnings_of, tmp_path, monkeypatch):
    """From the first position to the last 0.15 angstrom along y and 0.7 along x: a line of the raster is straight, all
    of them lean."""
    raster = grid._positions

    def drifting(*given):
        return raster(*given) + np.linspace(-0.5, 0.5, SHAPE[0] * SHAPE[1])[:, None] * [0.15, 0.7]

    monkeypatch.setattr(grid, "_positions", drifting)
    path = simulate_to_file({**CONFIG, "simulation": SIMULATED}, tmp_path / "drifted.h5")
    kept = "constraints=[{name: positive_phase}, {name: fixed_probe_intensity}, {name: position_recentring}]"
    refined = ("optimizer.shifts=5e-2", "reconstruction.iterations=20", kept)
    start, found = warnings_of(*refined, path=path)
    text = only(found, "the positions drift")
    length = float(text.split("by ")[1].split(" px")[0])
    assert 0.6 < length / (np.hypot(0.15, 0.7) / PIXEL) < 1.2
    assert "scan: {path: " in text
    mended = warnings_of(*refined, f"scan={{path: {start.folder / 'result.h5'}}}", path=path)[1]
    assert [one for one in mended if "still falls" not in one] == []


def test_the_raster_in_the_object(warnings_of, tmp_path):
    """A probe that repeats with the scan's step takes a part of the object that repeats alike: no pattern tells."""
    step, pixels = 1.25, 5
    spread = {**CONFIG, "scan": {"step_angstrom": step}, "object": {"slices": 1}}
    discs = {"specimen": "phantom", "phantom": "discs", "phantom_phase_rad": 0.2, "dose_per_square_angstrom": 1e5}
    path = simulate_to_file({**spread, "simulation": {**SIMULATED, **discs}}, tmp_path / "scan.h5")
    wave = np.cos(2 * np.pi * np.arange(-24, 24) / pixels)
    probe = make_probe(80, 24.9, (48, 48), PIXEL, aberrations={"C10": -50.0})
    with h5py.File(tmp_path / "probe.h5", "w") as file:
        file["probe"] = probe * np.exp(0.3j * (wave[:, None] + wave))
    beam = {**CONFIG["illumination"], "aberrations": {}, "path": str(tmp_path / "probe.h5"), "key": "probe"}
    sections = {"scan": {"step_angstrom": step}, "object": {"slices": 1}, "illumination": beam, "path": path}
    rates = ("optimizer.probe=2e-2", "optimizer.object_phase=2e-2", "reconstruction.iterations=20")
    alone = "constraints=[{name: fixed_probe_intensity}]"
    assert "{name: grid_artefact_removal}" in only(warnings_of(*rates, alone, **sections)[1], "raster's step of 5 px")
    mended = "constraints=[{name: fixed_probe_intensity}, {name: grid_artefact_removal}]"
    assert warnings_of(*rates, mended, **sections)[1] == []


def test_rates_that_are_too_high(warnings_of):
    found = warnings_of("optimizer.object_phase=1.0", "optimizer.object_amplitude=0.5", "reconstruction.iterations=16")
    assert "optimizer.object" in only(found[1], "the loss rose")


def test_iterations_wasted_and_too_few(warnings_of):
    still = [f"optimizer.{name}=1e-9" for name in ("object_phase", "object_amplitude", "probe")]
    assert "reconstruction.iterations" in only(warnings_of(*still)[1], "has not changed")
    found = warnings_of("optimizer.object_phase=1e-3", "reconstruction.iterations=8")[1]
    assert "reconstruction.iterations: 16" in only(found, "still falls")
