"""Values that should not be there (rows 27, 31 and 34 of the fault list) come through every reader of whole arrays."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest
import scipy.io

from ptycupy.config.schema import Data
from ptycupy.data import open_source
from ptycupy.data.preprocess import intensity_scale, scan
from ptycupy.errors import DataError

VALUES = np.random.default_rng(8).uniform(10, 250, (9, 6, 5))


def write(path: Path, values: np.ndarray[Any, Any]) -> Path:
    """The array under "dp", in the format that the name says."""
    if path.suffix == ".npz":
        np.savez_compressed(path, dp=values)
    elif path.suffix == ".mat":
        scipy.io.savemat(path, {"dp": values}, do_compression=True)
    elif path.suffix == ".zarr":
        zarr = pytest.importorskip("zarr", minversion="3", reason="zarr 3 is not installed")
        array = zarr.create_array(str(path), shape=values.shape, dtype=values.dtype, chunks=(2, 6, 5))
        array[:] = values
    elif path.suffix == ".hspy":
        with h5py.File(path, "w") as file:
            file["Experiments/scan/data"] = values
    return path


SUFFIXES = [".npz", ".mat", ".zarr", ".hspy"]


@pytest.mark.parametrize("suffix", SUFFIXES)
def test_fault_31_negative_counts_are_clipped_whatever_the_format(tmp_path: Path, suffix: str, caplog: Any) -> None:
    values = VALUES.astype(np.int16)
    values[4, 2, 1] = -7
    survey = scan(open_source(Data(path=str(write(tmp_path / f"a{suffix}", values)))))
    assert survey.negative.places == ((4, 2, 1),)
    assert "clipped to 0: negative values down to -7" in caplog.text
    assert survey.source.read([4]).min() == 0


@pytest.mark.parametrize("scale", [1e30, 1e-12])
@pytest.mark.parametrize("suffix", SUFFIXES)
def test_fault_34_absurd_scales_stay_finite_whatever_the_format(
    tmp_path: Path, suffix: str, scale: float, caplog: Any
) -> None:
    values = (VALUES / 250 * scale).astype(np.float32)
    survey = scan(open_source(Data(path=str(write(tmp_path / f"a{suffix}", values)))))
    assert "check the units" in caplog.text
    scaled = survey.source.read(np.arange(9)) * np.float32(intensity_scale(survey))
    assert np.isfinite(scaled).all()
    assert 1 <= scaled.max() < 3


@pytest.mark.parametrize("suffix", SUFFIXES)
def test_fault_27_complex_values_are_no_patterns_whatever_the_format(tmp_path: Path, suffix: str) -> None:
    with pytest.raises(DataError, match="complex waves"):
        open_source(Data(path=str(write(tmp_path / f"a{suffix}", VALUES * 1j))))
