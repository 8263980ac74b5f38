"""HDF5 files of other programs: their patterns are found among other data, and so are their calibrations."""

from __future__ import annotations

import os
import tracemalloc
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest
from data.samples import AXES, FLAT, STACK, signal, write_arina, write_emd, write_hspy

from ptycupy.config.schema import Data
from ptycupy.data import describe, open_source
from ptycupy.data.readers.hdf5_layouts import reciprocal
from ptycupy.data.readers.hdf5_text import heaps_are_sound
from ptycupy.errors import DataError


def opened(path: Path, **config: Any) -> Any:
    return open_source(Data(path=str(path), **config))


def check(path: Path, **config: Any) -> Any:
    source = opened(path, **config)
    assert source.scan_shape == (3, 4)
    np.testing.assert_array_equal(source.read([11, 0, 5]), FLAT[[11, 0, 5]])
    return source.calibration


def test_hyperspy(tmp_path: Path) -> None:
    calibration = check(write_hspy(tmp_path / "a.hspy"))
    assert calibration.energy_kev == 200
    assert calibration.scan_step_angstrom == pytest.approx((0.5, 0.4))
    assert calibration.dk_inverse_angstrom == pytest.approx((0.02, 0.03))
    assert "dk (y, x) in 1/angstrom: 0.02, 0.03" in describe(tmp_path / "a.hspy")


def test_hyperspy_among_other_arrays(tmp_path: Path) -> None:
    path = write_hspy(tmp_path / "a.hspy")
    with h5py.File(path, "r+") as file:
        file["Experiments/t/learning_results/factors"] = np.zeros((3, 4, 5))
    check(path)


@pytest.mark.parametrize("unit", ["A^-1", "mrad"])
def test_py4dstem_tree(tmp_path: Path, unit: str) -> None:
    calibration = check(write_emd(tmp_path / "a.h5", unit))
    found = {"A^-1": calibration.dk_inverse_angstrom, "mrad": calibration.dk_mrad}
    assert found[unit] == (0.02, 0.02)
    assert calibration.scan_step_angstrom == (0.5, 0.5)
    assert [value for key, value in found.items() if key != unit] == [None]


def test_an_angle_becomes_a_frequency_with_the_voltage_of_the_configuration(tmp_path: Path) -> None:
    from ptycupy.config.schema import Orientation
    from ptycupy.experiment.optics import electron_wavelength

    source = opened(write_emd(tmp_path / "a.h5", "mrad"), orientation=Orientation(transpose=True))
    assert source.calibration.dk_mrad == (0.02, 0.02)
    assert reciprocal(0.1, "1/nm") == ("dk_invA", pytest.approx(0.01))
    assert reciprocal(0.1, "[1_/_n_m]") == ("dk_invA", pytest.approx(0.01))
    assert reciprocal(2e-3, "rad") == ("dk_mrad", pytest.approx(2))
    assert reciprocal(1.0, "pixels") is None
    assert electron_wavelength(300) == pytest.approx(0.0197, rel=1e-2)


def test_berkeley_emd(tmp_path: Path) -> None:
    with h5py.File(tmp_path / "a.emd", "w") as file:
        file.attrs.update(version_major=0, version_minor=2)
        group = file.create_group("data/scan")
        group.attrs["emd_group_type"] = 1
        group["data"] = STACK
        for number, (name, unit, step, _) in enumerate(AXES, 1):
            axis = group.create_dataset(f"dim{number}", data=np.arange(STACK.shape[number - 1]) * step)
            axis.attrs.update(name=name, units=f"[{unit.replace('/', '_/_').replace('nm', 'n_m')}]")
        file["data/other"] = STACK[0]
    calibration = check(tmp_path / "a.emd")
    assert calibration.scan_step_angstrom == pytest.approx((0.5, 0.4))
    assert calibration.dk_inverse_angstrom == pytest.approx((0.02, 0.03))


def test_prismatic_calls_its_angstroms_nanometres(tmp_path: Path) -> None:
    """As Prismatic 2 writes a cell of 5.43 angstrom, whose patterns have a pixel of 1 / 5.43 per angstrom."""
    with h5py.File(tmp_path / "a.emd", "w") as file:
        cube = file.create_group("4DSTEM_simulation/data/datacubes/CBED_array_depth0000")
        cube["datacube"] = STACK
        cube.attrs["emd_group_type"] = 1
        for number, (unit, step) in enumerate([("[n_m]", 0.5)] * 2 + [("[n_m^-1]", 1 / 5.43)] * 2, 1):
            cube[f"dim{number}"] = np.arange(STACK.shape[number - 1], dtype=np.float32) * np.float32(step)
            cube[f"dim{number}"].attrs["units"] = np.bytes_(unit)
        stated = file.create_group("4DSTEM_simulation/metadata/metadata_0/original/simulation_parameters")
        stated.attrs.update(E=np.float32(100), rx=np.float32(0.5), ry=np.float32(0.5))
    calibration = check(tmp_path / "a.emd")
    assert calibration.energy_kev == 100
    assert calibration.scan_step_angstrom == pytest.approx((0.5, 0.5))
    assert calibration.dk_inverse_angstrom == pytest.approx((1 / 5.43, 1 / 5.43), rel=1e-5)


