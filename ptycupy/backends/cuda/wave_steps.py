"""The multislice chain in steps along one axis: our own transforms, with what lies between two of them in the middle.

Between steps a wave is transformed along x alone. A step of rows goes back to real space, keeps the entry, multiplies
by the transmission and goes forth; a step of columns goes to the spectrum, multiplies by the transfer function and
goes back. Both read and write every wave once: kernels/transmit_rows.cu, propagate_columns.cu, fft.cuh. From the probe
to the detector waves are transformed along x at both ends too, by a step of columns of its own: kernels/transform.cu,
and where patterns are compared with them at once, the detector itself is one: detect_columns.cu.
Where the transfer function has a gradient, steps of columns keep the spectra on the way there, and sum on the way back.
"""

from __future__ import annotations

import math
from functools import partial
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from ptycupy.backends.cuda.launch import THREADS, Blocks, Rows
from ptycupy.backends.cuda.reading import likelihood_arguments, pattern_arguments
from ptycupy.backends.interface import Array
from ptycupy.backends.interface.losses import Likelihood, Measured
from ptycupy.backends.tapes import TAPES, FullTape, Tape

if TYPE_CHECKING:
    from ptycupy.backends.cuda.waves import Waves

ELEMENTS = 8  # of a line, per thread: fft.cuh
EXCHANGE = ELEMENTS * THREADS * 17 // 16  # numbers of shared memory for a block's lines: fft.cuh
MOST_GROUPS = 2  # of THREADS, in a block of detect_columns.cu
ENOUGH_BLOCKS = 512  # to keep a large GPU busy; a function of sizes alone, so that sums repeat bit by bit


def lines_per_block(length: int) -> int:
    """How many lines of this length a block holds."""
    return THREADS * ELEMENTS // length


def shared_out(blocks: int, modes: int, most: int) -> int:
    """Into how many parts, a power of two, the modes of one block are shared out to have enough blocks."""
    parts = 1
    while 2 * parts <= min(modes, most) and parts * blocks < ENOUGH_BLOCKS:
        parts *= 2
    return parts


