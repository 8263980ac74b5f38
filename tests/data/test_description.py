"""What `ptycupy info` says about files of every format."""

from __future__ import annotations

from pathlib import Path

import h5py
import numpy as np
import pytest
import tifffile

from ptycupy.data import describe
from ptycupy.errors import DataError

STACK = np.arange(12 * 4 * 4, dtype=np.uint16).reshape(12, 4, 4)


def test_hdf5_with_everything(tmp_path: Path) -> None:
    with h5py.File(tmp_path / "a.h5", "w") as file:
        data = file.create_dataset("dp", data=STACK, chunks=(4, 4, 4), compression="gzip")
        data.attrs.update(dk_invA=0.05, scan_step_A=0.4, energy_keV=80.0, scan_shape=(4, 3))
        file["probe"] = STACK.astype(np.complex64)[:1]
        file["names"] = np.array(["a"], dtype=h5py.string_dtype())
        file["scalar"] = 3.0
        file["empty"] = np.zeros((0, 4, 4))
    text = describe(tmp_path / "a.h5")
    for part in (
        "format hdf5", "5 datasets", "dp (12, 4, 4) uint16: chunks (4, 4, 4), deflate",
        "dk (y, x) in 1/angstrom: 0.05, 0.05", "scan step (slow, fast) in angstrom: 0.4, 0.4", "energy in keV: 80",
        "min 0, max 191", "scan 4 x 3 (stated)", "magnitudes", "names (1,) object", "scalar () float64",
        "empty (0, 4, 4)",
    ):  # fmt: skip
        assert part in text


def test_the_other_formats(tmp_path: Path) -> None:
    np.save(tmp_path / "a.npy", STACK.astype(np.float32))
    tifffile.imwrite(tmp_path / "a.tif", STACK, photometric="minisblack")
    (tmp_path / "scan_x4_y3.raw").write_bytes(bytes(12 * (128 * 128 * 4 + 1024)))
    for name, kind in (("a.npy", "(12, 4, 4) float32"), ("a.tif", "(12, 4, 4) uint16")):
        text = describe(tmp_path / name)
        assert kind in text
        assert "12 patterns (not square: set data.scan_shape or give positions); scans that fit: 3 x 4" in text
        assert "calibration: none stated" in text
    assert "scan 3 x 4 (stated)" in describe(tmp_path / "scan_x4_y3.raw")
    np.save(tmp_path / "b.npy", np.full((9, 4, 4), np.nan))
    assert "no finite value" in describe(tmp_path / "b.npy")
    np.save(tmp_path / "c.npy", STACK.reshape(3, 4, 4, 4))
    assert "scan 3 x 4" in describe(tmp_path / "c.npy")


def test_only_a_sample_is_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    np.save(tmp_path / "a.npy", STACK)
    monkeypatch.setattr("ptycupy.data.description.SAMPLE_LIMIT_BYTES", 40)
    assert "sample of 1:" in describe(tmp_path / "a.npy")
    monkeypatch.setattr("ptycupy.data.description.SAMPLE_LIMIT_BYTES", 31)
    assert "not sampled" in describe(tmp_path / "a.npy")


def test_a_missing_file(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="no such file"):
        describe(tmp_path / "a.h5")
