"""Small files of every format and layout that the readers know, written by other packages wherever one can."""

from __future__ import annotations

import json
import shutil
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest
import scipy.io
import tifffile

FILES = Path(__file__).parents[1] / "files"  # scan.dm3, scan.dm4, scan.mrc: made by make_microscope_files.py
STACK = (np.arange(3 * 4 * 6 * 5) * 37 % 60_013).astype(np.uint16).reshape(3, 4, 6, 5)
FLAT = STACK.reshape(12, 6, 5)
SQUARE = STACK[:, :, :5].astype(np.uint8)
AXES = [("y", "nm", 0.05, True), ("x", "nm", 0.04, True), ("ky", "1/nm", 0.2, False), ("kx", "1/nm", 0.3, False)]
EMPAD_GAP = 1024


def signal(data: Any = STACK, axes: Any = AXES) -> dict[str, Any]:
    """What rosettasciio's writers take."""
    return {
        "data": data,
        "axes": [
            {"_type": "UniformDataAxis", "name": name, "units": units, "navigate": navigate, "size": size,
             "scale": scale, "offset": 0.0, "is_binned": False, "index_in_array": number}
            for number, ((name, units, scale, navigate), size) in enumerate(zip(axes, data.shape, strict=True))
        ],
        "metadata": {"General": {"title": "t"}, "Signal": {"signal_type": ""},
                     "Acquisition_instrument": {"TEM": {"beam_energy": 200.0}}},
        "original_metadata": {}, "attributes": {"_lazy": False}, "learning_results": {}, "models": {},
        "package": "t", "package_version": "1", "package_info": {}, "tmp_parameters": {},
    }  # fmt: skip


def _rosettasciio(plugin: str) -> Any:
    return pytest.importorskip(f"rsciio.{plugin}", reason="rosettasciio is not installed")


# --- HDF5 in its layouts --------------------------------------------------------------------------------------
def write_plain(path: Path, **options: Any) -> Path:
    with h5py.File(path, "w", **options) as file:
        file.create_dataset("entry/dp", data=STACK, chunks=(1, 4, 6, 5), compression="gzip", fletcher32=True)
        file["entry"].attrs.update(energy_keV=200.0, note="text")
        file["probe"] = STACK[0, 0].astype(np.complex64)
    return path


def write_hspy(path: Path) -> Path:
    _rosettasciio("hspy").file_writer(str(path), signal())
    return path


def write_nexus(path: Path) -> Path:
    _rosettasciio("nexus").file_writer(str(path), signal())
    return path


def write_emd(path: Path, unit: str = "A^-1") -> Path:
    emdfile = pytest.importorskip("emdfile", reason="emdfile is not installed")
    cube = emdfile.Array(STACK, name="datacube", units="counts", dims=[1, 1, 1, 1])
    virtual = emdfile.Array(STACK[0].astype(float), name="virtual")
    values = {"Q_pixel_size": 0.02, "Q_pixel_units": unit, "R_pixel_size": 0.5, "R_pixel_units": "A"}
    root = emdfile.Root(name="datacube_root")
    root.tree(cube)
    root.tree(virtual)
    root.metadata = emdfile.Metadata(name="calibration", data=values)
    emdfile.save(str(path), root, mode="o")
    return path


def write_arina(path: Path, frames: Any = FLAT, **attributes: Any) -> Path:
    """A master file and three files of 5, 5 and 2 images, compressed as the detector does."""
    import hdf5plugin

    with h5py.File(path, "w") as master:
        for number, start in enumerate((0, 5, 10), 1):
            name = f"scan_data_{number:06}.h5"
            with h5py.File(path.with_name(name), "w") as file:
                part = frames[start : start + 5].astype(np.uint32)
                file.create_dataset(
                    "entry/data/data", data=part, chunks=(1, *part.shape[1:]), **hdf5plugin.Bitshuffle(cname="lz4")
                )
            master[f"entry/data/data_{number:06}"] = h5py.ExternalLink(name, "/entry/data/data")
        specific = master.create_group("entry/instrument/detector/detectorSpecific")
        for key, value in ({"ntrigger": 3, "nimages": 4} | attributes).items():
            specific[key] = value
        specific["pixel_mask"] = np.zeros((6, 5), np.uint32)
        specific["flatfield"] = np.ones((1, 6, 5), np.float32)
    return path


