"""FFT plans that the backend owns, and batches cut to what one plan may hold."""

from __future__ import annotations

from ptycupy.backends.cuda.device import Device, Plan
from ptycupy.backends.interface import Array
from ptycupy.errors import MemoryShortage, ResourceError

# cuFFT counts in int32, so a plan must stay below 2^31 elements; its work area is about as large as the batch, so
# the limit is set lower: 1 GiB of complex64.
LARGEST_PLAN = 2**27


class Transforms:
    """Unnormalised FFTs over the last two axes, in place, at any batch size."""

    def __init__(self, device: Device) -> None:
        self._device = device
        self._plans: dict[tuple[tuple[int, int], int, str], Plan] = {}

    def forward(self, waves: Array) -> None:
        """sum_r waves exp(-2 pi i k r)"""
        for plan, chunk in self._chunks(waves):
            plan.forward(chunk)

    def inverse(self, waves: Array) -> None:
        """sum_k waves exp(+2 pi i k r)"""
        for plan, chunk in self._chunks(waves):
            plan.inverse(chunk)

    def clear(self) -> None:
        """Drops all plans and their work areas."""
        self._plans.clear()

    def _chunks(self, waves: Array) -> list[tuple[Plan, Array]]:
        height, width = waves.shape[-2:]
        batch = waves.size // (height * width)
        if batch == 0:
            return []
        if height * width > LARGEST_PLAN:
            raise ResourceError(f"an FFT of {height} x {width} is larger than {LARGEST_PLAN} elements")
        chunks = -(-batch // (LARGEST_PLAN // (height * width)))
        size = -(-batch // chunks)
        stack = waves.reshape(batch, height, width)
        return [
            (self._plan((height, width), min(size, batch - start), str(waves.dtype)), stack[start : start + size])
            for start in range(0, batch, size)
        ]

    def _plan(self, shape: tuple[int, int], batch: int, dtype: str) -> Plan:
        key = (shape, batch, dtype)
        if key not in self._plans:
            try:
                self._plans[key] = self._device.fft_plan(shape, batch, dtype)
            except MemoryShortage:
                self.clear()  # plans of other sizes can be made again
                self._device.release()
                self._plans[key] = self._device.fft_plan(shape, batch, dtype)
        return self._plans[key]


__all__ = ["Transforms"]
