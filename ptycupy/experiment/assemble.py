"""A configuration and its patterns become a Problem and a first State."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from ptycupy.data.arrays import read_array
from ptycupy.data.shapes import require_scan_shape
from ptycupy.data.share import ONE, Among
from ptycupy.errors import ConfigError
from ptycupy.experiment import object as first_object
from ptycupy.experiment import regrid, scan, start
from ptycupy.experiment.calibration import Geometry, Known, calibrate
from ptycupy.experiment.measured import Measured, measure, scan_crop
from ptycupy.experiment.optics import electron_wavelength, pair, xray_wavelength
from ptycupy.experiment.optional import with_optional_fields
from ptycupy.experiment.probe import aperture_probe, mixed_modes
from ptycupy.experiment.results.earlier import METRE
from ptycupy.experiment.selection import with_selection
from ptycupy.experiment.state import Problem, State
from ptycupy.experiment.zone_plate import zone_plate_probe

if TYPE_CHECKING:
    from ptycupy.config import schema
    from ptycupy.data.source import PatternSource

log = logging.getLogger(__name__)


def build(config: schema.Config, source: PatternSource, among: Among = ONE) -> tuple[Problem, State]:
    """The experiment that `config` describes, on the patterns of `source` (as data.open_source gives them), which
    several processes may look through together; reconstruction.half and subscan leave the others without weight.

    Raises ConfigError, DataError and ResourceError for what is missing, contradictory, unusable or too large.
    """
    problem, state = assemble(config, source, measure_patterns(config, source, among))
    problem = with_selection(problem, config.reconstruction)
    log.info(
        "object of %d modes, %d slices, %d x %d px; window %d x %d px; pixel size %s; %d positions%s; "
        "probe intensity %.4g",
        *state.object_phase.shape, *state.probe.shape[1:],
        "unknown" if problem.pixel_size is None else "{:.5g} x {:.5g} angstrom".format(*pair(problem.pixel_size)),
        len(problem.corners),
        "" if source.scan_shape is None else " (scan {} x {})".format(*source.scan_shape),
        np.sum(np.abs(state.probe) ** 2),
    )  # fmt: skip
    return problem, state


def assemble(config: schema.Config, source: PatternSource, measured: Measured) -> tuple[Problem, State]:
    """The same where the patterns were measured already, or are only expected, and all take part; raises as `build`."""
    geometry = _geometry(config, source, measured)
    positions = scan_positions(config, source, geometry)
    occupancy = first_object.occupancies(config.object.modes, config.object.occupancies)
    amplitude, phase, placement, thickness = _object(config, geometry, positions)
    total = config.illumination.total_intensity
    if total is None:
        brightest = config.illumination.intensity_of == "brightest_pattern"
        total = measured.brightest_total() if brightest else measured.mean_total
    probe = _probe(config, geometry, total)
    scan.warn_of_overlap(positions, source.scan_shape, probe)
    tilts = start.load_tilts(config.object, len(positions))
    problem = Problem(
        patterns=measured.source,
        corners=placement.corners,
        pixel_size=geometry.pixel_size,
        wavelength=geometry.wavelength,
        object_occupancy=occupancy,
        detector_blur=config.model.detector_blur_px,
        mask=measured.mask,
        scan_shape=source.scan_shape,
        pattern_scale=measured.scale,
        pattern_weights=measured.weights,
        propagator=config.model.propagator,
        anti_aliasing=config.model.anti_aliasing,
        near_field_distance=_angstrom(config.model.near_field_distance_mm, 1e7),
        detector_match=config.model.detector_match,
        pattern_padding=measured.padding,
        pattern_resampling=measured.resampling,
        pattern_storage=config.data.device_storage,
        aberrations=config.illumination.refined_aberrations,
    )
    state = State(amplitude, phase, probe, placement.shifts, tilts, thickness)
    return problem, with_optional_fields(state, config, (len(positions), *measured.detector))


def measure_patterns(config: schema.Config, source: PatternSource, among: Among = ONE) -> Measured:
    """The patterns of `source` as `config` prepares them; raises as `build` does."""
    return measure(source, config.data, _step_angstrom(config.scan, source), config.reconstruction.seed, among)


def wavelength(illumination: schema.Illumination, file_energy_kev: float | None) -> float | None:
    """Wavelength in angstrom from the configuration, else from the file's energy; None where neither says it."""
    electrons = illumination.kind == "electron"
    given, other = (
        (illumination.voltage_kv, illumination.energy_kev)
        if electrons
        else (illumination.energy_kev, illumination.voltage_kv)
    )
    if given is None and other is not None:
        right, wrong = ("voltage_kv", "energy_kev") if electrons else ("energy_kev", "voltage_kv")
        raise ConfigError(f"illumination.{wrong}: kind {illumination.kind} takes {right} instead")
    energy = file_energy_kev if given is None else given
    if energy is None:
        return None
    return electron_wavelength(energy) if electrons else xray_wavelength(energy)


