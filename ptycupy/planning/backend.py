"""The two backends that count, and what they are asked for."""

from __future__ import annotations

import math
from dataclasses import fields, is_dataclass, replace
from typing import Any, cast

from numpy.typing import DTypeLike

from ptycupy.backends import composed
from ptycupy.backends.cuda.arena import Arena
from ptycupy.backends.cuda.transforms import LARGEST_PLAN
from ptycupy.backends.interface import Array
from ptycupy.backends.sizes import PADDING, has_own_transforms
from ptycupy.backends.tapes import TAPES
from ptycupy.planning.data import Data
from ptycupy.planning.instrument import Instrument
from ptycupy.planning.ledger import Cost
from ptycupy.planning.memory import op
from ptycupy.planning.shaped import Block, Shaped
from ptycupy.planning.steps import Constraining
from ptycupy.planning.waves import ACCUMULATE, MULTIPLY, Waves


class Counting(Waves, Instrument, Data, Constraining):
    """A Backend whose arrays have no values; `ledger` has what its ops cost, `arena_bytes()` their scratch."""

    diffraction_forward = op(composed.Diffraction.diffraction_forward)
    diffraction_backward = op(composed.Diffraction.diffraction_backward)


class CountingCpu(Counting):
    """As the CPU backend works: each wave stays in the cache of its core from its first to its last transform."""

    kind = "cpu"
    transform_passes = 0

    @op
    def multislice_forward(
        self, waves: Array, transmission: Array, transfer: Array, corners: Array, indices: Array
    ) -> tuple[Array, Any]:
        states, slices = transmission.shape[:2]
        exits = self.empty((waves.shape[0], states, *waves.shape[2:]), self.complex)
        entries = self.empty((slices - 1, *exits.shape), self.complex)
        for _ in range(2 * (slices - 1)):
            self._transform(exits)
        flops = MULTIPLY * (2 * slices - 1) * exits.size
        self._traffic((waves, slices * self._windows(waves, transmission), transfer), (exits, entries), flops)
        return exits, (waves, entries)

    @op
    def multislice_backward(
        self,
        grad_exits: Array,
        saved: Any,
        transmission: Array,
        transfer: Array,
        corners: Array,
        indices: Array,
        grad_transmission: Array | None,
        needs_waves: bool,
    ) -> Array | None:
        waves, entries = saved
        (patterns, states, _, *window), slices = grad_exits.shape, transmission.shape[1]
        overlaps = self.empty((patterns, states, slices, *window), self.complex)
        grad_waves = self.empty(waves.shape, self.complex)
        for _ in range(2 * (slices - 1)):
            self._transform(grad_exits)
        windows = slices * self._windows(waves, transmission)
        flops = MULTIPLY * (2 * slices - 1) * grad_exits.size
        self._traffic((grad_exits, waves, entries, windows, transfer), (grad_waves,), flops)
        if grad_transmission is not None:
            self._traffic((), (overlaps,), ACCUMULATE * slices * grad_exits.size, launches=0)
            self.patch_backward(overlaps, corners, indices, grad_transmission)
        return grad_waves if needs_waves else None

    @op
    def diffraction_forward(
        self,
        probe: Array,
        shifts: Array,
        transmission: Array,
        transfer: Array | None,
        corners: Array,
        indices: Array,
        occupancy: Array,
    ) -> tuple[Array, Any]:
        modes, *window = probe.shape
        if not has_own_transforms(tuple(window)):
            return super().diffraction_forward(probe, shifts, transmission, transfer, corners, indices, occupancy)
        states, slices = transmission.shape[:2]
        stack = (shifts.shape[0], states, modes)
        spectrum = self.empty(probe.shape, self.complex)
        waves = self.empty((*stack, window[0], 2 * window[1] + PADDING), self.real)
        entries = self.empty((*stack, slices, window[0], 2 * window[1]), self.real)
        spectra = self.empty((modes, window[0], 2 * window[1]), self.real)
        moves = None if transfer is None else self.empty((*transfer.shape[:-1], 2 * window[1]), self.real)
        intensity = self.empty((shifts.shape[0], *window), self.real)
        self._transform(spectrum)
        for _ in range(slices):
            self._transform(entries[:, :, :, 0])
            self._transform(entries[:, :, :, 0])
        flops = MULTIPLY * (2 * slices + 1) * waves.size // 2
        reads = (probe, spectra, slices * self._windows(intensity[:, None, None], transmission), moves, waves)
        self._traffic(reads, (spectra, moves, entries, waves, intensity), flops)
        return intensity, (waves, entries)

    @op
    def diffraction_backward(
        self,
        grad_intensity: Array,
        saved: Any,
        shifts: Array,
        transmission: Array,
        transfer: Array | None,
        corners: Array,
        indices: Array,
        occupancy: Array,
        grad_probe: Array | None,
        grad_shifts: Array | None,
        grad_transmission: Array | None,
    ) -> None:
        if not has_own_transforms(tuple(grad_intensity.shape[1:])):
            arrays = (transmission, transfer, corners, indices, occupancy)
            grads = (grad_probe, grad_shifts, grad_transmission)
            super().diffraction_backward(grad_intensity, saved, shifts, *arrays, *grads)
            return
        waves, entries = saved
        slices = transmission.shape[1]
        for _ in range(slices):
            self._transform(entries[:, :, :, 0])
            self._transform(entries[:, :, :, 0])
        windows = slices * self._windows(grad_intensity[:, None, None], transmission)
        flops = (MULTIPLY * 2 + ACCUMULATE) * slices * waves.size // 2
        self._traffic((grad_intensity, waves, entries, windows, transfer), (waves, entries), flops)
        if grad_transmission is not None:
            self._traffic((entries, windows), (windows,), 2 * entries.size)
        if grad_probe is not None:
            back = self.empty(grad_probe.shape, self.complex)
            self._transform(back)
            self._traffic((waves, back, grad_probe), (grad_probe,), waves.size)


