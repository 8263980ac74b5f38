"""The multislice chain from the protocol's own steps: for backends that have no kernel for the whole of it."""

from __future__ import annotations

from functools import partial
from typing import Protocol

from ptycupy.backends.interface import Array
from ptycupy.backends.interface.waves import Waves
from ptycupy.backends.tapes import Arrays, FullTape, Tape


class Steps(Waves, Arrays, Protocol):
    """The ops that the chain is made of, and the memory that its waves wait in."""


def forward(
    backend: Steps,
    waves: Array,
    transmission: Array,
    transfer: Array,
    corners: Array,
    indices: Array,
    tape: type[Tape] = FullTape,
) -> tuple[Array, Tape]:
    """`Waves.multislice_forward` from `transmit_forward` and `propagate_forward`; `tape` keeps what enters slices."""
    last = transmission.shape[1] - 1
    kept = tape(backend, waves, (last, waves.shape[0], transmission.shape[0], *waves.shape[2:]))

    def slice_and_gap(entry: Array, s: int) -> Array:
        exits = backend.transmit_forward(entry, transmission, s, corners, indices)
        return backend.propagate_forward(exits, transfer, s % transfer.shape[0], False)[0]

    entry = waves
    for s in range(last):
        entry = kept.keep(partial(slice_and_gap, entry, s))
    return backend.transmit_forward(entry, transmission, last, corners, indices), kept


def backward(
    backend: Waves,
    grad_exits: Array,
    saved: Tape,
    transmission: Array,
    transfer: Array,
    corners: Array,
    indices: Array,
    grad_transmission: Array | None,
    needs_waves: bool,
) -> Array | None:
    """`Waves.multislice_backward` from `transmit_backward` and `propagate_backward`."""
    grad = grad_exits
    for s in range(transmission.shape[1] - 1, 0, -1):
        where = (s, corners, indices, grad_transmission)
        grad = backend.transmit_backward(grad, saved.get(s), transmission, *where, needs_waves=True)
        grad = backend.propagate_backward(grad, transfer, (s - 1) % transfer.shape[0], None, None)
    where = (0, corners, indices, grad_transmission)
    return backend.transmit_backward(grad, saved.get(0), transmission, *where, needs_waves)


__all__ = ["backward", "forward"]
