"""The multislice chain from the protocol's own steps: for backends that have no kernel for the whole of it."""

from __future__ import annotations

from typing import Any

from ptycupy.backends.interface import Array
from ptycupy.backends.interface.waves import Waves


def forward(
    backend: Waves, waves: Array, transmission: Array, transfer: Array, corners: Array, indices: Array
) -> tuple[Array, Any]:
    """`Waves.multislice_forward` from `transmit_forward` and `propagate_forward`."""
    entries = [waves]
    for s in range(transmission.shape[1] - 1):
        exits = backend.transmit_forward(entries[-1], transmission, s, corners, indices)
        entries.append(backend.propagate_forward(exits, transfer, s % transfer.shape[0], False)[0])
    return backend.transmit_forward(entries[-1], transmission, len(entries) - 1, corners, indices), entries


def backward(
    backend: Waves,
    grad_exits: Array,
    saved: Any,
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
        grad = backend.transmit_backward(grad, saved[s], transmission, *where, needs_waves=True)
        grad = backend.propagate_backward(grad, transfer, (s - 1) % transfer.shape[0], None, None)
    where = (0, corners, indices, grad_transmission)
    return backend.transmit_backward(grad, saved[0], transmission, *where, needs_waves)


__all__ = ["backward", "forward"]
