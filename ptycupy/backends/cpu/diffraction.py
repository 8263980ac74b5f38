"""Intensities of shifted probes behind the specimen, each wave all the way in the cache of one core."""

from __future__ import annotations

import numpy as np
from numba import prange

from ptycupy.backends.cpu import wave_steps as steps
from ptycupy.backends.cpu.intensity import FLOOR
from ptycupy.backends.cpu.jit import jit, jit_parallel
from ptycupy.backends.cpu.lanes import LANES
from ptycupy.backends.cpu.shift import frequency
from ptycupy.backends.interface import Array


def size(n: int) -> tuple[int, ...]:
    """n as `lanes.emitted` takes it."""
    return (0,) * (n.bit_length() - 1)


@jit_parallel
def planar(target: Array, source: Array, scale: float) -> None:
    """target [k, y, 2 x] = scale * source [k, y, x], LANES real parts before LANES imaginary ones."""
    planes, height, width = source.shape
    for item in prange(planes * height):
        k, y = item // height, item % height
        for x in range(width):
            place = x // LANES * (2 * LANES) + x % LANES
            value = source[k, y, x] * scale
            target[k, y, place] = value.real
            target[k, y, place + LANES] = value.imag


@jit
def pairs(target: Array, source: Array) -> None:
    """target [k, y, x] = source [k, y, 2 x or more], planar."""
    planes, height, width = target.shape
    for k in range(planes):
        for y in range(height):
            for x in range(width):
                place = x // LANES * (2 * LANES) + x % LANES
                target[k, y, x] = complex(source[k, y, place], source[k, y, place + LANES])


@jit_parallel
def forward(
    waves: Array,
    entries: Array,
    spectra: Array,
    ramps_y: Array,
    ramps_x: Array,
    transmission: Array,
    transfer: Array,
    corners: Array,
    indices: Array,
    scale: float,
    height: tuple[int, ...],
    width: tuple[int, ...],
) -> None:
    """waves [n, o, p, y, 2 x + padding] on the detector, entries [n, o, p, z, y, 2 x] before each slice, of spectra
    [p, y, 2 x] that hold the scale of the transform back; transfer [1 or z - 1, 1 or n, y, 2 x] likewise."""
    patterns, states, modes, rows, stride = waves.shape
    slices, canvas_height, canvas_width = transmission.shape[1:]
    plane = entries.shape[4] * entries.shape[5]
    gaps, tilts = transfer.shape[:2]
    for k in prange(patterns * states * modes):
        i, o, p = k // (states * modes), k // modes % states, k % modes
        top, left = corners[indices[i], 0], corners[indices[i], 1]
        wave = k * rows * stride
        ramp_y, ramp_x = 2 * i * ramps_y.shape[1], 2 * i * ramps_x.shape[1]
        steps.enter(waves, wave, stride, spectra, p * plane, ramps_y, ramp_y, ramps_x, ramp_x, height, width)
        for s in range(slices):
            window = 2 * (((o * slices + s) * canvas_height + top) * canvas_width + left)
            entry = (k * slices + s) * plane
            steps.transmit(waves, wave, stride, entries, entry, transmission, window, 2 * canvas_width, height, width)
            if s + 1 < slices:
                gap = (s % gaps * tilts + i % tilts) * plane
                steps.propagate(waves, wave, stride, transfer, gap, height, width)
        steps.detect(waves, wave, stride, scale, height, width)


