"""Every reader gives the array that was written, whatever the type, byte order, layout and order of indices."""

from __future__ import annotations

import pickle
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest
import tifffile

from ptycupy.config.schema import Data
from ptycupy.data import open_source, read_array, read_attributes
from ptycupy.data.stored import StoredPatterns
from ptycupy.errors import DataError

DTYPES = ("uint8", "<u2", ">u2", "<u4", ">u4", "int16", ">i4", "float16", "<f4", ">f4", "<f8", ">f8", "bool")


def stack(dtype: str = "uint16", shape: tuple[int, ...] = (12, 6, 5)) -> np.ndarray[Any, Any]:
    rng = np.random.default_rng(7)
    return rng.integers(0, 2 if dtype == "bool" else 200, shape).astype(dtype)


def write(path: Path, values: np.ndarray[Any, Any], **options: Any) -> Path:
    if path.suffix == ".h5":
        with h5py.File(path, "w") as file:
            file.create_dataset("entry/data", data=values, **options)
    elif path.suffix == ".npy":
        np.save(path, values)
    elif path.suffix == ".raw":
        frames = np.zeros((len(values), values[0].size + 256), "<f4")
        frames[:, : values[0].size] = values.reshape(len(values), -1)
        path.write_bytes(frames.tobytes())
    else:
        tifffile.imwrite(path, values, photometric="minisblack", **options)
    return path


def check(path: Path, expected: np.ndarray[Any, Any], **config: Any) -> None:
    source = open_source(Data(path=str(path), **config))
    assert source.shape == expected.shape
    assert source.dtype == expected.dtype.newbyteorder("=")
    order = [7, 0, 11, 3, 3, 8]
    got = source.read(order)
    assert got.dtype.isnative
    np.testing.assert_array_equal(got, expected[order])
    slabs = list(source.slabs(5))
    assert [part.start for part, _ in slabs][0] == 0
    assert all(len(patterns) == part.stop - part.start <= 5 for part, patterns in slabs)
    np.testing.assert_array_equal(np.concatenate([patterns for _, patterns in slabs]), expected)
    assert source.read([]).shape == (0, *expected.shape[1:])


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("suffix", [".h5", ".npy", ".tif"])
def test_fault_26_every_type_and_byte_order_gives_right_values(tmp_path: Path, suffix: str, dtype: str) -> None:
    values = stack(dtype)
    options = {"byteorder": ">"} if suffix == ".tif" and dtype.startswith(">") else {}
    check(write(tmp_path / f"a{suffix}", values, **options), values)


@pytest.mark.parametrize(
    "options",
    [{"chunks": (4, 6, 5), "compression": "gzip"}, {"chunks": (5, 3, 5), "fletcher32": True}, {"chunks": (1, 6, 5)}],
)
def test_chunked_hdf5(tmp_path: Path, options: dict[str, Any]) -> None:
    check(write(tmp_path / "a.h5", stack(), **options), stack())


def test_chunked_4d_hdf5_is_read_by_chunks_and_keeps_its_scan_shape(tmp_path: Path) -> None:
    values = stack(shape=(3, 4, 6, 5))
    path = write(tmp_path / "a.h5", values, chunks=(2, 3, 6, 5), compression="gzip")
    check(path, values.reshape(12, 6, 5))
    assert open_source(Data(path=str(path))).scan_shape == (3, 4)


