"""The measured patterns: `meas_*` of `init_params`."""

from __future__ import annotations

import os

from ptycupy.config import signatures
from ptycupy.config.ptyrad.builder import Builder
from ptycupy.config.ptyrad.part import Many

ZARR_FORMAT = ("zarr_format", "zarr_version")
RAW_GAP_BYTES = 1024  # PtyRAD's default for every raw file
PADDING = {"constant": "constant", "edge": "edge", "linear_ramp": "linear_ramp", "exp": "exponential", "power": "power"}
NEGATIVE = {
    "clip_neg": "clip", "subtract_min": "subtract_min", "clip_value": "clip_value", "subtract_value": "subtract_value",
}  # fmt: skip
NORMALISATION = {
    "max_at_one": "max_at_one", "mean_at_one": "mean_at_one", "sum_to_one": "sum_to_one", "divide_const": "divide",
}  # fmt: skip
SUFFIX = {"hdf5": "h5", "tif": "tif", "npy": "npy", "mat": "mat"}
DOSE = {"total_e_per_pattern": "pattern", "e_per_Ang2": "square_angstrom"}


def file(to: Builder) -> None:
    """Where the patterns are."""
    init, key = to.parameters.init_params, "init_params.meas_params"
    source = init.meas_params
    path = to.put_path("data.path", source.path, f"{key}.path")
    selection = _selection(to)
    _axes(to, path, selection)
    raw = source.path.lower().endswith(".raw")
    if source.key is not None and not raw:
        to.put("data.key", source.key if "/" in source.key else source.key.replace(".", "/"), f"{key}.key")
    if raw:
        detector = source.shape[-2:] if source.shape is not None else (init.meas_Npix, init.meas_Npix)
        to.put("data.detector_shape", detector, f"{key}.shape")
        to.put("data.offset_bytes", source.offset or 0, f"{key}.offset")
        to.put("data.gap_bytes", RAW_GAP_BYTES if source.gap is None else source.gap, f"{key}.gap")
    else:
        for name in ("shape", "offset", "gap"):
            if getattr(source, name) is not None:
                to.differs(f"{key}.{name}", "has no effect, as in PtyRAD: it is for raw files")
    for name, value in (source.zarr_kwargs or {}).items():
        if name in ZARR_FORMAT:
            to.differs(f"{key}.zarr_kwargs.{name}", "has no effect: the store says its format")
        else:
            to.unsupported(
                f"{key}.zarr_kwargs.{name}",
                f"{value!r}: the store would be opened without; a local store needs none, a remote one a local copy",
            )
    if init.meas_source != "file":
        to.differs("init_params.meas_source", "has no effect: the format is seen in the file")
    to.put("data.bad_pixels", "ignore", "init_params")  # PtyRAD takes every pixel as it is


def orientation(to: Builder) -> None:
    """Axes and parts of the array."""
    init = to.parameters.init_params
    slow, fast = init.pos_N_scan_slow, init.pos_N_scan_fast
    if init.pos_N_scans is None or init.pos_N_scans == slow * fast:
        to.put("data.scan_shape", (slow, fast), "init_params.pos_N_scan_slow")
    elif init.pos_source == "simu":
        to.unsupported(
            "init_params.pos_N_scans",
            f"{init.pos_N_scans}: a raster of {slow} x {fast} has {slow * fast} positions; others need a pos_source",
        )
    else:
        to.differs("init_params.pos_N_scans", "taken from the file of the positions")
    if init.meas_reshape is not None:
        to.put("data.reshape", init.meas_reshape, "init_params.meas_reshape")
    if init.meas_flipT is not None:
        for name, value in zip(("flip_y", "flip_x", "transpose"), init.meas_flipT, strict=True):
            to.put(f"data.orientation.{name}", bool(value), "init_params.meas_flipT")
    if init.meas_crop is not None:
        spans = [span or (None, None) for span in init.meas_crop]
        for name, pair in (("crop_scan", spans[:2]), ("crop_detector", spans[2:])):
            if pair != [(None, None)] * 2:
                to.put(f"data.{name}", pair, "init_params.meas_crop")


def _selection(to: Builder) -> tuple[int | Many[int | None] | None, ...]:
    """Parts of the array's axes, each an index, the numbers of a slice, or None; empty where all of it is read."""
    key = "init_params.meas_params.selection"
    given = to.parameters.init_params.meas_params.selection
    if given is None:
        return ()
    parts = list(given) if isinstance(given, (list, tuple)) else [given]
    if parts and parts[-1] is ...:
        parts.pop()
    found: list[int | tuple[int | None, ...] | None] = []
    for part in parts:
        numbers = (part.start, part.stop, part.step) if isinstance(part, slice) else part
        listed = isinstance(numbers, (list, tuple)) and 0 < len(numbers) <= 3
        whole = all(one is None or _is_index(one) for one in numbers) if listed else False
        if not (numbers is None or _is_index(numbers) or whole):
            to.unsupported(
                key, f"{part!r}: expected null, an index, or [start, stop, step] for each axis; all would be read"
            )
            return ()
        found.append(tuple(numbers) if listed else numbers)
    return tuple(found)


