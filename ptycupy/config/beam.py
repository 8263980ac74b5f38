"""Sections on the beam and on the calibration."""

from __future__ import annotations

from typing import Any, Literal

from pydantic import Field, model_validator

from ptycupy.config.base import (
    Count,
    KiloElectronvolt,
    Kilovolt,
    Milliradian,
    Positive,
    PositiveOrPair,
    Section,
    described,
)


class ZonePlate(Section):
    """A Fresnel zone plate that focuses X-rays (PtyRAD: Rn, dRn in metres; D_FZP, D_H, Ls)."""

    outer_radius_um: Positive = Field(
        description="Radius of the outermost zone (PtyRAD's Rn).", examples=[90.0], json_schema_extra={"unit": "um"}
    )
    outer_zone_width_nm: Positive = Field(
        description="Width of the outermost zone (PtyRAD's dRn).", examples=[50.0], json_schema_extra={"unit": "nm"}
    )
    aperture_um: Positive | None = described(
        None, "Diameter that is lit (PtyRAD's D_FZP); null = the whole zone plate.", unit="um", example=180.0
    )
    central_stop_um: float = described(0.0, "Diameter of the central stop (PtyRAD's D_H).", unit="um", ge=0)
    focus_to_sample_um: float = described(
        0.0, "How far downstream of the focus the sample stands (PtyRAD's Ls).", unit="um"
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
    zone_plate: ZonePlate | None = described(
        None, "The zone plate that focuses an X-ray beam, instead of a convergence angle."
    )
    aberrations: dict[str, float] = described(
        {},
        "Aberrations of the probe by Krivanek's or Haider's names, angles in degrees; C10 = -defocus.",
        unit="angstrom",
        example={"C10": -150.0, "C12": 20.0, "phi12": 30.0},
    )
    path: str | None = described(
        None, "File with a probe to start from instead of a simulated one (an array, or a result of ptycupy, PtyRAD, "
        "phaser, PtychoShelves or py4DSTEM), relative to this file's folder.", example="probe.h5",
    )  # fmt: skip
    key: str | None = described(None, "Dataset of that probe, complex (y, x) or (mode, y, x).", example="probe_guess")
    permute: tuple[int, int, int] | None = described(
        None, "New order of the axes (mode, y, x) of the loaded or simulated probe; [0, 2, 1] exchanges y and x, "
        "[2, 0, 1] takes a file's last axis as its modes.", example=[0, 2, 1],
    )  # fmt: skip
    modes: Count = described(4, "Mixed probe modes for partial coherence; 1 is a coherent probe.", unit="modes")
    mode_power: float = described(
        0.02, "Share of the intensity that each mode beyond the first starts with.", unit="of 1", gt=0, lt=1
    )
    shift_along_beam_angstrom: float = described(
        0.0, "The starting probe goes this far through vacuum first; positive is along the beam.", unit="angstrom",
        ge=-1e6, le=1e6,
    )  # fmt: skip
    variations: int = described(
        0,
        "Variations of the first probe mode over the scan (orthogonal probe relaxation, 1 to 3 are usual); their rates "
        "are optimizer.probe_variations and variation_weights.",
        unit="waves", ge=0,
    )  # fmt: skip
    refined_aberrations: tuple[str, ...] = described(
        (),
        "Coefficients that optimizer.aberrations refines, by cartesian names; the probe is changed by them.",
        example=["C10", "C12a", "C12b"],
    )
    total_intensity: Positive | None = described(
        None, "Intensity of the starting probe; by default that of a normalised pattern, which intensity_of chooses."
    )
    intensity_of: Literal["mean_pattern", "brightest_pattern"] = described(
        "mean_pattern", "The pattern whose intensity the starting probe has, unless total_intensity says it."
    )


class Calibration(Section):
    """How the pixel size is found. `mode: none` (or `pixel_size: null`): unknown, the run speaks in pixels."""

    mode: Literal[
        "fitted_disk", "pixel_size_angstrom", "dk_inverse_angstrom", "k_max_inverse_angstrom", "da_mrad",
        "angle_max_mrad", "n_alpha", "disk_radius_px", "detector_pixel_um", "file", "none",
    ] = described(
        "fitted_disk",
        "fitted_disk: radius of the bright-field disk and the convergence angle. pixel_size_angstrom: of the object. "
        "dk_inverse_angstrom, da_mrad: per detector pixel. k_max_inverse_angstrom, angle_max_mrad: at the detector's "
        "edge. n_alpha: edge in convergence angles. disk_radius_px: of the bright-field disk. "
        "detector_pixel_um: of the detector, which stands distance_m away. file: as the data file "
        "says. none: unknown, one slice only, all lengths in pixels.",
    )  # fmt: skip
    value: PositiveOrPair | None = described(
        None, "The number that `mode` names, in the unit of its name, for the detector as stored; or a pair (y, x).",
        example=0.1494,
    )  # fmt: skip
    distance_m: Positive | None = described(
        None, "Distance from the sample to the detector, for detector_pixel_um.", unit="m", example=2.0
    )

    @model_validator(mode="before")
    @classmethod
    def _uncalibrated(cls, values: Any) -> Any:
        return {"mode": "none"} if values == {"pixel_size": None} else values
