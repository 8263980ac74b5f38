"""The ends of one wave's way, from the probe's spectrum and to the detector, and sums over what it leaves.

As `wave_steps`, which lie between: a wave is planar, its rows `stride` reals apart, and transformed along x alone.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from ptycupy.backends.cpu.lanes import LANES, Lanes, Memory, Planar, columnar, emitted
from ptycupy.backends.cpu.radix import Columns, row_forward, row_inverse

BLOCK = 2 * LANES  # reals


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
    """A probe's spectrum (columnar) times exp(-2 pi i shift f), the two factors given as pairs, back along y."""
    target, source = Planar(memory, waves, wave, stride), columnar(memory, spectra, spectrum, height)
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
    target, columns = Planar(memory, waves, wave, stride), Columns(memory, height)
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
    grad, source = Planar(memory, waves, wave, stride), columnar(memory, spectra, spectrum, height)
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
def detect(memory: Memory, waves: Any, wave: Any, stride: Any, scale: Any, height: int, width: int) -> None:
    """The far field, times scale."""
    target, columns = Planar(memory, waves, wave, stride), Columns(memory, height)
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
    target, columns = Planar(memory, waves, wave, stride), Columns(memory, height)
    factor = memory.everywhere(scale)
    with memory.loop(width // LANES) as block:

        def pulled(y: Any) -> Lanes:
            grad = memory.reals(grad_intensity, memory.at(pattern, (y, width), (block, LANES)))
            return target.load(y, block).scaled(memory.build.fmul(grad, factor))

        columns.enter(pulled)
        columns.end(lambda y, value: target.store(y, block, value))


@emitted
def take(
    memory: Memory, waves: Any, wave: Any, stride: Any, given: Any, at: Any, scale: Any, height: int, width: int
) -> None:
    """A wave in real space, an array of pairs, times scale and transformed along x."""
    target, factor = Planar(memory, waves, wave, stride), memory.everywhere(scale)
    with memory.loop(height) as y:
        starts = range(0, width, LANES)
        values = {x: memory.load_pairs(given, memory.at(at, (y, 2 * width), 2 * x)).scaled(factor) for x in starts}
        row_forward(memory, values, lambda x, value: target.store(y, x // LANES, value))


@emitted
def give(
    memory: Memory,
    waves: Any,
    wave: Any,
    stride: Any,
    taker: Any,
    at: Any,
    more: Any,
    scale: Any,
    height: int,
    width: int,
) -> None:
    """Back to real space, times scale: becomes an array of pairs, or is added to it where there is `more` than this."""
    source, factor = Planar(memory, waves, wave, stride), memory.everywhere(scale)
    with memory.loop(height) as y:
        for x, value in row_inverse(memory, width, lambda x: source.load(y, x // LANES)).items():
            place = memory.at(at, (y, 2 * width), 2 * x)
            memory.store_pairs(taker, place, memory.load_pairs(taker, place).where(more) + value.scaled(factor))


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
    between: Any,
    parts: Any,
    apart: Any,
    weight: Any,
    width: int,
) -> None:
    """A row of a canvas of pairs += weight times the sum of planar rows that lie `apart`, their blocks `between`."""
    factor = memory.everywhere(weight)
    with memory.loop(width // LANES) as block:
        at, first = memory.at(target, (block, BLOCK)), memory.at(place, (block, between))
        total = memory.sum(parts, lambda part: memory.load(pulls, memory.at(first, (part, apart))))
        memory.store_pairs(canvas, at, memory.load_pairs(canvas, at) + total.scaled(factor))


__all__ = [
    "add_power",
    "add_rows",
    "detect",
    "detect_back",
    "enter",
    "give",
    "leave",
    "slopes",
    "take",
]
