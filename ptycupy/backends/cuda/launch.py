"""One way to launch: grid arithmetic, dtype checks and integer casts happen here and nowhere else."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np

from ptycupy.backends.cuda.device import Device, Kernel
from ptycupy.backends.cuda.sources import Argument, Signature, signatures
from ptycupy.backends.interface import Array

THREADS = 256  # common.cuh
LARGEST_GRID = 2**31 - 1
LARGEST_INT = 2**31 - 1
ITEMS_PER_THREAD = 8  # of a reduction, before more blocks are worth their second stage
LARGEST_PARTS = 1024

_C_TYPES = {  # element types that VALUE may stand for; complex is the struct of the same REAL
    "bool": "unsigned char",
    "uint8": "unsigned char",
    "int8": "signed char",
    "uint16": "unsigned short",
    "int16": "short",
    "uint32": "unsigned",
    "int32": "int",
    "float16": "float16",
    "float32": "float",
    "float64": "double",
    "complex64": "complex",
    "complex128": "complex",
}
_DTYPES: dict[str, np.dtype[Any]] = {
    "int": np.dtype(np.int32),
    "size_t": np.dtype(np.uint64),
    "double": np.dtype(np.float64),
    "float16": np.dtype(np.float16),
    "unsigned": np.dtype(np.uint32),
    "unsigned char": np.dtype(np.uint8),
    "complex128": np.dtype(np.complex128),
}


class Rows(NamedTuple):
    """A launch with a thread per (row, column), every row in blocks of its own."""

    rows: int
    columns: int


class Blocks(NamedTuple):
    """A launch of so many whole blocks."""

    blocks: int


def blocks_of(rows: Rows) -> int:
    """Blocks of such a launch."""
    return rows.rows * -(-rows.columns // THREADS)


def parts_of(columns: int) -> int:
    """Blocks per row of a reduction's first stage; a function of the size alone, so that sums repeat bit by bit."""
    return max(1, min(LARGEST_PARTS, -(-columns // (THREADS * ITEMS_PER_THREAD))))


class Launcher:
    """Launches kernels compiled for one real type on one device."""

    def __init__(self, device: Device, real: np.dtype[Any]) -> None:
        self._device = device
        self._real = real
        self._types = {
            **_DTYPES,
            "real": real,
            "complex": np.dtype(np.complex64 if real == np.float32 else np.complex128),
        }
        self._kernels: dict[tuple[str, str, int], Kernel] = {}

    def __call__(
        self,
        name: str,
        size: int | Rows | Blocks,
        *arguments: Any,
        length: int = 0,
        threads: int = THREADS,
        shared: int = 0,
    ) -> None:
        """Launches over `size` threads, rows or blocks; an empty size launches nothing.

        length: of a kernel's lines. threads: per block, for kernels that have a number of their own. shared: bytes of
        dynamic shared memory per block.

        Raises TypeError for an argument of the wrong type and ValueError for an integer that does not fit.
        """
        grid = self._grid(name, size)
        if grid == 0:
            return
        signature = signatures()[name]
        if len(arguments) != len(signature.arguments):
            raise TypeError(f"{name} takes {len(signature.arguments)} arguments, not {len(arguments)}")
        value = self._value_type(signature, arguments) if signature.generic else ""
        checked = [
            self._argument(name, a, given, value) for a, given in zip(signature.arguments, arguments, strict=True)
        ]
        kernel = self._kernels.get((name, value, length))
        if kernel is None:
            real = "float" if self._real == np.float32 else "double"
            defines = (
                f"REAL={real}",
                *([f"VALUE={value}"] if value else []),
                *([f"LENGTH={length}"] if length else []),
            )
            kernel = self._kernels[name, value, length] = self._device.kernel(signature.op, name, defines)
        self._device.launch(kernel, grid, threads, shared, checked)

    def partials(self, name: str, rows: int, columns: int, partials: Array, *arguments: Any) -> None:
        """First stage of a sum over columns: `partials` float64 [rows, parts_of(columns), components]."""
        parts = parts_of(columns)
        self(name, Blocks(rows * parts), partials, *arguments, parts)

    @staticmethod
    def _grid(name: str, size: int | Rows | Blocks) -> int:
        if isinstance(size, Blocks):
            grid = size.blocks
        elif isinstance(size, Rows):
            if size.columns > LARGEST_INT:
                raise ValueError(f"{name}: rows of {size.columns} pixels, but kernels count at most {LARGEST_INT} each")
            grid = blocks_of(size)
        else:
            grid = -(-size // THREADS)
        if grid > LARGEST_GRID:
            raise ValueError(f"{name}: {grid} blocks, but a launch takes at most {LARGEST_GRID}")
        return grid

    @staticmethod
    def _value_type(signature: Signature, arguments: tuple[Any, ...]) -> str:
        first = next(
            given
            for argument, given in zip(signature.arguments, arguments, strict=True)
            if argument.type == "VALUE" and given is not None
        )
        dtype = str(first.dtype)
        if dtype not in _C_TYPES:
            raise TypeError(f"{signature.name} does not take {dtype} arrays; it takes {', '.join(_C_TYPES)}")
        return _C_TYPES[dtype]

    def _argument(self, name: str, argument: Argument, given: Any, value: str) -> Any:
        if not argument.pointer:
            return self._scalar(name, argument, given)
        if given is None:
            return None
        if argument.type == "VALUE":
            fits = _C_TYPES.get(str(given.dtype)) == value and (value != "complex" or given.dtype == self._types[value])
        else:
            fits = given.dtype == self._types[argument.type]
        if not fits or not given.flags.c_contiguous:
            layout = "" if given.flags.c_contiguous else "non-contiguous "
            wanted = value if argument.type == "VALUE" else self._types[argument.type]
            raise TypeError(f"{name}: {argument.name} is a {layout}{given.dtype} array, it must be contiguous {wanted}")
        return given

    def _scalar(self, name: str, argument: Argument, given: Any) -> Any:
        dtype = self._types[argument.type]
        if dtype.kind in "iu":
            bounds = np.iinfo(dtype)
            if not bounds.min <= int(given) <= bounds.max:
                raise ValueError(f"{name}: {argument.name} = {given} does not fit {dtype}")
            return dtype.type(int(given))
        return dtype.type(given)


__all__ = ["Blocks", "Launcher", "Rows", "blocks_of", "parts_of"]
