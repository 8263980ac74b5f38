"""What PtyRAD, phaser and NeXus browsers expect to find in result.h5; none of them is needed here."""

import h5py
import numpy as np
import pytest
from snapshots import make

from ptycupy.storage.layouts import NONE, slice_depths
from ptycupy.storage.result import save_result


@pytest.fixture
def layout(tmp_path):
    """Saves a snapshot and opens the file."""
    files = []

    def open_saved(snapshot):
        save_result(tmp_path / "result.h5", snapshot)
        files.append(h5py.File(tmp_path / "result.h5"))
        return files[-1]

    yield open_saved
    for file in files:
        file.close()


def test_ptyrad_tensors_are_links_not_copies(layout):
    file = layout(make())
    for theirs, ours in {
        "optimizable_tensors/obja": "object_amplitude",
        "optimizable_tensors/objp": "object_phase",
        "optimizable_tensors/probe": "probe",
        "optimizable_tensors/probe_pos_shifts": "shifts",
        "optimizable_tensors/obj_tilts": "tilts",
        "optimizable_tensors/slice_thickness": "slice_thickness",
        "model_attributes/crop_pos": "../problem/corners",
    }.items():
        assert file[theirs] == file[f"ptycupy/state/{ours}" if "/" not in ours else "ptycupy/problem/corners"], theirs


def test_ptyrad_attributes_and_histories(layout):
    snapshot = make()
    file = layout(snapshot)
    attributes = file["model_attributes"]
    assert attributes["dx"][()] == 0.2
    assert attributes["dk"][()] == pytest.approx(1 / (16 * 0.2))
    assert attributes["lambd"][()] == snapshot.wavelength
    assert (attributes["N_scan_slow"][()], attributes["N_scan_fast"][()]) == (4, 5)
    assert attributes["scan_affine"].asstr()[()] == NONE
    np.testing.assert_array_equal(file["loss_iters"], np.column_stack([[1, 2, 3, 4], snapshot.history.total]))
    np.testing.assert_array_equal(file["iter_times"], snapshot.history.seconds)
    np.testing.assert_array_equal(file["dz_iters"][:, 1], snapshot.history.slice_thickness)
    np.testing.assert_array_equal(file["avg_tilt_iters/tilt_x"], [tilt for _, tilt in snapshot.history.mean_tilt])
    np.testing.assert_array_equal(file["lr_iters/objp"], [5e-4] * 4)
    assert file["niter"][()] == 4


def test_ptyrad_gets_one_thickness_and_one_pixel_size(layout):
    file = layout(make(thickness="each", pixel_size=(0.2, 0.25)))
    assert file["optimizable_tensors/slice_thickness"].shape == ()
    assert file["optimizable_tensors/slice_thickness"][()] == pytest.approx(10)
    assert np.isnan(file["model_attributes/dx"][()])


def test_phaser_tree(layout):
    snapshot = make()
    file = layout(snapshot)
    assert file["type"].asstr()[()] == "phaser_state"
    assert file["version"].asstr()[()] == "0.2"
    assert file["probe/data"] == file["ptycupy/state/probe"]
    np.testing.assert_allclose(file["probe/extent"], 16 * 0.2)
    transmission = snapshot.state.object_amplitude[0] * np.exp(1j * snapshot.state.object_phase[0])
    np.testing.assert_allclose(file["object/data"], transmission, rtol=1e-6)
    np.testing.assert_array_equal(file["object/thicknesses"], [10, 10, 10])
    assert file["scan/data"].shape == (4, 5, 2)
    corner = (file["scan/data"][0, 1] - file["object/corner"]) / 0.2 - 15 / 2
    np.testing.assert_allclose(corner, snapshot.corners[1] + snapshot.state.shifts[1], atol=1e-6)
    np.testing.assert_array_equal(file["progress/total_loss/values"], snapshot.history.total)


def test_phaser_gets_the_weighted_mean_of_object_modes(layout):
    snapshot = make(modes=2)
    weights, state = snapshot.object_occupancy, snapshot.state
    expected = np.tensordot(weights, state.object_phase, 1)
    np.testing.assert_allclose(np.angle(layout(snapshot)["object/data"]), expected, atol=1e-6)


def test_nexus_default_plot_is_the_summed_phase(layout):
    snapshot = make(modes=2)
    file = layout(snapshot)
    entry = file[file.attrs["default"]]
    data = entry[entry.attrs["default"]]
    assert (entry.attrs["NX_class"], data.attrs["NX_class"]) == ("NXentry", "NXdata")
    signal = data[data.attrs["signal"]]
    expected = np.tensordot(snapshot.object_occupancy, snapshot.state.object_phase.sum(axis=1), 1)
    np.testing.assert_allclose(signal, expected, atol=1e-5)
    for axis, size in zip(data.attrs["axes"], signal.shape, strict=True):
        assert data[axis].shape == (size,)
        assert data[axis].attrs["units"] == "angstrom"


def test_uncalibrated_file_speaks_in_pixels(layout):
    file = layout(make(slices=1, pixel_size=None))
    assert file["entry/phase/y"].attrs["units"] == "px"
    assert np.isnan(file["model_attributes/dx"][()])
    assert np.isnan(file["wavelength"][()])
    np.testing.assert_array_equal(file["object/sampling"], [1, 1])
    assert file["object/thicknesses"].shape == (0,)


def test_slice_depths_follow_each_thickness():
    np.testing.assert_allclose(slice_depths(make(thickness="each")), [0, 8, 20])
    np.testing.assert_allclose(slice_depths(make(slices=1)), [0])


def test_field_of_view_spans_the_used_windows():
    snapshot = make()
    rows, columns = snapshot.field_of_view()
    assert (rows.start, rows.stop) == (4 + 8, 4 + 3 * 3 + 8 + 1)
    assert (columns.start, columns.stop) == (4 + 8, 4 + 4 * 3 + 8 + 1)
