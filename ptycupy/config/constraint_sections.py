"""The parameters that each constraint has, under the names that they have in PtyRAD."""

from __future__ import annotations

from typing import Literal

from pydantic import field_validator

from ptycupy.config.base import Count, Fraction, Positive, Relax, Section, described


class Relaxed(Section):
    """What all constraints share."""

    relax: Relax = described(0.0, "Share of what was before that is kept; 1 = no constraint.")


class OnObject(Relaxed):
    """What constraints on amplitude, phase or both share."""

    obj_type: Literal["amplitude", "phase", "both"] = described("both", "What is constrained.")


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


class LateralLowPass(OnObject):
    """Object limited to a soft disk of lateral frequencies."""

    radius: Positive = described(0.15, "Radius of the disk.", unit="of the Nyquist frequency")
    width: Positive = described(0.05, "Softness of its edge.", unit="of the sampling frequency")


class MissingWedge(OnObject):
    """Depth frequencies damped where lateral ones cannot tell them; periodic in depth, depth_blur is milder."""

    beta: float = described(1.0, "Steepness of the wedge.", ge=0)
    alpha: float = described(1.0, "Damping of high lateral frequencies.", ge=0)


class FrequencyThreshold(OnObject):
    """Only the largest cosine coefficients of the object kept."""

    thresh: float = described(0.05, "Share of the coefficients that is kept.", gt=0, le=1)


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
