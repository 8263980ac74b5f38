"""The steps of one wave from the probe's spectrum to the detector and back, each one pass over the wave.

A wave is planar (see `lanes`), its rows `stride` reals apart. Between the steps it is transformed along x alone: a step
of columns goes from there to both and back, a step of rows to real space and back. So propagation and transmission lie
in the middle of steps, and no transform ends in memory. Offsets (`wave`, `entry`, ...) count reals from the start
of their array; heights and widths are tuples as `lanes.emitted` takes them.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from ptycupy.backends.cpu.lanes import LANES, Lanes, Memory, emitted
from ptycupy.backends.cpu.radix import Columns, row_forward, row_inverse

BLOCK = 2 * LANES  # reals


class _Wave:
    """Places in a planar wave: by row and block of columns."""

    def __init__(self, memory: Memory, pointer: Any, start: Any, stride: Any) -> None:
        self.memory, self.pointer, self.start, self.stride = memory, pointer, start, stride

    def place(self, y: Any, block: Any) -> Any:
        return self.memory.at(self.start, (y, self.stride), (block, BLOCK))

    def load(self, y: Any, block: Any) -> Lanes:
        return self.memory.load(self.pointer, self.place(y, block))

    def store(self, y: Any, block: Any, value: Lanes) -> None:
        self.memory.store(self.pointer, self.place(y, block), value)


@emitted
def enter(
    memory: Memory,
    waves: Any,
    wave: Any,
    stride: Any,
    spectra: Any,
    spectrum: Any,
    ramps_y: Any,
    ramp_y: Any,
    ramps_x: Any,
    ramp_x: Any,
    height: int,
    width: int,
) -> None:
    """A probe's spectrum (planar, dense) times exp(-2 pi i shift f), the two factors given as pairs, back along y."""
    target, source = _Wave(memory, waves, wave, stride), _Wave(memory, spectra, spectrum, 2 * width)
    columns = Columns(memory, height)
    with memory.loop(width // LANES) as block:
        along_x = memory.load_pairs(ramps_x, memory.at(ramp_x, (block, BLOCK)))

        def shifted(y: Any) -> Lanes:
            ramp = memory.broadcast(ramps_y, memory.at(ramp_y, (y, 2))) * along_x
            return source.load(y, block) * ramp

        columns.enter(shifted)
        columns.end(lambda y, value: target.store(y, block, value))


@emitted
def leave(
    memory: Memory,
    waves: Any,
    wave: Any,
    stride: Any,
    ramps_y: Any,
    ramp_y: Any,
    ramps_x: Any,
    ramp_x: Any,
    height: int,
    width: int,
) -> None:
    """The adjoint of `enter` with respect to the spectrum, in place."""
    target, columns = _Wave(memory, waves, wave, stride), Columns(memory, height)
    with memory.loop(width // LANES) as block:
        along_x = memory.load_pairs(ramps_x, memory.at(ramp_x, (block, BLOCK)))

        def put(y: Any, value: Lanes) -> None:
            ramp = memory.broadcast(ramps_y, memory.at(ramp_y, (y, 2))) * along_x
            target.store(y, block, ramp.conjugate_times(value))

        columns.begin(lambda y: target.load(y, block))
        columns.leave(put)


@emitted
def slopes(
    memory: Memory,
    waves: Any,
    wave: Any,
    stride: Any,
    spectra: Any,
    spectrum: Any,
    sums: Any,
    at: Any,
    height: int,
    width: int,
) -> None:
    """sums[at], doubles, = the sum of (f_y, f_x) Im(conj(wave) spectrum), f in cycles per pixel."""
    build, wide = memory.build, memory.double()
    grad, source = _Wave(memory, waves, wave, stride), _Wave(memory, spectra, spectrum, 2 * width)
    down, along = (wide.constants(np.fft.fftfreq(n).tolist()) for n in (height, width))

    def column(block: Any, sums: list[Any]) -> list[Any]:
        def pixel(y: Any, inner: list[Any]) -> list[Any]:
            pull = wide.widened(grad.load(y, block).conjugate_times(source.load(y, block)).im)
            weight = wide.everywhere(build.load(build.gep(down, [y])))
            return [build.fadd(inner[0], build.fmul(pull, weight)), build.fadd(inner[1], pull)]

        over_y, over_x = memory.carried(height, [sums[0], wide.zeros()], pixel)
        weights = wide.reals(along, memory.at((block, LANES)))
        return [over_y, build.fadd(sums[1], build.fmul(over_x, weights))]

    totals = memory.carried(width // LANES, [wide.zeros(), wide.zeros()], column)
    doubles = build.bitcast(sums, wide.zeros().type.element.as_pointer())
    for axis, total in enumerate(totals):
        build.store(wide.across(total), build.gep(doubles, [memory.at(at, axis)]))


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
    target, kept = _Wave(memory, waves, wave, stride), _Wave(memory, entries, entry, 2 * width)
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
    target, kept = _Wave(memory, waves, wave, stride), _Wave(memory, entries, entry, 2 * width)
    sums = _Wave(memory, pulls, pull, 2 * width)
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
    product: Any,
) -> None:
    target, factors = _Wave(memory, waves, wave, stride), _Wave(memory, transfers, transfer, 2 * width)
    columns = Columns(memory, height)
    with memory.loop(width // LANES) as block:
        columns.begin(lambda y: target.load(y, block))
        columns.turn(lambda y, value: product(factors.load(y, block), value))
        columns.end(lambda y, value: target.store(y, block, value))


@emitted
def propagate(
    memory: Memory, waves: Any, wave: Any, stride: Any, transfers: Any, transfer: Any, height: int, width: int
) -> None:
    """Times a transfer function (planar, dense) where the wave is transformed along both axes."""
    _propagate(memory, waves, wave, stride, transfers, transfer, height, width, Lanes.__mul__)


@emitted
def propagate_back(
    memory: Memory, waves: Any, wave: Any, stride: Any, transfers: Any, transfer: Any, height: int, width: int
) -> None:
    """The adjoint, times its conjugate."""
    _propagate(memory, waves, wave, stride, transfers, transfer, height, width, Lanes.conjugate_times)


@emitted
def detect(memory: Memory, waves: Any, wave: Any, stride: Any, scale: Any, height: int, width: int) -> None:
    """The far field, times scale."""
    target, columns = _Wave(memory, waves, wave, stride), Columns(memory, height)
    factor = memory.everywhere(scale)
    with memory.loop(width // LANES) as block:
        columns.begin(lambda y: target.load(y, block))
        columns.leave(lambda y, value: target.store(y, block, value.scaled(factor)))


@emitted
def detect_back(
    memory: Memory,
    waves: Any,
    wave: Any,
    stride: Any,
    grad_intensity: Any,
    pattern: Any,
    scale: Any,
    height: int,
    width: int,
) -> None:
    """The adjoint of intensity and far field: a far field times scale grad_intensity, back along y."""
    target, columns = _Wave(memory, waves, wave, stride), Columns(memory, height)
    factor = memory.everywhere(scale)
    with memory.loop(width // LANES) as block:

        def pulled(y: Any) -> Lanes:
            grad = memory.reals(grad_intensity, memory.at(pattern, (y, width), (block, LANES)))
            return target.load(y, block).scaled(memory.build.fmul(grad, factor))

        columns.enter(pulled)
        columns.end(lambda y, value: target.store(y, block, value))


@emitted
def add_power(memory: Memory, intensity: Any, row: Any, waves: Any, place: Any, weight: Any, width: int) -> None:
    """intensity[row, :] += weight |wave|^2 of a row."""
    factor = memory.everywhere(weight)
    with memory.loop(width // LANES) as block:
        target = memory.at(row, (block, LANES))
        power = memory.load(waves, memory.at(place, (block, BLOCK))).power()
        share = memory.build.fmul(power, factor)
        memory.store_reals(intensity, target, memory.build.fadd(memory.reals(intensity, target), share))


@emitted
def add_rows(
    memory: Memory,
    canvas: Any,
    target: Any,
    pulls: Any,
    place: Any,
    parts: Any,
    apart: Any,
    weight: Any,
    width: int,
) -> None:
    """A row of a canvas of pairs += weight times the sum of planar rows that lie `apart`."""
    factor = memory.everywhere(weight)
    with memory.loop(width // LANES) as block:
        at, first = memory.at(target, (block, BLOCK)), memory.at(place, (block, BLOCK))
        total = memory.sum(parts, lambda part: memory.load(pulls, memory.at(first, (part, apart))))
        memory.store_pairs(canvas, at, memory.load_pairs(canvas, at) + total.scaled(factor))


__all__ = [
    "add_power",
    "add_rows",
    "detect",
    "detect_back",
    "enter",
    "leave",
    "propagate",
    "propagate_back",
    "slopes",
    "transmit",
    "transmit_back",
]
