"""The memory methods of the CUDA backend, and the sums and FFTs that its other parts are made of."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager
from typing import Any

import numpy as np
from numpy.typing import DTypeLike, NDArray

from ptycupy.backends.cuda.arena import Arena
from ptycupy.backends.cuda.chains import FFTS, Chains, require_one_tape
from ptycupy.backends.cuda.device import Device
from ptycupy.backends.cuda.launch import Blocks, Launcher, Rows, parts_of
from ptycupy.backends.cuda.transforms import Transforms
from ptycupy.backends.interface import Array, Mark
from ptycupy.backends.recording import Recording
from ptycupy.backends.tapes import TAPES
from ptycupy.errors import ConfigError, MemoryShortage


class Memory:
    """Arrays of one device in one precision; the base of the backend's parts."""

    queues = True

    def __init__(self, device: Device, dtype: DTypeLike, fft: str, deterministic: bool, tape: str, graphs: str) -> None:
        self.real = np.dtype(dtype)
        if self.real not in (np.float32, np.float64):
            raise ConfigError(f"dtype {self.real}: the CUDA backend computes in float32 or float64")
        if fft not in FFTS:
            raise ConfigError(f"backend.fft {fft!r} is unknown: {', '.join(FFTS)}; 'auto' takes cuFFT")
        if tape not in TAPES:
            raise ConfigError(f"backend.tape {tape!r}: one of {', '.join(TAPES)}")
        self.tape, self.fft = tape, fft
        if graphs not in ("auto", "off", "on"):
            raise ConfigError(f"backend.graphs {graphs!r} is unknown: auto, off or on; 'auto' is off")
        self.graphs = graphs == "on"
        require_one_tape(fft, tape)
        self.complex = np.dtype(np.complex64 if self.real == np.float32 else np.complex128)
        self.name = device.name
        self.deterministic = deterministic
        self._device = device
        self._arena = Arena(device)
        self._launch = Launcher(device, self.real)
        self._fft = Transforms(device)
        self._chains = Chains(device, fft, tape, self.complex, deterministic)

    def asarray(self, values: Any, dtype: DTypeLike | None = None) -> Array:
        return self._kept(lambda: self._device.upload(values, dtype))

    def to_host(self, array: Array) -> NDArray[Any]:
        return self._device.download(array)

    def staging(self, target: Array) -> NDArray[Any]:
        return self._device.pinned(target.shape, target.dtype)

    def send(self, target: Array, values: NDArray[Any], after: Mark) -> Mark:
        return self._device.send(target, values, after)

    def mark(self) -> Mark:
        return self._device.mark()

    def wait(self, mark: Mark) -> None:
        self._device.wait(mark)

    def zeros(self, shape: tuple[int, ...], dtype: DTypeLike) -> Array:
        array = self._kept(lambda: self._device.alloc(shape, dtype))
        self._device.clear(array)
        return array

    def _kept(self, make: Callable[[], Array]) -> Array:
        """Arrays that are kept come first: scratch and plans, which can be had again, make room for them."""
        try:
            return make()
        except MemoryShortage:
            self.release()
            return make()

    def empty(self, shape: tuple[int, ...], dtype: DTypeLike) -> Array:
        return self._arena.empty(shape, dtype)

    def arena(self) -> AbstractContextManager[None]:
        return self._arena.scope()

    def fill(self, array: Array, value: float) -> None:
        if value == 0:
            self._device.clear(array)
        else:
            self._launch("fill", array.size, array, value, array.size)

    def copy(self, target: Array, source: Array) -> None:
        if target.shape != source.shape or target.dtype != source.dtype:
            raise ValueError(f"copy of {source.dtype} {source.shape} into {target.dtype} {target.shape}")
        self._device.copy(target, source)

    def add(self, target: Array, source: Array) -> None:
        if target.shape != source.shape or target.dtype != source.dtype:
            raise ValueError(f"addition of {source.dtype} {source.shape} to {target.dtype} {target.shape}")
        self._launch("add", target.size, target, source, target.size)

    def multiply(self, values: Array, factor: Array) -> None:
        values = self._reals(values)
        self._launch("multiply", values.size, values, factor, values.size)

    def half_encode(self, waves: Array, halves: Array, scales: Array) -> None:
        pixels = waves.shape[-2] * waves.shape[-1]
        count, parts = waves.size // pixels, parts_of(pixels)
        partials = self._partials("half_largest", count, pixels, 1, waves, pixels)
        self._launch("half_encode", Rows(count, pixels), halves, scales, waves, partials, pixels, parts)

    def half_decode(self, halves: Array, scales: Array, waves: Array) -> None:
        pixels = waves.shape[-2] * waves.shape[-1]
        self._launch("half_decode", Rows(waves.size // pixels, pixels), waves, halves, scales, pixels)

    def free_bytes(self) -> int:
        return self._device.free_bytes() + self._arena.idle_bytes()

    def synchronize(self) -> None:
        self._device.synchronize()

    def record(self, queue: Callable[[], None]) -> Recording:
        return self._device.record(queue)

    def release(self) -> None:
        """Gives scratch, FFT work areas and pooled memory back: what to do before a smaller second try."""
        self._arena.clear()
        self._fft.clear()
        self._device.release()

    def _reals(self, array: Array) -> Array:
        """A real or complex array as reals."""
        return array.view(self.real)

    def _partials(self, name: str, rows: int, columns: int, components: int, *arguments: Any) -> Array:
        partials = self.empty((rows, parts_of(columns), components), np.float64)
        self._launch.partials(name, rows, columns, partials, *arguments)
        return partials

    def _sums(
        self, name: str, columns: int, components: int, *arguments: Any, rows: int = 1, out: Array | None = None
    ) -> Array:
        """float64 [rows, components] sums over columns; kept, because statistics outlive the arena."""
        partials = self._partials(name, rows, columns, components, *arguments)
        sums = self._device.alloc((rows, components), np.float64) if out is None else out
        self._launch("reduce", Blocks(rows * components), sums, partials, parts_of(columns), components)
        return sums

    def _summed(self, partials: Array) -> Array:
        """float64 [k] from [parts, k]; kept."""
        parts, components = partials.shape
        sums = self._device.alloc((components,), np.float64)
        self._launch("reduce", Blocks(components), sums, partials, parts, components)
        return sums

    def _scalar(self, name: str, *arguments: Any) -> Array:
        """float64 [1] from a kernel of one thread."""
        value = self._device.alloc((1,), np.float64)
        self._launch(name, 1, value, *arguments)
        return value


__all__ = ["Memory"]
