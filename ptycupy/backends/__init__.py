"""The devices that ptycupy computes on; Numba and CuPy are imported only when one of them is selected."""

from ptycupy.backends.interface import Array, Backend
from ptycupy.backends.select import available, select, spread

__all__ = ["Array", "Backend", "available", "select", "spread"]
