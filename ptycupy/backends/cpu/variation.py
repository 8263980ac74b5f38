"""Total variation by projected gradients of the dual (Chambolle 2004): u = f - D^T p, |p| <= 1."""

from __future__ import annotations

import math

from numba import prange

from ptycupy.backends.cpu.jit import jit_parallel
from ptycupy.backends.interface import Array


@jit_parallel
def primal(values: Array, before: Array, dual: Array, lateral: float, depth: float) -> None:
    """values [o, z, Y, X] = before - D^T dual; dual [3, o, z, Y, X] along y, x, z."""
    modes, slices, height, width = values.shape
    for line in prange(modes * slices * height):
        mode, z, y = line // (slices * height), line // height % slices, line % height
        for x in range(width):
            along = -dual[0, mode, z, y, x] - dual[1, mode, z, y, x]
            if y > 0:
                along += dual[0, mode, z, y - 1, x]
            if x > 0:
                along += dual[1, mode, z, y, x - 1]
            along_z = -dual[2, mode, z, y, x]
            if z > 0:
                along_z += dual[2, mode, z - 1, y, x]
            values[mode, z, y, x] = before[mode, z, y, x] - lateral * along - depth * along_z


@jit_parallel
def dual(dual: Array, values: Array, lateral: float, depth: float, step: float) -> None:
    """dual = q / max(1, |q|), q = dual + step D values."""
    modes, slices, height, width = values.shape
    for line in prange(modes * slices * height):
        mode, z, y = line // (slices * height), line // height % slices, line % height
        for x in range(width):
            value = values[mode, z, y, x]
            q_y, q_x, q_z = dual[0, mode, z, y, x], dual[1, mode, z, y, x], dual[2, mode, z, y, x]
            if y + 1 < height:
                q_y += step * lateral * (values[mode, z, y + 1, x] - value)
            if x + 1 < width:
                q_x += step * lateral * (values[mode, z, y, x + 1] - value)
            if z + 1 < slices:
                q_z += step * depth * (values[mode, z + 1, y, x] - value)
            size = math.sqrt(q_y * q_y + q_x * q_x + q_z * q_z)
            shrink = 1 / size if size > 1 else 1.0
            dual[0, mode, z, y, x] = shrink * q_y
            dual[1, mode, z, y, x] = shrink * q_x
            dual[2, mode, z, y, x] = shrink * q_z


__all__ = ["dual", "primal"]
