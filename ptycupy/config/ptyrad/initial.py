"""PtyRAD's `init_params`: the experiment, how the data are prepared, and what the reconstruction starts from."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import BeforeValidator, Field, model_validator

from ptycupy.config.base import Count, Positive, described, refusal
from ptycupy.config.ptyrad.part import Many, Part

Triple = tuple[int, int, int]
WhenToDo = Literal["on_the_fly", "precompute"] | None
REQUIRED = {
    "electron": ("probe_kv", "probe_conv_angle"),
    "xray": ("beam_kev", "probe_dRn", "probe_Rn", "probe_D_H", "probe_D_FZP", "probe_Ls"),
}


class SourceFile(Part):
    """A file and what to take from it."""

    path: str = described(..., "The file to read.", example="data/scan.h5")
    key: str | None = None
    shape: Many[int] | None = None
    offset: int | None = None
    gap: int | None = None
    selection: Any = None
    zarr_kwargs: dict[str, Any] | None = None


class Calibration(Part):
    """How the pixel size is known."""

    mode: Literal["dx", "dk", "kMax", "da", "angleMax", "n_alpha", "RBF", "fitRBF"] = "fitRBF"
    value: Positive | None = None

    @model_validator(mode="after")
    def _has_value(self) -> Calibration:
        if self.mode != "fitRBF" and self.value is None:
            raise refusal("meas_calibration", [(("value",), f"required with mode {self.mode}: a number")])
        return self


class Occupancy(Part):
    """Weights of the object modes."""

    occu_type: Literal["uniform", "custom"] = "uniform"
    init_occu: Many[float] | None = None


class Pad(Part):
    """Padding of the patterns."""

    mode: WhenToDo = "on_the_fly"
    padding_type: Literal["constant", "edge", "linear_ramp", "exp", "power"] = "power"
    target_Npix: Count = 256
    value: float | None = 0.0
    threshold: float | None = 70.0


class Resample(Part):
    """Resampling of the patterns."""

    mode: WhenToDo = "on_the_fly"
    scale_factors: tuple[Positive, Positive] = (2.0, 2.0)


class WithValue(Part):
    """A mode, some of which need a value."""

    value: float | None = None

    @model_validator(mode="after")
    def _has_value(self) -> WithValue:
        mode = getattr(self, "mode", "")
        if mode in ("subtract_value", "clip_value", "divide_const", "target_intensity") and self.value is None:
            raise refusal(mode, [(("value",), f"required with mode {mode}: a number")])
        return self


class Negative(WithValue):
    """What happens to negative values."""

    mode: Literal["subtract_min", "subtract_value", "clip_neg", "clip_value"] = "clip_neg"
    force: bool = False


class Normalization(WithValue):
    """What the patterns are scaled to."""

    mode: Literal["max_at_one", "mean_at_one", "sum_to_one", "divide_const"] = "max_at_one"


class ProbeNormalization(WithValue):
    """What the probe's intensity is scaled to."""

    mode: Literal["mean_total_ints", "max_total_ints", "target_intensity"] = "mean_total_ints"


class Dose(Part):
    """Poisson noise."""

    unit: Literal["total_e_per_pattern", "e_per_Ang2"] = described(..., "What the dose is for.", example="e_per_Ang2")
    value: Positive = described(..., "The dose.", example=1e6)


class Export(Part):
    """Where the prepared patterns are written."""

    file_dir: str | None = None
    file_name: str = "ptyrad_init_meas"
    file_format: Literal["hdf5", "tif", "npy", "mat"] = "hdf5"
    output_shape: Many[int] | None = None
    append_shape: bool = True


class DepthPad(Part):
    """Slices put before and behind the object."""

    pad_layers: tuple[int | None, int | None] = (0, 0)
    pad_types: tuple[Literal["vacuum", "mean", "edge"], Literal["vacuum", "mean", "edge"]] = ("vacuum", "vacuum")


class DepthResample(Part):
    """Another number of slices."""

    mode: Literal["scale_Nlayer", "scale_slice_thickness", "target_Nlayer", "target_slice_thickness"] = described(
        ..., "What `value` is.", example="target_Nlayer"
    )
    value: Positive = described(..., "The factor, number or thickness.", example=2)


class Tilts(Part):
    """Tilts to start from: numbers, or a file that holds them."""

    tilt_type: Literal["all", "each"] = "all"
    init_tilts: Many[tuple[float, float]] = ((0.0, 0.0),)
    path: str | None = None
    key: str | None = None


def _path_or_nothing(value: Any) -> Any:
    if value is not None and not isinstance(value, str):
        raise ValueError(f"expected the path of a file, or nothing{_saved(value)}")
    return value


def _saved(value: Any) -> str:
    array = hasattr(value, "shape")
    return f"; an array in memory {value.shape} must be saved to one, with numpy.save for example" if array else ""


def _file_or_path(value: Any) -> Any:
    if hasattr(value, "shape"):
        raise ValueError(f"expected the path of a file{_saved(value)}")
    return {"path": value} if isinstance(value, str) else value


