"""Beam, probe, scan, object and model: the rest of `init_params`."""

from __future__ import annotations

import re

from ptycupy.config.ptyrad.builder import Builder
from ptycupy.config.ptyrad.scanned import positions

CALIBRATION = {
    "dx": "pixel_size_angstrom",
    "dk": "dk_inverse_angstrom",
    "kMax": "k_max_inverse_angstrom",
    "da": "da_mrad",
    "angleMax": "angle_max_mrad",
    "n_alpha": "n_alpha",
    "RBF": "disk_radius_px",
    "fitRBF": "fitted_disk",
}
IN_MEMORY = "custom takes an array in memory: save it, as .npy for example, and write the file's path here"
HAIDER_FOURTH = ("B4", "D4")  # a fifth of Krivanek's C41 and C43 here, a quarter in PtyRAD
ZONE_PLATE = {  # PtyRAD's key in metres: ours, and its units in a metre
    "probe_Rn": ("outer_radius_um", 1e6),
    "probe_dRn": ("outer_zone_width_nm", 1e9),
    "probe_D_FZP": ("aperture_um", 1e6),
    "probe_D_H": ("central_stop_um", 1e6),
    "probe_Ls": ("focus_to_sample_um", 1e6),
}
METRE = 1e10  # angstrom; X-ray files have every length in metres
POWER_OF_LENGTH = {"dx": 1, "dk": -1, "kMax": -1}


def beam(to: Builder) -> None:
    """Energy, aperture and calibration."""
    init = to.parameters.init_params
    to.put("illumination.kind", init.probe_illum_type, "init_params.probe_illum_type")
    if init.probe_illum_type == "xray":
        to.put("illumination.energy_kev", init.beam_kev, "init_params.beam_kev")
        to.differs(
            "init_params.probe_illum_type", "lengths are taken as metres; PtyRAD 1.0.0 itself cannot start such a run"
        )
        if init.probe_source == "simu":
            for key, (name, unit) in ZONE_PLATE.items():
                if getattr(init, key) is not None:
                    to.put(f"illumination.zone_plate.{name}", getattr(init, key) * unit, f"init_params.{key}")
        for key in ("probe_kv", "probe_conv_angle", "probe_aberrations"):
            if getattr(init, key):
                to.differs(f"init_params.{key}", "has no effect on X-rays, as in PtyRAD")
    else:
        to.put("illumination.voltage_kv", init.probe_kv, "init_params.probe_kv")
        to.put("illumination.convergence_angle_mrad", init.probe_conv_angle, "init_params.probe_conv_angle")
        to.put("illumination.aberrations", _aberrations(to), "init_params.probe_aberrations")
        for key in ("beam_kev", *ZONE_PLATE):
            if getattr(init, key) is not None:
                to.differs(f"init_params.{key}", "has no effect on electrons, as in PtyRAD")
    calibration = init.meas_calibration
    to.put("calibration.mode", CALIBRATION[calibration.mode], "init_params.meas_calibration.mode")
    if calibration.mode != "fitRBF":
        unit = _length_unit(to) ** POWER_OF_LENGTH.get(calibration.mode, 0)
        value = None if calibration.value is None else calibration.value * unit
        to.put("calibration.value", value, "init_params.meas_calibration.value")
    elif calibration.value is not None:
        to.differs("init_params.meas_calibration.value", "has no effect with fitRBF, as in PtyRAD")


def _length_unit(to: Builder) -> float:
    """Angstrom in the file's unit of length."""
    return METRE if to.parameters.init_params.probe_illum_type == "xray" else 1.0


def _aberrations(to: Builder) -> dict[str, float]:
    found: dict[str, float] = {}
    for name, value in (to.parameters.init_params.probe_aberrations or {}).items():
        pair = re.fullmatch(r"\((\d), ?(\d)\)", name)
        plain = f"C{pair[1]}{pair[2]}" if pair else name
        found[plain] = value * 4 / 5 if plain in HAIDER_FOURTH else value
    return found


def probe(to: Builder) -> None:
    """The probe to start from."""
    init = to.parameters.init_params
    modes, power = init.probe_pmode_max, min(init.probe_pmode_init_pows, default=0.02)
    to.put("illumination.modes", modes, "init_params.probe_pmode_max")
    if modes > 1:
        # PtyRAD gives each further mode the least of these, relative to a first mode of 1.
        to.put("illumination.mode_power", power / (1 + (modes - 1) * power), "init_params.probe_pmode_init_pows")
    elif init.probe_pmode_init_pows != (0.02,):
        to.differs("init_params.probe_pmode_init_pows", "has no effect on a single mode, as in PtyRAD")
    scale = init.probe_normalization
    if scale.mode == "target_intensity":
        to.put("illumination.total_intensity", scale.value, "init_params.probe_normalization.value")
    elif scale.mode == "max_total_ints":
        to.put("illumination.intensity_of", "brightest_pattern", "init_params.probe_normalization")
    if init.probe_permute is not None:
        to.put("illumination.permute", init.probe_permute, "init_params.probe_permute")
    if init.probe_z_shift:
        to.put("illumination.shift_along_beam_angstrom", init.probe_z_shift, "init_params.probe_z_shift")
    _source(to, "probe", "illumination.path")


