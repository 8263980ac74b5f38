"""Damaged files of other programs are refused with what is wrong, never with a traceback."""

import h5py
import numpy as np
import pytest
import scipy.io
from data.fuzzing import outcome
from snapshots import make

import ptycupy
from ptycupy.errors import DataError
from ptycupy.experiment.results import load_earlier
from ptycupy.storage.export import FORMATS

OTHERS = FORMATS[1:]
PLACES = {"probe_positions": np.zeros((2, 2))}
NAMES = [entry.name for entry in OTHERS]


@pytest.fixture(scope="module")
def written(tmp_path_factory):
    folder = tmp_path_factory.mktemp("formats")
    snapshot = make(slices=2, probes=1, scan=(2, 2), window=(8, 8))
    files = {entry.name: folder / f"there_{entry.name}{entry.suffix}" for entry in OTHERS}
    for name, path in files.items():
        ptycupy.export(snapshot, path, name)
    return {name: path.read_bytes() for name, path in files.items()}, {entry.name: entry.suffix for entry in OTHERS}


@pytest.mark.parametrize("name", NAMES)
def test_truncated_or_flipped(tmp_path, written, name):
    content, suffix = written[0][name], written[1][name]
    rng = np.random.default_rng(5)
    for number, length in enumerate(np.linspace(0, len(content) - 1, 12).astype(int)):
        path = tmp_path / f"cut{number}{suffix}"
        path.write_bytes(content[:length])
        with pytest.raises(DataError):
            ptycupy.export(path, tmp_path / "out.h5", "ptycupy", overwrite=True)
    refused = 0
    for number in range(40):
        path = tmp_path / f"flipped{number}{suffix}"
        damaged = bytearray(content)
        for place in rng.integers(len(content), size=8):
            damaged[place] ^= 1 << int(rng.integers(8))
        path.write_bytes(bytes(damaged))
        refused += outcome(lambda path=path: load_earlier(str(path)) or "none") is None
    assert refused < 40  # most flips are in values


WRONG = {
    "ptychodus": {"object": np.zeros((2, 2, 6, 6), "c8"), "probe": np.zeros((4, 4), "c8"),
                  "probe_position_x_m": np.zeros(3), "probe_position_y_m": np.zeros(3)},
    "real": {"object": np.zeros((6, 6)), "probe": np.zeros((4, 4), "c8"),
             "probe_position_x_m": np.zeros(3), "probe_position_y_m": np.zeros(3)},
    "lengths": {"object": np.zeros((6, 6), "c8"), "probe": np.zeros((4, 4), "c8"),
                "probe_position_x_m": np.zeros(3), "probe_position_y_m": np.zeros(4)},
    "cxi": {"entry_1/image_1/data": np.zeros((4, 4), "c8"), "entry_1/image_2/data": np.zeros((6, 6), "c8"),
            "entry_1/sample_1/geometry_1/translation": np.zeros((3, 1))},
    "ptypy": {"content/obj/S00/data": np.zeros((6, 6), "c8"), "content/probe/S00/data": np.zeros((1, 4, 4), "c8")},
}  # fmt: skip
TOLD = {
    "ptychodus": r"object \(2, 2, 6, 6\) complex64: ptychodus has complex numbers",
    "real": r"object \(6, 6\) float64: ptychodus has complex numbers",
    "lengths": r"3 positions in x and 4 in y",
    "cxi": r"translation: shape \(3, 1\); positions \(N, 3\)",
    "ptypy": r"content/obj/S00/data: shape \(6, 6\); PtyPy has \(mode, y, x\)",
}


@pytest.mark.parametrize("name", WRONG)
def test_wrong_shapes_are_named(tmp_path, name):
    with h5py.File(tmp_path / "wrong.h5", "w") as file:
        for key, values in WRONG[name].items():
            file[key] = values
    with pytest.raises(DataError, match=TOLD[name]):
        load_earlier(str(tmp_path / "wrong.h5"))


def test_values_that_are_not_finite_and_parts_that_are_not_there(tmp_path):
    snapshot = make(slices=1, probes=1)
    path = ptycupy.export(snapshot, tmp_path / "there.ptyr", "ptypy").path
    with h5py.File(path, "a") as file:
        file["content/probe/Sscan00G00/data"][0, 0, 0] = np.nan
    with pytest.raises(DataError, match=r"there\.ptyr: 1 values are not finite"):
        ptycupy.export(path, tmp_path / "out.h5", "ptycupy")
    path = ptycupy.export(snapshot, tmp_path / "without.ptyr", "ptypy").path
    with h5py.File(path, "a") as file:
        del file["content/positions"]
    with pytest.raises(DataError, match="this PtyPy file holds no positions"):
        ptycupy.export(path, tmp_path / "out.h5", "ptycupy")
    scipy.io.savemat(tmp_path / "old.mat", {
        "object": np.ones((9, 9, 3), "c8"), "probe": np.ones((4, 4), "c8"), "outputs": PLACES
    })  # fmt: skip
    with pytest.raises(DataError, match="does not say how thick its 3 slices are"):
        ptycupy.export(tmp_path / "old.mat", tmp_path / "out.h5", "ptycupy")


@pytest.mark.parametrize(("size", "unit"), [(0.0934, 1.0), (0.0934e-10, 1e10), (2e-8, 1e10)])
def test_lengths_of_fold_slice_are_metres_or_angstrom(tmp_path, size, unit):
    """fold_slice has the wavelength of electrons, and with it every length, in angstrom."""
    scipy.io.savemat(tmp_path / "there.mat", {
        "probe": np.ones((4, 4), "c8"), "object": np.ones((9, 9), "c8"), "outputs": PLACES,
        "p": {"dx_spec": np.array([[size, size]]), "lambda": 0.0197 / unit},
    })  # fmt: skip
    found = load_earlier(str(tmp_path / "there.mat"))
    assert found.pixel_size == pytest.approx((size * unit, size * unit))
    assert found.wavelength == pytest.approx(0.0197)
