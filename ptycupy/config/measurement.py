"""Sections that describe what was measured: data, illumination, calibration, scan, object, forward model."""

from __future__ import annotations

from typing import Any, Literal

from pydantic import model_validator

from ptycupy.config.base import (
    Count,
    Fraction,
    KiloElectronvolt,
    Kilovolt,
    LengthOrMany,
    LengthOrPair,
    Milliradian,
    Positive,
    PositiveOrPair,
    Section,
    Shape,
    Span,
    Tilt,
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
    key: str | None = described(None, "Dataset inside an HDF5 file; needed where the file holds several.", example="dp")
    format: Literal["auto", "hdf5", "npy", "empad", "tiff"] = described("auto", "File format; auto looks at the file.")
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


class Illumination(Section):
    """The beam: its energy and the probe that the reconstruction starts from."""

    kind: Literal["electron", "xray"] = described("electron", "What the beam is made of.")
    voltage_kv: Kilovolt | None = described(
        None, "Acceleration voltage of an electron beam.", unit="kV", example=80.0, fill=True
    )
    energy_kev: KiloElectronvolt | None = described(
        None, "Photon energy of an X-ray beam; may be unknown when working in pixels.", unit="keV", example=8.8
    )
    convergence_angle_mrad: Milliradian | None = described(
        None, "Convergence semi-angle of the probe-forming aperture.", unit="mrad", example=24.9, fill=True
    )
    aberrations: dict[str, float] = described(
        {},
        "Aberrations of the probe by Krivanek's or Haider's names, angles in degrees; C10 = -defocus.",
        unit="angstrom",
        example={"C10": -150.0, "C12": 20.0, "phi12": 30.0},
    )
    path: str | None = described(
        None, "File with a probe to start from instead of a simulated one, relative to this file's folder.",
        example="probe.h5",
    )  # fmt: skip
    key: str | None = described(None, "Dataset of that probe, complex (y, x) or (mode, y, x).", example="probe_guess")
    modes: Count = described(4, "Mixed probe modes for partial coherence; 1 is a coherent probe.", unit="modes")
    mode_power: float = described(
        0.02, "Share of the intensity that each mode beyond the first starts with.", unit="of 1", gt=0, lt=1
    )
    total_intensity: Positive | None = described(
        None, "Intensity of the starting probe; by default the mean intensity of a normalised pattern."
    )


class Calibration(Section):
    """How the pixel size is found. `mode: none` (or `pixel_size: null`): unknown, the run speaks in pixels."""

    mode: Literal[
        "fitted_disk", "pixel_size_angstrom", "dk_inverse_angstrom", "k_max_inverse_angstrom", "da_mrad",
        "angle_max_mrad", "n_alpha", "disk_radius_px", "file", "none",
    ] = described(
        "fitted_disk",
        "fitted_disk: radius of the bright-field disk and the convergence angle. pixel_size_angstrom: of the object. "
        "dk_inverse_angstrom, da_mrad: per detector pixel. k_max_inverse_angstrom, angle_max_mrad: at the detector's "
        "edge. n_alpha: edge in convergence angles. disk_radius_px: of the bright-field disk. file: as the data file "
        "says. none: unknown, one slice only, all lengths in pixels.",
    )  # fmt: skip
    value: PositiveOrPair | None = described(
        None, "The number that `mode` names, in the unit of its name, for the detector as stored; or a pair (y, x).",
        example=0.1494,
    )  # fmt: skip

    @model_validator(mode="before")
    @classmethod
    def _uncalibrated(cls, values: Any) -> Any:
        return {"mode": "none"} if values == {"pixel_size": None} else values


class Affine(Section):
    """How the scan differs from the nominal raster, about its centre."""

    scale: Positive = described(1.0, "Magnification of the scan.")
    asymmetry: float = described(0.0, "Relative stretch of y against x: 0.02 is 2 %.", gt=-2, lt=2)
    rotation_degrees: float = described(0.0, "Rotation of the scan.", unit="degrees", ge=-360, le=360)
    shear_degrees: float = described(0.0, "Shear of the scan.", unit="degrees", gt=-90, lt=90)


class Scan(Section):
    """Where the probe was: a raster by its step, or positions from a file."""

    step_angstrom: LengthOrPair | None = described(
        None, "Scan step, one number or (slow, fast); by default as the data file says.", unit="angstrom",
        example=0.429, fill=True,
    )  # fmt: skip
    step_px: PositiveOrPair | None = described(
        None, "Scan step in object pixels, for data without a pixel size.", unit="px", example=3.0
    )
    path: str | None = described(
        None, "File with the positions (N, 2) as (y, x), relative to this file's folder; replaces the raster.",
        example="positions.h5",
    )  # fmt: skip
    key: str | None = described(None, "Dataset of the positions inside an HDF5 file.", example="positions_px")
    unit: Literal["px", "angstrom"] = described("px", "Unit of the positions in the file.")
    reverse_slow: bool = described(False, "The slow axis was scanned backwards.")
    reverse_fast: bool = described(False, "The fast axis was scanned backwards.")
    swap_axes: bool = described(False, "Exchange y and x of the positions.")
    affine: Affine = described(Affine(), "How the scan differs from the nominal raster.")
    jitter_px: float = described(
        0.0, "Standard deviation of random shifts added at the start; 0 because a raster needs none.", unit="px", ge=0
    )


class Object(Section):
    """The specimen's grid and what it starts from."""

    slices: Count = described(1, "Slices along the beam; 1 is ordinary ptychography.", unit="slices")
    slice_thickness_angstrom: LengthOrMany | None = described(
        None, "Distance between slices: one number, or slices - 1 of them.", unit="angstrom", example=2.0
    )
    modes: Count = described(1, "Mixed object modes, e.g. for thermal motion.", unit="modes")
    occupancies: tuple[Fraction, ...] | None = described(
        None, "Weight of each object mode; 1/modes each by default.", unit="of 1", example=[0.5, 0.5]
    )
    margin: float = described(
        0.2, "Room around the scan on the canvas, as a share of the probe window; it grows by itself.", ge=0, le=100
    )
    tilt_mrad: tuple[Tilt, Tilt] = described((0.0, 0.0), "Tilt of the crystal (y, x) at the start.", unit="mrad")
    tilt_per_position: bool = described(False, "One tilt for each position instead of one for all.")
    path: str | None = described(
        None, "A result.h5 whose object is the start instead of an empty one, relative to this file's folder.",
        example="runs/first/result.h5",
    )  # fmt: skip


class Model(Section):
    """How the beam goes through the specimen to the detector."""

    propagator: Literal["angular_spectrum", "fresnel"] = described(
        "angular_spectrum", "Between slices: the exact angular spectrum, or its paraxial limit."
    )
    anti_aliasing: bool = described(False, "Limit waves to 2/3 of the largest frequency between slices.")
    window_shape: Shape | None = described(
        None, "Probe window (y, x) if it differs from the detector.", unit="px", example=[256, 256]
    )
    detector_match: Literal["crop", "resample"] = described(
        "crop", "How a window larger than the detector is brought to it: cut out the centre, or sum neighbours."
    )
    detector_blur_px: float = described(
        0.0, "Standard deviation of the detector's point spread.", unit="px", ge=0, le=1000
    )
    dtype: Literal["float32", "float64"] = described("float32", "Precision; float64 runs on the CPU and is for checks.")
