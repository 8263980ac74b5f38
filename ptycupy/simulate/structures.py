"""Specimens made of atoms: crystals by name, tiled over the field that the scan needs."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ptycupy.config.schema import Atoms
from ptycupy.errors import DataError, ResourceError
from ptycupy.simulate.scattering import atomic_number
from ptycupy.simulate.xyz import MAX_ATOMS, read_xyz

Floats = NDArray[np.float64]

WSE2_A, WSE2_C, WSE2_Z = 3.282, 12.960, 0.6211
"""2H-WSe2, angstrom: W. J. Schutte, J. L. De Boer, F. Jellinek, J. Solid State Chem. 70, 207 (1987)."""
SRTIO3_A = 3.905
"""Cubic SrTiO3 at room temperature, angstrom: A. Okazaki, M. Kawaminami, Mater. Res. Bull. 8, 545 (1973)."""
SILICON_A = 5.431020511
"""Silicon, angstrom: CODATA 2018, Rev. Mod. Phys. 93, 025010 (2021)."""
GRAPHENE_A = 2.4617
"""In-plane lattice parameter of graphite, angstrom: J. Y. Howe et al., Powder Diffr. 18, 150 (2003)."""
VACUUM = 1.0
"""Space before the first and after the last atom, angstrom."""


@dataclass(frozen=True)
class AtomicModel:
    """Atoms in a box: z runs with the beam from 0 to `thickness`, y and x from 0 to the field's size."""

    numbers: NDArray[np.int64]  # [n] atomic numbers
    positions: Floats  # [n, 3] angstrom (z, y, x)
    thickness: float  # angstrom

    def displaced(self, deviation: float, generator: np.random.Generator) -> AtomicModel:
        """A frozen phonon configuration: independent Gaussian displacements (Einstein model).

        `deviation` is the rms displacement along each axis in angstrom.
        """
        if deviation == 0.0:
            return self
        return replace(self, positions=self.positions + generator.normal(0.0, deviation, self.positions.shape))

    def with_vacancies(self, fraction: float, generator: np.random.Generator) -> AtomicModel:
        """Without a random `fraction` of the atoms of its most abundant element (Se in WSe2, O in SrTiO3)."""
        if fraction == 0.0:
            return self
        elements, counts = np.unique(self.numbers, return_counts=True)
        sites = np.flatnonzero(self.numbers == elements[np.argmax(counts)])
        missing = generator.choice(sites, size=round(fraction * sites.size), replace=False)
        keep = np.ones(self.numbers.size, bool)
        keep[missing] = False
        return replace(self, numbers=self.numbers[keep], positions=self.positions[keep])


@dataclass(frozen=True)
class Motif:
    """A crystal that repeats in the plane of the specimen."""

    lattice: Floats  # [2, 2] rows a and b, angstrom (y, x)
    numbers: NDArray[np.int64]  # [m]
    positions: Floats  # [m, 3] angstrom (z, y, x)


def build(atoms: Atoms, field: tuple[float, float], generator: np.random.Generator) -> AtomicModel:
    """The specimen that a configuration names, over a field (y, x) in angstrom, with its vacancies.

    Raises DataError for an unreadable or empty list of atoms.
    """
    if atoms.path is not None:
        model = _from_file(atoms.path, field, atoms.cells_along_beam)
    else:
        motifs = {
            "wse2_bilayer": [_wse2_layer(0), _wse2_layer(1)],
            "srtio3": [_srtio3(atoms.thickness_angstrom)],
            "silicon": [_silicon(atoms.thickness_angstrom)],
            "graphene": [_graphene()],
        }[atoms.structure]
        angles = (0.0, atoms.twist_degrees) if len(motifs) > 1 else (0.0,)
        model = _stack([tile(motif, field, angle) for motif, angle in zip(motifs, angles, strict=True)])
    return model.with_vacancies(atoms.vacancy_fraction, generator)