def write_velox(path: Path) -> Path:
    """By h5py, after what rosettasciio's reader expects: no free package writes Velox files."""
    metadata = {
        "BinaryResult": {"PixelSize": {"width": "2e8", "height": "2e8"}, "PixelUnitX": "1/m", "DetectorIndex": "0"},
        "Detectors": {"Detector-0": {"DetectorName": "BM-Ceta", "ExposureTime": "0.1"}},
        "Scan": {"FrameTime": "0.1"},
        "Acquisition": {"AcquisitionStartDatetime": {"DateTime": "1500000000"}},
        "Optics": {"AccelerationVoltage": "200000"},
    }
    text = np.frombuffer(json.dumps(metadata).encode(), np.uint8)
    with h5py.File(path, "w") as file:
        file["Version"] = [json.dumps({"format": "Velox", "version": "11"}).encode()]
        image = file.create_group("Data/Image/0123456789abcdef0123456789abcdef")
        image["Metadata"] = np.stack([text] * len(FLAT), axis=1)
        image.create_dataset("Data", data=FLAT.transpose(1, 2, 0), chunks=(6, 5, 1))
    return path


# --- other files ----------------------------------------------------------------------------------------------
def write_blo(path: Path, values: Any = SQUARE) -> Path:
    """Patterns are square in this format."""
    names = [("y", "nm", 0.05, True), ("x", "nm", 0.05, True), ("dy", "cm", 0.1, False), ("dx", "cm", 0.1, False)]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        _rosettasciio("blockfile").file_writer(str(path), signal(values, names), intensity_scaling=None)
    return path


def write_tvips(path: Path) -> Path:
    """In two files; the writer takes the time step for the sampling too, and both in whole numbers."""
    axes = [("time", "s", 2.0, True), ("ky", "1/nm", 2.0, False), ("kx", "1/nm", 2.0, False)]
    writer = _rosettasciio("tvips")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        writer.file_writer(str(path), signal(FLAT, axes), max_file_size=1100, mode=2)
    return path


def copied(name: str) -> Callable[[Path], Path]:
    def write(path: Path) -> Path:
        _rosettasciio("digitalmicrograph")
        shutil.copy(FILES / name, path)
        return path

    return write


def write_mat(path: Path, compressed: bool) -> Path:
    content = {"dp": STACK, "p": {"probe": STACK[0] * 1j}}
    scipy.io.savemat(path, content, do_compression=compressed)
    return path


def write_mib(path: Path, depth: str = "U16") -> Path:
    """After the format's description: no free package writes it."""
    extension = ",MQ1A,a,b,6," if depth == "R64" else ","
    header = f"MQ1,000001,00384,01,{8 if depth == 'R64' else 4:04},0004,{depth},   1x1{extension}"
    path.write_bytes((header.encode().ljust(384, b"\0") + bytes(range(32))) * 4)
    return path


def write_empad(path: Path) -> Path:
    """After the format's description: 128 x 128 floats and two rows that are no pattern."""
    frame = np.arange(128 * 128, dtype="<f4").tobytes() + bytes(EMPAD_GAP)
    path.write_bytes(frame * 4)
    return path


def write_zarr(path: Path, version: int) -> Path:
    zarr = pytest.importorskip("zarr", minversion="3", reason="zarr 3 is not installed")
    group = zarr.open_group(str(path), mode="w", zarr_format=version)
    group.attrs["energy_keV"] = 200
    group.create_array("scan/dp", shape=STACK.shape, chunks=(1, 2, 6, 5), dtype=STACK.dtype)[:] = STACK
    return path


def _saved(save: Callable[..., Any], **options: Any) -> Callable[[Path], Path]:
    def write(path: Path) -> Path:
        save(path, STACK, **options)
        return path

    return write


def _archived(save: Callable[..., Any]) -> Callable[[Path], Path]:
    def write(path: Path) -> Path:
        save(path, dp=STACK, probe=STACK[0] * 1j)
        return path

    return write


WRITERS: dict[str, Callable[[Path], Path]] = {
    "plain.h5": write_plain,
    "latest.h5": lambda path: write_plain(path, libver="latest"),
    "signal.hspy": write_hspy,
    "entry.nxs": write_nexus,
    "py4dstem.h5": write_emd,
    "scan_master.h5": write_arina,
    "velox.emd": write_velox,
    "stack.npy": _saved(np.save),
    "stored.npz": _archived(np.savez),
    "packed.npz": _archived(np.savez_compressed),
    "plain.mat": lambda path: write_mat(path, False),
    "packed.mat": lambda path: write_mat(path, True),
    "imagej.tif": _saved(tifffile.imwrite, photometric="minisblack"),
    "zlib.tiff": _saved(tifffile.imwrite, photometric="minisblack", compression="zlib"),
    "counts.mib": write_mib,
    "bits.mib": lambda path: write_mib(path, "R64"),
    "scan.raw": write_empad,
    "version2.zarr": lambda path: write_zarr(path, 2),
    "version3.zarr": lambda path: write_zarr(path, 3),
    "block.blo": write_blo,
    "stream_000.tvips": write_tvips,
    "scan.dm3": copied("scan.dm3"),
    "scan.dm4": copied("scan.dm4"),
    "scan.mrc": copied("scan.mrc"),
}
