"""Constraints: projections applied once per iteration, after all batches, in a fixed order.

A constraint is an object called with (backend, parameters, context) that changes the parameters in place; every
per-pixel step is a kernel of the backend. relax = 1 means no constraint, 0 the full one.
"""

from __future__ import annotations

from collections.abc import Callable

from ptycupy.config import registered
from ptycupy.config.registered import make
from ptycupy.update.constraints.depth import DepthRecentring
from ptycupy.update.constraints.gauge import PhaseRampRemoval, ProbeCentring, ProbeObjectAmbiguity
from ptycupy.update.constraints.interface import Constrain, Context
from ptycupy.update.constraints.object import (
    AmplitudeThreshold,
    ComplexRatio,
    DepthBlur,
    LateralBlur,
    MirroredAmplitude,
    PositivePhase,
)
from ptycupy.update.constraints.positions import PositionRecentring, TiltSmoothing
from ptycupy.update.constraints.probe import (
    FixedProbeIntensity,
    OrthogonalProbe,
    ProbeFourierMask,
    ProbeRealMask,
    ProbeSupport,
)
from ptycupy.update.constraints.smoothness import Tikhonov, TotalVariation
from ptycupy.update.constraints.spectral import (
    ButterworthLowPass,
    FrequencyThreshold,
    GridArtefactRemoval,
    LateralLowPass,
    MissingWedge,
)
from ptycupy.update.settings import Constraint

# In the order in which they run: PtyRAD 1.0.0's own, and ours where they belong. What the patterns cannot tell comes
# first, so that masks and limits find probe and object in their places; the support goes with the masks, smoothness
# with the blurs and notches with the filters, so that limits of amplitude and phase still have the last word.
CONSTRAINTS: dict[str, Callable[..., Constrain]] = {
    "probe_centring": ProbeCentring,
    "phase_ramp_removal": PhaseRampRemoval,
    "probe_object_ambiguity": ProbeObjectAmbiguity,
    "probe_fourier_mask": ProbeFourierMask,
    "probe_real_mask": ProbeRealMask,
    "probe_support": ProbeSupport,
    "orthogonal_probe": OrthogonalProbe,
    "fixed_probe_intensity": FixedProbeIntensity,
    "lateral_blur": LateralBlur,
    "depth_blur": DepthBlur,
    "total_variation": TotalVariation,
    "tikhonov": Tikhonov,
    "lateral_low_pass": LateralLowPass,
    "butterworth_low_pass": ButterworthLowPass,
    "missing_wedge": MissingWedge,
    "frequency_threshold": FrequencyThreshold,
    "grid_artefact_removal": GridArtefactRemoval,
    "complex_ratio": ComplexRatio,
    "mirrored_amplitude": MirroredAmplitude,
    "depth_recentring": DepthRecentring,
    "amplitude_threshold": AmplitudeThreshold,
    "positive_phase": PositivePhase,
    "position_recentring": PositionRecentring,
    "tilt_smoothing": TiltSmoothing,
}


def make_constraint(constraint: Constraint) -> Constrain:
    """The callable behind a Constraint; a package's own is registered as `ptycupy.constraints`.

    Raises ConfigError for an unknown name or parameter.
    """
    if not isinstance(constraint.name, str):
        given: Constrain = constraint.name
        return given
    name = f"constraint {constraint.name}"
    made: Constrain = make(name, constraint.name, constraint.parameters, CONSTRAINTS, registered.CONSTRAINTS)
    return made


def in_order(constraints: list[Constraint] | tuple[Constraint, ...]) -> list[Constraint]:
    """The constraints as they run: the known ones in their fixed order, a user's own after them as given."""
    order = list(CONSTRAINTS)
    return sorted(constraints, key=lambda c: order.index(c.name) if c.name in order else len(order))


__all__ = ["CONSTRAINTS", "Constrain", "Context", "in_order", "make_constraint"]
