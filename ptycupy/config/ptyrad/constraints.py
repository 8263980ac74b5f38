"""PtyRAD's `constraint_params`. A constraint that is written without start_iter is off, whatever its default."""

from __future__ import annotations

from typing import Literal

from ptycupy.config.base import Count
from ptycupy.config.ptyrad.part import Part

ObjectType = Literal["amplitude", "phase", "both"]


class Timed(Part):
    """When a constraint runs; `freq` is the older name of `step`, with a start in iteration 1."""

    start_iter: Count | None = None
    step: Count | None = 1
    end_iter: Count | None = None
    freq: Count | None = None


class ProbeMaskK(Timed):
    """Mask of the probe in Fourier space."""

    radius: float = 0.22
    width: float = 0.05
    power_thresh: float = 0.95


class ProbeMaskR(Timed):
    """Mask of the probe in its sharpest plane."""

    radius: float = 0.95
    order: float = 6.0
    power_thresh: float = 0.95
    z_range: tuple[float, float] = (-500.0, 500.0)
    z_steps: Count = 101


class Blur(Timed):
    """Blur of the object."""

    obj_type: ObjectType = "both"
    kernel_size: Count = 5
    std: float = 1.0


class LateralBlur(Blur):
    """Blur within slices."""

    std: float = 0.4


class KrFilter(Timed):
    """Lateral low pass."""

    obj_type: ObjectType = "both"
    radius: float = 0.15
    width: float = 0.05


class KzFilter(Timed):
    """Missing wedge."""

    obj_type: ObjectType = "both"
    beta: float = 1.0
    alpha: float = 1.0


class KrThresh(Timed):
    """Largest cosine coefficients."""

    obj_type: ObjectType = "both"
    thresh: float = 0.05


class ComplexRatio(Timed):
    """One ratio of absorption and phase."""

    obj_type: ObjectType = "both"
    alpha1: float = 1.0
    alpha2: float = 0.0


class MirroredAmp(Timed):
    """Amplitude from the phase."""

    relax: float = 0.1
    scale: float = 0.03
    power: float = 4.0


class ZRecenter(Timed):
    """Object moved to the middle slice."""

    thresh: float | None = 95.0
    scale: float | None = 1.0
    max_shift: float | None = 10.0


class Relaxed(Timed):
    """A constraint with relaxation alone."""

    relax: float = 0.0


class AmplitudeThresh(Relaxed):
    """Limits of the amplitude."""

    thresh: tuple[float, float] = (0.96, 1.04)


class TiltSmooth(Timed):
    """Blur of the tilts."""

    std: float = 2.0


class ConstraintParams(Part):
    """The section `constraint_params`."""

    probe_mask_k: ProbeMaskK = ProbeMaskK()
    probe_mask_r: ProbeMaskR = ProbeMaskR()
    ortho_pmode: Timed = Timed(start_iter=1)
    fix_probe_int: Timed = Timed(start_iter=1)
    obj_rblur: LateralBlur = LateralBlur(start_iter=1)
    obj_zblur: Blur = Blur(start_iter=1)
    kr_filter: KrFilter = KrFilter()
    kz_filter: KzFilter = KzFilter()
    kr_thresh: KrThresh = KrThresh()
    complex_ratio: ComplexRatio = ComplexRatio()
    mirrored_amp: MirroredAmp = MirroredAmp()
    obj_z_recenter: ZRecenter = ZRecenter()
    obja_thresh: AmplitudeThresh = AmplitudeThresh()
    objp_postiv: Relaxed = Relaxed()
    pos_recenter: Relaxed = Relaxed(start_iter=1)
    tilt_smooth: TiltSmooth = TiltSmooth()