def test_hdf5_reads_each_chunk_once_per_request(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    source = open_source(Data(path=str(write(tmp_path / "a.h5", stack(), chunks=(4, 6, 5)))))
    assert isinstance(source, StoredPatterns)
    regions: list[Any] = []
    read = source.array.read_region
    monkeypatch.setattr(source.array, "read_region", lambda region: (regions.append(region), read(region))[1])
    source.read([9, 1, 3, 8, 0])
    assert [(region[0].start, region[0].stop) for region in regions] == [(0, 4), (8, 10)]


def test_scattered_patterns_do_not_pull_the_whole_file_through_memory(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("ptycupy.data.stored.READ_LIMIT_BYTES", 3 * 6 * 5 * 2)
    check(write(tmp_path / "a.h5", stack(), chunks=(12, 2, 5)), stack())


def test_bitshuffle_lz4_needs_nothing_imported_by_the_user(tmp_path: Path) -> None:
    import hdf5plugin

    check(write(tmp_path / "a.h5", stack(), chunks=(4, 6, 5), compression=hdf5plugin.Bitshuffle()), stack())


def test_an_open_hdf5_source_can_be_sent_to_another_process(tmp_path: Path) -> None:
    source = open_source(Data(path=str(write(tmp_path / "a.h5", stack()))))
    source.read([0])
    np.testing.assert_array_equal(pickle.loads(pickle.dumps(source)).read([5]), stack()[[5]])


def test_npy_in_fortran_order(tmp_path: Path) -> None:
    np.save(tmp_path / "a.npy", np.asfortranarray(stack()))
    check(tmp_path / "a.npy", stack())


def test_npy_versions_2_and_3(tmp_path: Path) -> None:
    for version in ((2, 0), (3, 0)):
        with open(tmp_path / "a.npy", "wb") as file:
            np.lib.format.write_array(file, stack(), version=version)
        check(tmp_path / "a.npy", stack())


@pytest.mark.parametrize(
    "options",
    [{"compression": "zlib"}, {"imagej": True}, {"bigtiff": True}, {"tile": (16, 16)}, {"rowsperstrip": 2}, {}],
)
def test_tiff_stacks(tmp_path: Path, options: dict[str, Any]) -> None:
    check(write(tmp_path / "a.tif", stack(), **options), stack())


def test_tiff_pages_written_one_by_one_are_one_stack(tmp_path: Path) -> None:
    with tifffile.TiffWriter(tmp_path / "a.tif") as tif:
        for page in stack():
            tif.write(page, contiguous=False)
    check(tmp_path / "a.tif", stack())


def test_a_single_page_is_one_pattern(tmp_path: Path) -> None:
    source = open_source(Data(path=str(write(tmp_path / "a.tif", stack()[0]))))
    assert source.shape == (1, 6, 5)
    np.testing.assert_array_equal(source.read([0])[0], stack()[0])


def test_imagej_hyperstack_has_a_scan_shape(tmp_path: Path) -> None:
    values = stack(shape=(3, 4, 6, 5))
    tifffile.imwrite(tmp_path / "a.tif", values, imagej=True, metadata={"axes": "TZYX"})
    check(tmp_path / "a.tif", values.reshape(12, 6, 5))
    assert open_source(Data(path=str(tmp_path / "a.tif"))).scan_shape == (3, 4)


def test_tiff_series_of_different_shapes_ask_for_a_key(tmp_path: Path) -> None:
    with tifffile.TiffWriter(tmp_path / "a.tif") as tif:
        tif.write(stack(), photometric="minisblack")
        tif.write(stack(shape=(9, 4, 4)), photometric="minisblack")
    with pytest.raises(DataError, match=r"data\.key.*0: \(12, 6, 5\) uint16, 1: \(9, 4, 4\)"):
        open_source(Data(path=str(tmp_path / "a.tif")))
    check(tmp_path / "a.tif", stack(), key="0")


def test_colour_tiff_is_refused(tmp_path: Path) -> None:
    tifffile.imwrite(tmp_path / "a.tif", np.zeros((4, 4, 3), np.uint8), photometric="rgb")
    with pytest.raises(DataError, match="colour"):
        open_source(Data(path=str(tmp_path / "a.tif")))


def test_empad_skips_gap_and_offset(tmp_path: Path) -> None:
    values = stack("<f4", (12, 128, 128))
    path = write(tmp_path / "a.raw", values)
    source = open_source(Data(path=str(path), scan_shape=(3, 4)))
    assert source.scan_shape == (3, 4)
    np.testing.assert_array_equal(source.read([11, 2]), values[[11, 2]])
    path.write_bytes(b"head" + stack("<f4").tobytes())
    check(path, stack("<f4"), detector_shape=(6, 5), offset_bytes=4)


XML = """<root><raw_file filename="scan_x4_y3.raw"/>
<scan_parameters mode="search"><scan_resolution_y>64</scan_resolution_y><scan_resolution_x>9</scan_resolution_x>
</scan_parameters><scan_parameters mode="acquire"><scan_size>0.6</scan_size><scan_resolution_y>3</scan_resolution_y>
<scan_resolution_x>4</scan_resolution_x></scan_parameters><iom_measurements><high_voltage>80000.0</high_voltage>
<calibrated_pixelsize>1.8e-10</calibrated_pixelsize>
<full_scan_field_of_view><scale_factor>0.72</scale_factor><x>1.44e-9</x><y>1.44e-9</y></full_scan_field_of_view>
</iom_measurements></root>"""


@pytest.mark.parametrize("voltage", ["high_voltage", "source.get_voltage"])
@pytest.mark.parametrize("name", ["scan_x4_y3.raw", "renamed.raw"])
def test_empad_xml_gives_scan_shape_and_calibration(tmp_path: Path, name: str, voltage: str) -> None:
    path = write(tmp_path / name, stack("<f4", (12, 128, 128)))
    (tmp_path / "acquisition.xml").write_text(XML.replace("scan_x4_y3.raw", name).replace("high_voltage", voltage))
    source = open_source(Data(path=str(path)))
    assert source.scan_shape == (3, 4)
    assert source.calibration.energy_kev == pytest.approx(80)
    assert source.calibration.dk_inverse_angstrom == pytest.approx((0.018, 0.018))
    assert source.calibration.scan_step_angstrom == pytest.approx((3.0, 3.0))


@pytest.mark.parametrize("text", ["<root", "<!DOCTYPE r [<!ENTITY a 'b'>]><r/>", "<root/>", "\0\1"])
def test_a_useless_xml_beside_a_raw_file_does_no_harm(tmp_path: Path, text: str) -> None:
    path = write(tmp_path / "a.raw", stack("<f4", (9, 128, 128)))
    (tmp_path / "a.xml").write_text(text)
    source = open_source(Data(path=str(path)))
    assert source.scan_shape == (3, 3)
    assert source.calibration.energy_kev is None


def test_magic_bytes_win_over_a_wrong_extension(tmp_path: Path) -> None:
    write(tmp_path / "a.npy", stack()).rename(tmp_path / "a.h5")
    check(tmp_path / "a.h5", stack())
    write(tmp_path / "b.h5", stack()).rename(tmp_path / "b.data")
    check(tmp_path / "b.data", stack())


def test_hdf5_behind_a_user_block(tmp_path: Path) -> None:
    with h5py.File(tmp_path / "a.mat", "w", userblock_size=512) as file:
        file["data"] = stack()
    check(tmp_path / "a.mat", stack())


def test_calibration_and_scan_shape_of_hdf5_attributes(tmp_path: Path) -> None:
    with h5py.File(tmp_path / "a.h5", "w") as file:
        file.attrs["energy_keV"] = 300
        data = file.create_dataset("dp", data=stack())
        data.attrs.update(dx_A=(0.1, 0.2), scan_step_A=0.4, scan_shape=(4, 3), note="text", odd=np.zeros((9, 9)))
    source = open_source(Data(path=str(tmp_path / "a.h5")))
    assert source.scan_shape == (4, 3)
    assert source.calibration.energy_kev == 300
    assert source.calibration.dk_inverse_angstrom == pytest.approx((1 / 0.6, 1 / 1.0))
    assert source.calibration.scan_step_angstrom == (0.4, 0.4)
    attributes = read_attributes(tmp_path / "a.h5", "dp")
    assert attributes.pair("dx_A") == (0.1, 0.2)
    assert attributes.numbers("note") is None
    assert attributes.numbers("odd") is None
    assert attributes.number("missing") is None
    assert attributes.number("dx_A") is None


def test_small_arrays_of_every_format(tmp_path: Path) -> None:
    wave = stack("f8").astype(">c16") * (1 + 2j)
    np.testing.assert_array_equal(read_array(write(tmp_path / "p.npy", wave)), wave)
    np.testing.assert_array_equal(read_array(write(tmp_path / "p.h5", wave), "entry/data"), wave)
    assert read_array(tmp_path / "p.h5").dtype == np.complex128
    (tmp_path / "p.csv").write_text("y,x\n# px\n1.5,2\n3,4e1\n")
    np.testing.assert_array_equal(read_array(tmp_path / "p.csv"), [[1.5, 2], [3, 40]])
    (tmp_path / "p.txt").write_text("1 2\n3 4\n")
    np.testing.assert_array_equal(read_array(tmp_path / "p.txt"), [[1, 2], [3, 4]])


@pytest.mark.parametrize(
    ("text", "message"),
    [("1 2\n3\n", ":2: 1 numbers"), ("1 2\nx 3\n", ":2: could not"), ("", "no row"), ("y x\n", "no row")],
)
def test_damaged_tables_name_the_line(tmp_path: Path, text: str, message: str) -> None:
    (tmp_path / "p.txt").write_text(text)
    with pytest.raises(DataError, match=message):
        read_array(tmp_path / "p.txt")


def test_an_index_outside_is_an_index_error(tmp_path: Path) -> None:
    source = open_source(Data(path=str(write(tmp_path / "a.npy", stack()))))
    for index in (-1, 12):
        with pytest.raises(IndexError, match="12"):
            source.read([index])