def scan(to: Builder) -> None:
    """Where the probe was."""
    init = to.parameters.init_params
    measured = init.pos_source in ("foldslice_hdf5", "custom")  # positions that nothing has refined yet
    if init.pos_source == "simu" or not isinstance(init.pos_params, str):
        to.put("scan.step_angstrom", init.pos_scan_step_size * _length_unit(to), "init_params.pos_scan_step_size")
    elif measured:
        to.put("scan.adjust_loaded", True, "init_params.pos_source")
        if init.pos_source == "foldslice_hdf5":
            unit = "metre" if init.probe_illum_type == "xray" else "angstrom"
            to.put("scan.unit", unit, "init_params.pos_source")
    elif init.pos_scan_affine or init.pos_scan_flipT or init.pos_scan_rand_std:
        to.differs("init_params.pos_source", "loaded positions are not distorted, flipped or jittered a second time")
    if init.pos_scan_flipT is not None:
        for name, value in zip(("reverse_slow", "reverse_fast", "swap_axes"), init.pos_scan_flipT, strict=True):
            to.put(f"scan.{name}", bool(value), "init_params.pos_scan_flipT")
    if init.pos_scan_affine is not None:
        names = ("scale", "asymmetry", "rotation_degrees", "shear_degrees")
        to.put("scan.affine", dict(zip(names, init.pos_scan_affine, strict=True)), "init_params.pos_scan_affine")
    to.put("scan.jitter_px", init.pos_scan_rand_std or 0.0, "init_params.pos_scan_rand_std")
    _source(to, "pos", "scan.path")


def specimen(to: Builder) -> None:
    """The object to start from."""
    init = to.parameters.init_params
    slices, thickness = _depth(to)
    to.put("object.slices", slices, "init_params.obj_Nlayer")
    to.put("object.slice_thickness_angstrom", thickness, "init_params.obj_slice_thickness")
    to.put("object.modes", init.obj_omode_max, "init_params.obj_omode_max")
    occupancy = init.obj_omode_init_occu
    if occupancy.occu_type == "custom" and occupancy.init_occu is not None:
        to.put("object.occupancies", occupancy.init_occu, "init_params.obj_omode_init_occu")
    elif occupancy.init_occu is not None:
        to.differs("init_params.obj_omode_init_occu", "has no effect with uniform, as in PtyRAD")
    _source(to, "obj", "object.path")


def _depth(to: Builder) -> tuple[int, float]:
    """Slices and their distance after crop, pad and resampling, which say what happens to a loaded object."""
    init = to.parameters.init_params
    slices, thickness = init.obj_Nlayer, init.obj_slice_thickness * _length_unit(to)
    if init.obj_z_crop is not None:
        slices = len(range(slices)[slice(*init.obj_z_crop)])
        to.put("object.depth.crop", init.obj_z_crop, "init_params.obj_z_crop")
    if init.obj_z_pad is not None:
        before, behind = (layers or 0 for layers in init.obj_z_pad.pad_layers)
        slices += before + behind
        to.put("object.depth.pad", (before, behind), "init_params.obj_z_pad.pad_layers")
        to.put("object.depth.pad_values", init.obj_z_pad.pad_types, "init_params.obj_z_pad.pad_types")
    if init.obj_z_resample is None:
        return slices, thickness
    total, value = slices * thickness, init.obj_z_resample.value
    wanted = {
        "scale_Nlayer": slices * value,
        "scale_slice_thickness": slices / value,
        "target_Nlayer": value,
        "target_slice_thickness": total / value,
    }[init.obj_z_resample.mode]
    slices = max(1, int(wanted + 1e-9))
    return slices, total / slices


def tilts(to: Builder) -> None:
    """The tilt of the crystal to start from."""
    init = to.parameters.init_params
    given = init.tilt_params
    if init.tilt_source == "custom" and given.path is None:
        to.unsupported("init_params.tilt_params", IN_MEMORY)
        return
    if init.tilt_source != "simu":
        to.put_path("object.tilt_path", given.path or "", "init_params.tilt_params")
        if given.key is not None:
            to.put("object.tilt_key", given.key, "init_params.tilt_params.key")
        return
    several, count = len(given.init_tilts), positions(to)
    if several > 1 and given.tilt_type == "each" and several == count:
        to.put("object.tilts_mrad", given.init_tilts, "init_params.tilt_params.init_tilts")
    elif several:
        to.put("object.tilt_mrad", given.init_tilts[0], "init_params.tilt_params.init_tilts")
        if several > 1:
            to.unsupported(
                "init_params.tilt_params.init_tilts",
                f"{several} tilts with tilt_type {given.tilt_type} for {count} positions, where PtyRAD takes one, or "
                "with tilt_type each one for every position; all would start from the first",
            )
    to.put("object.tilt_per_position", given.tilt_type == "each", "init_params.tilt_params.tilt_type")


def model(to: Builder) -> None:
    """Window and detector of the forward model."""
    init, settings = to.parameters.init_params, to.parameters.model_params
    if init.simu_Npix is not None:
        to.put("model.window_shape", (init.simu_Npix, init.simu_Npix), "init_params.simu_Npix")
    if init.simu_match_mode is not None:
        to.put("model.detector_match", init.simu_match_mode, "init_params.simu_match_mode")
    to.put("model.detector_blur_px", settings.detector_blur_std or 0.0, "model_params.detector_blur_std")


def _source(to: Builder, name: str, path: str) -> None:
    """The file that something starts from."""
    init = to.parameters.init_params
    source, given = getattr(init, f"{name}_source"), getattr(init, f"{name}_params")
    if source == "custom" and given is None:
        to.unsupported(f"init_params.{name}_params", IN_MEMORY)
    elif source != "simu":
        to.put_path(path, given, f"init_params.{name}_params")
    elif given is not None:
        to.differs(f"init_params.{name}_params", f"has no effect with {name}_source: simu")
