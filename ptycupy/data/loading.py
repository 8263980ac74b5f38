"""From the data section of a configuration to a lazy source, and to the detector mask that goes with it."""

from __future__ import annotations

import math
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from ptycupy.data.arrays import read_array
from ptycupy.data.files import file_size, find_file, require_memory
from ptycupy.data.readers import ReaderOptions, detect, open_stored
from ptycupy.data.selected import select
from ptycupy.data.shapes import likely_shapes, square
from ptycupy.data.source import Calibration, PatternSource, Provenance
from ptycupy.data.stored import Attributes, StoredArray, StoredPatterns, arrange
from ptycupy.data.transform import CropDetector, Orient, crop_detector, crop_scan, orient
from ptycupy.data.views import MappedSource
from ptycupy.errors import ConfigError, DataError

if TYPE_CHECKING:
    from ptycupy.config.schema import Data


def open_source(data: Data) -> PatternSource:
    """The patterns of `data.path`, selected, permuted, reshaped, oriented and cropped when they are read; now only
    headers are.

    Orientation comes before the detector's crop. `scan_shape` is None where the file does not state it and the number
    of patterns is no square. ConfigError without a path, DataError for everything that is wrong with the file.
    """
    if data.path is None:
        raise ConfigError("data.path is missing: the file with the diffraction patterns, e.g. path: scan_x128_y128.raw")
    regrouped = any(value is not None for value in (data.selection, data.permute, data.reshape))
    options = ReaderOptions(data.key, data.scan_shape, data.detector_shape, data.offset_bytes, data.gap_bytes)
    stored = open_stored(data.path, options, data.format) if data.follow is None else _open_growing(data, options)
    name = f"{stored.path}{f': {stored.key}' if stored.key else ''}"
    _refuse_unreal(name, stored.dtype)
    _refuse_meaningless(data, stored.path)
    array, permute, axes, shape = arrange(select(stored, data.selection), data.permute, data.reshape)
    if data.detector_shape is not None and shape[-2:] != data.detector_shape:
        raise DataError(f"{name}: the detector is {shape[-2:]}, but data.detector_shape says {data.detector_shape}")
    patterns = StoredPatterns(
        array,
        permute,
        tuple(array.shape[axis] for axis in permute[:axes]),
        (shape[-2], shape[-1]),
        _scan_shape(name, data.scan_shape, shape, stored.attributes, regrouped),
        calibration_of(stored.attributes, (shape[-2], shape[-1])),
        Provenance(str(stored.path), stored.key, file_size(stored.path), _steps(data)),
    )
    require_memory(stored.path, f"one pattern of {patterns.shape[1:]}", math.prod(shape[-2:]) * patterns.dtype.itemsize)
    return crop_detector(orient(crop_scan(patterns, data.crop_scan), data.orientation), data.crop_detector)


def load_mask(data: Data) -> NDArray[np.bool_] | None:
    """The detector mask [ky, kx] of `data.mask_path`, True where a pixel counts, or None.

    It is drawn on the detector as stored, then oriented and cropped like the patterns. DataError where its shape is
    another one or where it masks everything.
    """
    if data.mask_path is None:
        return None
    mask = read_array(data.mask_path, data.mask_key)
    source = open_source(data)
    steps: list[Any] = []
    while isinstance(source, MappedSource):
        if isinstance(source.step, (Orient, CropDetector)):
            steps.append(source.step)
        source = source.base
    detector = source.shape[1:]
    while mask.ndim > 2 and mask.shape[0] == 1:
        mask = mask[0]
    if mask.shape != detector or mask.dtype.kind not in "biuf" or (mask.dtype.kind == "f" and np.isnan(mask).any()):
        raise DataError(
            f"{data.mask_path}: a mask {mask.shape} {mask.dtype}; the detector of {data.path} needs {detector} "
            "of numbers, not zero where a pixel counts"
        )
    counts = mask != 0
    for step in reversed(steps):
        counts = step(counts)
    if not counts.any():
        raise DataError(f"{data.mask_path}: masks every pixel of the detector {counts.shape}; not zero means it counts")
    return np.ascontiguousarray(counts)


