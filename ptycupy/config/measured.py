"""Sections on what was measured: the data and how they are read."""

from __future__ import annotations

from typing import Literal

from ptycupy.config.base import (
    Section,
    Shape,
    Span,
    described,
)


class Orientation(Section):
    """How the detector's axes lie in the scan's frame; applied in this order."""

    flip_y: bool = described(False, "Turn the patterns upside down (first detector axis).")
    flip_x: bool = described(False, "Mirror the patterns left to right (second detector axis).")
    transpose: bool = described(False, "Exchange the two detector axes, after the flips.")


class Data(Section):
    """Where the diffraction patterns are and how they are read."""

    path: str | None = described(
        None, "The file with the patterns, relative to this file's folder.", example="scan_128x128.h5", fill=True
    )
    key: str | None = described(None, "Array inside a file that holds several (HDF5, .mat, .npz).", example="dp")
    format: Literal["auto", "hdf5", "npy", "npz", "mat", "mib", "empad", "tiff"] = described(
        "auto", "File format; auto looks at the file."
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
    negative: Literal["clip", "subtract_min", "error"] = described(
        "clip", "What to do with negative counts: set to 0 with a warning, subtract the minimum, or refuse."
    )
    mask_path: str | None = described(
        None, "File with a detector mask (y, x), True where a pixel counts, relative to this file's folder.",
        example="mask.npy",
    )  # fmt: skip
    mask_key: str | None = described(None, "Dataset of the mask inside an HDF5 file.", example="mask")
    normalisation: Literal["max_at_one", "mean_at_one", "sum_to_one", "none"] = described(
        "max_at_one", "What the mean pattern is scaled to; learning rates of the probe assume max_at_one."
    )
