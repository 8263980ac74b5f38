"""CpuBackend: the Backend protocol on all cores of this machine."""

from __future__ import annotations

from numpy.typing import DTypeLike

from ptycupy.backends.cpu.constraining import Constraining
from ptycupy.backends.cpu.filtering import Filtering
from ptycupy.backends.cpu.fitting import Fitting
from ptycupy.backends.cpu.fourier import load_fourier
from ptycupy.backends.cpu.instrument import Instrument
from ptycupy.backends.cpu.measuring import Measuring
from ptycupy.backends.cpu.memory import Memory
from ptycupy.backends.cpu.optimizing import Optimizing


class CpuBackend(Fitting, Instrument, Optimizing, Constraining, Filtering, Measuring):
    """The Backend protocol with Numba on the CPU; every method is documented there.

    Results do not depend on the number of threads. Methods may be called from several threads at once.

    dtype: "float32" or "float64". fft: "own" (transforms of this package, for windows of 64 to 512 px that are powers
    of two; others as "auto"), "rocket" (rocket-fft inside compiled code), "scipy", or "auto", the first of these that
    there is. Raises ValueError for other names, ResourceError where the named library does not work.
    """

    name = "cpu"

    def __init__(self, dtype: DTypeLike = "float32", fft: str = "auto") -> None:
        Memory.__init__(self, dtype)
        self.fft = fft
        self._fused = fft in ("auto", "own")
        self._fourier = load_fourier("auto" if fft == "own" else fft)


__all__ = ["CpuBackend"]