class CountingCuda(Counting):
    """As the CUDA backend works with cuFFT: kernels between transforms, and a transform is two kernels of its own,
    along rows and along columns, so that it reads and writes a stack twice."""

    kind = "cuda"
    transform_passes = 4

    def _make_arena(self) -> Any:
        return _DeviceArena(cast(Any, self))

    def _transform(self, waves: Array) -> None:
        super()._transform(waves)
        height, width = waves.shape[-2:]
        batch = min(waves.size, LARGEST_PLAN) // max(height * width, 1)
        # cuFFT's work area is about as large as the stack; plans are kept.
        self.plans[(height, width), batch] = batch * height * width * self.complex.itemsize

    @op
    def multislice_forward(
        self, waves: Array, transmission: Array, transfer: Array, corners: Array, indices: Array
    ) -> tuple[Array, Any]:
        arrays = (transmission, transfer, corners, indices)
        return composed.multislice_forward(cast(Any, self), waves, *arrays, TAPES[self.tape])

    @op
    def multislice_backward(
        self,
        grad_exits: Array,
        saved: Any,
        transmission: Array,
        transfer: Array,
        corners: Array,
        indices: Array,
        grad_transmission: Array | None,
        needs_waves: bool,
    ) -> Array | None:
        arrays = (transmission, transfer, corners, indices)
        return composed.multislice_backward(cast(Any, self), grad_exits, saved, *arrays, grad_transmission, needs_waves)

    def _scatter(self, windows: int, flops: float) -> None:
        super()._scatter(windows, flops)
        if self.deterministic:  # written, then gathered in order
            patches = self.empty((windows,), "uint8")
            self._traffic((patches,), (patches,), launches=1)


class _DeviceArena(Arena):
    """The CUDA backend's own, on memory that is only counted."""

    def __init__(self, device: Any) -> None:
        super().__init__(device)
        self._made: list[int] = []

    def bytes(self) -> int:
        return sum(self._made)

    def _block(self, nbytes: int) -> tuple[int, int, Array]:
        known = self._serial
        block = super()._block(nbytes)
        if self._serial > known:
            self._made.append(nbytes)
        return block

    def clear(self) -> None:
        super().clear()
        self._made.clear()


KINDS: dict[str, type[Counting]] = {"cpu": CountingCpu, "cuda": CountingCuda}


def counting(kind: str, dtype: DTypeLike = "float32", deterministic: bool = False, tape: str = "full") -> Counting:
    """The counting twin of a backend, by its name: "cpu", or "cuda", "cuda:1", ..."""
    return KINDS["cuda" if kind.startswith(("cuda", "host")) else kind](dtype, deterministic, tape)


def shaped(value: Any) -> Any:
    """A copy with every array in it, in dataclasses, tuples, lists and dicts too, replaced by one without values."""
    if isinstance(value, Shaped) or value is None:
        return value
    if is_dataclass(value) and not isinstance(value, type):  # packed patterns have a shape too
        return replace(value, **{f.name: shaped(getattr(value, f.name)) for f in fields(value) if f.init})
    if hasattr(value, "shape") and hasattr(value, "dtype"):
        size = math.prod(value.shape) * value.dtype.itemsize
        return Shaped(tuple(value.shape), value.dtype, Block(size))
    if isinstance(value, (tuple, list)):
        return type(value)(shaped(item) for item in value)
    if isinstance(value, dict):
        return {key: shaped(item) for key, item in value.items()}
    return value


def cost_of(kind: str, name: str, *arguments: Any, dtype: DTypeLike = "float32", **keywords: Any) -> Cost:
    """What a call of a backend's method `name` costs, from the shapes of its arguments.

    cost_of("cuda", "transmit_forward", waves, transmission, 0, corners, indices).bytes
    """
    backend = counting(kind, dtype)
    method = getattr(backend, name)
    method(*(shaped(a) for a in arguments), **{key: shaped(a) for key, a in keywords.items()})
    return backend.ledger.total


__all__ = ["Counting", "CountingCpu", "CountingCuda", "cost_of", "counting", "shaped"]