def test_nexus_as_rosettasciio_writes_it(tmp_path: Path) -> None:
    nexus = pytest.importorskip("rsciio.nexus", reason="rosettasciio is not installed")
    nexus.file_writer(str(tmp_path / "a.nxs"), signal())
    with h5py.File(tmp_path / "a.nxs", "r+") as file:
        file["entry1/other"] = STACK[0]
    calibration = check(tmp_path / "a.nxs")
    assert calibration.scan_step_angstrom == pytest.approx((0.5, 0.4))
    assert calibration.dk_inverse_angstrom == pytest.approx((0.02, 0.03))


@pytest.mark.parametrize("text", [str, np.bytes_])
def test_nexus_default_and_energy(tmp_path: Path, text: Any) -> None:
    with h5py.File(tmp_path / "a.nxs", "w") as file:
        file.attrs["default"] = text("entry")
        entry = file.create_group("entry")
        entry.attrs.update(NX_class=text("NXentry"), default=text("measured"))
        entry["processed/data"] = STACK.astype(float)
        entry["processed"].attrs.update(NX_class=text("NXdata"), signal=text("data"))
        entry["instrument/detector/counts"] = STACK
        entry["instrument/beam/incident_energy"] = 8000.0
        entry["measured/counts"] = h5py.SoftLink("/entry/instrument/detector/counts")
        entry["measured"].attrs.update(NX_class=text("NXdata"), signal=text("counts"))
    calibration = check(tmp_path / "a.nxs", key="entry/measured/counts")
    assert calibration.energy_kev == 8
    with h5py.File(tmp_path / "a.nxs", "r+") as file:
        del file["entry/instrument/detector/counts"], file["entry/measured/counts"]
        file["entry/measured/counts"] = STACK
    check(tmp_path / "a.nxs")
    with h5py.File(tmp_path / "a.nxs", "r+") as file:
        del file.attrs["default"]
    with pytest.raises(DataError, match="2 datasets could be meant"):
        opened(tmp_path / "a.nxs")


def test_nexus_signal_of_the_old_style(tmp_path: Path) -> None:
    with h5py.File(tmp_path / "a.nxs", "w") as file:
        file["entry/data/counts"] = STACK
        file["entry/data/counts"].attrs["signal"] = 1
        file["entry/data/errors"] = STACK
    check(tmp_path / "a.nxs")


def test_arina_joins_its_files_as_rosettasciio_does(tmp_path: Path) -> None:
    arina = pytest.importorskip("rsciio.arina", reason="rosettasciio 0.9 or newer is not installed")
    path = write_arina(tmp_path / "scan_master.h5")
    with h5py.File(tmp_path / "scan.h5", "w") as file:
        file.create_group("STEM Metadata").attrs["Pixel Size"] = np.array([0.05, 0.05])
    calibration = check(path)
    assert calibration.scan_step_angstrom == pytest.approx((0.5, 0.5))
    source = opened(path)
    np.testing.assert_array_equal(source.read([9, 10, 4, 5, 4]), FLAT[[9, 10, 4, 5, 4]])
    np.testing.assert_array_equal(np.concatenate([part for _, part in source.slabs(3)]), FLAT)
    np.testing.assert_array_equal(opened(path, key="entry/data/data_000003").read([1]), FLAT[[11]])
    square = FLAT[:, :5]
    (tmp_path / "square").mkdir()
    path = write_arina(tmp_path / "square" / "scan_master.h5", square)
    (other,) = arina.file_reader(str(path), navigation_shape=(3, 4))
    np.testing.assert_array_equal(opened(path).read(np.arange(12)), np.asarray(other["data"]).reshape(12, 5, 5))


def test_arina_without_lines_has_no_scan_shape_and_warns_of_missing_images(tmp_path: Path, caplog: Any) -> None:
    path = write_arina(tmp_path / "scan_master.h5", ntrigger=16, nimages=1)
    assert opened(path).scan_shape is None
    assert "12 images, but 16 triggers" in caplog.text


def test_an_open_arina_source_can_be_sent_to_another_process(tmp_path: Path) -> None:
    import pickle

    source = opened(write_arina(tmp_path / "scan_master.h5"))
    source.read([0])
    np.testing.assert_array_equal(pickle.loads(pickle.dumps(source)).read([7]), FLAT[[7]])