def scan_positions(config: schema.Config, source: PatternSource, geometry: Geometry) -> NDArray[np.float64]:
    """Positions [N, 2] (y, x) in px of the model, any origin: raster or given, oriented, distorted, jittered.

    Those of a result were refined already: they stay as they are unless scan.adjust_loaded is set.
    """
    section, count = config.scan, source.shape[0]
    if section.path is None:
        shape = require_scan_shape(source)
        positions = scan.raster(shape, _step_px(section, source, geometry))
    else:
        refined = start.load_positions(section, geometry)
        values = read_array(section.path, section.key) if refined is None else refined
        if values.ndim == 3:
            values = values.reshape(-1, values.shape[-1])
        positions = scan.checked_positions(_cropped(values, source), count, f"scan.path: {section.path}")
        if refined is not None and not section.adjust_loaded:
            return positions
        if refined is None and section.unit != "px":
            unit = 1.0 if section.unit == "angstrom" else METRE
            positions = positions * unit / _pixel_size(geometry, f"scan.unit: {section.unit}")
    positions = scan.orient(positions, source.scan_shape, section.reverse_slow, section.reverse_fast, section.swap_axes)
    affine = section.affine
    matrix = scan.affine_matrix(affine.scale, affine.asymmetry, affine.rotation_degrees, affine.shear_degrees)
    positions = scan.distort(positions, matrix)
    return scan.jitter(positions, section.jitter_px, config.reconstruction.seed)


def _geometry(config: schema.Config, source: PatternSource, measured: Measured) -> Geometry:
    stated, illumination = source.calibration, config.illumination
    file_wavelength = None
    if stated.energy_kev is not None:
        electrons = illumination.kind == "electron"
        file_wavelength = electron_wavelength(stated.energy_kev) if electrons else xray_wavelength(stated.energy_kev)
    used_wavelength, file_dk = wavelength(illumination, stated.energy_kev), stated.dk_inverse_angstrom
    if file_dk is None and stated.dk_mrad is not None and used_wavelength is not None:
        file_dk = stated.dk_mrad[0] * 1e-3 / used_wavelength, stated.dk_mrad[1] * 1e-3 / used_wavelength
    known = Known(
        raw_detector=measured.raw_detector,
        detector=measured.detector,
        wavelength=used_wavelength,
        convergence_angle=illumination.convergence_angle_mrad,
        mean_pattern=measured.mean_pattern,
        file_dk=file_dk,
        file_wavelength=file_wavelength,
        sampling=measured.sampling,
    )
    near_field = config.model.near_field_distance_mm is not None
    geometry = calibrate(config.calibration, known, config.model.window_shape, config.model.detector_match, near_field)
    if config.object.slices > 1:
        _pixel_size(geometry, f"object.slices: {config.object.slices}")
        if geometry.wavelength is None:
            raise ConfigError(
                f"object.slices: {config.object.slices} slices need the wavelength: give illumination.voltage_kv "
                "(or energy_kev for X-rays), for example 80.0"
            )
    return geometry


def _pixel_size(geometry: Geometry, reason: str) -> tuple[float, float]:
    if geometry.pixel_size is None:
        raise ConfigError(f"{reason} needs a pixel size, but calibration.mode is none; choose another mode")
    return geometry.pixel_size


def _step_px(section: schema.Scan, source: PatternSource, geometry: Geometry) -> tuple[float, float]:
    if section.step_px is not None:
        if section.step_angstrom is not None:
            raise ConfigError("scan.step_px and scan.step_angstrom are both given; keep one")
        return pair(section.step_px)
    step = _step_angstrom(section, source)
    if step is None:
        raise ConfigError(
            "scan.step_angstrom: missing, and the data file does not state it; give it (for example 0.43), "
            "or step_px, or positions by scan.path"
        )
    size = _pixel_size(geometry, "scan.step_angstrom")
    return step[0] / size[0], step[1] / size[1]


def _step_angstrom(section: schema.Scan, source: PatternSource) -> tuple[float, float] | None:
    """The scan's step (slow, fast) as configured, else as the file states it; None where neither does."""
    step = section.step_angstrom or source.calibration.scan_step_angstrom
    return None if step is None else pair(step)


def _cropped(values: NDArray[Any], source: PatternSource) -> NDArray[Any]:
    """Given positions of the uncropped scan, cropped as the patterns were; others as they are."""
    crop = scan_crop(source)
    if crop is None or crop.base.scan_shape is None or values.ndim != 2 or len(values) != crop.base.shape[0]:
        return values
    grid = values.reshape(*crop.base.scan_shape, values.shape[1])
    return grid[slice(*crop.rows), slice(*crop.columns)].reshape(-1, values.shape[1])


