"""The CUDA backend: the Backend protocol on a Device."""

from __future__ import annotations

from numpy.typing import DTypeLike

from ptycupy.backends.collective import Connector
from ptycupy.backends.cuda.constraining import Constraining
from ptycupy.backends.cuda.device import Device
from ptycupy.backends.cuda.filtering import Filtering
from ptycupy.backends.cuda.fitting import Fitting
from ptycupy.backends.cuda.instrument import Instrument
from ptycupy.backends.cuda.measuring import Measuring
from ptycupy.backends.cuda.optimizing import Optimizing


class CudaBackend(Fitting, Instrument, Optimizing, Constraining, Filtering, Measuring):
    """Every method queues kernels of kernels/ and FFT plans; nothing but indices crosses the bus per batch.

    device: where it runs. dtype: float32 or float64. fft: "auto" is "cufft"; "own" takes transforms of our
    own where a window has them, "steps" and "whole" one way of those (see `chains`).
    deterministic: the object's scatter is gathered in batch order instead of added atomically, so that the same
    run gives the same bits; all other sums are in a fixed order anyway.
    tape: how the waves between the slices wait for the adjoint, "full" or "half" (precision).
    graphs: "on" records the updates of an engine as CUDA graphs; "auto" is "off".
    Raises ConfigError for a dtype, fft, tape or graphs that this version does not have.
    """

    def __init__(
        self,
        device: Device,
        dtype: DTypeLike = "float32",
        fft: str = "auto",
        deterministic: bool = False,
        tape: str = "full",
        graphs: str = "auto",
    ) -> None:
        super().__init__(device, dtype, fft, deterministic, tape, graphs)

    def connector(self) -> Connector:
        """What adds up arrays of several processes between their GPUs; ResourceError where NCCL is not installed."""
        return self._device.connector()


__all__ = ["CudaBackend"]
