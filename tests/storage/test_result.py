"""result.h5: exact round trip, and one clear message for every file that cannot be gone on from."""

import dataclasses

import h5py
import numpy as np
import pytest
from snapshots import make, same

from ptycupy.errors import DataError
from ptycupy.storage.result import load_result, save_result, verify

SHAPES = {
    "plain": {},
    "two object modes, thickness and tilt each, rectangular": {
        "modes": 2, "thickness": "each", "tilts": 20, "window": (16, 12), "pixel_size": (0.2, 0.25),
    },
    "one slice, uncalibrated": {"slices": 1, "pixel_size": None, "thickness": "each"},
    "nothing reconstructed yet": {"iterations": 0},
}  # fmt: skip


@pytest.mark.parametrize("options", SHAPES.values(), ids=SHAPES.keys())
def test_every_value_comes_back_exactly(tmp_path, options):
    snapshot = make(**options)
    save_result(tmp_path / "result.h5", snapshot)
    assert same(load_result(tmp_path / "result.h5"), snapshot)


def test_double_precision_and_empty_texts_come_back_exactly(tmp_path):
    snapshot = make()
    state = snapshot.state.replace(
        object_phase=snapshot.state.object_phase.astype("f8"), probe=snapshot.state.probe.astype("c16")
    )
    changed = dataclasses.replace(snapshot, state=state, config="", scan_shape=None, pending=())
    save_result(tmp_path / "result.h5", changed)
    assert same(load_result(tmp_path / "result.h5"), changed)


def test_same_tells_snapshots_apart():
    """The comparison that the tests above lean on can fail."""
    left, right = make(), make()
    right.history.total[-1] += 1e-15
    assert same(left, make())
    assert not same(left, right)
    assert not same(left, make(thickness="each"))


def test_saving_again_replaces_and_leaves_nothing_else(tmp_path):
    path = tmp_path / "a folder with ünicode" / "result.h5"
    path.parent.mkdir()
    save_result(path, make(seed=1))
    save_result(path, make(seed=2))
    assert same(load_result(path), make(seed=2))
    assert [file.name for file in path.parent.iterdir()] == ["result.h5"]


@pytest.fixture
def saved(tmp_path):
    path = tmp_path / "result.h5"
    save_result(path, make())
    return path


def test_fault_59_missing_file_and_folder(tmp_path):
    with pytest.raises(DataError, match=r"none\.h5: no such file"):
        load_result(tmp_path / "none.h5")
    with pytest.raises(DataError, match="is a folder"):
        load_result(tmp_path)


@pytest.mark.parametrize("content", [b"", b"loss: 0.3\n" * 50], ids=["zero bytes", "text"])
def test_fault_59_not_hdf5(tmp_path, content):
    path = tmp_path / "result.h5"
    path.write_bytes(content)
    with pytest.raises(DataError, match=rf"not an HDF5 file \({len(content)} bytes\)"):
        load_result(path)


@pytest.mark.parametrize("fraction", [0.1, 0.5, 0.999])
def test_fault_59_partial_file_names_both_sizes(saved, fraction):
    content = saved.read_bytes()
    keep = int(fraction * len(content))
    saved.write_bytes(content[:keep])
    with pytest.raises(DataError, match=f"truncated: {keep} of {len(content)} bytes"):
        load_result(saved)


def test_fault_59_flipped_byte_names_the_dataset(saved):
    with h5py.File(saved) as file:
        offset = file["ptycupy/moments/probe/first"].id.get_offset()
    content = bytearray(saved.read_bytes())
    content[offset + 5] ^= 0x10
    saved.write_bytes(content)
    with pytest.raises(DataError, match="/ptycupy/moments/probe/first is damaged"):
        load_result(saved)


def test_fault_59_any_flipped_byte_is_an_error_or_harmless(saved):
    """Flips all over the file: either a DataError, or the very same snapshot (the byte was in another layout)."""
    content, refused = saved.read_bytes(), 0
    rng = np.random.default_rng(0)
    for position in rng.integers(0, len(content), 200):
        damaged = bytearray(content)
        damaged[position] ^= 1 << rng.integers(8)
        saved.write_bytes(damaged)
        try:
            assert same(load_result(saved), make())
        except DataError:
            refused += 1
    assert refused > 50