def _probe(config: schema.Config, geometry: Geometry, total: float) -> NDArray[np.complex64]:
    """Probe (mode, y, x) with this total intensity: loaded, or simulated from its optics."""
    illumination = config.illumination
    loaded = start.load_probe(illumination, geometry)
    probe = _simulated(config, geometry) if loaded is None else loaded
    if loaded is None and illumination.permute is not None:
        probe = start.permuted(probe[None], illumination.permute, geometry, "a simulated probe")[0]
    probe = mixed_modes(probe, illumination.modes, illumination.mode_power)
    if illumination.shift_along_beam_angstrom:
        size = _pixel_size(geometry, "illumination.shift_along_beam_angstrom")
        if geometry.wavelength is None:
            raise ConfigError("illumination.shift_along_beam_angstrom needs voltage_kv (or energy_kev for X-rays)")
        probe = regrid.propagated(probe, illumination.shift_along_beam_angstrom, size, geometry.wavelength)
    scaled: NDArray[np.complex64] = (probe * np.sqrt(total / np.sum(np.abs(probe) ** 2))).astype(np.complex64)
    return scaled


def _angstrom(value: float | None, unit: float) -> float | None:
    return None if value is None else value * unit


def _simulated(config: schema.Config, geometry: Geometry) -> NDArray[np.complex128]:
    """A wave (y, x) of unit intensity: behind a zone plate, of an aperture, or plane (near field)."""
    illumination = config.illumination
    plate = illumination.zone_plate
    if plate is not None and geometry.wavelength is not None:
        return zone_plate_probe(
            geometry.wavelength,
            geometry.window,
            _pixel_size(geometry, "illumination.zone_plate"),
            outer_radius=plate.outer_radius_um * 1e4,
            outer_zone_width=plate.outer_zone_width_nm * 10,
            aperture_diameter=_angstrom(plate.aperture_um, 1e4),
            central_stop_diameter=plate.central_stop_um * 1e4,
            focus_to_sample=plate.focus_to_sample_um * 1e4,
        )
    if illumination.convergence_angle_mrad is None and config.model.near_field_distance_mm is not None:
        return np.full(geometry.window, 1 / np.sqrt(np.prod(geometry.window)), np.complex128)
    energy = "voltage_kv" if illumination.kind == "electron" else "energy_kev"
    if illumination.convergence_angle_mrad is None or geometry.wavelength is None:
        missing = energy if illumination.convergence_angle_mrad is not None else "convergence_angle_mrad"
        raise ConfigError(
            f"illumination.{missing}: missing; a simulated probe needs {energy} (for example 80.0) and "
            "convergence_angle_mrad (for example 24.9), a measured one illumination.path"
        )
    return aperture_probe(
        geometry.wavelength,
        illumination.convergence_angle_mrad,
        geometry.window,
        _pixel_size(geometry, "a simulated probe"),
        illumination.aberrations,
    )


def _object(
    config: schema.Config, geometry: Geometry, positions: NDArray[np.float64]
) -> tuple[NDArray[np.float32], NDArray[np.float32], scan.Placement, Any]:
    """Amplitude and phase (omode, z, y, x), where the scan lies on their canvas, and the slices' distances."""
    section, seed = config.object, config.reconstruction.seed
    loaded = start.load_object(section, geometry)
    thickness = section.slice_distance_angstrom
    if loaded is not None and thickness is None:
        thickness = loaded.slice_thickness
    gaps = first_object.slice_gaps(thickness, section.slices)
    if loaded is None:
        placement = scan.place(positions, geometry.window, section.margin)
        shape = (section.modes, section.slices, *placement.canvas)
        first_object.require_memory(shape)
        return *first_object.vacuum(shape, seed), placement, gaps
    amplitude, phase = first_object.with_modes(loaded.amplitude, loaded.phase, section.modes, seed)
    size = (amplitude.shape[-2], amplitude.shape[-1])
    if loaded.positions is None:
        # The middles of the given object and of the canvas coincide; the larger of the two holds both.
        placement = scan.place(positions, geometry.window, section.margin)
        canvas = placement.canvas
        y, x = max(canvas[0], size[0]), max(canvas[1], size[1])
        moved = np.array([y // 2 - canvas[0] // 2, x // 2 - canvas[1] // 2], np.int32)
        placement = scan.Placement(placement.corners + moved, placement.shifts, (y, x))
        origin = (y // 2 - size[0] // 2, x // 2 - size[1] // 2)
    else:
        same_file = section.path == config.scan.path
        offset = 0.0 if same_file else scan.offset_between(positions, loaded.positions)
        placement, origin = scan.place_on(positions + offset, geometry.window, size)
    first_object.require_memory((section.modes, section.slices, *placement.canvas))
    return (
        first_object.grown(amplitude, placement.canvas, origin, 1.0),
        first_object.grown(phase, placement.canvas, origin, 0.0),
        placement,
        gaps,
    )