def test_fault_19_missing_external_links_are_listed(tmp_path: Path) -> None:
    path = write_arina(tmp_path / "scan_master.h5")
    for number in (1, 3):
        (tmp_path / f"scan_data_{number:06}.h5").unlink()
    with pytest.raises(
        DataError, match=r"2 of the 3 files .* missing in .*: scan_data_000001\.h5, scan_data_000003\.h5$"
    ):
        opened(path)
    with pytest.raises(DataError, match=r"link to /entry/data/data in scan_data_000001\.h5, which is missing"):
        opened(path, key="entry/data/data_000001")


def test_fault_19_missing_files_of_other_links_and_virtual_datasets(tmp_path: Path) -> None:
    with h5py.File(tmp_path / "a.h5", "w") as file:
        file["entry/dp"] = h5py.ExternalLink("gone.h5", "/dp")
    with pytest.raises(DataError, match=r"in other files, which are missing: gone\.h5"):
        opened(tmp_path / "a.h5")
    layout = h5py.VirtualLayout((12, 6, 5), np.uint16)
    for number in range(2):
        layout[6 * number : 6 * number + 6] = h5py.VirtualSource(f"part{number}.h5", "dp", (6, 6, 5))
    with h5py.File(tmp_path / "part0.h5", "w") as file:
        file["dp"] = FLAT[:6]
    with h5py.File(tmp_path / "b.h5", "w") as file:
        file.create_virtual_dataset("dp", layout)
    with pytest.raises(DataError, match=r"dp: 1 of 2 files are missing: part1\.h5"):
        opened(tmp_path / "b.h5")
    with h5py.File(tmp_path / "part1.h5", "w") as file:
        file["dp"] = FLAT[6:]
    np.testing.assert_array_equal(opened(tmp_path / "b.h5").read([7, 2]), FLAT[[7, 2]])


@pytest.mark.parametrize("left", [0.2, 0.9])
def test_fault_16_a_truncated_file_of_an_arina_scan_is_named(tmp_path: Path, left: float) -> None:
    path = write_arina(tmp_path / "scan_master.h5")
    part = tmp_path / "scan_data_000002.h5"
    size = int(part.stat().st_size * left)
    os.truncate(part, size)
    with pytest.raises(DataError, match=rf"scan_data_000002\.h5: truncated: {size} of \d+ bytes"):
        opened(path)


def test_fault_18_a_lying_file_of_an_arina_scan_is_refused(tmp_path: Path) -> None:
    path = write_arina(tmp_path / "scan_master.h5")
    with h5py.File(tmp_path / "scan_data_000002.h5", "w") as file:
        file.create_dataset("entry/data/data", (10**9, 4096, 4096), "u4", chunks=(1, 64, 64))
    with pytest.raises(DataError, match=r"declares \d+ bytes"):
        opened(path)


def test_fault_20_cycles_and_dangling_links_in_every_layout(tmp_path: Path) -> None:
    for path in (write_hspy(tmp_path / "a.hspy"), write_emd(tmp_path / "a.h5")):
        with h5py.File(path, "r+") as file:
            first = next(iter(file.values()))
            first["round"] = first
            first["up"] = h5py.SoftLink("/")
            first["nowhere"] = h5py.SoftLink("/gone")
            first["default"] = h5py.ExternalLink("gone.h5", "/dp")
        check(path)


def test_fault_21_an_unknown_filter_in_an_arina_scan(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = write_arina(tmp_path / "scan_master.h5")
    monkeypatch.setattr("h5py.h5z.filter_avail", lambda code: False)
    with pytest.raises(DataError, match=r"data_000001: compressed by HDF5 filter 32008 .*pip install -U hdf5plugin"):
        opened(path)


def test_one_pattern_does_not_pull_the_files_into_memory(tmp_path: Path) -> None:
    with h5py.File(tmp_path / "scan_master.h5", "w") as master:
        for number in (1, 2):
            with h5py.File(tmp_path / f"d{number}.h5", "w") as file:
                file.create_dataset("data", (128, 128, 128), "u4", chunks=(1, 128, 128))[77] = number
            master[f"entry/data/data_{number:06}"] = h5py.ExternalLink(f"d{number}.h5", "/data")
    tracemalloc.start()
    assert opened(tmp_path / "scan_master.h5").read([128 + 77]).min() == 2
    assert tracemalloc.get_traced_memory()[1] < 1 << 20
    tracemalloc.stop()


def test_texts_in_a_damaged_heap_are_left_unread(tmp_path: Path) -> None:
    path = write_hspy(tmp_path / "a.hspy")
    content = bytearray(path.read_bytes())
    assert heaps_are_sound(path)
    place = content.index(b"GCOL") + 16
    content[place : place + 16] = bytes(16)
    path.write_bytes(content)
    assert not heaps_are_sound(path)
    calibration = check(path)
    assert calibration.dk_inverse_angstrom is None
    assert calibration.energy_kev == 200
