"""Patterns of a known object through the engine's own forward model, with everything that blurs them."""

from __future__ import annotations

import logging
import math
from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ptycupy import backends
from ptycupy import config as configuration
from ptycupy.backends.interface import Backend
from ptycupy.config.schema import Config, Simulation
from ptycupy.errors import ConfigError
from ptycupy.experiment.probe import aperture_probe
from ptycupy.experiment.seeds import generator
from ptycupy.experiment.state import Problem, State
from ptycupy.model.experiment import place
from ptycupy.model.objective import Objective
from ptycupy.model.parameters import centred, upload
from ptycupy.simulate.coherence import defoci, focal_spread, mixed_probe, source_points
from ptycupy.simulate.grid import Grid, make_grid
from ptycupy.simulate.specimen import Specimen, specimen
from ptycupy.storage.scan import SimulatedScan

log = logging.getLogger(__name__)

Floats = NDArray[np.float32]
Complex = NDArray[np.complex128]
Progress = Callable[[int, int], None]

CHUNK_BYTES = 2**28
"""Memory that the waves of the patterns computed at once may take."""
COPIES = 4
"""Arrays of the waves' size that a forward pass holds at a time, about."""


def simulate(
    config: Config, *, backend: Backend | None = None, progress: Progress | None = None, chunk: int | None = None
) -> SimulatedScan:
    """The data set that the `simulation` section and the experiment's own sections describe, with its truth.

    `backend` defaults to the configuration's; `progress` is called with (patterns done, patterns in all), every frozen
    phonon configuration counting anew; `chunk` patterns are computed at once (by default as memory allows). The result
    depends on the configuration alone, not on the chunk.

    Raises ConfigError for a configuration that cannot be simulated, DataError for an unreadable list of atoms,
    ResourceError where the object does not fit in memory.
    """
    simulation = config.simulation
    if simulation is None:
        raise ConfigError("this configuration has no simulation section, so there is nothing to simulate")
    backend = backend or backends.select(config.backend.device, config.model.dtype, config.backend.fft)
    grid = make_grid(config, simulation)
    electrons = electrons_per_pattern(simulation.dose_per_square_angstrom, grid.scan_step)
    probe = illumination(config, simulation, grid) * math.sqrt(electrons or 1.0)
    known = specimen(config, simulation, grid, backend.free_bytes())
    chunk = chunk or max(1, CHUNK_BYTES // (COPIES * probe.nbytes))
    expected = _expected_patterns(config, simulation, grid, backend, probe, known, chunk, progress)
    log.info("%.2f %% of the beam reaches the detector", 100 * expected.mean(0).sum() / (electrons or 1.0))
    return SimulatedScan(
        patterns=expected if electrons is None else counted(expected, simulation.seed),
        scan_shape=simulation.scan_shape,
        scan_step=grid.scan_step,
        pixel_size=grid.detector_pixel,
        positions=grid.positions,
        energy_kev=grid.energy_kev,
        convergence_angle_mrad=grid.convergence_angle_mrad,
        truth_phase=known.truth,
        truth_pixel_size=grid.pixel_size,
        truth_slice_thickness=known.slice_thickness,
        scan_origin=grid.scan_origin,
        electrons_per_pattern=electrons,
        provenance=configuration.dump(config),
    )


def electrons_per_pattern(dose: float | None, scan_step: tuple[float, float]) -> float | None:
    """Incident electrons of one pattern for a dose in electrons per square angstrom; None for no noise."""
    return None if dose is None else dose * scan_step[0] * scan_step[1]


def illumination(config: Config, simulation: Simulation, grid: Grid) -> Complex:
    """Probe modes [p, y, x] of unit total power: the aperture with its aberrations, focal spread and source size."""
    wave = aperture_probe(
        grid.wavelength,
        grid.convergence_angle_mrad,
        grid.window,
        grid.pixel_size,
        config.illumination.aberrations,
    )
    deviation = 0.0
    if config.illumination.kind == "electron":
        deviation = focal_spread(simulation.chromatic_aberration_angstrom, simulation.energy_spread_ev, grid.energy_kev)
    focus, source = defoci(deviation, simulation.defoci), source_points(simulation.source_size_angstrom)
    return mixed_probe(wave, focus, source, grid.pixel_size, grid.wavelength)


def counted(expected: Floats, seed: int) -> NDArray[Any]:
    """Poisson counts [N, ky, kx] of expected counts, uint16 where they fit, else uint32.

    Every pattern has a random generator of its own, so that its noise depends on the seed and its index alone.
    """
    counts = np.empty(expected.shape, np.uint16)
    for index, pattern in enumerate(expected):
        drawn = generator(seed, f"simulate.noise.{index}").poisson(pattern.clip(0))
        if counts.dtype == np.uint16 and drawn.max() > np.iinfo(np.uint16).max:
            counts = counts.astype(np.uint32)
        counts[index] = drawn
    return counts


def _expected_patterns(
    config: Config,
    simulation: Simulation,
    grid: Grid,
    backend: Backend,
    probe: Complex,
    known: Specimen,
    chunk: int,
    progress: Progress | None,
) -> Floats:
    """Mean patterns [N, ky, kx] over the specimen's configurations, beam in the centre."""
    count = len(grid.corners)
    problem = Problem(
        patterns=np.zeros((count, *grid.detector_shape), np.bool_),  # only its shape is looked at
        corners=grid.corners,
        pixel_size=grid.pixel_size,
        wavelength=grid.wavelength,
        detector_blur=simulation.detector_blur_px,
        propagator=config.model.propagator,
        anti_aliasing=True,
        detector_match="crop",
    )
    expected = np.zeros((count, *grid.detector_shape), np.float32)
    configurations = len(known.configurations)
    for number, configuration_phase in enumerate(known.configurations):
        state = State(
            object_amplitude=known.amplitude[None],
            object_phase=configuration_phase()[None],
            probe=probe,
            shifts=grid.shifts,
            tilts=np.array([config.object.tilt_mrad]),
            slice_thickness=known.slice_thickness,
        )
        parameters = upload(backend, state)
        objective = Objective(backend, place(backend, problem, parameters), {})
        for start in range(0, count, chunk):
            indices = np.arange(start, min(start + chunk, count))
            intensity = objective.predict(parameters, indices)
            expected[indices] += centred(intensity) / np.float32(configurations)
            if progress is not None:
                progress(number * count + int(indices[-1]) + 1, configurations * count)
    return expected