def test_fault_59_unfinished_file(saved):
    with h5py.File(saved, "r+") as file:
        del file["ptycupy"].attrs["complete"]
    with pytest.raises(DataError, match="incomplete: the mark that ends a finished file is missing"):
        load_result(saved)


def test_fault_59_missing_part(saved):
    with h5py.File(saved, "r+") as file:
        del file["ptycupy/state/tilts"]
    with pytest.raises(DataError, match=r"damaged: .*tilts"):
        load_result(saved)


def test_fault_59_newer_version(saved):
    with h5py.File(saved, "r+") as file:
        file["ptycupy"].attrs["format_version"] = 7
        file["ptycupy"].attrs["written_by"] = "3.1.4"
    with pytest.raises(DataError, match=r"written by ptycupy 3\.1\.4 in format 7.*update ptycupy"):
        load_result(saved)


def test_fault_59_hdf5_file_of_something_else(tmp_path):
    with h5py.File(tmp_path / "scan.h5", "w") as file:
        file["dp"] = np.zeros(3)
    with pytest.raises(DataError, match=r"not a result of ptycupy \(it holds dp\)"):
        load_result(tmp_path / "scan.h5")


def test_fault_59_same_data_and_config_go_on():
    snapshot = make()
    assert verify(snapshot, snapshot.data_fingerprint, snapshot.config) == []


def test_fault_59_other_data_set_is_refused():
    snapshot = make()
    with pytest.raises(DataError, match="data set: saved fingerprint 1f2e3d4c, now 00000000"):
        verify(snapshot, "00000000", snapshot.config)


def test_fault_59_config_differences_are_shown():
    snapshot = make()
    longer = snapshot.config.replace("iterations: 4", "iterations: 40").replace("/data/scan.h5", "/disk2/scan.h5")
    assert verify(snapshot, snapshot.data_fingerprint, longer) == [
        "data.path: saved /data/scan.h5, now /disk2/scan.h5",
        "reconstruction.iterations: saved 4, now 40",
    ]


def test_fault_59_config_that_shapes_the_arrays_is_refused():
    snapshot = make()
    other = snapshot.config + "object:\n  slices: 12\n"
    with pytest.raises(DataError, match=r"iteration 4 .*\n  object.slices: saved nothing, now 12"):
        verify(snapshot, snapshot.data_fingerprint, other)


def test_fault_59_nested_and_listed_settings_are_named():
    """In the style that configurations are dumped in: lists at the indentation of their key."""
    before = (
        "data:\n  orientation:\n    flip_y: false\n  negative: clip\nscan:\n  step_angstrom:\n  - 0.4\n  - 0.5\n"
        "constraints:\n- name: depth_blur\n  start: 1\n- name: amplitude_threshold\n  thresh:\n  - 0.98\n  - 1.02\n"
        "output: null\n"
    )
    after = before.replace("false", "true").replace("0.5", "0.6").replace("1.02", "1.1").replace("null", "{}")
    snapshot = dataclasses.replace(make(), config=before)
    with pytest.raises(DataError) as caught:
        verify(snapshot, snapshot.data_fingerprint, after)
    assert [line.strip() for line in str(caught.value).splitlines()[1:]] == [
        "data.orientation.flip_y: saved false, now true",
        "scan.step_angstrom.1: saved 0.5, now 0.6",
        "constraints.1.thresh.1: saved 1.02, now 1.1",
        "output: saved null, now {}",
    ]


def test_moments_of_the_first_format_are_read(tmp_path):
    """Format 1 had two moments per parameter and no scalars."""
    path, snapshot = tmp_path / "result.h5", make()
    save_result(path, snapshot)
    with h5py.File(path, "a") as file:
        file["ptycupy"].attrs["format_version"] = 1
        for group in file["ptycupy/moments"].values():
            del group["scalars"]
    memory = load_result(path).moments["object_phase"]
    assert list(memory.arrays) == ["first", "second"]
    assert (memory.scalars, memory.step) == ({}, 17)
    np.testing.assert_array_equal(memory.arrays["first"], snapshot.moments["object_phase"].arrays["first"])


def test_it_shows_itself_without_its_arrays():
    arrays = "object 1 x 3 x 33 x 36, probe 2 x 16 x 16, 20 patterns"
    assert repr(make()) == f"<Snapshot of 4 iterations, loss 0.50119: {arrays}>"
    assert repr(make(iterations=0)) == f"<Snapshot of 0 iterations: {arrays}>"
