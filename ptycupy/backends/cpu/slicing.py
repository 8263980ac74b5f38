"""The methods of CpuBackend that take waves through the whole specimen in one go."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
from numba import get_num_threads

from ptycupy.backends import composed
from ptycupy.backends.cpu import chain, diffraction, specimen
from ptycupy.backends.cpu.lanes import LANES
from ptycupy.backends.cpu.waves import Waves
from ptycupy.backends.cpu.windows import require_inside, row_bands
from ptycupy.backends.interface import Array
from ptycupy.backends.sizes import PADDING, by_patterns, has_own_transforms


@dataclass(frozen=True)
class Own:
    """What the adjoint of `specimen.forth` needs."""

    room: chain.Room
    beam: chain.Beam
    seen: int  # object modes of the waves before the first slice: 1 or all


@dataclass(frozen=True)
class Library:
    """The same with transforms of a library."""

    waves: Array  # [n, o or 1, p, y, x] before the first slice
    entries: Array  # [z - 1, n, o, p, y, x] before the others


class Slicing(composed.Diffraction, Waves):
    _fused: bool

    def multislice_forward(
        self, waves: Array, transmission: Array, transfer: Array, corners: Array, indices: Array, keep: bool
    ) -> tuple[Array, Any]:
        given = (waves, transmission, transfer, corners, indices)
        if self._fused and has_own_transforms(waves.shape[-2:]):
            return self._through(*given, keep)
        if keep or not hasattr(self._fourier, "multislice"):
            return composed.multislice_forward(self, *given, keep)
        require_inside(corners, indices, waves.shape[-2:], transmission.shape[-2:])
        states, slices = transmission.shape[:2]
        exits = self.empty((len(waves), states, *waves.shape[2:]), self.complex)
        entries = self.empty((slices - 1, *exits.shape), self.complex)
        self._fourier.multislice(exits, entries, *given, self._pixel_share(waves))
        return exits, Library(waves, entries)

    def multislice_backward(
        self,
        grad_exits: Array,
        saved: Any,
        transmission: Array,
        transfer: Array,
        corners: Array,
        indices: Array,
        grad_transmission: Array | None,
        grad_transfer: Array | None,
        needs_waves: bool,
    ) -> Array | None:
        if isinstance(saved, Own):
            return self._through_back(grad_exits, saved, grad_transmission, grad_transfer, needs_waves)
        if not isinstance(saved, Library):
            given = (transmission, transfer, corners, indices, grad_transmission, grad_transfer, needs_waves)
            return composed.multislice_backward(self, grad_exits, saved, *given)
        waves, entries = saved.waves, saved.entries
        patterns, states, _, *window = grad_exits.shape
        wants_transmission = grad_transmission is not None
        overlaps = self.empty((patterns, states, transmission.shape[1], *window), self.complex)
        grad_waves = self.empty(waves.shape, self.complex)
        arrays = (grad_exits, entries, waves, transmission, transfer, corners, indices, self._pixel_share(waves))
        self._fourier.multislice_back(grad_waves, overlaps, *arrays, needs_waves, wants_transmission)
        if grad_transmission is not None:
            self.patch_backward(overlaps, corners, indices, grad_transmission)
        return grad_waves if needs_waves else None

    def _through(
        self, waves: Array, transmission: Array, transfer: Array, corners: Array, indices: Array, keep: bool
    ) -> tuple[Array, Own]:
        """With transforms of our own: what enters slices is kept for the way back, the waves themselves are not."""
        patterns, seen, modes, height, width = waves.shape
        require_inside(corners, indices, (height, width), transmission.shape[-2:])
        (states, slices), threads = transmission.shape[:2], get_num_threads()
        stack, plane = (patterns, states, modes), (slices, height, 2 * width)
        moves = self._columnar(transfer, 1 / (height * width))
        none, nothing = np.empty((0, 0), self.complex), np.empty((0, 0, 0), self.real)
        beam = chain.Beam(moves[0, :0], none, none, transmission, moves, corners, indices)
        work = self.empty((threads, 1, 1, height, 2 * width + PADDING), self.real)
        entries = self.empty((math.prod(stack), *plane), self.real)
        pulls = entries.reshape(*stack, *plane)
        if keep or by_patterns(patterns, threads):
            pulls = self.empty((patterns, states, 1, *plane), self.real)
        gaps = self._gaps(beam, keep, len(entries))
        room = chain.Room(work, entries, pulls, *gaps, nothing, nothing, np.empty((0, 2)))
        exits = self.empty((*stack, height, width), self.complex)
        bounds = np.arange(threads + 1) * len(entries) // threads
        sizes = (self.real.type(1 / width), diffraction.size(height), diffraction.size(width))
        specimen.forth(room, beam, bounds, exits, waves, *sizes)
        return exits, Own(room, beam, seen)

    def _through_back(
        self,
        grad_exits: Array,
        saved: Own,
        grad_transmission: Array | None,
        grad_transfer: Array | None,
        needs_waves: bool,
    ) -> Array | None:
        room, beam = saved.room, saved.beam
        patterns, _, modes, height, width = grad_exits.shape
        threads, parts = len(room.waves), room.pulls.shape[2]
        together = modes // parts  # modes whose shares of the object's gradient one thread adds up
        bounds = np.arange(threads + 1) * (patterns * parts) // threads
        grad_waves = self.empty((patterns, saved.seen if needs_waves else 1, modes, height, width), self.complex)
        sizes = (self.real.type(1 / width), needs_waves, diffraction.size(height), diffraction.size(width))
        specimen.back(room, beam, bounds, together, grad_waves, grad_exits, *sizes)
        self._spread_slices(room, beam, 1.0, (height, width), grad_transmission, grad_transfer)
        return grad_waves if needs_waves else None

    def _gaps(self, beam: chain.Beam, keep: bool, slots: int) -> tuple[Array, Array]:
        """Room for spectra between slices, and for the gradients of transfer functions; with `keep` only."""
        gaps, columns, slices = len(beam.transfer), beam.transfer.shape[2:], beam.transmission.shape[1]
        if not keep or slices == 1:
            nothing = np.empty((0, 0, 0, 0, 0), self.real)
            return nothing, nothing
        spectra = self.empty((slots, slices - 1, *columns), self.real)
        return spectra, self.empty((len(beam.indices), gaps, *columns), self.real)

    def _spread_slices(
        self,
        room: chain.Room,
        beam: chain.Beam,
        factor: float,
        window: tuple[int, int],
        grad_transmission: Array | None,
        grad_transfer: Array | None,
    ) -> None:
        """Adds factor times what the way back has left of slices and gaps to the gradients that are wanted."""
        width = diffraction.size(window[1])
        if grad_transmission is not None:
            bands = row_bands(beam.corners, beam.indices, window, grad_transmission.shape[-2:])
            arrays = (beam.corners, beam.indices, bands, width)
            diffraction.scatter(grad_transmission, room.pulls, self.real.type(factor), *arrays)
        if grad_transfer is not None and room.gap_pulls.size:
            share = self.real.type(factor / math.prod(window))  # as the transfer functions of `beam` have it
            diffraction.gather(grad_transfer, room.gap_pulls, share, width)

    def _columnar(self, arrays: Array, scale: float) -> Array:
        """scale * arrays, [..., x / LANES, y, 2 LANES] of complex [..., y, x]."""
        *stack, height, width = arrays.shape
        result = self.empty((*stack, width // LANES, height, 2 * LANES), self.real)
        planes = (result.reshape(-1, *result.shape[-3:]), arrays.reshape(-1, height, width))
        diffraction.columnar(*planes, self.real.type(scale))
        return result


__all__ = ["Slicing"]