def _is_index(value: object) -> bool:
    return isinstance(value, int) and not isinstance(value, bool)


def _axes(to: Builder, path: str, selection: tuple[int | Many[int | None] | None, ...]) -> None:
    """The order and parts of the axes; PtyRAD sees those of a MATLAB 7.3 file in reverse, of which these speak."""
    init = to.parameters.init_params
    permute = init.meas_permute
    if path.lower().endswith(".mat") and _is_hdf5(path):
        axes = range(3 if init.meas_reshape is None else 4) if permute is None else permute
        indexed = sum(isinstance(part, int) for part in selection)
        selection = (*selection, *[None] * (len(axes) + indexed - len(selection)))[::-1] if selection else ()
        permute = tuple(len(axes) - 1 - axis for axis in axes)
        to.differs("init_params.meas_permute", "a MATLAB 7.3 array is read in MATLAB's order, and turned to PtyRAD's")
    if selection:
        to.put("data.selection", selection, "init_params.meas_params.selection")
    if permute is not None:
        to.put("data.permute", permute, "init_params.meas_permute")


def _is_hdf5(path: str) -> bool:
    """Whether the file is HDF5, behind a user block as MATLAB writes it or not; False where it cannot be read."""
    try:
        with open(path, "rb") as stream:
            start = stream.read(520)
    except OSError:  # reading the data says what is wrong
        return False
    return signatures.HDF5 in (start[:8], start[512:])


def values(to: Builder) -> None:
    """Negative values, scale, blurs and noise."""
    init = to.parameters.init_params
    negative, scale, dose = init.meas_remove_neg_values, init.meas_normalization, init.meas_add_poisson_noise
    to.put("data.negative", NEGATIVE[negative.mode], "init_params.meas_remove_neg_values")
    if negative.value is not None:
        to.put("data.negative_value", negative.value, "init_params.meas_remove_neg_values.value")
    to.put("data.negative_always", negative.force, "init_params.meas_remove_neg_values.force")
    to.put("data.normalisation", NORMALISATION[scale.mode], "init_params.meas_normalization")
    if scale.value is not None:
        to.put("data.normalisation_divisor", scale.value, "init_params.meas_normalization.value")
    if init.meas_add_source_size is not None:
        to.put("data.source_blur_angstrom", init.meas_add_source_size, "init_params.meas_add_source_size")
    if init.meas_add_detector_blur is not None:
        to.put("data.detector_blur_px", init.meas_add_detector_blur, "init_params.meas_add_detector_blur")
    if dose is not None:
        noise = {"electrons": dose.value, "per": DOSE[dose.unit]}
        to.put("data.noise", noise, "init_params.meas_add_poisson_noise")
        to.differs("init_params.meas_add_poisson_noise", "other random numbers of the same distribution")


def shape(to: Builder) -> None:
    """Padding and resampling, and the copy of the outcome."""
    init = to.parameters.init_params
    pad, resample = init.meas_pad, init.meas_resample
    late_pad = pad is not None and pad.mode == "on_the_fly"
    if pad is not None and pad.mode is not None:
        padding = {
            "target_shape": (pad.target_Npix, pad.target_Npix),
            "kind": PADDING[pad.padding_type],
            "value": pad.value or 0.0,
            "threshold_percentile": 70.0 if pad.threshold is None else pad.threshold,
            "mode": pad.mode,
        }
        to.put("data.pad", padding, "init_params.meas_pad")
    if resample is not None and resample.mode is not None:
        mode = "on_the_fly" if late_pad else resample.mode
        to.put("data.resample", {"factors": min(resample.scale_factors), "mode": mode}, "init_params.meas_resample")
        if resample.mode == "precompute":
            to.differs("init_params.meas_resample.mode", "the sum of a pattern is preserved, as it is on_the_fly")
    if init.meas_export is not None:
        copy = init.meas_export
        folder = copy.file_dir or os.path.dirname(init.meas_params.path)
        name = f"{copy.file_name}.{SUFFIX[copy.file_format]}"
        to.put("output.export_patterns", os.path.abspath(os.path.join(folder, name)), "init_params.meas_export")
        to.differs(
            "init_params.meas_export", "output_shape and append_shape have no effect: the patterns keep their shape"
        )
