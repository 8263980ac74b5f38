"""The refinable arrays on a device, as the tape and the optimizers see them."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import DTypeLike, NDArray

from ptycupy.backends.exchange import to_numpy
from ptycupy.backends.interface import Array, Backend
from ptycupy.errors import ConfigError, DataError
from ptycupy.experiment.state import COMPLEX_FIELDS, FIELDS, State


@dataclass
class Parameters:
    """A State on a device; also the shape of its gradients and optimizer moments."""

    object_amplitude: Array  # [o, z, Y, X] real
    object_phase: Array  # [o, z, Y, X] real
    probe: Array  # [p, y, x] complex
    shifts: Array  # [N, 2] real
    tilts: Array  # [1 or N, 2] real
    slice_thickness: Array  # [1 or z - 1] real
    pattern_intensity: Array | None = None  # [N, 1] real
    background: Array | None = None  # [ky, kx] real, zero frequency in the corner
    descan: Array | None = None  # [N, 2] real
    aberrations: Array | None = None  # [K] real
    scan_affine: Array | None = None  # [4] real
    probe_variations: Array | None = None  # [v, y, x] complex
    variation_weights: Array | None = None  # [N, v] real

    @classmethod
    def of(cls, arrays: Mapping[str, Array]) -> Parameters:
        """The given fields; None for all others, as gradients have it."""
        return cls(**{name: arrays.get(name) for name in FIELDS})

    def zeros_like(self, backend: Backend, names: Collection[str]) -> Parameters:
        """Zeroed arrays of the same shapes, for gradients; None for the fields that are not named."""
        return Parameters.of({n: backend.zeros(a.shape, a.dtype) for n, a in self.items() if n in names})

    def only(self, names: Collection[str]) -> Parameters:
        """The same arrays of the fields that are named; None for all others."""
        return Parameters.of({n: a for n, a in self.items() if n in names})

    def items(self) -> Iterator[tuple[str, Array]]:
        """(field name, array) of the fields that are there."""
        for name in FIELDS:
            array = getattr(self, name)
            if array is not None:
                yield name, array

    @property
    def canvas(self) -> tuple[int, int]:
        return int(self.object_phase.shape[2]), int(self.object_phase.shape[3])

    @property
    def window(self) -> tuple[int, int]:
        return int(self.probe.shape[1]), int(self.probe.shape[2])

    @property
    def slices(self) -> int:
        return int(self.object_phase.shape[1])


def upload(backend: Backend, state: State) -> Parameters:
    """Device copies of a State's arrays of any kind; the caller's are never written to.

    Raises ConfigError where shapes do not fit each other, DataError for what is no array of the right kind.
    """
    host = {name: to_numpy(value, name) for name, value in state.items()}
    _check(host)
    host["slice_thickness"] = np.atleast_1d(host["slice_thickness"])
    if "pattern_intensity" in host:
        host["pattern_intensity"] = host["pattern_intensity"][:, None]
    if "background" in host:
        host["background"] = to_corner(host["background"])
    kinds = {name: backend.complex if name in COMPLEX_FIELDS else backend.real for name in host}
    return Parameters.of({name: owned(backend, host[name], kind) for name, kind in kinds.items()})


def owned(backend: Backend, values: NDArray[Any], dtype: DTypeLike) -> Array:
    """A device array of these values that shares no memory with them."""
    array = backend.zeros(values.shape, dtype)
    backend.copy(array, backend.asarray(np.asarray(values).astype(dtype)))
    return array


def download(backend: Backend, parameters: Parameters, scalar_thickness: bool) -> State:
    """Parameters or gradients as a State of new NumPy arrays, None where there is none."""
    host: dict[str, Any] = {name: np.array(backend.to_host(array)) for name, array in parameters.items()}
    if scalar_thickness and "slice_thickness" in host:
        host["slice_thickness"] = host["slice_thickness"][0]
    if "pattern_intensity" in host:
        host["pattern_intensity"] = host["pattern_intensity"][:, 0]
    if "background" in host:
        host["background"] = centred(host["background"])
    return State(**{name: host.get(name) for name in FIELDS})


def centred(patterns: NDArray[Any]) -> NDArray[Any]:
    """Patterns [..., ky, kx] with zero frequency moved from the corner to the centre."""
    return np.roll(patterns, [n // 2 for n in patterns.shape[-2:]], axis=(-2, -1))


def to_corner(patterns: NDArray[Any]) -> NDArray[Any]:
    """Patterns [..., ky, kx] with zero frequency moved from the centre to the corner."""
    return np.roll(patterns, [-(n // 2) for n in patterns.shape[-2:]], axis=(-2, -1))


def is_scalar(thickness: Any) -> bool:
    """Whether one slice thickness is given for all gaps, and not an array."""
    return to_numpy(thickness, "slice_thickness").ndim == 0


def _check(host: dict[str, NDArray[Any]]) -> None:
    for name, array in host.items():
        if array.dtype.kind == "c" and name not in COMPLEX_FIELDS:
            raise DataError(f"{name}: dtype {array.dtype} must be real")
    amplitude, phase, probe = host["object_amplitude"], host["object_phase"], host["probe"]
    if amplitude.ndim != 4 or amplitude.shape != phase.shape:
        raise ConfigError(
            f"object_amplitude {amplitude.shape} and object_phase {phase.shape} must both be (omode, z, y, x)"
        )
    if probe.ndim != 3:
        raise ConfigError(f"probe {probe.shape} must be (pmode, y, x)")
    if host["shifts"].ndim != 2 or host["shifts"].shape[1] != 2:
        raise ConfigError(f"shifts {host['shifts'].shape} must be (N, 2) in px (y, x)")
    positions = host["shifts"].shape[0]
    if host["tilts"].shape not in {(1, 2), (positions, 2)}:
        raise ConfigError(f"tilts {host['tilts'].shape} must be (1, 2) or ({positions}, 2) in mrad (y, x)")
    slices, thickness = amplitude.shape[1], host["slice_thickness"]
    if thickness.ndim and thickness.shape not in {(1,), (slices - 1,)}:
        raise ConfigError(
            f"slice_thickness {thickness.shape} must be a scalar or ({slices - 1},): one per gap of {slices} slices"
        )
    window = probe.shape[1:]
    expected: dict[str, tuple[tuple[int | None, ...], str]] = {
        "pattern_intensity": ((positions,), "one factor per position"),
        "background": ((None, None), "(ky, kx)"),
        "descan": ((positions, 2), "px (y, x) per position"),
        "aberrations": ((None,), "one angstrom value per name in Problem.aberrations"),
        "scan_affine": ((4,), "scale - 1, asymmetry, rotation, shear"),
        "probe_variations": ((None, *window), "(v, y, x), y and x as the probe's"),
        "variation_weights": ((positions, None), "(N, v)"),
    }
    for name, (shape, meaning) in expected.items():
        found = host[name].shape if name in host else shape
        if len(found) != len(shape) or any(n not in (None, m) for n, m in zip(shape, found, strict=True)):
            told = ", ".join("any" if n is None else str(n) for n in shape)
            raise ConfigError(f"{name} {found} must be ({told}): {meaning}")
    variations, weights = host.get("probe_variations"), host.get("variation_weights")
    if (variations is None) != (weights is None) or (
        variations is not None and weights is not None and len(variations) != weights.shape[1]
    ):
        raise ConfigError("probe_variations (v, y, x) and variation_weights (N, v) belong together, with the same v")
