"""Sums over the GPUs of several processes, by NCCL."""

from __future__ import annotations

import importlib
import warnings
from collections.abc import Sequence
from typing import Any

import numpy as np

from ptycupy.backends.interface import Array
from ptycupy.errors import ResourceError


class NcclConnector:
    """NCCL as CuPy has it, for one GPU."""

    def __init__(self, cupy: Any, device: Any) -> None:
        """Raises ResourceError where CuPy finds no NCCL."""
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # CuPy's: said below
            self._nccl = importlib.import_module("cupy.cuda.nccl")
        if not self._nccl.available:
            raise ResourceError("CuPy finds no NCCL: pip install nvidia-nccl-cu12, or -cu13 with cupy-cuda13x")
        self._cupy, self._device = cupy, device

    def unique_id(self) -> Any:
        return self._nccl.get_unique_id()

    def connect(self, unique_id: Any, size: int, rank: int) -> Nccl:
        try:
            with self._device:
                communicator = self._nccl.NcclCommunicator(size, unique_id, rank)
        except self._nccl.NcclError as error:
            raise ResourceError(f"NCCL cannot connect {size} ranks: {error}; distributed.reduce: host can") from error
        return Nccl(self._nccl, communicator, self._cupy, self._device)


class Nccl:
    """This rank's end of a connection; sums are queued on CuPy's current stream, as all else is."""

    def __init__(self, nccl: Any, communicator: Any, cupy: Any, device: Any) -> None:
        self._nccl, self._communicator, self._cupy, self._device = nccl, communicator, cupy, device
        self._kinds = {np.dtype(np.float32): nccl.NCCL_FLOAT32, np.dtype(np.float64): nccl.NCCL_FLOAT64}

    def add(self, arrays: Sequence[Array]) -> None:
        with self._device:
            stream = self._cupy.cuda.get_current_stream().ptr
            self._nccl.groupStart()  # one launch for all of them
            for array in arrays:
                kind = self._kinds[np.dtype(array.dtype.char.lower())]
                count = int(array.size) * (2 if array.dtype.kind == "c" else 1)
                pointer = array.data.ptr
                self._communicator.allReduce(pointer, pointer, count, kind, self._nccl.NCCL_SUM, stream)
            self._nccl.groupEnd()


__all__ = ["Nccl", "NcclConnector"]
