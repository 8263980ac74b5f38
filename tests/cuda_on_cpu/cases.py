"""One use of every Backend method on a drawn scene, the same for every backend.

A case takes a backend and a scene and returns named host arrays: results, accumulated gradients, changed parameters.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable
from types import ModuleType

from cuda_on_cpu import constraint_cases, filter_cases, instrument_cases, loss_cases, optimizer_cases, wave_cases
from cuda_on_cpu.scene import Outputs, Scene
from ptycupy.backends.interface import Backend

Case = Callable[[Backend, Scene], Outputs]
MODULES = (optimizer_cases, constraint_cases, filter_cases, wave_cases, instrument_cases, loss_cases)


def _cases(module: ModuleType) -> dict[str, Case]:
    """The functions that a module defines, without its own helpers."""
    return {
        name: case
        for name, case in inspect.getmembers(module, inspect.isfunction)
        if case.__module__ == module.__name__ and not name.startswith("_")
    }


CASES: dict[str, Case] = {name: case for module in MODULES for name, case in _cases(module).items()}
SOURCE = "\n".join(inspect.getsource(module) for module in MODULES)