def _export(value: Any) -> Any:
    return {} if value is True else None if value is False else value


StartFile = Annotated[Any, BeforeValidator(_path_or_nothing)]


class InitParams(Part):
    """The section `init_params`."""

    random_seed: int | None = None
    probe_illum_type: Literal["electron", "xray"] = "electron"
    probe_kv: float | None = None
    probe_conv_angle: Positive | None = None
    probe_aberrations: dict[str, float] | None = Field({})
    beam_kev: float | None = None
    probe_dRn: float | None = None
    probe_Rn: float | None = None
    probe_D_H: float | None = None
    probe_D_FZP: float | None = None
    probe_Ls: float | None = None
    meas_Npix: Count = described(..., "Pixels along an edge of the detector.", unit="px", example=128)
    pos_N_scans: Count | None = None
    pos_N_scan_slow: Count = described(..., "Scan positions along the slow axis.", example=128)
    pos_N_scan_fast: Count = described(..., "Scan positions along the fast axis.", example=128)
    pos_scan_step_size: Positive = described(..., "Scan step.", unit="angstrom", example=0.429)
    meas_calibration: Calibration = Calibration()
    probe_pmode_max: Count = 4
    probe_pmode_init_pows: Many[Annotated[float, Field(ge=0)]] = (0.02,)
    obj_omode_max: Count = 1
    obj_omode_init_occu: Occupancy = Occupancy()
    obj_Nlayer: Count = described(..., "Slices of the object.", unit="slices", example=6)
    obj_slice_thickness: Positive = described(..., "Distance between slices.", unit="angstrom", example=2.0)
    simu_Npix: Count | None = None
    simu_match_mode: Literal["crop", "resample"] | None = None
    meas_permute: Many[int] | None = None
    meas_reshape: Triple | None = None
    meas_flipT: Triple | None = None
    meas_crop: Annotated[Many[tuple[int, int] | None], Field(min_length=4, max_length=4)] | None = None
    meas_pad: Pad | None = None
    meas_resample: Resample | None = None
    meas_add_source_size: Positive | None = None
    meas_add_detector_blur: Positive | None = None
    meas_remove_neg_values: Negative = Negative()
    meas_normalization: Normalization = Normalization()
    meas_add_poisson_noise: Dose | None = None
    meas_export: Annotated[Export | None, BeforeValidator(_export)] = None
    probe_permute: Many[int] | None = None
    probe_z_shift: float | None = None
    probe_normalization: ProbeNormalization = ProbeNormalization()
    pos_scan_flipT: Triple | None = None
    pos_scan_affine: tuple[float, float, float, float] | None = None
    pos_scan_rand_std: Annotated[float, Field(ge=0)] | None = 0.15
    obj_z_crop: tuple[int, int] | None = None
    obj_z_pad: DepthPad | None = None
    obj_z_resample: DepthResample | None = None
    meas_source: Literal["file", "tif", "tiff", "mat", "h5", "hdf5", "zarr", "npy", "raw", "custom"] = "file"
    meas_params: Annotated[SourceFile, BeforeValidator(_file_or_path)] = described(
        ..., "The file with the patterns.", example="{path: data/scan.h5, key: dp}"
    )
    probe_source: Literal["simu", "PtyRAD", "PtyShv", "py4DSTEM", "custom"] = "simu"
    probe_params: StartFile = None
    pos_source: Literal["simu", "PtyRAD", "PtyShv", "py4DSTEM", "foldslice_hdf5", "custom"] = "simu"
    pos_params: StartFile = None
    obj_source: Literal["simu", "PtyRAD", "PtyShv", "py4DSTEM", "custom"] = "simu"
    obj_params: Any = None
    tilt_source: Literal["simu", "PtyRAD", "file", "custom"] = "simu"
    tilt_params: Annotated[Tilts, BeforeValidator(_file_or_path)] = Tilts()

    @model_validator(mode="after")
    def _whole(self) -> InitParams:
        kind = self.probe_illum_type
        problems: list[tuple[tuple[str | int, ...], str]] = [
            ((key,), f"required with probe_illum_type {kind}") for key in REQUIRED[kind] if getattr(self, key) is None
        ]
        for name in ("probe", "pos", "obj"):
            source, given = getattr(self, f"{name}_source"), getattr(self, f"{name}_params")
            if source not in ("simu", "custom") and not isinstance(given, str):
                problems.append(((f"{name}_params",), f"required with {name}_source {source}: the path of a file"))
        if self.tilt_source in ("PtyRAD", "file") and self.tilt_params.path is None:
            problems.append((("tilt_params",), f"required with tilt_source {self.tilt_source}: the path of a file"))
        for key in ("meas_flipT", "pos_scan_flipT"):
            if not set(getattr(self, key) or ()) <= {0, 1}:
                problems.append(((key,), "each of the three must be 0 or 1"))
        if problems:
            raise refusal("init_params", problems)
        return self
