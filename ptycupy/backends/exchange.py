"""Arrays of other packages: anything that speaks DLPack or the array protocol comes in, the same kind goes out."""

from __future__ import annotations

import sys
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ptycupy.errors import DataError


def to_numpy(values: Any, name: str = "array") -> NDArray[Any]:
    """A NumPy array of these values, without a copy where the memory is the host's; it must not be written to.

    Raises DataError, which names the argument, for what is no array of numbers.
    """
    if isinstance(values, np.ndarray):
        return values
    if hasattr(values, "__cuda_array_interface__") and hasattr(values, "get"):
        return np.asarray(values.get())  # CuPy refuses to come to the host by itself
    if hasattr(values, "detach"):
        values = values.detach().resolve_conj().resolve_neg().cpu()  # torch: without its tape and its lazy signs
    try:
        by_dlpack = hasattr(values, "__dlpack__") and not hasattr(values, "__array__")
        array = np.from_dlpack(values) if by_dlpack else np.asarray(values)
    except (BufferError, RuntimeError, TypeError, ValueError) as error:
        raise DataError(f"{name}: {type(values).__name__} cannot be read as an array: {error}") from error
    if array.dtype.kind not in "biufc":
        raise DataError(f"{name}: {type(values).__name__} is no array of numbers: give NumPy or anything with DLPack")
    return array


def like(given: Any, result: NDArray[Any]) -> Any:
    """`result` as the kind of array that `given` is, on its device; NumPy for NumPy, lists and plain numbers."""
    if isinstance(given, np.ndarray | np.generic) or not hasattr(given, "__dlpack__"):
        return result
    own = hasattr(given, "__array_namespace__")
    module = given.__array_namespace__() if own else sys.modules[type(given).__module__.partition(".")[0]]
    if hasattr(given, "detach"):
        return module.as_tensor(result, device=given.device)  # torch
    if hasattr(module, "asarray"):
        return module.asarray(result)
    return module.from_dlpack(np.asarray(result))
