"""Waves through the whole specimen and back, each in the cache of one core, for whoever has the waves at both ends."""

from __future__ import annotations

import numpy as np
from numba import prange

from ptycupy.backends.cpu import wave_ends as ends
from ptycupy.backends.cpu.chain import Beam, Room, through, through_back
from ptycupy.backends.cpu.jit import jit_parallel
from ptycupy.backends.interface import Array


@jit_parallel
def forth(
    room: Room,
    beam: Beam,
    bounds: Array,
    exits: Array,
    given: Array,
    share: float,
    height: tuple[int, ...],
    width: tuple[int, ...],
) -> None:
    """exits [n, o, p, y, x] of the waves given [n, o or 1, p, y, x]; `bounds` shares out the waves to threads, for each
    of which room has one. share = 1 / x."""
    _, states, modes, rows, _ = exits.shape
    stride, plane = room.waves.shape[4], 2 * rows * exits.shape[4]
    for number in prange(bounds.size - 1):
        chunk = np.int64(number)  # Numba counts without a sign
        wave = chunk * rows * stride
        for k in range(bounds[chunk], bounds[chunk + 1]):
            i, o, p = k // (states * modes), k // modes % states, k % modes
            source = ((i * given.shape[1] + o % given.shape[1]) * modes + p) * plane
            ends.take(room.waves, wave, stride, given, source, share, height, width)
            through(room, wave, k, beam, i, o, height, width)
            ends.give(room.waves, wave, stride, exits, k * plane, False, share, height, width)


@jit_parallel
def back(
    room: Room,
    beam: Beam,
    bounds: Array,
    together: int,
    grad_given: Array,
    grads: Array,
    share: float,
    needs_waves: bool,
    height: tuple[int, ...],
    width: tuple[int, ...],
) -> None:
    """grad_given [n, o or 1, p, y, x] from the gradients of the exits; `bounds` shares out patterns and `together` of
    their modes p, all or one at a time."""
    _, states, modes, rows, _ = grads.shape
    stride, plane, seen = room.waves.shape[4], 2 * rows * grads.shape[4], grad_given.shape[1]
    for number in prange(bounds.size - 1):
        chunk = np.int64(number)
        wave = chunk * rows * stride
        for unit in range(bounds[chunk], bounds[chunk + 1]):
            i, first = unit * together // modes, unit * together % modes
            for o in range(states):
                for p in range(first, first + together):
                    k = (i * states + o) * modes + p
                    ends.take(room.waves, wave, stride, grads, k * plane, share, height, width)
                    through_back(room, wave, k, beam, i, o, p, height, width)
                    if needs_waves:
                        target = ((i * seen + o % seen) * modes + p) * plane
                        more = o >= seen
                        ends.give(room.waves, wave, stride, grad_given, target, more, share, height, width)


__all__ = ["back", "forth"]
