"""Constraints: their names, and when each of them runs."""

from __future__ import annotations

from typing import Any

from pydantic import ConfigDict, Field, field_validator, model_validator

from ptycupy.config import constraint_sections as sections
from ptycupy.config.base import Count, Section, described, refusal
from ptycupy.config.registered import CONSTRAINTS, registered

# In the order in which they run.
PARAMETERS: dict[str, type[Section]] = {
    "probe_centring": sections.ProbeCentring,
    "phase_ramp_removal": sections.PhaseRampRemoval,
    "probe_object_ambiguity": sections.ProbeObjectAmbiguity,
    "probe_fourier_mask": sections.ProbeFourierMask,
    "probe_real_mask": sections.ProbeRealMask,
    "probe_support": sections.ProbeSupport,
    "orthogonal_probe": sections.OrthogonalProbe,
    "fixed_probe_intensity": sections.FixedProbeIntensity,
    "lateral_blur": sections.LateralBlur,
    "depth_blur": sections.DepthBlur,
    "total_variation": sections.TotalVariation,
    "tikhonov": sections.Tikhonov,
    "lateral_low_pass": sections.LateralLowPass,
    "butterworth_low_pass": sections.ButterworthLowPass,
    "missing_wedge": sections.MissingWedge,
    "frequency_threshold": sections.FrequencyThreshold,
    "grid_artefact_removal": sections.GridArtefactRemoval,
    "complex_ratio": sections.ComplexRatio,
    "mirrored_amplitude": sections.MirroredAmplitude,
    "depth_recentring": sections.DepthRecentring,
    "amplitude_threshold": sections.AmplitudeThreshold,
    "positive_phase": sections.PositivePhase,
    "position_recentring": sections.PositionRecentring,
    "tilt_smoothing": sections.TiltSmoothing,
}

PTYRAD_NAMES = {
    "probe_mask_k": "probe_fourier_mask",
    "probe_mask_r": "probe_real_mask",
    "ortho_pmode": "orthogonal_probe",
    "fix_probe_int": "fixed_probe_intensity",
    "obj_rblur": "lateral_blur",
    "obj_zblur": "depth_blur",
    "kr_filter": "lateral_low_pass",
    "kz_filter": "missing_wedge",
    "kr_thresh": "frequency_threshold",
    "mirrored_amp": "mirrored_amplitude",
    "obj_z_recenter": "depth_recentring",
    "obja_thresh": "amplitude_threshold",
    "objp_postiv": "positive_phase",
    "pos_recenter": "position_recentring",
    "tilt_smooth": "tilt_smoothing",
}


class Constraint(Section):
    """One constraint: when it runs and its own parameters, which `model_extra` holds as they were given.

    Names other than PARAMETERS come from the entry-point group `ptycupy.constraints`.
    """

    model_config = ConfigDict(extra="allow")

    name: str = Field(
        description="Which constraint; they run in their fixed order after every iteration.", examples=["depth_blur"]
    )
    start: Count = described(1, "First iteration in which it runs.", unit="iterations")
    step: Count = described(1, "Iterations from one run of it to the next.", unit="iterations")
    end: Count | None = described(None, "Iteration from which it no longer runs; null = never.", unit="iterations")

    @field_validator("name")
    @classmethod
    def _known(cls, name: str) -> str:
        return registered(name, tuple(PARAMETERS), CONSTRAINTS, PTYRAD_NAMES)

    @model_validator(mode="after")
    def _right_parameters(self) -> Constraint:
        if self.name in PARAMETERS:
            PARAMETERS[self.name].model_validate(self.model_extra)
        if self.end is not None and self.end <= self.start:
            raise refusal("constraint", [(("end",), f"{self.end} must be after start, which is {self.start}")])
        return self


DEFAULT_CONSTRAINTS = (
    Constraint(name="orthogonal_probe"),
    Constraint(name="fixed_probe_intensity"),
    Constraint.model_validate({"name": "depth_blur", "std": 1.0}),
    Constraint.model_validate({"name": "amplitude_threshold", "thresh": (0.98, 1.02)}),
    Constraint(name="positive_phase"),
    Constraint(name="position_recentring"),
)


def as_list(values: Any) -> Any:
    """Constraints written as a mapping, `depth_blur: {std: 1.0}`, as the list of them; anything else unchanged."""
    if not isinstance(values, dict):
        return values
    return tuple(
        {"name": name, **({} if given is None else given)} if given is None or isinstance(given, dict) else given
        for name, given in values.items()
    )
