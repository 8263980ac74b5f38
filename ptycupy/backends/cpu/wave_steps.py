"""The steps of one wave through the specimen and back, each one pass over the wave.

A wave is planar (see `lanes`), its rows `stride` reals apart. Between the steps it is transformed along x alone: a step
of columns goes from there to both and back, a step of rows to real space and back. So propagation and transmission lie
in the middle of steps, and no transform ends in memory. Offsets (`wave`, `entry`, ...) count reals from the start
of their array; heights and widths are tuples as `lanes.emitted` takes them. `wave_ends` has the first and last steps.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from ptycupy.backends.cpu.lanes import LANES, Lanes, Memory, Planar, columnar, emitted
from ptycupy.backends.cpu.radix import Columns, row_forward, row_inverse


@emitted
def transmit(
    memory: Memory,
    waves: Any,
    wave: Any,
    stride: Any,
    entries: Any,
    entry: Any,
    transmission: Any,
    window: Any,
    canvas_stride: Any,
    height: int,
    width: int,
) -> None:
    """Real space: the wave is kept in entries (planar, dense), and multiplied by the transmission at the window."""
    target, kept = Planar(memory, waves, wave, stride), Planar(memory, entries, entry, 2 * width)
    with memory.loop(height) as y:
        values = row_inverse(memory, width, lambda x: target.load(y, x // LANES))
        for x, value in values.items():
            kept.store(y, x // LANES, value)
            factor = memory.load_pairs(transmission, memory.at(window, (y, canvas_stride), 2 * x))
            values[x] = value * factor
        row_forward(memory, values, lambda x, value: target.store(y, x // LANES, value))


@emitted
def transmit_back(
    memory: Memory,
    waves: Any,
    wave: Any,
    stride: Any,
    entries: Any,
    entry: Any,
    pulls: Any,
    pull: Any,
    more: Any,
    transmission: Any,
    window: Any,
    canvas_stride: Any,
    height: int,
    width: int,
) -> None:
    """The adjoint: pull (planar, dense) becomes conj(entry) grad, the transmission's gradient, or takes it up where
    there is `more` than this; and grad becomes that of the entry. Pull may lie where entry does."""
    target, kept = Planar(memory, waves, wave, stride), Planar(memory, entries, entry, 2 * width)
    sums = Planar(memory, pulls, pull, 2 * width)
    with memory.loop(height) as y:
        grads = row_inverse(memory, width, lambda x: target.load(y, x // LANES))
        for x, grad in grads.items():
            before = sums.load(y, x // LANES).where(more)
            sums.store(y, x // LANES, kept.load(y, x // LANES).conjugate_times(grad) + before)
            factor = memory.load_pairs(transmission, memory.at(window, (y, canvas_stride), 2 * x))
            grads[x] = factor.conjugate_times(grad)
        row_forward(memory, grads, lambda x, value: target.store(y, x // LANES, value))


def _propagate(
    memory: Memory,
    waves: Any,
    wave: Any,
    stride: Any,
    transfers: Any,
    transfer: Any,
    height: int,
    width: int,
    between: Callable[[Any, Any, Lanes, Lanes], Lanes],
) -> None:
    """`between` takes row and block, the transfer function there, and the spectrum."""
    target, factors = Planar(memory, waves, wave, stride), columnar(memory, transfers, transfer, height)
    columns = Columns(memory, height)
    with memory.loop(width // LANES) as block:
        columns.begin(lambda y: target.load(y, block))
        columns.turn(lambda y, value: between(y, block, factors.load(y, block), value))
        columns.end(lambda y, value: target.store(y, block, value))


@emitted
def propagate(
    memory: Memory, waves: Any, wave: Any, stride: Any, transfers: Any, transfer: Any, height: int, width: int
) -> None:
    """Times a transfer function (columnar) where the wave is transformed along both axes."""
    _propagate(memory, waves, wave, stride, transfers, transfer, height, width, lambda y, x, h, value: h * value)


@emitted
def propagate_kept(
    memory: Memory,
    waves: Any,
    wave: Any,
    stride: Any,
    transfers: Any,
    transfer: Any,
    spectra: Any,
    spectrum: Any,
    height: int,
    width: int,
) -> None:
    """`propagate`, with the spectrum before it kept (columnar)."""
    kept = columnar(memory, spectra, spectrum, height)

    def between(y: Any, block: Any, factor: Lanes, value: Lanes) -> Lanes:
        kept.store(y, block, value)
        return factor * value

    _propagate(memory, waves, wave, stride, transfers, transfer, height, width, between)


@emitted
def propagate_back(
    memory: Memory, waves: Any, wave: Any, stride: Any, transfers: Any, transfer: Any, height: int, width: int
) -> None:
    """The adjoint, times its conjugate."""
    _propagate(
        memory, waves, wave, stride, transfers, transfer, height, width, lambda y, x, h, value: h.conjugate_times(value)
    )


@emitted
def propagate_back_pulling(
    memory: Memory,
    waves: Any,
    wave: Any,
    stride: Any,
    transfers: Any,
    transfer: Any,
    spectra: Any,
    spectrum: Any,
    pulls: Any,
    pull: Any,
    more: Any,
    height: int,
    width: int,
) -> None:
    """`propagate_back`; pull (columnar) becomes conj(kept spectrum) times the gradient's, the transfer function's
    gradient, or takes it up where there is `more` than this."""
    kept, sums = (columnar(memory, *where, height) for where in ((spectra, spectrum), (pulls, pull)))

    def between(y: Any, block: Any, factor: Lanes, grad: Lanes) -> Lanes:
        before = sums.load(y, block).where(more)
        sums.store(y, block, kept.load(y, block).conjugate_times(grad) + before)
        return factor.conjugate_times(grad)

    _propagate(memory, waves, wave, stride, transfers, transfer, height, width, between)


__all__ = [
    "propagate",
    "propagate_back",
    "propagate_back_pulling",
    "propagate_kept",
    "transmit",
    "transmit_back",
]
