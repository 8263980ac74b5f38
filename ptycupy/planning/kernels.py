"""What launches of the kernels with transforms of our own cost, from their arguments; see kernels/*.cu."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from ptycupy.backends.cuda import whole_waves
from ptycupy.backends.cuda.launch import Blocks, Rows
from ptycupy.backends.interface import Array
from ptycupy.planning.chip import Chip
from ptycupy.planning.data import powers, reading
from ptycupy.planning.memory import Bytes, Memory
from ptycupy.planning.waves import ACCUMULATE, MULTIPLY


class Launches(Memory):
    """A launcher whose kernels only count."""

    _device: Chip

    def _launch(
        self, name: str, size: Blocks | Rows, *arguments: Any, length: int = 0, threads: int = 0, shared: int = 0
    ) -> None:
        self.launched.add(name)
        counts: dict[str, Callable[..., None]] = {
            "transmit_rows_forward": self._rows_forward,
            "transmit_rows_backward": self._rows_backward,
            "propagate_columns_forward": self._columns,
            "propagate_columns_backward": self._columns,
            "propagate_columns_forward_kept": self._columns_kept,
            "propagate_columns_backward_kept": self._columns_summed,
            "propagate_backward_parts": self._parts,
            "transform_rows": self._rows,
            "transform_columns": self._ends,
            "transform_shifted": self._shifted,
            "detect_columns": self._detector,
            "residual": self._pull,
            "multislice_forward": self._whole_forward,
            "multislice_backward": self._whole_backward,
        }
        before = self.ledger.cost.all_flops
        counts[name](*arguments)
        if name.startswith("multislice") and isinstance(size, Blocks):
            at_once = whole_waves.blocks_at_once(self._device, length)  # type: ignore[arg-type]
            rounds = -(-size.blocks // at_once)
            flops = self.ledger.cost.all_flops - before
            self.ledger.cost.idle_flops += flops * (rounds * at_once / size.blocks - 1)

    # --- one step along an axis ------------------------------------------------------------------------------
    def _rows_forward(self, exits: Array, entries: Array | None, waves: Array, transmission: Array, *_: Any) -> None:
        self._traffic((waves, self._window(exits, transmission)), (exits, entries), MULTIPLY * exits.size)

    def _rows_backward(
        self,
        grad_waves: Array | None,
        grad_transmission: Array | None,
        patches: Array | None,
        grad_exits: Array,
        entries: Array,
        transmission: Array,
        *_: Any,
    ) -> None:
        window = self._window(grad_exits, transmission)
        flops = MULTIPLY * grad_exits.size if grad_waves is not None else 0
        self._traffic((grad_exits, entries, window), (grad_waves, patches), flops)
        self._gathered(grad_transmission, patches, window, grad_exits.size)

    def _columns(self, waves: Array, transfer: Array, *_: Any) -> None:
        """To the spectrum and back; the rows' share of both transforms is counted here too."""
        self._transformed(waves, 2)
        self._traffic((waves, transfer), (waves,), MULTIPLY * waves.size)

    def _columns_kept(self, waves: Array, spectra: Array, transfer: Array, *_: Any) -> None:
        self._columns(waves, transfer)
        self._traffic((), (spectra,), launches=0)

    def _columns_summed(self, waves: Array, parts: Array, spectra: Array, transfer: Array, *rest: Any) -> None:
        self._columns(waves, transfer)
        _, accumulate, *_ = rest
        self._traffic((spectra, parts if accumulate else None), (parts,), ACCUMULATE * waves.size, launches=0)

    def _parts(self, target: Array, parts: Array, *_: Any) -> None:
        self._traffic((target, parts), (target,), 2 * parts.size)

    def _rows(self, waves: Array, *_: Any) -> None:
        self._traffic((waves,), (waves,))

    def _ends(self, waves: Array, *_: Any) -> None:
        """Along y; the rows' share of the transform is counted here too, whichever kernel does it."""
        self._transformed(waves, 1)
        self._traffic((waves,), (waves,))

    def _shifted(self, waves: Array, spectrum: Array, shifts: Array, *_: Any) -> None:
        self._transformed(waves, 1)
        self._traffic((spectrum, shifts), (waves,), MULTIPLY * waves.size)

    # --- the detector ----------------------------------------------------------------------------------------
    def _detector(self, waves: Array, partials: Array, occupancy: Array, *rest: Any) -> None:
        """Modes that a group of threads holds one of are read and transformed once on the way to the detector."""
        *data, _, groups, _, _ = rest
        self._transformed(waves, 2)
        again = waves if waves.shape[1] * waves.shape[2] > groups else None
        flops = 6 * waves.size if again is None else (6 + 5 * math.log2(waves.shape[-2])) * waves.size
        self._compared(waves, data, (waves, again), (waves, partials), flops)

    def _pull(self, pull: Array, partials: Array, waves: Array, occupancy: Array, *rest: Any) -> None:
        *data, _, _, _ = rest
        self._compared(waves, data, (waves,), (pull, partials), 4 * waves.size)

    def _compared(
        self, waves: Array, data: Sequence[Any], reads: Sequence[Bytes], writes: Sequence[Bytes], flops: float
    ) -> None:
        """With measured patterns, by a likelihood; both as kernels are given them."""
        *measured, poisson, power, _ = data
        read, elementary = reading(waves.shape[0], tuple(measured))
        pixels = waves.shape[0] * waves.shape[-2] * waves.shape[-1]
        roots, raised = powers(power, 2 * pixels)
        elementary += raised + (pixels if poisson else 0)
        self._traffic((*reads, read), writes, flops + roots + 8 * pixels, 1, elementary)

    def _summed(self, partials: Array) -> Array:
        self._traffic((partials,), (8 * partials.shape[1],))
        return self.alloc(partials.shape[1:], np.float64)

    # --- whole waves -----------------------------------------------------------------------------------------
    def _whole_forward(
        self,
        exits: Array,
        entries: Array | None,
        waves: Array,
        spectrum: Array | None,
        shifts: Array | None,
        transmission: Array,
        transfer: Array | None,
        *_: Any,
    ) -> None:
        slices, ends = transmission.shape[1], spectrum is not None
        self._transformed(exits, 2 * (slices - 1) + 2 * ends)
        windows = slices * self._window(exits, transmission)
        read, written = (spectrum, waves) if ends else (waves, None)
        flops = MULTIPLY * (2 * slices - 1 + 2 * ends) * exits.size
        self._traffic((read, shifts, windows, transfer), (exits, entries, written), flops)

    def _whole_backward(
        self,
        grad_waves: Array | None,
        grad_transmission: Array | None,
        patches: Array | None,
        grad_exits: Array,
        grad_intensity: Array | None,
        occupancy: Array | None,
        waves: Array,
        entries: Array | None,
        transmission: Array,
        transfer: Array | None,
        corners: Array,
        indices: Array,
        deferred: Array | None,
        factor: float,
        scale: float,
        slices: int,
        gaps: int,
        tilt_count: int,
        parts: int,
        *_: Any,
    ) -> None:
        ends = grad_intensity is not None
        self._transformed(grad_exits, 2 * (slices - 1) + 2 * ends)
        windows = slices * self._window(grad_exits, transmission)
        flops = MULTIPLY * (2 * slices - 1 + ends) * grad_exits.size
        reads = (grad_exits, grad_intensity, waves, entries, windows, transfer)
        self._traffic(reads, (grad_waves, patches), flops)
        self._gathered(grad_transmission, patches, parts * windows, slices * grad_exits.size)

    # --- what they share -------------------------------------------------------------------------------------
    @staticmethod
    def _window(exits: Array, transmission: Array) -> int:
        """Bytes of one slice of the object under every pattern."""
        height, width = exits.shape[-2:]
        return int(exits.shape[0] * transmission.shape[0] * height * width * transmission.dtype.itemsize)

    def _gathered(self, target: Array | None, patches: Array | None, window: int, products: int) -> None:
        """Products that are summed over the modes, and added to the object where no patches keep them."""
        if target is not None or patches is not None:
            self._traffic((), (), ACCUMULATE * products, launches=0)
        if target is not None:
            self._traffic((window,), (window,), launches=0)


__all__ = ["Launches"]
