"""Beam, probe, scan, object and model: the rest of `init_params`."""

from __future__ import annotations

import re

from ptycupy.config.ptyrad.builder import Builder

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
HAIDER_FOURTH = ("B4", "D4")  # a fifth of Krivanek's C41 and C43 here, a quarter in PtyRAD
ZONE_PLATE = ("beam_kev", "probe_dRn", "probe_Rn", "probe_D_H", "probe_D_FZP", "probe_Ls")


def beam(to: Builder) -> None:
    """Energy, aperture and calibration."""
    init = to.parameters.init_params
    to.put("illumination.kind", init.probe_illum_type, "init_params.probe_illum_type")
    if init.probe_illum_type == "xray":
        to.put("illumination.energy_kev", init.beam_kev, "init_params.beam_kev")
        to.unsupported("init_params.probe_illum_type", "xray: no probe of a zone plate would be simulated")
        for key in ("probe_kv", "probe_conv_angle", "probe_aberrations"):
            if getattr(init, key):
                to.differs(f"init_params.{key}", "has no effect on X-rays, as in PtyRAD")
    else:
        to.put("illumination.voltage_kv", init.probe_kv, "init_params.probe_kv")
        to.put("illumination.convergence_angle_mrad", init.probe_conv_angle, "init_params.probe_conv_angle")
        to.put("illumination.aberrations", _aberrations(to), "init_params.probe_aberrations")
        for key in ZONE_PLATE:
            if getattr(init, key) is not None:
                to.differs(f"init_params.{key}", "has no effect on electrons, as in PtyRAD")
    calibration = init.meas_calibration
    to.put("calibration.mode", CALIBRATION[calibration.mode], "init_params.meas_calibration.mode")
    if calibration.mode != "fitRBF":
        to.put("calibration.value", calibration.value, "init_params.meas_calibration.value")
    elif calibration.value is not None:
        to.differs("init_params.meas_calibration.value", "has no effect with fitRBF, as in PtyRAD")


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
        to.unsupported("init_params.probe_normalization", "the probe would have the mean intensity of a pattern")
    if init.probe_permute is not None:
        to.unsupported("init_params.probe_permute", "the axes of the probe would stay as they are")
    if init.probe_z_shift:
        to.unsupported("init_params.probe_z_shift", "the probe would start where its aberrations put it")
    _source(to, "probe", "a simulated probe")


def scan(to: Builder) -> None:
    """Where the probe was."""
    init = to.parameters.init_params
    to.put("scan.step_angstrom", init.pos_scan_step_size, "init_params.pos_scan_step_size")
    if init.pos_scan_flipT is not None:
        for name, value in zip(("reverse_slow", "reverse_fast", "swap_axes"), init.pos_scan_flipT, strict=True):
            to.put(f"scan.{name}", bool(value), "init_params.pos_scan_flipT")
    if init.pos_scan_affine is not None:
        names = ("scale", "asymmetry", "rotation_degrees", "shear_degrees")
        to.put("scan.affine", dict(zip(names, init.pos_scan_affine, strict=True)), "init_params.pos_scan_affine")
    to.put("scan.jitter_px", init.pos_scan_rand_std or 0.0, "init_params.pos_scan_rand_std")
    _source(to, "pos", "the nominal raster")


def specimen(to: Builder) -> None:
    """The object to start from."""
    init = to.parameters.init_params
    to.put("object.slices", init.obj_Nlayer, "init_params.obj_Nlayer")
    to.put("object.slice_thickness_angstrom", init.obj_slice_thickness, "init_params.obj_slice_thickness")
    to.put("object.modes", init.obj_omode_max, "init_params.obj_omode_max")
    occupancy = init.obj_omode_init_occu
    if occupancy.occu_type == "custom" and occupancy.init_occu is not None:
        to.put("object.occupancies", occupancy.init_occu, "init_params.obj_omode_init_occu")
    elif occupancy.init_occu is not None:
        to.differs("init_params.obj_omode_init_occu", "has no effect with uniform, as in PtyRAD")
    if init.obj_z_crop is not None:
        to.unsupported("init_params.obj_z_crop", "all slices would be kept")
    if init.obj_z_pad is not None:
        to.unsupported("init_params.obj_z_pad", "no slices would be added")
    if init.obj_z_resample is not None:
        to.unsupported("init_params.obj_z_resample", "the slices would stay as they are")
    _source(to, "obj", "an empty object")


def tilts(to: Builder) -> None:
    """The tilt of the crystal to start from."""
    init = to.parameters.init_params
    given = init.tilt_params
    if init.tilt_source != "simu":
        to.unsupported("init_params.tilt_source", f"{init.tilt_source}: no tilts would be loaded")
        return
    if given.init_tilts:
        to.put("object.tilt_mrad", given.init_tilts[0], "init_params.tilt_params.init_tilts")
    if len(set(given.init_tilts)) > 1:
        to.unsupported("init_params.tilt_params.init_tilts", "all positions would start from the first tilt")
    to.put("object.tilt_per_position", given.tilt_type == "each", "init_params.tilt_params.tilt_type")


def model(to: Builder) -> None:
    """Window and detector of the forward model."""
    init, settings = to.parameters.init_params, to.parameters.model_params
    if init.simu_Npix is not None:
        to.put("model.window_shape", (init.simu_Npix, init.simu_Npix), "init_params.simu_Npix")
    if init.simu_match_mode is not None:
        to.put("model.detector_match", init.simu_match_mode, "init_params.simu_match_mode")
    if init.simu_match_mode == "resample":
        to.differs("init_params.simu_match_mode", "neighbouring pixels are summed, where PtyRAD interpolates")
    to.put("model.detector_blur_px", settings.detector_blur_std or 0.0, "model_params.detector_blur_std")


def _source(to: Builder, name: str, instead: str) -> None:
    init = to.parameters.init_params
    source = getattr(init, f"{name}_source")
    if source != "simu":
        to.unsupported(f"init_params.{name}_source", f"{source}: {instead} would be the start")
    elif getattr(init, f"{name}_params") is not None:
        to.differs(f"init_params.{name}_params", f"has no effect with {name}_source: simu")
