"""The parameters that each constraint has, under the names that they have in PtyRAD."""

from __future__ import annotations

from typing import Literal

from pydantic import field_validator, model_validator

from ptycupy.config.base import Count, Fraction, Length, Positive, Relax, Section, described, refusal


class Relaxed(Section):
    """What all constraints share."""

    relax: Relax = described(0.0, "Share of what was before that is kept; 1 = no constraint.")


class OnObject(Relaxed):
    """What constraints on amplitude, phase or both share."""

    obj_type: Literal["amplitude", "phase", "both"] = described("both", "What is constrained.")


class ProbeCentring(Relaxed):
    """Probe moved to the middle of its window, positions back; patterns stay. Not with position_recentring."""


class PhaseRampRemoval(Relaxed):
    """Mean slope of the object's phase moved to the probe; patterns stay."""


class ProbeObjectAmbiguity(Relaxed):
    """Mean amplitude of every slice set to 1, probe scaled instead; patterns stay. Not with fixed_probe_intensity."""


class ProbeFourierMask(Relaxed):
    """Strong probe modes limited to a soft disk in Fourier space. Does not make up for the power that is lost."""

    radius: Positive = described(0.22, "Radius of the disk.", unit="of the Nyquist frequency")
    width: Positive = described(0.05, "Softness of its edge.", unit="of the sampling frequency")
    power_thresh: Fraction = described(0.95, "Share of the power that the masked modes hold.")


class ProbeRealMask(Relaxed):
    """Strong probe modes limited to a soft disk in the plane in which the probe is sharpest."""

    radius: Positive = described(0.95, "Radius of the disk.", unit="of half the window")
    order: Positive = described(6.0, "Order of the super-Gaussian: the higher, the harder its edge.")
    power_thresh: Fraction = described(0.95, "Share of the power that the masked modes hold.")
    z_range: tuple[float, float] = described((-500.0, 500.0), "Planes that are searched.", unit="angstrom")
    z_steps: Count = described(101, "Number of these planes.")

    @field_validator("z_range")
    @classmethod
    def _ordered(cls, z_range: tuple[float, float]) -> tuple[float, float]:
        if z_range[0] > z_range[1]:
            raise ValueError(f"[{z_range[0]:g}, {z_range[1]:g}] must be [low, high]")
        return z_range


class ProbeSupport(Relaxed):
    """Probe limited to a disk in its window."""

    radius: Positive = described(0.8, "Radius of the disk.", unit="of half the window")
    radius_angstrom: Length | None = described(None, "Radius that stands instead of it.", unit="angstrom", example=20.0)
    width: float = described(0.1, "Width of its soft edge, outwards.", unit="of the radius", ge=0)


class OrthogonalProbe(Relaxed):
    """Probe modes made orthogonal, strongest first."""


class FixedProbeIntensity(Relaxed):
    """Total intensity of the probe held."""

    target: Positive | None = described(None, "Total intensity; null = as at the start.")


class Blur(OnObject):
    """What both blurs share."""

    kernel_size: Count = described(5, "Length of the kernel.", unit="px")


class LateralBlur(Blur):
    """Gaussian blur of the object within each slice."""

    std: float = described(0.4, "Standard deviation.", unit="px", ge=0, le=1000)


class DepthBlur(Blur):
    """Gaussian blur of the object along the beam."""

    std: float = described(1.0, "Standard deviation.", unit="slices", ge=0, le=1000)


class TotalVariation(OnObject):
    """Total variation of the object lowered: noise goes, edges stay."""

    weight_lateral: float = described(1e-3, "Differences of neighbouring px that are noise.", ge=0)
    weight_depth: float = described(0.0, "Differences of neighbouring slices that are noise.", ge=0)
    iterations: Count = described(10, "Steps towards the optimum, each time.")

    @model_validator(mode="after")
    def _not_nothing(self) -> TotalVariation:
        if self.weight_lateral == self.weight_depth == 0:
            raise refusal("total_variation", [(("weight_lateral",), "0 must be positive where weight_depth is 0")])
        return self


