"""Arrays of other packages: NumPy in and out of anything that speaks DLPack or the CUDA array interface."""

from __future__ import annotations

import sys
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ptycupy.errors import DataError


def to_numpy(values: Any) -> NDArray[Any]:
    """A NumPy array of these values, without a copy where the memory is the host's.

    Raises DataError for objects that are no arrays.
    """
    if isinstance(values, np.ndarray):
        return values
    if hasattr(values, "__cuda_array_interface__") and hasattr(values, "get"):
        return np.asarray(values.get())  # CuPy
    if hasattr(values, "detach"):
        values = values.detach().cpu()  # torch: on the host, without its own tape
    if hasattr(values, "__dlpack__") and not hasattr(values, "__array__"):
        return np.from_dlpack(values)
    array = np.asarray(values)
    if array.dtype == object:
        raise DataError(f"{type(values).__name__} is no array: give NumPy, CuPy or anything with DLPack")
    return array


def like(given: Any, result: NDArray[Any]) -> Any:
    """`result` as the kind of array that `given` is: NumPy for NumPy (and scalars), else the module of `given`."""
    root = type(given).__module__.partition(".")[0]
    module = sys.modules.get(root)
    if isinstance(given, np.ndarray | np.generic) or module is None or root in {"builtins", "numpy", "ptycupy"}:
        return result
    if hasattr(given, "__cuda_array_interface__") and hasattr(module, "asarray"):
        return module.asarray(result, device=given.device) if hasattr(given, "detach") else module.asarray(result)
    if hasattr(module, "from_dlpack"):
        return module.from_dlpack(np.ascontiguousarray(result))
    return result
