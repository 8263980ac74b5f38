"""Constraints: their names, and the parameters that each of them has."""

from __future__ import annotations

from typing import Any, Literal

from pydantic import ConfigDict, Field, field_validator, model_validator

from ptycupy.config.base import Count, Positive, Relax, Section, described, refusal
from ptycupy.config.registered import CONSTRAINTS, registered


class OrthogonalProbe(Section):
    """Probe modes made orthogonal, strongest first."""


class FixedProbeIntensity(Section):
    """Total intensity of the probe held."""

    target: Positive | None = described(None, "Total intensity; null = as at the start.")


class Blur(Section):
    """What both blurs share."""

    obj_type: Literal["amplitude", "phase", "both"] = described("both", "What is blurred.")
    kernel_size: Count = described(5, "Length of the kernel.", unit="px")
    relax: Relax = described(0.0, "Share of the unblurred object that is kept.")


class LateralBlur(Blur):
    """Gaussian blur of the object within each slice."""

    std: float = described(0.4, "Standard deviation.", unit="px", ge=0, le=1000)


class DepthBlur(Blur):
    """Gaussian blur of the object along the beam."""

    std: float = described(1.0, "Standard deviation.", unit="slices", ge=0, le=1000)


class AmplitudeThreshold(Section):
    """Amplitude of the object kept within limits."""

    thresh: tuple[float, float] = described((0.98, 1.02), "Lowest and highest amplitude.")
    relax: Relax = described(0.0, "Share of the unlimited amplitude that is kept.")

    @field_validator("thresh")
    @classmethod
    def _ordered(cls, thresh: tuple[float, float]) -> tuple[float, float]:
        if not 0 <= thresh[0] < thresh[1]:
            raise ValueError(f"[{thresh[0]:g}, {thresh[1]:g}] must be [low, high] with 0 <= low < high")
        return thresh


class PositivePhase(Section):
    """Negative phase of the object set to 0."""

    relax: Relax = described(0.0, "Share of the negative phase that is kept.")


class PositionRecentring(Section):
    """Mean of all position shifts removed, so that object and probe do not drift together."""

    relax: Relax = described(0.0, "Share of the mean shift that is kept.")


# In the order in which they run.
PARAMETERS: dict[str, type[Section]] = {
    "orthogonal_probe": OrthogonalProbe,
    "fixed_probe_intensity": FixedProbeIntensity,
    "lateral_blur": LateralBlur,
    "depth_blur": DepthBlur,
    "amplitude_threshold": AmplitudeThreshold,
    "positive_phase": PositivePhase,
    "position_recentring": PositionRecentring,
}

PTYRAD_NAMES = {
    "ortho_pmode": "orthogonal_probe",
    "fix_probe_int": "fixed_probe_intensity",
    "obj_rblur": "lateral_blur",
    "obj_zblur": "depth_blur",
    "obja_thresh": "amplitude_threshold",
    "objp_postiv": "positive_phase",
    "pos_recenter": "position_recentring",
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
