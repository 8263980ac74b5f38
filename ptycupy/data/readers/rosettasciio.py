"""Formats of microscopes that the optional package rosettasciio reads: .dm3, .dm4, .blo, .tvips, Velox .emd, ..."""

from __future__ import annotations

import glob
import importlib
import math
import threading
import traceback
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ptycupy.data.files import file_size, require_plausible
from ptycupy.data.readers import ReaderOptions
from ptycupy.data.readers.choice import ArrayInfo, choose
from ptycupy.data.stored import Attributes
from ptycupy.errors import DataError

PLUGINS = {
    ".dm3": "digitalmicrograph", ".dm4": "digitalmicrograph", ".blo": "blockfile", ".tvips": "tvips", ".emd": "emd",
    ".de5": "emd", ".ser": "tia", ".emi": "tia", ".mrc": "mrc", ".app5": "topspin", ".rpl": "ripple",
}  # fmt: skip
HIGHEST_KV = 1e4  # what is above has been stated in volts, which no field of these formats rules out
CHUNK = "4MiB"  # of its lazy arrays: a pattern is read without much around it


class SignalArray:
    """One signal of a file; the lazy array is made again in each process."""

    def __init__(self, path: Path, key: str, signal: dict[str, Any]) -> None:
        self.path, self.key = path, key
        self.shape = tuple(int(length) for length in signal["data"].shape)
        self.dtype = np.dtype(signal["data"].dtype)
        self.chunks: tuple[int, ...] | None = None
        self.attributes = _attributes(signal)
        self.sizes = {part: file_size(part) for part in _parts(path)}
        self._data: Any = signal["data"]
        self._lock = threading.Lock()

    def __getstate__(self) -> dict[str, Any]:
        return {**self.__dict__, "_data": None, "_lock": None}

    def __setstate__(self, state: dict[str, Any]) -> None:
        self.__dict__.update(state)
        self._lock = threading.Lock()

    def read_region(self, region: tuple[slice, ...]) -> NDArray[Any]:
        """The region; DataError where a file has changed its length, which a memory map would not survive."""
        for part, expected in self.sizes.items():
            if (size := file_size(part)) != expected:
                raise DataError(f"{part}: truncated or changed: {size} of {expected} bytes")
        with self._lock, _translated(self.path):
            if self._data is None:
                self._data = _signals(self.path)[int(self.key)]["data"]
            part = self._data[region]
            values = np.asarray(part.compute(scheduler="synchronous") if hasattr(part, "compute") else part)
        return values.astype(self.dtype, copy=False)


def open_array(path: Path, options: ReaderOptions) -> SignalArray:
    """The signal whose number from 0 is `key`, or the only one that fits."""
    signals = _signals(path)
    info = choose(path, _infos(signals), options.key, options.purpose)
    array = SignalArray(path, info.key, signals[int(info.key)])
    require_plausible(path, str(info), math.prod(array.shape) * array.dtype.itemsize, sum(array.sizes.values()))
    return array


def list_arrays(path: Path) -> list[ArrayInfo]:
    """Every signal by its number."""
    return _infos(_signals(path))


def _parts(path: Path) -> list[Path]:
    """The file, or all files of a stream that goes on in name_001, name_002, ... (.tvips)."""
    first = path.stem.removesuffix("_000")
    return [path] if first == path.stem else sorted(path.parent.glob(f"{glob.escape(first)}_[0-9]*{path.suffix}"))


def _infos(signals: list[dict[str, Any]]) -> list[ArrayInfo]:
    return [
        ArrayInfo(str(number), tuple(int(length) for length in signal["data"].shape), np.dtype(signal["data"].dtype))
        for number, signal in enumerate(signals)
    ]


def _signals(path: Path) -> list[dict[str, Any]]:
    name = PLUGINS.get(path.suffix.lower())
    if name is None:
        raise DataError(
            f"{path}: data.format rosettasciio reads {', '.join(PLUGINS)}; the extension names none of them"
        )
    try:
        import dask

        plugin = importlib.import_module(f"rsciio.{name}")
    except ImportError as error:
        raise DataError(f"{path}: {path.suffix} files need a package: pip install 'ptycupy[em]' ({error})") from error
    with _translated(path), dask.config.set({"array.chunk-size": CHUNK}):
        signals = plugin.file_reader(str(path), lazy=True)
        return [signal for signal in signals if getattr(signal.get("data"), "shape", ())]


def _attributes(signal: dict[str, Any]) -> Attributes:
    """Calibration by the axes' scales and units, and the beam's energy (kV)."""
    from ptycupy.data.readers.hdf5_layouts import from_axes

    axes = [(float(axis.get("scale") or 0.0), str(axis.get("units") or "")) for axis in signal.get("axes", [])]
    values = from_axes(axes, len(signal["data"].shape))
    energy: Any = signal.get("metadata", {})
    for name in ("Acquisition_instrument", "TEM", "beam_energy"):
        energy = energy.get(name) if isinstance(energy, dict) else None
    if isinstance(energy, (int, float, np.integer, np.floating)) and math.isfinite(energy) and energy > 0:
        values["energy_keV"] = float(energy) / (1e3 if energy > HIGHEST_KV else 1.0)
    return Attributes(values)


@contextmanager
def _translated(path: Path) -> Iterator[None]:
    """What rosettasciio raises on damaged files (all kinds) as one DataError; its warnings are about metadata."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    except DataError:
        raise
    except Exception as error:
        reason = " ".join(str(error).split())[:300]
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # files that it left open are closed here
            traceback.clear_frames(error.__traceback__)
        raise DataError(
            f"{path}: rosettasciio cannot read it ({type(error).__name__}: {reason}; {file_size(path)} bytes)"
        ) from error