class RowStep:
    """Sizes of a launch of transmit_rows.cu over `stacks` of waves [p, y, x]."""

    def __init__(self, stacks: int, modes: int, window: tuple[int, int]) -> None:
        height, self.length = window
        lines = lines_per_block(self.length)
        self.abreast = shared_out(stacks * height // lines, modes, lines)
        self.blocks = Blocks(stacks * (height * self.abreast // lines))


class ColumnStep:
    """Sizes of a launch of propagate_columns.cu over `stacks` of so many waves [y, x]."""

    def __init__(self, stacks: int, waves: int, window: tuple[int, int]) -> None:
        self.height, width = window
        tiles = width // lines_per_block(self.height)
        self.groups = shared_out(stacks * tiles, waves, waves)
        self.blocks = Blocks(stacks * self.groups * tiles)
        self.sizes = (waves, self.groups, width)


class Kept(NamedTuple):
    """What the way back needs."""

    entries: Tape  # waves before each slice
    spectra: list[Array]  # before each gap [n, o, p, y, x], where the transfer function has a gradient


def multislice_forward(
    backend: Waves,
    waves: Array,
    transmission: Array,
    transfer: Array | None,
    corners: Array,
    indices: Array,
    keep: bool,
    spectra: bool = False,
) -> tuple[Array, Kept]:
    """`Waves.multislice_forward`; with `spectra` the waves that come and those that go are transformed along x, and the
    former are overwritten."""
    patterns, wave_modes, probe_modes, height, width = waves.shape
    object_modes, slices, *canvas = transmission.shape
    shape = (patterns, object_modes, probe_modes, height, width)
    first = backend.empty(waves.shape, backend.complex) if spectra else waves
    exits = waves if spectra and wave_modes == object_modes else backend.empty(shape, backend.complex)
    tape = FullTape if keep else TAPES[backend.tape]
    kept = Kept(tape(backend, first, (slices - 1, *shape)), [])
    step = RowStep(patterns * object_modes, probe_modes, (height, width))

    def rows(s: int, source: Array, entry: Array | None) -> None:
        modes = (step.abreast, object_modes, source.shape[1], probe_modes)
        arrays = (exits, entry, source, transmission, corners, indices)
        sizes = (s, slices, int(spectra), *modes, *canvas, height)
        backend._launch("transmit_rows_forward", step.blocks, *arrays, *sizes, length=width)

    def enter(s: int) -> Array:
        entry = backend.empty(shape, backend.complex)
        rows(s, exits, entry)
        return entry

    rows(0, waves, first if spectra else None)
    for s in range(1, slices):
        if keep:
            kept.spectra.append(backend.empty(shape, backend.complex))
            propagate(backend, "propagate_columns_forward_kept", exits, transfer, s - 1, kept.spectra[-1])
        else:
            propagate(backend, "propagate_columns_forward", exits, transfer, s - 1)
        kept.entries.keep(partial(enter, s))
    return exits, kept


def multislice_backward(
    backend: Waves,
    grad_exits: Array,
    kept: Kept,
    transmission: Array,
    transfer: Array | None,
    corners: Array,
    indices: Array,
    grad_transmission: Array | None,
    grad_transfer: Array | None,
    needs_waves: bool,
    spectra: bool = False,
    deferred: Array | None = None,
    factor: float = 1.0,
) -> Array | None:
    """`Waves.multislice_backward`; with `spectra` both gradients of waves are transformed along x. With `deferred` [1]
    float64 grad_exits is still to be multiplied by it and by `factor`."""
    patterns, object_modes, probe_modes, height, width = grad_exits.shape
    slices, *canvas = transmission.shape[1:]
    patches = None
    if grad_transmission is not None and backend.deterministic:
        patches = backend.empty((patterns, object_modes, height, width), backend.complex)
    gaps = None if grad_transfer is None else Gaps(backend, grad_exits.shape, grad_transfer)
    for s in range(slices - 1, -1, -1):
        entry = kept.entries.get(s)
        wave_modes = entry.shape[1]
        grad_waves = grad_exits if s or needs_waves else None
        if grad_waves is not None and wave_modes != object_modes:
            grad_waves = backend.empty(entry.shape, backend.complex)
        step = RowStep(patterns * wave_modes, probe_modes, (height, width))
        targets = (grad_waves, None if patches is not None else grad_transmission, patches)
        rest = (deferred, factor) if s == slices - 1 else (None, 1.0)
        arrays = (*targets, grad_exits, entry, transmission, corners, indices, *rest)
        sizes = (s, slices, int(spectra), step.abreast, object_modes, wave_modes, probe_modes, *canvas, height)
        backend._launch("transmit_rows_backward", step.blocks, *arrays, *sizes, length=width)
        if patches is not None:
            backend._gather_slice(grad_transmission, patches, s, corners, indices)
        if s and gaps is not None:
            gaps.propagate(grad_exits, kept.spectra[s - 1], transfer, s - 1)
        elif s:
            propagate(backend, "propagate_columns_backward", grad_exits, transfer, s - 1)
    return grad_waves


def shifted(backend: Waves, probe: Array, shifts: Array) -> tuple[Array, Array]:
    """`Waves.shift_forward`, with the waves transformed along x: they and the probe's spectrum."""
    modes, height, width = probe.shape
    spectrum = backend.empty(probe.shape, backend.complex)
    backend.copy(spectrum, probe)
    transform(backend, spectrum, inverse=False)
    waves = backend.empty((shifts.shape[0], 1, modes, height, width), backend.complex)
    tiles = width // lines_per_block(height)
    groups = shared_out(shifts.shape[0] * tiles, modes, modes)
    sizes = (1 / (height * width), modes, groups, width)
    blocks = Blocks(shifts.shape[0] * groups * tiles)
    backend._launch("transform_shifted", blocks, waves, spectrum, shifts, *sizes, length=height)
    return waves, spectrum


def transform(backend: Waves, waves: Array, inverse: bool) -> None:
    """The unnormalised transform of waves [..., y, x], in place."""
    height, width = waves.shape[-2:]
    blocks = Blocks(waves.size // (width * lines_per_block(width)))
    backend._launch("transform_rows", blocks, waves, int(inverse), length=width)
    columns(backend, waves, inverse)


def columns(backend: Waves, waves: Array, inverse: bool, scale: float = 1.0) -> None:
    """The same along y alone, times `scale`."""
    height, width = waves.shape[-2:]
    blocks = Blocks(waves.size // (height * lines_per_block(height)))
    backend._launch("transform_columns", blocks, waves, scale, int(inverse), width, length=height)


def detect(backend: Waves, waves: Array, occupancy: Array, measured: Measured, likelihood: Likelihood) -> Array:
    """Statistics [3] float64 of waves [n, o, p, y, x] transformed along x, which become their own gradient, but for
    `likelihood.scale` of the statistics of all patterns."""
    patterns, object_modes, probe_modes, height, width = waves.shape
    tiles, modes = patterns * (width // lines_per_block(height)), object_modes * probe_modes
    groups = shared_out(tiles, modes, MOST_GROUPS)
    while groups > 1 and detector_room(groups, backend.real) > backend._device.shared_memory:
        groups //= 2
    partials = backend.empty((tiles, 3), np.float64)
    backend._launch(
        "detect_columns",
        Blocks(tiles),
        *(waves, partials, occupancy, *pattern_arguments(measured), *likelihood_arguments(likelihood)),
        *(1 / (height * width), groups, object_modes, probe_modes),
        length=height,
        threads=groups * THREADS,
        shared=detector_room(groups, backend.real),
    )
    return backend._summed(partials)


def detector_room(groups: int, real: np.dtype[Any]) -> int:
    """Bytes of shared memory of a block of detect_columns.cu: an exchange per group, and the pull on the pixels."""
    return (2 * EXCHANGE * groups + ELEMENTS * THREADS) * real.itemsize


def propagate(backend: Waves, kernel: str, waves: Array, transfer: Array | None, gap: int, *spectra: Array) -> None:
    """waves [n, o, p, y, x], transformed along x, over a gap and on, in place; `spectra` where a kernel keeps them."""
    assert transfer is not None  # None of one slice, which has no gap
    patterns, object_modes, probe_modes, height, width = waves.shape
    step = ColumnStep(patterns, object_modes * probe_modes, (height, width))
    factors, scale = transfer[gap % transfer.shape[0]], 1 / (height * width)
    sizes = (transfer.shape[1], *step.sizes)
    backend._launch(kernel, step.blocks, waves, *spectra, factors, scale, *sizes, length=height)


class Gaps:
    """The way back over the gaps, with the gradient of their transfer function [1 or z - 1, 1 or n, y, x].

    Blocks sum what they see of the waves that share a transfer function, all patterns' where it is one for all. Sums of
    several blocks are added in order: the result is the same bits every time.
    """

    def __init__(self, backend: Waves, shape: tuple[int, ...], grad_transfer: Array) -> None:
        self._backend, self._grad = backend, grad_transfer
        tilts, *window = grad_transfer.shape[1:]
        self._step = ColumnStep(tilts, math.prod(shape[:3]) // tilts, (window[0], window[1]))
        self._parts: Array | None = None
        if self._step.groups > 1:
            self._parts = backend.empty((tilts, self._step.groups, *window), backend.complex)

    def propagate(self, grad_waves: Array, spectra: Array, transfer: Array | None, gap: int) -> None:
        """As `propagate`."""
        assert transfer is not None
        gap %= transfer.shape[0]
        target, (tilts, height, width) = self._grad[gap], transfer.shape[1:]
        arrays = (grad_waves, target if self._parts is None else self._parts, spectra, transfer[gap])
        told = (1 / (height * width), int(self._parts is None), *self._step.sizes)
        launch = self._backend._launch
        launch("propagate_columns_backward_kept", self._step.blocks, *arrays, *told, length=height)
        if self._parts is not None:
            where = Rows(tilts, height * width)
            launch("propagate_backward_parts", where, target, self._parts, self._step.groups, height * width)


__all__ = ["columns", "detect", "multislice_backward", "multislice_forward", "shifted", "transform"]
