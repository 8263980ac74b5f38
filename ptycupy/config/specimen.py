"""Sections on scan, object and forward model."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from ptycupy.config.base import (
    Count,
    Fraction,
    Length,
    LengthOrMany,
    LengthOrPair,
    Positive,
    PositiveOrPair,
    Section,
    Shape,
    Span,
    Tilt,
    described,
)


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
        None, "File with the positions (N, 2) as (y, x), or a result of ptycupy, PtyRAD, phaser, PtychoShelves or "
        "py4DSTEM, relative to this file's folder; replaces the raster.", example="positions.h5",
    )  # fmt: skip
    key: str | None = described(None, "Dataset of the positions inside an HDF5 file.", example="positions_px")
    unit: Literal["px", "angstrom", "metre"] = described(
        "px", "Unit of the positions in the file. The ppX and ppY of fold_slice are in angstrom, or in metre."
    )
    reverse_slow: bool = described(False, "The slow axis was scanned backwards.")
    reverse_fast: bool = described(False, "The fast axis was scanned backwards.")
    swap_axes: bool = described(False, "Exchange y and x of the positions.")
    affine: Affine = described(Affine(), "How the scan differs from the nominal raster.")
    jitter_px: float = described(
        0.0, "Standard deviation of random shifts added at the start; 0 because a raster needs none.", unit="px", ge=0
    )
    adjust_loaded: bool = described(
        False, "Orientation, affine and jitter_px act on the positions of a result too, which were refined already."
    )


PadValue = Literal["vacuum", "mean", "edge"]


class Depth(Section):
    """What happens to a loaded object along the beam before it is resampled to object.slices: crop, then pad."""

    crop: Span | None = described(
        None, "First slice that is kept and the one after the last, from 0; null = all.", example=[2, 14]
    )
    pad: tuple[Annotated[int, Field(ge=0)], Annotated[int, Field(ge=0)]] = described(
        (0, 0), "Slices added before the first and behind the last.", unit="slices"
    )
    pad_values: tuple[PadValue, PadValue] = described(
        ("vacuum", "vacuum"), "What these slices hold: nothing, the mean of the slices, or the nearest one."
    )


class Object(Section):
    """The specimen's grid and what it starts from."""

    slices: Count = described(1, "Slices along the beam; 1 is ordinary ptychography.", unit="slices")
    slice_thickness_angstrom: LengthOrMany | None = described(
        None, "Distance between slices: one number, or slices - 1 of them; null = as the result in object.path has it.",
        unit="angstrom", example=2.0,
    )  # fmt: skip
    total_thickness_angstrom: Length | None = described(
        None, "Thickness of the whole specimen instead: slices times their distance, so that another number of slices "
        "leaves it as it is.", unit="angstrom", example=12.0,
    )  # fmt: skip
    modes: Count = described(1, "Mixed object modes, e.g. for thermal motion.", unit="modes")
    occupancies: tuple[Fraction, ...] | None = described(
        None, "Weight of each object mode; 1/modes each by default.", unit="of 1", example=[0.5, 0.5]
    )
    margin: float = described(
        0.2, "Room around the scan on the canvas, as a share of the probe window; it grows by itself.", ge=0, le=100
    )
    tilt_mrad: tuple[Tilt, Tilt] = described((0.0, 0.0), "Tilt of the crystal (y, x) at the start.", unit="mrad")
    tilts_mrad: tuple[tuple[Tilt, Tilt], ...] | None = described(
        None, "A tilt (y, x) for every position in the order of the scan, instead of tilt_mrad.", unit="mrad",
        example=[[0.0, 1.0], [0.0, 1.1]],
    )  # fmt: skip
    tilt_per_position: bool = described(False, "One tilt for each position instead of one for all.")
    path: str | None = described(
        None, "A result of ptycupy, PtyRAD, phaser, PtychoShelves or py4DSTEM, or an array, whose object is the start "
        "instead of an empty one, relative to this file's folder.", example="runs/first/result.h5",
    )  # fmt: skip
    key: str | None = described(
        None, "Dataset of that object: complex, or phase in rad, up to (mode, slice, y, x).", example="object"
    )
    depth: Depth = described(Depth(), "What happens to that object along the beam before it is resampled to `slices`.")
    tilt_path: str | None = described(
        None, "A result, or an array (2,), (1, 2) or (N, 2) in mrad, whose tilts are the start instead of tilt_mrad.",
        example="runs/first/result.h5",
    )  # fmt: skip
    tilt_key: str | None = described(None, "Dataset of those tilts.", example="obj_tilts")

    @property
    def slice_distance_angstrom(self) -> float | tuple[float, ...] | None:
        """Distance between slices, as slice_thickness_angstrom or total_thickness_angstrom say; None where neither."""
        if self.total_thickness_angstrom is not None:
            return self.total_thickness_angstrom / self.slices
        return self.slice_thickness_angstrom


class Model(Section):
    """How the beam goes through the specimen to the detector."""

    propagator: Literal["angular_spectrum", "fresnel"] = described(
        "angular_spectrum", "Between slices: the exact angular spectrum, or its paraxial limit."
    )
    anti_aliasing: bool = described(False, "Limit waves to 2/3 of the largest frequency between slices.")
    near_field_distance_mm: Positive | None = described(
        None, "Near-field (Fresnel) ptychography: effective distance from specimen to detector, which for a cone beam "
        "is the distance over the magnification; null = far field. Patterns are then images with the pixel size of "
        "calibration.mode: pixel_size_angstrom.", unit="mm", example=5.0,
    )  # fmt: skip
    window_shape: Shape | None = described(
        None, "Probe window (y, x) if it differs from the detector.", unit="px", example=[256, 256]
    )
    detector_match: Literal["crop", "resample"] = described(
        "crop", "How a window larger than the detector is brought to it: cut out the centre, or interpolate."
    )
    detector_blur_px: float = described(
        0.0, "Standard deviation of the detector's point spread.", unit="px", ge=0, le=1000
    )
    dtype: Literal["float32", "float64"] = described("float32", "Precision; float64 runs on the CPU and is for checks.")
