"""Files that grow: what is whole is counted and read, what is half written never is."""

from __future__ import annotations

import time
from pathlib import Path

import h5py
import numpy as np
import pytest

from ptycupy.config.schema import Data
from ptycupy.data import open_source
from ptycupy.data.growing import growing_of, patterns_there
from ptycupy.errors import ConfigError, DataError

SETTLE = 0.05
PATTERNS = np.random.default_rng(0).poisson(3.0, (12, 6, 5)).astype(np.float32) + 1


class Raw:
    """A file that gets one pattern after the other, byte by byte."""

    gap = 8

    def __init__(self, folder: Path) -> None:
        self.path = folder / "scan.raw"
        self.path.touch()
        self.data = {"detector_shape": (6, 5), "gap_bytes": self.gap}

    def append(self, patterns, share=1.0):
        """The patterns; of the last only a share of its bytes."""
        with self.path.open("ab") as file:
            records = [pattern.tobytes() + bytes(self.gap) for pattern in patterns]
            records[-1] = records[-1][: int(share * len(records[-1]))]
            file.write(b"".join(records))


class Npy(Raw):
    gap = 0

    def __init__(self, folder: Path) -> None:
        self.path, self.data = folder / "scan.npy", {}
        with self.path.open("wb") as file:
            header = {"descr": "<f4", "fortran_order": False, "shape": PATTERNS.shape}
            np.lib.format.write_array_header_1_0(file, header)


class Preallocated:
    """A .npy file that is as long as the scan from the start."""

    def __init__(self, folder: Path) -> None:
        self.path, self.data, self.done = folder / "scan.npy", {}, 0
        self.array = np.lib.format.open_memmap(self.path, "w+", np.float32, PATTERNS.shape)

    def append(self, patterns, share=1.0):
        for number, pattern in enumerate(patterns):
            rows = int(6 * share) if number == len(patterns) - 1 else 6
            self.array[self.done, :rows] = pattern[:rows]
            self.done += rows == 6
        self.array.flush()


class Hdf5:
    """A dataset that grows along its first axis; the file is closed after every addition."""

    def __init__(self, folder: Path) -> None:
        self.path, self.data = folder / "scan.h5", {"key": "dp"}
        with h5py.File(self.path, "w") as file:
            file.create_dataset("dp", (0, 6, 5), "f4", maxshape=(None, 6, 5), chunks=(4, 6, 5)).attrs["energy_keV"] = (
                80.0
            )

    def append(self, patterns, share=1.0):
        with h5py.File(self.path, "a") as file:
            done = len(file["dp"])
            file["dp"].resize(done + len(patterns), axis=0)
            file["dp"][done:] = patterns
            if share < 1:
                file["dp"][-1, int(6 * share) :] = 0


class Hdf5Rows(Hdf5):
    """A dataset [slow, fast, ky, kx] that is filled."""

    def __init__(self, folder: Path) -> None:
        self.path, self.data, self.done = folder / "scan.h5", {"key": "dp"}, 0
        with h5py.File(self.path, "w") as file:
            file.create_dataset("dp", (3, 4, 6, 5), "f4", chunks=(1, 2, 6, 5)).attrs["energy_keV"] = 80.0

    def append(self, patterns, share=1.0):
        with h5py.File(self.path, "a") as file:
            for number, pattern in enumerate(patterns):
                rows = int(6 * share) if number == len(patterns) - 1 else 6
                file["dp"][self.done // 4, self.done % 4, :rows] = pattern[:rows]
                self.done += rows == 6


def followed(writer, **changes) -> Data:
    follow = {"settle_seconds": SETTLE}
    return Data.model_validate(
        {"path": str(writer.path), "scan_shape": (3, 4), "follow": follow, **writer.data, **changes}
    )


@pytest.mark.parametrize("kind", [Raw, Npy, Preallocated, Hdf5, Hdf5Rows])
def test_whole_patterns_are_counted_and_read_and_no_others(tmp_path, kind):
    writer = kind(tmp_path)
    source = open_source(followed(writer))
    growing = growing_of(source)
    assert source.shape == (12, 6, 5)
    assert growing.look() == 0
    writer.append(PATTERNS[:3])
    assert growing.look() == 2, "the newest may still be written"
    np.testing.assert_array_equal(source.read(np.arange(4)), [*PATTERNS[:2], *np.zeros((2, 6, 5))])
    time.sleep(SETTLE)
    assert growing.look() == 3
    writer.append(PATTERNS[3:5], share=0.5)
    assert growing.look() == 4 - (
        kind in (Raw, Npy)
    )  # there the half is no record yet, and the one before it the newest
    np.testing.assert_array_equal(source.read([3, 4])[1], np.zeros((6, 5)))


@pytest.mark.parametrize("kind", [Raw, Npy])
def test_a_half_record_is_never_read_however_long_it_stays(tmp_path, kind):
    writer = kind(tmp_path)
    source = open_source(followed(writer))
    writer.append(PATTERNS[:2], share=0.9)
    for _ in range(3):
        count = growing_of(source).look()
        time.sleep(SETTLE)
    assert count == 1
    np.testing.assert_array_equal(source.read([0, 1]), [PATTERNS[0], np.zeros((6, 5))])


def test_a_change_of_the_newest_pattern_starts_its_time_anew(tmp_path):
    writer = Preallocated(tmp_path)
    growing = growing_of(open_source(followed(writer)))
    for rows in range(1, 7):
        writer.array[0, :rows] = PATTERNS[0, :rows]
        time.sleep(SETTLE / 2)
        assert growing.look() == 0
    time.sleep(SETTLE)
    assert growing.look() == 1


def test_views_count_their_own_patterns(tmp_path):
    writer = Npy(tmp_path)
    source = open_source(followed(writer, crop_scan=((1, 3), (1, 3)), crop_detector=((1, 5), (None, None))))
    writer.append(PATTERNS[:7])
    time.sleep(SETTLE)
    growing_of(source).look()
    time.sleep(SETTLE)
    assert growing_of(source).look() == 7
    assert patterns_there(source) == 2  # numbers 5 and 6 of the scan
    np.testing.assert_array_equal(source.read([0, 1, 2]), [*PATTERNS[5:7, 1:5], np.zeros((4, 5))])


def test_a_file_that_its_writer_holds_has_nothing_new(tmp_path):
    writer = Hdf5(tmp_path)
    growing = growing_of(open_source(followed(writer)))
    writer.append(PATTERNS[:3])
    assert growing.look() == 2
    writer.path.rename(tmp_path / "away.h5")
    assert growing.look() == 2
    (tmp_path / "away.h5").rename(writer.path)
    writer.append(PATTERNS[3:6])
    assert growing.look() == 5


def test_what_the_file_says_of_itself_is_known(tmp_path):
    assert open_source(followed(Hdf5(tmp_path))).calibration.energy_kev == 80.0


def test_files_that_cannot_be_followed_are_refused(tmp_path):
    with pytest.raises(ConfigError, match=r"data\.key: required to follow"):
        open_source(followed(Hdf5(tmp_path), key=None))
    with pytest.raises(DataError, match=r"no dataset .* is there"):
        open_source(followed(Hdf5(tmp_path), key="other"))
    np.savez(tmp_path / "scan.npz", PATTERNS)
    npz = Data.model_validate({"path": str(tmp_path / "scan.npz"), "scan_shape": (3, 4), "follow": {}})
    with pytest.raises(DataError, match="format npz cannot be followed"):
        open_source(npz)
