"""Patterns written for other programs: every format read back by its own library, slab by slab, whole or not at all."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest
import scipy.io
import tifffile

import ptycupy
from ptycupy.cli import main
from ptycupy.config.schema import Data
from ptycupy.data import ArraySource, Calibration, open_source
from ptycupy.errors import ConfigError, DataError, ResourceError
from ptycupy.storage import patterns as module
from ptycupy.storage.patterns import Export, write_patterns

COUNTS = np.random.default_rng(0).integers(0, 900, (6, 8, 10)).astype(np.uint16)
SCALE = np.linspace(0.5, 1, 6)
SOURCE = ArraySource(COUNTS, (2, 3), Calibration((0.1, 0.2), (0.4, 0.5), 80.0))
EXPECTED = (COUNTS * SCALE[:, None, None]).astype(np.float32)
Array = np.ndarray[Any, Any]


@pytest.fixture(autouse=True)
def small_slabs(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "SLAB_BYTES", 4 * 8 * 10 * 8)


def hdf5(path: Path) -> Array:
    with h5py.File(path) as file:
        return np.asarray(file["meas"][()])


READ = {".h5": hdf5, ".hdf5": hdf5, ".npy": np.load, ".tif": tifffile.imread, ".tiff": tifffile.imread}


@pytest.mark.parametrize("reshape", [None, (2, 3, 8, 10)])
@pytest.mark.parametrize("suffix", READ)
def test_formats(tmp_path: Path, suffix: str, reshape: tuple[int, ...] | None) -> None:
    path = write_patterns(tmp_path / "new" / f"out{suffix}", Export(SOURCE, SCALE, reshape))
    values = READ[suffix](path)
    assert values.dtype == np.float32
    np.testing.assert_array_equal(values, EXPECTED.reshape(reshape or EXPECTED.shape))
    assert [entry.name for entry in path.parent.iterdir()] == [path.name]
    np.testing.assert_array_equal(open_source(Data(path=str(path))).read(np.arange(6)), EXPECTED)


@pytest.mark.parametrize("reshape", [None, (2, 3, 8, 10)])
@pytest.mark.parametrize("version", ["5", "7.3"])
def test_matlab_files_show_the_same_order_of_axes(
    tmp_path: Path, version: Any, reshape: tuple[int, ...] | None
) -> None:
    path = write_patterns(tmp_path / "out.mat", Export(SOURCE, SCALE, reshape), version)
    np.testing.assert_array_equal(open_source(Data(path=str(path), key="meas")).read(np.arange(6)), EXPECTED)
    wanted = EXPECTED.reshape(reshape or EXPECTED.shape)
    if version == "5":
        np.testing.assert_array_equal(scipy.io.loadmat(path)["meas"], wanted)
    else:
        assert path.read_bytes()[:10] == b"MATLAB 7.3"
        assert path.read_bytes()[124:128] == b"\x00\x02IM"
        np.testing.assert_array_equal(hdf5(path), wanted.transpose())


def test_the_calibration_travels_in_hdf5(tmp_path: Path) -> None:
    path = write_patterns(tmp_path / "out.h5", Export(SOURCE, 1.0))
    found = open_source(Data(path=str(path)))
    assert found.calibration == SOURCE.calibration
    assert found.scan_shape == (2, 3)


def test_the_shape_in_the_name_and_what_does_not_fit(tmp_path: Path) -> None:
    path = write_patterns(tmp_path / "out.npy", Export(SOURCE, 1.0, (2, 3, 8, 10)), append_shape=True)
    assert path.name == "out_2_3_8_10.npy"
    with pytest.raises(ConfigError, match="exists already"):
        write_patterns(tmp_path / "out.npy", Export(SOURCE, 1.0, (2, 3, 8, 10)), append_shape=True)
    with pytest.raises(ConfigError, match=r"reshape: 3 x 3 x 8 x 10 does not fit 6 patterns of 8 x 10 px"):
        Export(SOURCE, 1.0, (3, 3, 8, 10))
    with pytest.raises(ConfigError, match=r"out\.png: patterns are written as .*\.mat"):
        write_patterns(tmp_path / "out.png", Export(SOURCE, 1.0))


def test_a_file_too_large_for_matlab_5_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "MAT5_BYTES", 100)
    with pytest.raises(ResourceError, match=r"1920 bytes .* take version 7\.3"):
        write_patterns(tmp_path / "out.mat", Export(SOURCE, 1.0), "5")
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("suffix", [".h5", ".npy", ".tif"])
def test_data_that_break_off_leave_the_older_file(tmp_path: Path, suffix: str) -> None:
    class Broken(ArraySource):
        def slabs(self, size: int) -> Any:
            yield slice(0, 2), self.patterns[:2]
            raise DataError("the file is no longer there")

    path = tmp_path / f"out{suffix}"
    path.write_bytes(b"old")
    with pytest.raises(DataError, match="no longer there"):
        write_patterns(path, Export(Broken(COUNTS, (2, 3)), 1.0), overwrite=True)
    assert path.read_bytes() == b"old"
    assert len(list(tmp_path.iterdir())) == 1


def config(folder: Path) -> Path:
    with h5py.File(folder / "scan.h5", "w") as file:
        file["dp"] = np.tile(COUNTS[:4] + np.uint16(1), (4, 1, 1))
    text = (
        "data: {path: scan.h5, detector_blur_px: 0.8, bad_pixels: ignore}\n"
        "illumination: {voltage_kv: 80, convergence_angle_mrad: 5}\n"
        "calibration: {mode: pixel_size_angstrom, value: 0.3}\nscan: {step_px: 2}\n"
    )
    path = folder / "cfg.yaml"
    path.write_text(text, encoding="utf-8")
    return path


def test_command_and_function_write_what_the_model_is_compared_with(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    cfg, out = config(tmp_path), tmp_path / "out.npy"
    assert main(["export-patterns", str(cfg), str(out), "--reshape", "4", "4", "8", "10", "--append-shape"]) == 0
    named = tmp_path / "out_4_4_8_10.npy"
    assert capsys.readouterr().out.strip() == str(named)
    path = ptycupy.export_patterns(cfg, out, overrides=["data.detector_blur_px=0"])
    raw = np.load(path)
    assert raw.mean(0).max() == pytest.approx(1, rel=1e-6)
    from scipy.ndimage import gaussian_filter

    expected = gaussian_filter(raw.astype(float), (0, 0.8, 0.8), mode="reflect")
    np.testing.assert_allclose(np.load(named).reshape(16, 8, 10), expected, rtol=1e-5)
    assert main(["export-patterns", str(cfg), str(out)]) == 2
    assert "exists already" in capsys.readouterr().err
