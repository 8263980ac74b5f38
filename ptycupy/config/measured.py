"""Sections on what was measured: the data and how they are read."""

from __future__ import annotations

from typing import Literal

from ptycupy.config.base import AxisPart, Count, Positive, Section, Shape, Span, described
from ptycupy.config.preparation import Noise, Pad, Resample, Thinning


class Orientation(Section):
    """How the detector's axes lie in the scan's frame; applied in this order."""

    flip_y: bool = described(False, "Turn the patterns upside down (first detector axis).")
    flip_x: bool = described(False, "Mirror the patterns left to right (second detector axis).")
    transpose: bool = described(False, "Exchange the two detector axes, after the flips.")


class Follow(Section):
    """How a file is followed that is still being written."""

    start_with: Count | None = described(
        None, "Patterns to begin with, which also set the normalisation and show bad pixels; a tenth of the scan by "
        "default.", unit="patterns", example=500,
    )  # fmt: skip
    timeout_seconds: Positive = described(
        60.0, "After so long without a new pattern the run goes on with what came, and ends.", unit="s"
    )
    settle_seconds: float = described(
        1.0, "How long the newest pattern must stay as it is to be taken for whole, where none follows it.",
        unit="s", ge=0,
    )  # fmt: skip


class Data(Section):
    """Where the diffraction patterns are and how they are read."""

    path: str | None = described(
        None, "The file with the patterns, relative to this file's folder.", example="scan_128x128.h5", fill=True
    )
    key: str | None = described(None, "Array inside a file that holds several (HDF5, .mat, .npz).", example="dp")
    format: Literal["auto", "hdf5", "npy", "npz", "mat", "mib", "empad", "tiff", "zarr", "rosettasciio"] = described(
        "auto", "File format; auto looks at the file (rosettasciio: .dm4, .blo, .tvips, Velox, ...)."
    )
    scan_shape: Shape | None = described(
        None,
        "Scan positions (slow, fast); by default as the file says, or square; any other is never guessed.",
        unit="positions",
        example=[128, 128],
    )
    detector_shape: Shape | None = described(
        None, "Detector (y, x); needed only for raw files, EMPAD's 128 x 128 by default.", unit="px", example=[128, 128]
    )
    offset_bytes: int = described(0, "Bytes before the first pattern of a raw file.", unit="bytes", ge=0)
    gap_bytes: int | None = described(
        None, "Bytes between patterns of a raw file; by default as the format says (EMPAD: 1024).", unit="bytes", ge=0
    )
    selection: tuple[AxisPart | None, ...] | None = described(
        None, "Part of the array that is read: for each of the file's axes [start, stop, step], an index (which takes "
        "the axis away), or null = all; applied before permute.", example=[[0, 64], [0, 128, 2], None, None],
    )  # fmt: skip
    permute: tuple[int, ...] | None = described(
        None, "New order of the file's axes, counted from 0; applied before reshape.", example=[2, 3, 0, 1]
    )
    reshape: tuple[int, ...] | None = described(
        None,
        "New shape after permute, with at most one -1; the detector is last.",
        example=[-1, 128, 128],
    )
    orientation: Orientation = described(Orientation(), "How the detector's axes lie in the scan's frame.")
    crop_scan: tuple[Span, Span] | None = described(
        None,
        "Part of the scan as [[start, stop], [start, stop]] (slow, fast), null = to the edge.",
        unit="positions",
        example=[[0, 64], [0, 64]],
    )
    crop_detector: tuple[Span, Span] | None = described(
        None,
        "Part of the detector as [[start, stop], [start, stop]] (y, x), null = to the edge.",
        unit="px",
        example=[[8, 120], [8, 120]],
    )
    negative: Literal["clip", "subtract_min", "clip_value", "subtract_value", "error"] = described(
        "clip", "What to do with negative counts: set to 0 with a warning, subtract the minimum, set what is below "
        "negative_value to 0, subtract negative_value, or refuse. What is negative afterwards becomes 0.",
    )  # fmt: skip
    negative_value: float | None = described(
        None, "The value of clip_value and subtract_value.", unit="counts", example=2.0
    )
    negative_always: bool = described(False, "Do so even where nothing is negative.")
    bad_pixels: Literal["mask", "ignore", "error"] = described(
        "mask", "What to do with saturated, hot and dead pixels: mask them with a warning, keep them, or refuse."
    )
    mask_path: str | None = described(
        None, "File with a detector mask (y, x), True where a pixel counts, relative to this file's folder.",
        example="mask.npy",
    )  # fmt: skip
    mask_key: str | None = described(None, "Dataset of the mask inside an HDF5 file.", example="mask")
    normalisation: Literal["max_at_one", "mean_at_one", "sum_to_one", "divide", "none"] = described(
        "max_at_one", "What the mean pattern is scaled to, or divide by normalisation_divisor; learning rates of the "
        "probe assume max_at_one.",
    )  # fmt: skip
    normalisation_divisor: Positive | None = described(
        None, "What every pattern is divided by with normalisation: divide.", unit="counts", example=1000.0
    )
    pad: Pad | None = described(
        None, "A larger detector around the measured one.", example={"target_shape": [256, 256]}
    )
    resample: Resample | None = described(
        None, "Another number of detector pixels over the same angle.", example={"factors": 2.0}
    )
    source_blur_angstrom: float = described(
        0.0, "Standard deviation of a blur of the patterns over the scan, as a larger source would make it.",
        unit="angstrom", ge=0,
    )  # fmt: skip
    detector_blur_px: float = described(
        0.0, "Standard deviation of a blur of each pattern; model.detector_blur_px blurs the model instead.",
        unit="px", ge=0,
    )  # fmt: skip
    device_storage: Literal["auto", "dense", "packed", "events"] = described(
        "auto", "How the device holds the patterns: dense as they came, packed in 1 to 16 bits per pixel, or as "
        "events; auto takes the smallest. All are exact: packed and events are for whole counts, and refuse others.",
    )  # fmt: skip
    follow: Follow | None = described(
        None, "Reconstruct while the file (HDF5, .npy, EMPAD) is being written; scan_shape says how long it gets.",
        example={"timeout_seconds": 120},
    )  # fmt: skip
    thinning: Thinning | None = described(
        None, "Part of the counts that is taken, before all else is done to them: lower doses, or independent halves "
        "(`ptycupy resolution`).", example={"share": 0.1},
    )  # fmt: skip
    noise: Noise | None = described(None, "Poisson noise put on the patterns.", example={"electrons": 1e4})
    residency: Literal["auto", "device", "host", "disk"] = described(
        "auto", "Where the patterns lie during a run: all on the device, or in the host's memory or on disk, read "
        "ahead of their batches; auto takes the nearest that has room, and keeps what fits of them on the device.",
    )  # fmt: skip
    memory_limit_gib: Positive | None = described(
        None, "The most that the whole run may take of the host's memory; by default what is free.", unit="GiB",
        example=4.0,
    )  # fmt: skip