@jit_parallel
def intensities(intensity: Array, waves: Array, occupancy: Array, width: tuple[int, ...]) -> None:
    """intensity [n, y, x] = sum_o occupancy[o] sum_p |waves|^2 + floor."""
    patterns, states, modes, rows, stride = waves.shape
    for item in prange(patterns * rows):
        i, y = item // rows, item % rows
        for x in range(intensity.shape[2]):
            intensity[i, y, x] = FLOOR
        for k in range(states * modes):
            place = ((i * states * modes + k) * rows + y) * stride
            steps.add_power(intensity, item * intensity.shape[2], waves, place, occupancy[k // modes], width)


@jit_parallel
def backward(
    waves: Array,
    entries: Array,
    grad_intensity: Array,
    factors: Array,
    ramps_y: Array,
    ramps_x: Array,
    transmission: Array,
    transfer: Array,
    corners: Array,
    indices: Array,
    height: tuple[int, ...],
    width: tuple[int, ...],
) -> None:
    """waves become the gradients of each pattern's spectra, entries those of the transmission at its window;
    factors [o] = 2 occupancy, times the scale of the far field."""
    patterns, states, modes, rows, stride = waves.shape
    slices, canvas_height, canvas_width = transmission.shape[1:]
    plane = entries.shape[4] * entries.shape[5]
    gaps, tilts = transfer.shape[:2]
    for k in prange(patterns * states * modes):
        i, o = k // (states * modes), k // modes % states
        top, left = corners[indices[i], 0], corners[indices[i], 1]
        wave = k * rows * stride
        pattern = i * grad_intensity.shape[1] * grad_intensity.shape[2]
        steps.detect_back(waves, wave, stride, grad_intensity, pattern, factors[o], height, width)
        for s in range(slices - 1, -1, -1):
            window = 2 * (((o * slices + s) * canvas_height + top) * canvas_width + left)
            entry = (k * slices + s) * plane
            steps.transmit_back(
                waves, wave, stride, entries, entry, transmission, window, 2 * canvas_width, height, width
            )
            if s > 0:
                gap = ((s - 1) % gaps * tilts + i % tilts) * plane
                steps.propagate_back(waves, wave, stride, transfer, gap, height, width)
        ramp_y, ramp_x = 2 * i * ramps_y.shape[1], 2 * i * ramps_x.shape[1]
        steps.leave(waves, wave, stride, ramps_y, ramp_y, ramps_x, ramp_x, height, width)


@jit_parallel
def scatter(
    grad_transmission: Array, entries: Array, corners: Array, indices: Array, bands: Array, width: tuple[int, ...]
) -> None:
    """grad_transmission [o, z, Y, X] += entries [n, o, p, z, y, 2 x] summed over p. Divided by canvas rows."""
    patterns, states, modes, slices, rows, length = entries.shape
    canvas_height, canvas_width = grad_transmission.shape[2:]
    for band in prange(bands.size - 1):
        for row in range(bands[band], bands[band + 1]):
            for i in range(patterns):
                y, left = row - corners[indices[i], 0], corners[indices[i], 1]
                if y < 0 or y >= rows:
                    continue
                for k in range(states * modes):
                    for s in range(slices):
                        target = 2 * (((k // modes * slices + s) * canvas_height + row) * canvas_width + left)
                        place = (((i * states * modes + k) * slices + s) * rows + y) * length
                        steps.add_row(grad_transmission, target, entries, place, width)


@jit_parallel
def slopes(sums: Array, grads: Array, spectra: Array) -> None:
    """sums [n o p, 2] = sum of (f_y, f_x) Im(conj(grad) spectrum), for grads [n o p, y, 2 x + padding] and spectra
    [p, y, 2 x]."""
    modes, height, length = spectra.shape
    width = length // 2
    along = np.empty(width)
    for x in range(width):
        along[x] = frequency(x, width)
    for k in prange(grads.shape[0]):
        total_y, total_x = 0.0, 0.0
        for y in range(height):
            grad, spectrum = grads[k, y], spectra[k % modes, y]
            row_y, row_x = 0.0, 0.0
            for block in range(width // LANES):
                for lane in range(LANES):
                    re = block * 2 * LANES + lane
                    im = re + LANES
                    pull = float(grad[re] * spectrum[im] - grad[im] * spectrum[re])
                    row_y += pull
                    row_x += pull * along[block * LANES + lane]
            total_y += row_y * frequency(y, height)
            total_x += row_x
        sums[k, 0] = total_y
        sums[k, 1] = total_x


__all__ = ["backward", "forward", "intensities", "pairs", "planar", "scatter", "size", "slopes"]
