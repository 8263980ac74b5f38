"""Probes and objects that a configuration names, from files of any format that is read."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ptycupy.data.arrays import read_array
from ptycupy.data.files import find_file
from ptycupy.data.readers import detect
from ptycupy.errors import DataError

RESULT_KEYS = ("optimizable_tensors/obja", "optimizable_tensors/objp")


def load_probe(path: str, key: str | None, window: tuple[int, int]) -> NDArray[np.complex128]:
    """Probe modes (mode, y, x) of exactly this window from an array (y, x), (mode, y, x), or with (re, im) last."""
    values = read_array(path, key)
    if values.ndim == 4 and values.shape[-1] == 2 and values.dtype.kind == "f":
        values = values[..., 0] + 1j * values[..., 1]
    if values.ndim == 2:
        values = values[None]
    name = f"illumination.path: {path}{f': {key}' if key else ''}"
    if values.ndim != 3 or values.shape[1:] != window:
        raise DataError(
            f"{name}: a probe of shape {values.shape}; the model's window needs (mode, {window[0]}, {window[1]})"
        )
    if not np.isfinite(values).all():
        raise DataError(f"{name}: {np.count_nonzero(~np.isfinite(values))} values are not finite")
    return values.astype(np.complex128)


def load_object(path: str, slices: int) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Amplitude and phase (omode, z, y, x) of an object with this many slices.

    The file is a result (its amplitude and phase are taken as they are, so that no phase wraps), or holds one array
    (y, x), (z, y, x) or (omode, z, y, x): a complex transmission, or a real phase in rad.
    """
    found = find_file(path)
    if detect(found).name == "hdf5" and _is_result(found):
        amplitude, phase = (_four_axes(read_array(path, key), path, slices) for key in RESULT_KEYS)
    else:
        values = _four_axes(read_array(path), path, slices)
        is_complex = values.dtype.kind == "c"
        amplitude = np.abs(values) if is_complex else np.ones(values.shape)
        phase = np.angle(values) if is_complex else values
    if amplitude.shape != phase.shape:
        raise DataError(f"object.path: {path}: amplitude {amplitude.shape} and phase {phase.shape} differ in shape")
    if not (np.isfinite(amplitude).all() and np.isfinite(phase).all()):
        raise DataError(f"object.path: {path}: the object has values that are not finite")
    return amplitude.astype(np.float32), phase.astype(np.float32)


def _is_result(path: Path) -> bool:
    from ptycupy.data.readers.hdf5 import list_arrays

    return {info.key for info in list_arrays(path)}.issuperset(RESULT_KEYS)


def _four_axes(values: NDArray[Any], path: str, slices: int) -> NDArray[Any]:
    if 2 <= values.ndim <= 4:
        values = values.reshape((1,) * (4 - values.ndim) + values.shape)
    if values.ndim != 4 or values.shape[1] != slices:
        raise DataError(
            f"object.path: {path}: an object of shape {values.shape}; "
            f"object.slices: {slices} needs (mode, {slices}, y, x)"
        )
    return values