def calibration_of(attributes: Attributes, detector_shape: tuple[int, int]) -> Calibration:
    """What the attributes say; a real-space pixel dx of the window stands for dk = 1 / (n dx)."""
    dk = attributes.pair("dk_inverse_angstrom", "dk_invA")
    dx = attributes.pair("dx_angstrom", "dx_A")
    if dk is None and dx is not None:
        dk = 1 / (detector_shape[0] * dx[0]), 1 / (detector_shape[1] * dx[1])
    energy = attributes.number("energy_kev", "energy_keV")
    return Calibration(
        dk_inverse_angstrom=dk,
        dk_mrad=attributes.pair("dk_mrad"),
        scan_step_angstrom=attributes.pair("scan_step_angstrom", "scan_step_A"),
        energy_kev=energy if energy is not None and energy > 0 else None,
    )


def stated_scan_shape(attributes: Attributes, count: int) -> tuple[int, int] | None:
    """The scan's shape by the file's attributes where it fits the number of patterns."""
    stated = attributes.pair("scan_shape")
    shape = None if stated is None else (int(stated[0]), int(stated[1]))
    return shape if shape is not None and math.prod(shape) == count else None


def _open_growing(data: Data, options: ReaderOptions) -> StoredArray:
    from ptycupy.data.growing import GrowingArray
    from ptycupy.data.readers.growing_files import open_growing

    if data.follow is None or data.path is None or data.scan_shape is None:
        raise ConfigError("data.follow: needs data.path and data.scan_shape, for example [128, 128]")
    path = find_file(data.path)
    frames = open_growing(path, options, data.format)
    return GrowingArray(path, frames, math.prod(data.scan_shape), data.follow.settle_seconds)


def _refuse_unreal(name: str, dtype: np.dtype[Any]) -> None:
    if dtype.kind not in "biuf":
        kind = "complex waves" if dtype.kind == "c" else "no numbers"
        raise DataError(f"{name}: dtype {dtype} ({kind}); diffraction patterns are integers or floats")


def _refuse_meaningless(data: Data, path: Path) -> None:
    """Keys that this file's format has no use for: whoever sets one believes the file to be another."""
    found = detect(path, data.format).name
    keys: dict[str, int | str | None] = (
        {"offset_bytes": data.offset_bytes or None, "gap_bytes": data.gap_bytes} if found != "empad" else {}
    )
    if found in {"npy", "empad", "mib"}:
        keys["key"] = data.key
    for key, value in keys.items():
        if value is not None:
            known = "files that may hold several data sets (HDF5, .mat, .npz, TIFF)" if key == "key" else "raw files"
            raise ConfigError(f"data.{key}: {value!r} is for {known}; {path} is read as {found}: leave it out")


def _scan_shape(
    name: str, given: tuple[int, int] | None, shape: tuple[int, ...], attributes: Attributes, regrouped: bool
) -> tuple[int, int] | None:
    count = math.prod(shape[:-2])
    if given is not None:
        if min(given) < 1 or math.prod(given) != count:
            raise DataError(
                f"{name}: {count} patterns, but data.scan_shape {given[0]} x {given[1]} needs {math.prod(given)}; "
                f"shapes that fit: {likely_shapes(count)}"
            )
        if len(shape) == 4 and shape[:2] != given:
            raise DataError(
                f"{name}: the file says a scan of {shape[0]} x {shape[1]}, data.scan_shape {given[0]} x {given[1]}; "
                "leave it out, or set data.reshape where the file is wrong"
            )
        return given
    if len(shape) == 4:
        return shape[0], shape[1]
    return (None if regrouped else stated_scan_shape(attributes, count)) or square(count)


def _steps(data: Data) -> tuple[str, ...]:
    named = (("selection", data.selection), ("permute", data.permute), ("reshape", data.reshape))
    return tuple(f"{name} {list(value)}" for name, value in named if value is not None)
