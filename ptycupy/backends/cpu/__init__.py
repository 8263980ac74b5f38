"""The CPU backend, the only home of Numba: one module per op, compiled loops over all cores."""

from ptycupy.backends.cpu.backend import CpuBackend

__all__ = ["CpuBackend"]
