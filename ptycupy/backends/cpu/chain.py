"""Waves from the probe to the detector, what they say about the measured patterns, and back: in one compiled function.

All its stages for one pattern after another keep a pattern's waves in the cache of one core; stage by stage for all
waves of a batch, more cores have work. Machine code and order of sums are the same, and so is every bit.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numba import prange

from ptycupy.backends.cpu import gaussian, poisson
from ptycupy.backends.cpu import wave_ends as ends
from ptycupy.backends.cpu import wave_steps as steps
from ptycupy.backends.cpu.intensity import FLOOR
from ptycupy.backends.cpu.jit import jit, jit_parallel
from ptycupy.backends.interface import Array

FORTH, INTENSITIES, COMPARE, BACK = 1, 2, 4, 8  # stages; several are summed


class Beam(NamedTuple):
    """What waves meet; planar and columnar arrays (see `lanes`) hold the scale of the transforms back."""

    spectra: Array  # [p, x / LANES, y, 2 LANES] columnar, of the probe
    ramps_y: Array  # [n, y] of the shifts
    ramps_x: Array  # [n, x]
    transmission: Array  # [o, z, Y, X]
    transfer: Array  # [0, 1 or z - 1, 1 or n, x / LANES, y, 2 LANES] columnar
    corners: Array  # [N, 2]
    indices: Array  # [n]


class Room(NamedTuple):
    """Where waves are."""

    waves: Array  # [n, o, p, y, 2 x + padding] planar: on the detector, or the gradients of each pattern's spectra
    entries: Array  # [slots, z, y, 2 x] planar: what enters slices
    pulls: Array  # [n, o, 1 or p, z, y, 2 x] planar: gradients of the transmission at the windows; may be entries
    # Columnar, between slices; of none where no gradient of a transfer function is wanted.
    gap_spectra: Array  # [slots, z - 1, x / LANES, y, 2 LANES], before the transfer functions
    gap_pulls: Array  # [n, gaps, x / LANES, y, 2 LANES], gradients of the transfer functions
    intensity: Array  # [n or chunks, y, x]
    grads: Array  # [n or chunks, y, x] of the intensity
    slopes: Array  # [n o p, 2] float64: each wave's share of the gradient of the shifts, over 2 pi


class Likelihood(NamedTuple):
    """What patterns are compared with, and how."""

    measured: Array  # [n, y, x]
    sums: Array  # [n, 3] float64
    poisson: bool
    power: float
    kind: int  # of the power
    eps: float
    factor: float  # of the gradient


@jit
def through(
    room: Room, wave: int, slot: int, beam: Beam, i: int, o: int, height: tuple[int, ...], width: tuple[int, ...]
) -> None:
    """A wave of pattern i and state o, transformed along x, through all slices."""
    waves, entries, transmission, transfer = room.waves, room.entries, beam.transmission, beam.transfer
    stride, plane = waves.shape[4], entries.shape[2] * entries.shape[3]
    slices, canvas_height, canvas_width = transmission.shape[1:]
    gaps, tilts = transfer.shape[0], transfer.shape[1]
    top, left = beam.corners[beam.indices[i], 0], beam.corners[beam.indices[i], 1]
    for s in range(slices):
        window = 2 * (((o * slices + s) * canvas_height + top) * canvas_width + left)
        entry = (slot * slices + s) * plane
        steps.transmit(waves, wave, stride, entries, entry, transmission, window, 2 * canvas_width, height, width)
        if s + 1 < slices:
            gap = (s % gaps * tilts + i % tilts) * plane
            if room.gap_spectra.size:
                spectrum = (slot * (slices - 1) + s) * plane
                steps.propagate_kept(waves, wave, stride, transfer, gap, room.gap_spectra, spectrum, height, width)
            else:
                steps.propagate(waves, wave, stride, transfer, gap, height, width)


@jit
def through_back(
    room: Room,
    wave: int,
    slot: int,
    beam: Beam,
    i: int,
    o: int,
    p: int,
    height: tuple[int, ...],
    width: tuple[int, ...],
) -> None:
    """The adjoint, of a gradient of mode p."""
    waves, entries, pulls = room.waves, room.entries, room.pulls
    transmission, transfer = beam.transmission, beam.transfer
    stride, plane = waves.shape[4], entries.shape[2] * entries.shape[3]
    states, slices, canvas_height, canvas_width = transmission.shape
    gaps, tilts = transfer.shape[0], transfer.shape[1]
    top, left = beam.corners[beam.indices[i], 0], beam.corners[beam.indices[i], 1]
    parts = pulls.shape[2]  # modes share one place, or have one each
    part = ((i * states + o) * parts + p % parts) * slices
    for s in range(slices - 1, -1, -1):
        window = 2 * (((o * slices + s) * canvas_height + top) * canvas_width + left)
        entry, pull = (slot * slices + s) * plane, (part + s) * plane
        steps.transmit_back(
            waves,
            wave,
            stride,
            entries,
            entry,
            pulls,
            pull,
            p >= parts,
            transmission,
            window,
            2 * canvas_width,
            height,
            width,
        )
        if s > 0:
            gap = ((s - 1) % gaps * tilts + i % tilts) * plane
            if room.gap_pulls.size:
                spectrum = (slot * (slices - 1) + s - 1) * plane
                gap_pull = (i * gaps + (s - 1) % gaps) * plane
                more = o + p > 0 or (gaps == 1 and s + 1 < slices)
                steps.propagate_back_pulling(
                    waves,
                    wave,
                    stride,
                    transfer,
                    gap,
                    room.gap_spectra,
                    spectrum,
                    room.gap_pulls,
                    gap_pull,
                    more,
                    height,
                    width,
                )
            else:
                steps.propagate_back(waves, wave, stride, transfer, gap, height, width)


@jit
def _forth(
    room: Room, k: int, slot: int, beam: Beam, scale: float, height: tuple[int, ...], width: tuple[int, ...]
) -> None:
    """The k-th wave of [n, o, p] to the detector."""
    waves = room.waves
    _, states, modes, rows, stride = waves.shape
    i, o, p = k // (states * modes), k // modes % states, k % modes
    wave, spectrum = k * rows * stride, p * beam.spectra[0].size
    ramp_y, ramp_x = 2 * i * beam.ramps_y.shape[1], 2 * i * beam.ramps_x.shape[1]
    ends.enter(waves, wave, stride, beam.spectra, spectrum, beam.ramps_y, ramp_y, beam.ramps_x, ramp_x, height, width)
    through(room, wave, slot, beam, i, o, height, width)
    ends.detect(waves, wave, stride, scale, height, width)


@jit
def _back(
    room: Room,
    k: int,
    slot: int,
    at: int,
    beam: Beam,
    factors: Array,
    height: tuple[int, ...],
    width: tuple[int, ...],
) -> None:
    """The k-th wave of [n, o, p] becomes the gradient of its spectrum, `grads[at]` given."""
    waves = room.waves
    _, states, modes, rows, stride = waves.shape
    i, o, p = k // (states * modes), k // modes % states, k % modes
    wave, pattern = k * rows * stride, at * rows * room.grads.shape[2]
    ends.detect_back(waves, wave, stride, room.grads, pattern, factors[o], height, width)
    through_back(room, wave, slot, beam, i, o, p, height, width)
    ramp_y, ramp_x = 2 * i * beam.ramps_y.shape[1], 2 * i * beam.ramps_x.shape[1]
    ends.leave(waves, wave, stride, beam.ramps_y, ramp_y, beam.ramps_x, ramp_x, height, width)
    ends.slopes(waves, wave, stride, beam.spectra, p * beam.spectra[0].size, room.slopes, 2 * k, height, width)


@jit
def _intensities(intensity: Array, waves: Array, i: int, occupancy: Array, width: tuple[int, ...]) -> None:
    """intensity [y, x] of pattern i = sum_o occupancy[o] sum_p |waves|^2 + floor."""
    _, states, modes, rows, stride = waves.shape
    for y in range(rows):
        for x in range(intensity.shape[1]):
            intensity[y, x] = FLOOR
        for k in range(states * modes):
            place = ((i * states * modes + k) * rows + y) * stride
            ends.add_power(intensity, y * intensity.shape[1], waves, place, occupancy[k // modes], width)


@jit
def _compare(sums: Array, grad: Array, intensity: Array, measured: Array, likelihood: Likelihood) -> None:
    """sums [3] of a pattern, and the gradient of its intensities."""
    row = sums.copy()
    sums[:] = 0.0
    power, kind, eps, factor = likelihood.power, likelihood.kind, likelihood.eps, likelihood.factor
    for y in range(intensity.shape[0]):
        if likelihood.poisson:
            poisson.row_statistics(row, intensity[y], measured[y], power, kind, eps)
            poisson.row_gradient(grad[y], intensity[y], measured[y], power, kind, eps, factor)
        else:
            gaussian.row_statistics(row, intensity[y], measured[y], power, kind)
            gaussian.row_gradient(grad[y], intensity[y], measured[y], power, kind, factor)
        for term in range(3):
            sums[term] += row[term]


@jit_parallel
def run(
    stages: int,
    recycled: bool,
    bounds: Array,
    together: int,
    room: Room,
    beam: Beam,
    occupancy: Array,
    scale: float,
    factors: Array,
    likelihood: Likelihood,
    height: tuple[int, ...],
    width: tuple[int, ...],
) -> None:
    """These stages for as many waves of a pattern `together`; those of number bounds [chunks + 1] belong to a thread.

    `recycled`: a thread has slots, intensity and grads for one pattern and uses them again for the next.
    factors [o] = 2 occupancy, times the scale of the far field.
    """
    waves = room.waves.shape[1] * room.waves.shape[2]
    for number in prange(bounds.size - 1):
        chunk = np.int64(number)  # Numba counts without a sign, and a difference would be a float
        for unit in range(bounds[chunk], bounds[chunk + 1]):
            i, first = unit * together // waves, unit * together
            at = chunk if recycled else i
            moved = (chunk - i) * waves if recycled else 0
            if stages & FORTH:
                for k in range(first, first + together):
                    _forth(room, k, k + moved, beam, scale, height, width)
            if stages & INTENSITIES:
                _intensities(room.intensity[at], room.waves, i, occupancy, width)
            if stages & COMPARE:
                _compare(likelihood.sums[i], room.grads[at], room.intensity[at], likelihood.measured[i], likelihood)
            if stages & BACK:
                for k in range(first, first + together):
                    _back(room, k, k + moved, at, beam, factors, height, width)


__all__ = [
    "BACK",
    "COMPARE",
    "FORTH",
    "INTENSITIES",
    "Beam",
    "Likelihood",
    "Room",
    "run",
    "through",
    "through_back",
]
