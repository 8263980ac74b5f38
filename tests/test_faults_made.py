"""Every warning of the diagnosis where its fault is really made, in data or configuration, and none where it is not.

One small set of twisted WSe2 is simulated; each case reconstructs it with one thing wrong.
"""

import h5py
import numpy as np
import pytest
import tiny_run

import ptycupy
from ptycupy.api import simulate_to_file

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


def test_rates_that_are_too_high(warnings_of):
    found = warnings_of("optimizer.object_phase=1.0", "optimizer.object_amplitude=0.5", "reconstruction.iterations=16")
    assert "optimizer.object" in only(found[1], "the loss rose")


def test_iterations_wasted_and_too_few(warnings_of):
    still = [f"optimizer.{name}=1e-9" for name in ("object_phase", "object_amplitude", "probe")]
    assert "reconstruction.iterations" in only(warnings_of(*still)[1], "has not changed")
    found = warnings_of("optimizer.object_phase=1e-3", "reconstruction.iterations=8")[1]
    assert "reconstruction.iterations: 16" in only(found, "still falls")
