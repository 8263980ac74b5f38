"""Problem and State: the experiment as arrays, and everything about it that may be refined."""

from __future__ import annotations

from dataclasses import dataclass, fields, replace
from typing import Any, Literal

from ptycupy.data.counts import Storage


@dataclass(frozen=True)
class Problem:
    """What was measured and how; none of it changes during a reconstruction.

    Patterns have the beam in the centre. Corners are the integer top-left corners of the probe window on the
    object canvas. `pixel_size` and `wavelength` may be None for a single slice, which then speaks in pixels.
    """

    patterns: Any  # (N, ky, kx) array, PatternSource or PackedPatterns
    corners: Any  # (N, 2) int32 px (y, x)
    pixel_size: float | tuple[float, float] | None = None  # angstrom, scalar or (y, x)
    wavelength: float | None = None  # angstrom
    object_occupancy: Any = None  # (omode,), None = equal weights 1/omode
    detector_blur: float = 0.0  # px, standard deviation
    mask: Any = None  # (ky, kx) bool, True = the pixel counts
    scan_shape: tuple[int, int] | None = None
    pattern_scale: Any = 1.0  # multiplies patterns: scalar or (N,)
    pattern_weights: Any = None  # (N,) bool, False = the pattern is not used
    propagator: Literal["angular_spectrum", "fresnel"] = "angular_spectrum"
    anti_aliasing: bool = False
    near_field_distance: float | None = None  # angstrom from the exit plane to the detector; None = far field
    detector_match: Literal["crop", "resample"] = "crop"  # where the window is larger than the detector
    pattern_padding: Any = None  # (Y, X) background put around every scaled pattern; its middle ky kx are not looked at
    pattern_resampling: tuple[float, float] | None = None  # new pixels per (padded) pixel, (y, x); the sum is preserved
    aberrations: tuple[str, ...] = ()  # what State.aberrations are the coefficients of, as C10, C12a, C12b, C30
    pattern_storage: Storage = "dense"  # on the device; auto = the smallest form that is exact
    nominal_positions: Any = None  # (N, 2) px, any origin, that State.scan_affine distorts; None = the corners


@dataclass(frozen=True)
class State:
    """Everything that may be refined; gradients have the same shape and field names.

    The fields from `pattern_intensity` on are optional: None means that the model does without them.
    """

    object_amplitude: Any  # (omode, z, y, x) float32
    object_phase: Any  # (omode, z, y, x) float32, rad
    probe: Any  # (pmode, y, x) complex64, centred in its array
    shifts: Any  # (N, 2) float32 px (y, x)
    tilts: Any  # (1|N, 2) float32 mrad (y, x)
    slice_thickness: Any  # scalar or (z-1,) angstrom
    pattern_intensity: Any = None  # (N,) factor on the modelled pattern of each position
    background: Any = None  # (ky, kx) intensity added to every pattern, at least 0, beam centred
    descan: Any = None  # (N, 2) px of the detector (y, x): where each pattern lies on it
    aberrations: Any = None  # (K,) angstrom: changes of the coefficients named in Problem.aberrations
    scan_affine: Any = None  # (4,) scale - 1, asymmetry, rotation and shear in degrees, of the nominal positions
    probe_variations: Any = None  # (v, y, x) complex64: how the first probe mode varies over the scan
    variation_weights: Any = None  # (N, v): how much of each variation a position has

    def replace(self, **changes: Any) -> State:
        """The same state with some fields exchanged."""
        return replace(self, **changes)

    def items(self) -> list[tuple[str, Any]]:
        """(field name, array) pairs in the fixed order of FIELDS, without those that are None."""
        pairs = [(name, getattr(self, name)) for name in FIELDS]
        return [(name, value) for name, value in pairs if value is not None]


FIELDS = tuple(field.name for field in fields(State))
OPTIONAL_FIELDS = FIELDS[6:]
COMPLEX_FIELDS = ("probe", "probe_variations")