class Tikhonov(OnObject):
    """Object smoothed by a step down the square of its gradient."""

    weight_lateral: float = described(0.05, "Length of the step within slices.", ge=0, le=0.25)
    weight_depth: float = described(0.0, "Length of the step along the beam.", ge=0, le=0.25)


class LateralLowPass(OnObject):
    """Object limited to a soft disk of lateral frequencies."""

    radius: Positive = described(0.15, "Radius of the disk.", unit="of the Nyquist frequency")
    width: Positive = described(0.05, "Softness of its edge.", unit="of the sampling frequency")


class ButterworthLowPass(OnObject):
    """Object limited to low lateral frequencies by a Butterworth filter."""

    radius: Positive = described(0.5, "Frequency that is halved.", unit="of the Nyquist frequency")
    order: Positive = described(2.0, "Order: the higher, the steeper.")


class MissingWedge(OnObject):
    """Depth frequencies damped where lateral ones cannot tell them; periodic in depth, depth_blur is milder."""

    beta: float = described(1.0, "Steepness of the wedge.", ge=0)
    alpha: float = described(1.0, "Damping of high lateral frequencies.", ge=0)


class FrequencyThreshold(OnObject):
    """Only the largest cosine coefficients of the object kept."""

    thresh: float = described(0.05, "Share of the coefficients that is kept.", gt=0, le=1)


class GridArtefactRemoval(OnObject):
    """Frequencies of the scan's raster taken out of the object. Whatever the object has there goes too."""

    width: Positive = described(0.05, "Standard deviation of a notch.", unit="of the raster's frequency")
    orders: Count | None = described(None, "Highest multiple of the raster's frequency; null = all.")
    step_px: tuple[Positive, Positive] | None = described(
        None, "Step of a raster along the axes (y, x); null = from the positions.", unit="px", example=(3.0, 3.0)
    )


class ComplexRatio(OnObject):
    """Amplitude and phase of the object brought to one ratio of absorption and phase."""

    alpha1: float = described(1.0, "How far the amplitude follows the phase.", ge=0, le=1)
    alpha2: float = described(0.0, "How far the phase follows the amplitude.", ge=0, le=1)


class MirroredAmplitude(Relaxed):
    """Amplitude of the object set to 1 - scale * phase^power."""

    relax: Relax = described(0.1, "Share of what was before that is kept; 1 = no constraint.")
    scale: float = described(0.03, "Absorption at a phase of 1 rad.", ge=0)
    power: Positive = described(4.0, "Power of the phase.")


class DepthRecentring(Relaxed):
    """Object moved to the middle of the slices, and the probe propagated with it."""

    thresh: float = described(95.0, "Percentile of the phase below which nothing counts.", ge=0, le=100)
    scale: float = described(1.0, "Share of the distance that is moved at once.", ge=0)
    max_shift: float = described(10.0, "Longest move at once.", unit="slices", ge=0)


class AmplitudeThreshold(Relaxed):
    """Amplitude of the object kept within limits."""

    thresh: tuple[float, float] = described((0.98, 1.02), "Lowest and highest amplitude.")

    @field_validator("thresh")
    @classmethod
    def _ordered(cls, thresh: tuple[float, float]) -> tuple[float, float]:
        if not 0 <= thresh[0] < thresh[1]:
            raise ValueError(f"[{thresh[0]:g}, {thresh[1]:g}] must be [low, high] with 0 <= low < high")
        return thresh


class PositivePhase(Relaxed):
    """Phase of the object of at least 0."""

    mode: Literal["clip_neg", "subtract_min"] = described(
        "clip_neg", "Negative values set to 0, or the smallest value of all subtracted."
    )


class PositionRecentring(Relaxed):
    """Mean of all position shifts removed, so that object and probe do not drift together."""


class TiltSmoothing(Relaxed):
    """Tilts of all positions blurred over the scan; needs one tilt per position."""

    std: float = described(2.0, "Standard deviation.", unit="scan positions", ge=0, le=1000)
