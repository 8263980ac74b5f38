"""The multislice chain in one launch, alone or with its ends: every wave stays in shared memory from its first slice to
its last, or from the probe to the detector.

What lies in memory outside is read or written once per slice: the tape of entries, the object's windows, the
transfer function. One block takes a wave of 128 x 128 through all slices, or a few modes of 64 x 64 on the way back,
whose shares of the object's gradient it sums: kernels/multislice.cu, wave.cuh.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from ptycupy.backends.cuda.device import Device
from ptycupy.backends.cuda.launch import Blocks
from ptycupy.backends.interface import Array
from ptycupy.backends.sizes import WHOLE_WAVES

if TYPE_CHECKING:
    from ptycupy.backends.cuda.waves import Waves

RESERVED = 1024  # bytes of shared memory that CUDA keeps of every block
# Of the blocks that all multiprocessors hold in all rounds, the share that must have work: with less of it, steps of
# rows and columns are predicted to be faster, as they spread a wave over many multiprocessors. Between what was counted
# for an H200, 0.5, and for an A100 with its fewer FP32 pipes, 0.8 (benchmarks/NOTES.md).
ENOUGH = 0.7


def room(side: int, dtype: np.dtype[np.complexfloating]) -> int:
    """Bytes of shared memory for one wave and its table of turns."""
    return (side * side + side) * dtype.itemsize


def threads(side: int) -> int:
    """Threads of a block: wave.cuh."""
    return 4 * side


def blocks_at_once(device: Device, side: int) -> int:
    """How many blocks the device runs side by side: 512 threads of 128 registers per multiprocessor."""
    return device.multiprocessors * (512 // threads(side))


def fits(device: Device, window: tuple[int, int], dtype: np.dtype[np.complexfloating]) -> bool:
    """Whether waves of this window have kernels, and room in the shared memory of a block."""
    height, width = window
    return height == width and height in WHOLE_WAVES and room(height, dtype) <= device.shared_memory


def wins(device: Device, side: int, waves: int, blocks: int) -> bool:
    """Whether `waves`, shared out to `blocks` on the way back, keep enough of the device busy."""
    at_once = blocks_at_once(device, side)
    rounds = -(-blocks // at_once) * -(-waves // blocks)
    return waves >= ENOUGH * rounds * at_once


def modes_abreast(device: Device, side: int, stacks: int, modes: int, dtype: np.dtype[np.complexfloating]) -> int:
    """How many modes a block of the adjoint takes at once: as many as leave every multiprocessor its blocks."""
    if side > WHOLE_WAVES[0]:
        return 1
    blocks = 512 // threads(side)
    most = (device.shared_memory // blocks - RESERVED - side * dtype.itemsize) // (side * side * dtype.itemsize)
    abreast = max(1, min(modes, most))
    while abreast > 1 and stacks * -(-modes // abreast) < blocks_at_once(device, side):
        abreast -= 1
    return abreast


def gaps_and_tilts(transfer: Array | None) -> tuple[int, int]:
    """How many transfer functions there are; of none, as for one slice, the kernels read none."""
    return (1, 1) if transfer is None else (transfer.shape[0], transfer.shape[1])


def multislice_forward(
    backend: Waves,
    waves: Array,
    transmission: Array,
    transfer: Array | None,
    corners: Array,
    indices: Array,
    spectrum: Array | None = None,
    shifts: Array | None = None,
) -> tuple[Array, tuple[Array, Array | None]]:
    """`Waves.multislice_forward`, and the waves before the first slice and before the others.

    With the spectrum [p, y, x] of a probe, unnormalised, waves [n, 1, p, y, x] are written too, those of the probe
    moved by shifts [n, 2] px, and what comes back are the waves on the detector.
    """
    patterns, wave_modes, probe_modes, side, _ = waves.shape
    object_modes, slices, *canvas = transmission.shape
    exits = backend.empty((patterns, object_modes, probe_modes, side, side), backend.complex)
    entries = None
    if slices > 1:
        entries = backend.empty((*exits.shape[:3], slices - 1, side, side), backend.complex)
    sizes = (*gaps_and_tilts(transfer), object_modes, wave_modes, probe_modes, *canvas)
    backend._launch(
        "multislice_forward",
        Blocks(patterns * object_modes * probe_modes),
        *(exits, entries, waves, spectrum, shifts, transmission, transfer, corners, indices),
        *(side**-2, slices, *sizes),
        length=side,
        threads=threads(side),
        shared=side * side * backend.complex.itemsize,
    )
    return exits, (waves, entries)


def multislice_backward(
    backend: Waves,
    grad_exits: Array,
    saved: tuple[Array, Array | None],
    transmission: Array,
    transfer: Array | None,
    corners: Array,
    indices: Array,
    grad_transmission: Array | None,
    needs_waves: bool,
    grad_intensity: Array | None = None,
    occupancy: Array | None = None,
    deferred: Array | None = None,
    factor: float = 1.0,
) -> Array | None:
    """`Waves.multislice_backward`. With grad_intensity [n, y, x] and occupancy [o], grad_exits are the waves on the
    detector, and what comes back is the unnormalised spectrum of the gradient of the waves. With `deferred` [1] float64
    grad_intensity is still to be multiplied by it and by `factor`."""
    waves, entries = saved
    patterns, wave_modes, probe_modes, side, _ = waves.shape
    object_modes, slices, *canvas = transmission.shape
    stacks, dtype = patterns * wave_modes, backend.complex
    abreast = modes_abreast(backend._device, side, stacks, probe_modes, dtype)
    grad_waves = patches = None
    if needs_waves:
        grad_waves = grad_exits if wave_modes == object_modes else backend.empty(waves.shape, dtype)
    if grad_transmission is not None and backend.deterministic:
        patches = backend.empty((patterns, object_modes * slices, side, side), dtype)
    # Patches are summed over the modes by the block that has all of them, in order.
    parts = 1 if patches is not None else -(-probe_modes // abreast)
    sizes = (*gaps_and_tilts(transfer), parts, abreast, object_modes, wave_modes, probe_modes, *canvas)
    backend._launch(
        "multislice_backward",
        Blocks(stacks * parts),
        *(grad_waves, None if patches is not None else grad_transmission, patches),
        *(grad_exits, grad_intensity, occupancy, waves, entries, transmission, transfer, corners, indices),
        *(deferred, factor, side**-2, slices, *sizes),
        length=side,
        threads=threads(side),
        shared=abreast * side * side * dtype.itemsize,
    )
    if patches is not None:
        backend._gather(grad_transmission, patches, corners, indices, 0, canvas[0] * canvas[1], object_modes * slices)
    return grad_waves


__all__ = ["fits", "modes_abreast", "multislice_backward", "multislice_forward", "wins"]