def tile(motif: Motif, field: tuple[float, float], rotation_degrees: float = 0.0) -> tuple[NDArray[np.int64], Floats]:
    """(numbers, positions) of all atoms in [0, y) x [0, x), the lattice's origin in the middle of the field.

    Raises ResourceError where that would be more than MAX_ATOMS.
    """
    size = np.asarray(field)
    reach = np.linalg.norm(size) / 2 + np.linalg.norm(motif.positions[:, 1:], axis=1).max()
    # The distance of lattice lines is 1 / |reciprocal vector|, so that many of them reach the corners.
    lines = np.ceil(reach * np.linalg.norm(np.linalg.inv(motif.lattice), axis=0))
    if np.prod(2.0 * lines + 1) * motif.numbers.size > MAX_ATOMS:
        raise ResourceError(
            f"a field of {size[0]:.4g} x {size[1]:.4g} angstrom would hold more than {MAX_ATOMS} atoms of this lattice"
        )
    i, j = (axis.ravel() for axis in np.meshgrid(*(np.arange(-n, n + 1) for n in lines), indexing="ij"))
    origins = np.stack([i, j], axis=1) @ motif.lattice
    lateral = (origins[:, None, :] + motif.positions[None, :, 1:]).reshape(-1, 2)
    c, s = np.cos(np.deg2rad(rotation_degrees)), np.sin(np.deg2rad(rotation_degrees))
    lateral = lateral @ np.array([[c, s], [-s, c]]) + size / 2
    inside = ((lateral >= 0) & (lateral < size)).all(axis=1)
    height = np.tile(motif.positions[:, 0], len(origins))
    numbers = np.tile(motif.numbers, len(origins))
    return numbers[inside], np.column_stack([height, lateral])[inside]


def _stack(parts: list[tuple[NDArray[np.int64], Floats]]) -> AtomicModel:
    numbers = np.concatenate([numbers for numbers, _ in parts])
    positions = np.concatenate([positions for _, positions in parts])
    if not numbers.size:
        return AtomicModel(numbers, positions, 2 * VACUUM)
    positions[:, 0] += VACUUM - positions[:, 0].min()
    return AtomicModel(numbers, positions, float(positions[:, 0].max() + VACUUM))


def _motif(lattice: Any, elements: list[str], positions: Any) -> Motif:
    numbers = np.array([atomic_number(element) for element in elements])
    return Motif(np.asarray(lattice, float), numbers, np.asarray(positions, float))


def _hexagonal(a: float) -> Floats:
    return a * np.array([[0.0, 1.0], [np.sqrt(3) / 2, 0.5]])


def _wse2_layer(layer: int) -> Motif:
    """One Se-W-Se layer of the 2H stacking: in the second layer W lies over Se and Se over W."""
    lattice = _hexagonal(WSE2_A)
    sites = [np.zeros(2), lattice.sum(axis=0) / 3]
    metal, selenium = sites if layer == 0 else sites[::-1]
    height, half = layer * WSE2_C / 2, (0.75 - WSE2_Z) * WSE2_C
    positions = [[height, *metal], [height - half, *selenium], [height + half, *selenium]]
    return _motif(lattice, ["W", "Se", "Se"], positions)


def _srtio3(thickness: float) -> Motif:
    cell = [[0, 0, 0], [0.5, 0.5, 0.5], [0, 0.5, 0.5], [0.5, 0, 0.5], [0.5, 0.5, 0]]
    return _cubic(SRTIO3_A, ["Sr", "Ti", "O", "O", "O"], cell, thickness)


def _silicon(thickness: float) -> Motif:
    corners = np.array([[0, 0, 0], [0, 0.5, 0.5], [0.5, 0, 0.5], [0.5, 0.5, 0]])
    return _cubic(SILICON_A, ["Si"] * 8, np.concatenate([corners, corners + 0.25]), thickness)


def _cubic(a: float, elements: list[str], cell: Any, thickness: float) -> Motif:
    """A cubic crystal seen along [001], as many whole cells thick as come closest to `thickness`."""
    cells = max(1, round(thickness / a))
    positions = np.concatenate([np.asarray(cell, float) + [layer, 0, 0] for layer in range(cells)])
    return _motif(a * np.eye(2), elements * cells, a * positions)


def _graphene() -> Motif:
    lattice = _hexagonal(GRAPHENE_A)
    return _motif(lattice, ["C", "C"], [[0, 0, 0], [0, *lattice.sum(axis=0) / 3]])


def _from_file(path: str, field: tuple[float, float], cells: int) -> AtomicModel:
    """Atoms of an XYZ file: tiled in the plane, and in `cells` layers, where the file gives a lattice, else centred in
    the field once."""
    listed = read_xyz(path)
    if listed.lattice is not None and listed.along_beam is not None:
        layers = [listed.positions + number * listed.along_beam for number in range(cells)]
        motif = Motif(listed.lattice, np.tile(listed.numbers, cells), np.concatenate(layers))
        return _stack([tile(motif, field)])
    if cells > 1:
        raise DataError(f"{path}: simulation.atoms.cells_along_beam is {cells}, but the file gives no Lattice")
    lateral = listed.positions[:, 1:]
    middle = (lateral.min(axis=0) + lateral.max(axis=0)) / 2
    positions = listed.positions + np.array([0.0, *(np.asarray(field) / 2 - middle)])
    return _stack([(listed.numbers, positions)])
