"""Test objects without atoms: a resolution target and random discs."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]

SPOKES = 18


def siemens_star(shape: tuple[int, int], radius: float, spokes: int = SPOKES) -> Floats:
    """A Siemens star [y, x] in the middle of the field: 1 on the spokes, 0 between them, edges one pixel soft.

    `radius` in px. Where a spoke would be narrower than two pixels the centre is left empty.
    """
    y, x = _coordinates(shape, (shape[0] / 2, shape[1] / 2))
    distance, angle = np.hypot(y, x), np.arctan2(y, x)
    # Arc length from the nearest spoke edge, positive on a spoke: spokes and gaps are equally wide.
    edge = (0.25 - np.abs((angle * spokes / (2 * np.pi)) % 1 - 0.5)) * 2 * np.pi / spokes * distance
    inner = 2 * spokes / np.pi
    ring = _soft(radius - distance) * _soft(distance - inner)
    return _soft(edge) * ring


def random_discs(
    shape: tuple[int, int], radius: tuple[float, float], coverage: float, generator: np.random.Generator
) -> Floats:
    """Overlapping discs [y, x] with values 0..1, edges one pixel soft; radii in px drawn from `radius` (low, high).

    `coverage` is the discs' total area over the field's area.
    """
    image = np.zeros(shape)
    mean_area = np.pi * (radius[0] ** 2 + radius[0] * radius[1] + radius[1] ** 2) / 3
    for _ in range(max(1, round(coverage * image.size / mean_area))):
        y, x = _coordinates(shape, (generator.uniform(0, shape[0]), generator.uniform(0, shape[1])))
        disc = _soft(generator.uniform(*radius) - np.hypot(y, x))
        np.maximum(image, generator.uniform(0.2, 1.0) * disc, out=image)
    return image


def _coordinates(shape: tuple[int, int], centre: tuple[float, float]) -> tuple[Floats, Floats]:
    return np.arange(shape[0], dtype=float)[:, None] - centre[0], np.arange(shape[1], dtype=float) - centre[1]


def _soft(distance: Floats) -> Floats:
    """1 well inside, 0 well outside, linear over the pixel that the edge (distance 0) runs through."""
    return np.clip(distance + 0.5, 0.0, 1.0)
