"""The file of a simulated data set: what is in it, and that the readers take it."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import h5py
import numpy as np
import pytest

from ptycupy.config.schema import Data
from ptycupy.errors import ResourceError
from ptycupy.storage.scan import SimulatedScan, write_dataset


def scan() -> SimulatedScan:
    random = np.random.default_rng(0)
    return SimulatedScan(
        patterns=random.integers(0, 900, (6, 8, 10)).astype(np.uint16),
        scan_shape=(2, 3),
        scan_step=(0.4, 0.5),
        pixel_size=(0.2, 0.16),
        positions=random.normal(size=(6, 2)),
        energy_kev=80.0,
        convergence_angle_mrad=21.4,
        truth_phase=random.normal(size=(3, 20, 22)).astype(np.float32),
        truth_pixel_size=(0.1, 0.08),
        truth_slice_thickness=1.5,
        scan_origin=(3.0, 4.0),
        electrons_per_pattern=2e4,
        provenance="version: 1\n",
    )


def test_the_file_holds_the_scan(tmp_path: Path) -> None:
    made = scan()
    path = write_dataset(tmp_path / "new folder" / "data ä.h5", made)
    with h5py.File(path, "r") as file:
        assert file["dp"].dtype == np.uint16
        np.testing.assert_array_equal(file["dp"][()], made.patterns)
        np.testing.assert_array_equal(file["positions_px"][()], made.positions)
        np.testing.assert_array_equal(file["truth_phase"][()], made.truth_phase)
        attributes = file["dp"].attrs
        np.testing.assert_allclose(attributes["dx_A"], (0.2, 0.16))
        np.testing.assert_allclose(attributes["dk_invA"], (1 / (8 * 0.2), 1 / (10 * 0.16)))
        assert attributes["scan_shape"].tolist() == [2, 3]
        assert attributes["scan_step_A"].tolist() == [0.4, 0.5]
        assert (attributes["energy_keV"], attributes["semiangle_mrad"]) == (80.0, 21.4)
        assert attributes["electrons_per_pattern"] == 2e4
        assert file["truth_phase"].attrs["scan_origin_A"].tolist() == [3.0, 4.0]
        assert file["truth_phase"].attrs["px_A"].tolist() == [0.1, 0.08]
        assert file["truth_phase"].attrs["slice_A"] == 1.5
        assert file.attrs["ptycupy_simulation"] == "version: 1\n"
    assert [entry.name for entry in path.parent.iterdir()] == [path.name]


def test_the_reader_finds_patterns_and_calibration(tmp_path: Path) -> None:
    from ptycupy.data import open_source

    made = scan()
    path = write_dataset(tmp_path / "data.h5", made)
    source = open_source(Data(path=str(path), key="dp"))
    np.testing.assert_array_equal(source.read(range(6)), made.patterns)
    assert source.dtype == np.uint16
    assert source.scan_shape == (2, 3)
    assert source.calibration.dk_inverse_angstrom == pytest.approx(made.dk)
    assert source.calibration.scan_step_angstrom == pytest.approx((0.4, 0.5))
    assert source.calibration.energy_kev == 80.0
    in_memory = made.source()
    assert in_memory.calibration.dk_inverse_angstrom == pytest.approx(source.calibration.dk_inverse_angstrom)
    np.testing.assert_array_equal(in_memory.read([4, 1]), made.patterns[[4, 1]])


def test_patterns_without_noise_say_so(tmp_path: Path) -> None:
    made = replace(scan(), patterns=np.ones((6, 8, 10), np.float32), electrons_per_pattern=None)
    with h5py.File(write_dataset(tmp_path / "data.h5", made), "r") as file:
        assert "electrons_per_pattern" not in file["dp"].attrs
        assert file["dp"].dtype == np.float32


def test_a_folder_that_cannot_be_made_is_refused(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(ResourceError, match="cannot be made"):
        write_dataset(tmp_path / "file" / "data.h5", scan())
