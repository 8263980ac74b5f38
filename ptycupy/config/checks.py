"""Checks that look at more than one key: what an experiment needs, and what contradicts itself."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator

from ptycupy.config.base import Location
from ptycupy.config.schema import Config

Problems = Iterator[tuple[Location, str]]

WITHOUT_VALUE = ("fitted_disk", "file", "none")
NEEDS_ANGLE = ("fitted_disk", "n_alpha", "disk_radius_px")  # calibrations that compare with the convergence angle
NEEDS_WAVELENGTH = (*NEEDS_ANGLE, "da_mrad", "angle_max_mrad", "detector_pixel_um")


def contradictions(config: Config, broken: Collection[str] = ()) -> list[tuple[Location, str]]:
    """Every contradiction as (location, message); checks that involve a section named in `broken` are left out."""
    return [
        problem
        for sections, check in CHECKS
        if not any(section in broken for section in sections)
        for problem in check(config)
    ]


def _data_is_named(config: Config) -> Problems:
    if config.data.path is None and config.simulation is None:
        yield (
            ("data", "path"),
            "required: the file with the diffraction patterns, e.g. `path: scan.h5` (or a `simulation` section)",
        )


def _data_indices(config: Config) -> Problems:
    data = config.data
    if data.permute is not None and sorted(data.permute) != list(range(len(data.permute))):
        yield ("data", "permute"), f"{list(data.permute)} must name each axis from 0 to {len(data.permute) - 1} once"
    if data.reshape is not None and (data.reshape.count(-1) > 1 or any(n < 1 and n != -1 for n in data.reshape)):
        yield ("data", "reshape"), f"{list(data.reshape)} must hold sizes of at least 1, and -1 at most once"
    for axis, part in enumerate(data.selection or ()):
        if isinstance(part, tuple) and len(part) == 3 and part[2] is not None and part[2] < 1:
            yield ("data", "selection", axis), f"a step of {part[2]}; it must be at least 1"
    for key in ("crop_scan", "crop_detector"):
        for axis, (start, stop) in enumerate(getattr(data, key) or ()):
            if start is not None and stop is not None and (start < 0) == (stop < 0) and stop <= start:
                yield ("data", key, axis), f"[{start}, {stop}] is empty: stop must be after start"


def _can_be_followed(config: Config) -> Problems:
    data = config.data
    if data.follow is None:
        return
    if data.scan_shape is None:
        yield (
            ("data", "scan_shape"),
            "required to follow: the whole scan (slow, fast), e.g. `scan_shape: [64, 64]`",
        )
    elif (data.follow.start_with or 1) > data.scan_shape[0] * data.scan_shape[1]:
        yield ("data", "follow", "start_with"), f"{data.follow.start_with} patterns; the scan has fewer"
    whole = ("selection", "permute", "reshape", "noise", "thinning")
    given = [key for key in whole if getattr(data, key) is not None]
    given += ["source_blur_angstrom"] if data.source_blur_angstrom else []
    given += ["negative"] if data.negative != "clip" else []
    given += ["device_storage"] if data.device_storage in ("packed", "events") else []
    for key in given:
        yield ("data", key), "needs the whole file; not with data.follow"
    if config.output.export_patterns is not None:
        yield ("output", "export_patterns"), "needs the whole file; not with data.follow"


def _preparation_is_whole(config: Config) -> Problems:
    data = config.data
    if data.negative in ("clip_value", "subtract_value") and data.negative_value is None:
        yield ("data", "negative_value"), f"required with negative: {data.negative}, e.g. `negative_value: 2.0`"
    if data.normalisation == "divide" and data.normalisation_divisor is None:
        yield (
            ("data", "normalisation_divisor"),
            "required with normalisation: divide, e.g. `normalisation_divisor: 1000`",
        )
    late_pad = data.pad is not None and data.pad.mode == "on_the_fly"
    if late_pad and data.resample is not None and data.resample.mode == "precompute":
        yield (
            ("data", "resample", "mode"),
            "precompute comes too early: padding, which goes before, is on_the_fly; take on_the_fly for both",
        )


def _beam_is_known(config: Config) -> Problems:
    beam, mode = config.illumination, config.calibration.mode
    electron = beam.kind == "electron"
    if electron and beam.energy_kev is not None:
        yield (
            ("illumination", "energy_kev"),
            "is for X-rays; electrons have voltage_kv (kV), e.g. `voltage_kv: 80`",
        )
    if not electron and beam.voltage_kv is not None:
        yield (
            ("illumination", "voltage_kv"),
            "is for electrons; X-rays have energy_kev (keV), e.g. `energy_kev: 8.8`",
        )
    simulated_probe = beam.path is None and mode != "none"
    stated_by_file = mode == "file"  # a file that says its calibration may say its energy too
    several = config.object.slices > 1
    if (
        (beam.voltage_kv if electron else beam.energy_kev) is None
        and (simulated_probe or mode in NEEDS_WAVELENGTH or several)
        and not stated_by_file
    ):
        if electron:
            yield ("illumination", "voltage_kv"), "required: the acceleration voltage in kV, e.g. `voltage_kv: 80`"
        else:
            yield ("illumination", "energy_kev"), "required: the photon energy in keV, e.g. `energy_kev: 8.8`"
    if beam.zone_plate is not None and electron:
        yield ("illumination", "zone_plate"), "focuses X-rays; electrons have convergence_angle_mrad"
    if beam.zone_plate is not None and beam.path is not None:
        yield ("illumination", "zone_plate"), "a probe is loaded from illumination.path; keep one of the two"
    near_field = config.model.near_field_distance_mm is not None
    focused = beam.zone_plate is not None or near_field  # the near field may start from a plane wave
    if beam.convergence_angle_mrad is None and ((simulated_probe and not focused) or mode in NEEDS_ANGLE):
        yield (
            ("illumination", "convergence_angle_mrad"),
            "required: the convergence semi-angle in mrad, e.g. `convergence_angle_mrad: 24.9` "
            "(or illumination.path with a probe of your own)",
        )


def _probe_axes(config: Config) -> Problems:
    order = config.illumination.permute
    if order is not None and sorted(order) != [0, 1, 2]:
        yield ("illumination", "permute"), f"{list(order)} must name each of the axes 0, 1 and 2 once"


def _calibration_has_its_value(config: Config) -> Problems:
    mode, value = config.calibration.mode, config.calibration.value
    if mode not in WITHOUT_VALUE and value is None:
        yield ("calibration", "value"), f"required with `mode: {mode}`: a number in the unit that the mode names"
    if mode in WITHOUT_VALUE and value is not None:
        yield (
            ("calibration", "value"),
            f"has no meaning with `mode: {mode}`; `mode: pixel_size_angstrom` takes one",
        )


def _uncalibrated_speaks_in_pixels(config: Config) -> Problems:
    if config.calibration.mode != "none":
        return
    if config.object.slices > 1:
        yield ("object", "slices"), "several slices need a pixel size, but calibration.mode is none"
    if config.scan.step_angstrom is not None:
        yield ("scan", "step_angstrom"), "needs a pixel size, but calibration.mode is none; use step_px"
    if config.scan.path is not None and config.scan.unit != "px":
        unit = config.scan.unit
        yield ("scan", "unit"), f"{unit} needs a pixel size, but calibration.mode is none; use `unit: px`"
    if config.truth is not None:
        yield ("truth",), "a comparison needs a pixel size, but calibration.mode is none; leave truth out"


def _one_kind_of_positions(config: Config) -> Problems:
    scan = config.scan
    steps = [key for key in ("step_angstrom", "step_px") if getattr(scan, key) is not None]
    if len(steps) > 1:
        yield ("scan", "step_px"), "given together with step_angstrom; keep one of them"
    if scan.path is not None and steps:
        yield ("scan", steps[0]), "has no meaning together with scan.path, which gives the positions; keep one of them"


def _keys_have_files(config: Config) -> Problems:
    for name in ("illumination", "scan"):
        section = getattr(config, name)
        if section.key is not None and section.path is None:
            yield (
                (name, "path"),
                f"required: the file that holds {name}.key, e.g. `path: {config.data.path or 'scan.h5'}`",
            )

    if config.object.key is not None and config.object.path is None:
        yield ("object", "path"), "required: the file that holds object.key, e.g. `path: runs/first/result.h5`"
    if config.object.tilt_key is not None and config.object.tilt_path is None:
        yield ("object", "tilt_path"), "required: the file that holds object.tilt_key"


def _slices_have_thickness(config: Config) -> Problems:
    thickness, slices = config.object.slice_thickness_angstrom, config.object.slices
    total = config.object.total_thickness_angstrom
    if total is not None and thickness is not None:
        yield ("object", "total_thickness_angstrom"), "given together with slice_thickness_angstrom; keep one of them"
    if slices > 1 and thickness is None and total is None and config.object.path is None:
        yield (
            ("object", "slice_thickness_angstrom"),
            f"required with {slices} slices: their distance in angstrom, e.g. `slice_thickness_angstrom: 2.0`",
        )
    if isinstance(thickness, tuple) and len(thickness) != slices - 1:
        yield (
            ("object", "slice_thickness_angstrom"),
            f"{len(thickness)} values, but {slices} slices have {slices - 1} distances between them",
        )


def _one_kind_of_tilts(config: Config) -> Problems:
    start = config.object
    given = [key for key in ("tilts_mrad", "tilt_path") if getattr(start, key) is not None]
    if len(given) > 1:
        yield ("object", "tilts_mrad"), "given together with tilt_path; keep one of them"
    if start.tilts_mrad is not None and any(start.tilt_mrad):
        yield ("object", "tilts_mrad"), "given together with tilt_mrad; keep one of them"


def _subscan_is_one(config: Config) -> Problems:
    data, part = config.data, config.reconstruction.subscan
    if part is not None and data.scan_shape is not None and data.crop_scan is None:
        for axis, (wanted, there) in enumerate(zip(part.shape, data.scan_shape, strict=True)):
            if wanted > there:
                yield ("reconstruction", "subscan", "shape", axis), f"{wanted} of {there} positions"


def _modes_have_weights(config: Config) -> Problems:
    occupancies, modes = config.object.occupancies, config.object.modes
    if occupancies is not None and len(occupancies) != modes:
        yield ("object", "occupancies"), f"{len(occupancies)} values, but object.modes is {modes}"


def _something_is_minimised(config: Config) -> Problems:
    losses = config.losses
    data_terms = (losses.gaussian, losses.poisson, losses.pacbed)
    if not losses.own and all(term is None or term.weight == 0 for term in data_terms):
        yield (
            ("losses",),
            "none compares with the data (null, or weight 0); switch on gaussian, poisson or pacbed, "
            "e.g. `gaussian: {}`",
        )


def _rates_end_after_start(config: Config) -> Problems:
    for name, rate in config.optimizer.rates.items():
        if rate.end is not None and rate.end <= rate.start:
            yield ("optimizer", name, "end"), f"{rate.end} must be after start, which is {rate.start}"


def _refined_is_there(config: Config) -> Problems:
    rates, beam = config.optimizer.rates, config.illumination
    if rates["aberrations"].learning_rate > 0 and not beam.refined_aberrations:
        yield (
            ("optimizer", "aberrations"),
            "nothing to refine: name the coefficients, e.g. `illumination.refined_aberrations: [C10]`",
        )
    for name in ("probe_variations", "variation_weights"):
        if rates[name].learning_rate > 0 and not beam.variations:
            yield ("optimizer", name), "nothing to refine: give their number, e.g. `illumination.variations: 2`"


def _lsqml_fits_amplitudes(config: Config) -> Problems:
    if config.optimizer.name != "lsqml":
        return
    losses, instead = config.losses, "or another optimizer, e.g. `optimizer.name: adam`"
    if losses.gaussian is not None and losses.gaussian.power != 0.5:
        yield ("losses", "gaussian", "power"), f"optimizer lsqml compares amplitudes; take `power: 0.5`, {instead}"
    terms = {name: getattr(losses, name) for name in type(losses).model_fields if name != "gaussian"}
    given = [name for name, term in terms.items() if term is not None and term.weight > 0]
    for name in (*given, *losses.own):
        yield ("losses", name), f"would not move object and probe with optimizer lsqml; take `{name}: null`, {instead}"


def _tuning_knows_its_run(config: Config) -> Problems:
    tune = config.tune
    if tune is not None and config.stages:
        yield ("tune",), "stages cannot be tuned; leave them out, and put them into the best configuration afterwards"
    if tune is not None and config.data.follow is not None:
        yield ("data", "follow"), "a file that grows cannot be tuned on; leave follow out"
    if tune is not None and "ring_correlation" in tune.objectives and config.reconstruction.half != "all":
        yield ("reconstruction", "half"), "must be all: the objective ring_correlation makes the halves"


CHECKS: tuple[tuple[tuple[str, ...], Callable[[Config], Problems]], ...] = (
    (("data", "simulation"), _data_is_named),
    (("data",), _data_indices),
    (("data",), _preparation_is_whole),
    (("data", "output"), _can_be_followed),
    (("illumination", "calibration", "object"), _beam_is_known),
    (("illumination",), _probe_axes),
    (("calibration",), _calibration_has_its_value),
    (("calibration", "object", "scan", "truth"), _uncalibrated_speaks_in_pixels),
    (("scan",), _one_kind_of_positions),
    (("illumination", "scan", "data", "object"), _keys_have_files),
    (("object",), _slices_have_thickness),
    (("object",), _one_kind_of_tilts),
    (("data", "reconstruction"), _subscan_is_one),
    (("object",), _modes_have_weights),
    (("losses",), _something_is_minimised),
    (("optimizer",), _rates_end_after_start),
    (("optimizer", "illumination"), _refined_is_there),
    (("optimizer", "losses"), _lsqml_fits_amplitudes),
    (("tune", "stages", "reconstruction", "data"), _tuning_knows_its_run),
)
