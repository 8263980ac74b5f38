"""What the beam goes through: phase and amplitude on the simulation's canvas, one configuration after the other."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial

import numpy as np
from numpy.typing import NDArray

from ptycupy.config.schema import Config, Simulation
from ptycupy.errors import ConfigError, ResourceError
from ptycupy.experiment.optics import interaction_constant
from ptycupy.experiment.seeds import generator
from ptycupy.simulate.grid import Grid
from ptycupy.simulate.phantom import random_discs, siemens_star
from ptycupy.simulate.potentials import projected_potential, slice_count
from ptycupy.simulate.structures import AtomicModel, build

Floats = NDArray[np.float32]

BYTES_PER_VOXEL = 24
"""Of the object: truth, phase and amplitude, both on the device, and the complex transmission there."""
DISC_RADII = (2.0, 8.0)
"""Of the discs phantom, in px of a reconstruction."""
DISC_COVERAGE = 0.5


@dataclass(frozen=True)
class Specimen:
    """An object on the canvas; each of its configurations is equally likely."""

    truth: Floats  # [z, Y, X] rad, atoms at rest
    amplitude: Floats  # [z, Y, X]
    slice_thickness: float  # angstrom
    configurations: Sequence[Callable[[], Floats]]  # each makes a phase [z, Y, X] in rad


def specimen(config: Config, simulation: Simulation, grid: Grid, free_bytes: int) -> Specimen:
    """The specimen that a configuration describes.

    Raises ConfigError, DataError (list of atoms) or, before anything large is allocated, ResourceError.
    """
    if simulation.specimen == "atoms":
        return _atoms(config, simulation, grid, free_bytes)
    return _phantom(config, simulation, grid, free_bytes)


def _atoms(config: Config, simulation: Simulation, grid: Grid, free_bytes: int) -> Specimen:
    voltage = config.illumination.voltage_kv
    if config.illumination.kind != "electron" or voltage is None:
        raise ConfigError("simulation.specimen: atoms are simulated for electrons; use phantom for X-rays")
    _require_memory(1, grid, free_bytes)
    model = build(simulation.atoms, grid.field, generator(simulation.seed, "simulate.vacancies"))
    thickness = simulation.potential_slice_angstrom
    slices = slice_count(model.thickness, thickness)
    _require_memory(slices, grid, free_bytes)
    sigma = interaction_constant(voltage)
    at_rest = _phase(model, grid, thickness, sigma)
    deviation = simulation.phonon_displacement_angstrom

    def shaken(number: int) -> Floats:
        moved = model.displaced(deviation, generator(simulation.seed, f"simulate.phonons.{number}"))
        return _phase(moved, grid, thickness, sigma)

    count = simulation.frozen_phonons
    configurations = [partial(shaken, number) for number in range(count)] if deviation > 0 else [lambda: at_rest]
    return Specimen(at_rest, np.ones_like(at_rest), thickness, configurations)


def _phase(model: AtomicModel, grid: Grid, slice_thickness: float, sigma: float) -> Floats:
    slices = projected_potential(model, grid.canvas, grid.pixel_size, slice_thickness)
    return np.stack([(sigma * potential).astype(np.float32) for potential in slices])


def _phantom(config: Config, simulation: Simulation, grid: Grid, free_bytes: int) -> Specimen:
    slices = config.object.slices
    thickness = config.object.slice_distance_angstrom
    if isinstance(thickness, tuple) or (slices > 1 and thickness is None):
        raise ConfigError("a phantom of several slices needs one number in object.slice_thickness_angstrom")
    _require_memory(slices, grid, free_bytes)
    if simulation.phantom == "siemens_star":
        # A little larger than the scanned field, so that the spokes fill it.
        image = siemens_star(grid.canvas, 0.45 * min(grid.canvas))
        density = np.stack([image / slices] * slices)
    else:
        radii = (DISC_RADII[0] * grid.oversampling, DISC_RADII[1] * grid.oversampling)
        random = generator(simulation.seed, "simulate.phantom")
        density = np.stack([random_discs(grid.canvas, radii, DISC_COVERAGE, random) for _ in range(slices)]) / slices
    truth = (simulation.phantom_phase_rad * density).astype(np.float32)
    amplitude = (1 - simulation.phantom_absorption) ** density
    return Specimen(truth, amplitude.astype(np.float32), float(thickness or 1.0), [lambda: truth])


def _require_memory(slices: int, grid: Grid, free_bytes: int) -> None:
    needed = slices * grid.canvas[0] * grid.canvas[1] * BYTES_PER_VOXEL
    if needed > free_bytes:
        raise ResourceError(
            f"the simulated object of {slices} x {grid.canvas[0]} x {grid.canvas[1]} voxels needs "
            f"{needed / 2**30:.3g} GB, but {free_bytes / 2**30:.3g} GB are free; use a smaller scan, thicker slices "
            "(simulation.potential_slice_angstrom) or a smaller simulation.oversampling"
        )
