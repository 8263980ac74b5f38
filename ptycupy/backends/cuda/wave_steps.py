"""The multislice chain in steps along one axis: our own transforms, with what lies between two of them in the middle.

Between steps a wave is transformed along x alone. A step of rows goes back to real space, keeps the entry, multiplies
by the transmission and goes forth; a step of columns goes to the spectrum, multiplies by the transfer function and
goes back. Both read and write every wave once: kernels/transmit_rows.cu, propagate_columns.cu, fft.cuh.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from ptycupy.backends.cuda.launch import THREADS, Blocks
from ptycupy.backends.interface import Array

if TYPE_CHECKING:
    from ptycupy.backends.cuda.waves import Waves

ELEMENTS = 8  # of a line, per thread: fft.cuh
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


def multislice_forward(
    backend: Waves, waves: Array, transmission: Array, transfer: Array, corners: Array, indices: Array
) -> tuple[Array, list[Array]]:
    """`Waves.multislice_forward`, and the waves before each slice."""
    patterns, wave_modes, probe_modes, *window = waves.shape
    object_modes, slices, *canvas = transmission.shape
    height, width = window
    exits = backend.empty((patterns, object_modes, probe_modes, height, width), backend.complex)
    entries = [waves, *(backend.empty(exits.shape, backend.complex) for _ in range(slices - 1))]
    step = RowStep(patterns * object_modes, probe_modes, (height, width))
    for s in range(slices):
        modes = (step.abreast, object_modes, object_modes if s else wave_modes, probe_modes)
        arrays = (exits, entries[s] if s else None, exits if s else waves, transmission, corners, indices)
        backend._launch("transmit_rows_forward", step.blocks, *arrays, s, slices, *modes, *canvas, height, length=width)
        if s + 1 < slices:
            propagate(backend, "propagate_columns_forward", exits, transfer, s)
    return exits, entries


def multislice_backward(
    backend: Waves,
    grad_exits: Array,
    entries: list[Array],
    transmission: Array,
    transfer: Array,
    corners: Array,
    indices: Array,
    grad_transmission: Array | None,
    needs_waves: bool,
) -> Array | None:
    """`Waves.multislice_backward`."""
    patterns, object_modes, probe_modes, height, width = grad_exits.shape
    slices, *canvas = transmission.shape[1:]
    patches = None
    if grad_transmission is not None and backend.deterministic:
        patches = backend.empty((patterns, object_modes, height, width), backend.complex)
    for s in range(slices - 1, -1, -1):
        wave_modes = entries[s].shape[1]
        grad_waves = grad_exits if s or needs_waves else None
        if grad_waves is not None and wave_modes != object_modes:
            grad_waves = backend.empty(entries[s].shape, backend.complex)
        step = RowStep(patterns * wave_modes, probe_modes, (height, width))
        targets = (grad_waves, None if patches is not None else grad_transmission, patches)
        arrays = (*targets, grad_exits, entries[s], transmission, corners, indices)
        modes = (step.abreast, object_modes, wave_modes, probe_modes)
        backend._launch(
            "transmit_rows_backward", step.blocks, *arrays, s, slices, *modes, *canvas, height, length=width
        )
        if patches is not None:
            backend._gather_slice(grad_transmission, patches, s, corners, indices)
        if s:
            propagate(backend, "propagate_columns_backward", grad_exits, transfer, s - 1)
    return grad_waves


def propagate(backend: Waves, kernel: str, waves: Array, transfer: Array, gap: int) -> None:
    """waves [n, o, p, y, x], transformed along x, over a gap and on, in place."""
    patterns, object_modes, probe_modes, height, width = waves.shape
    modes, tiles = object_modes * probe_modes, width // lines_per_block(height)
    groups = shared_out(patterns * tiles, modes, modes)
    sizes = (transfer.shape[1], modes, groups, width)
    blocks = Blocks(patterns * groups * tiles)
    factors, scale = transfer[gap % transfer.shape[0]], 1 / (height * width)
    backend._launch(kernel, blocks, waves, factors, scale, *sizes, length=height)


__all__ = ["multislice_backward", "multislice_forward"]
