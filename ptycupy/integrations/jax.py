"""ptycupy's forward model inside JAX: a function with its own gradient, computed by the CPU backend through callbacks.

    from ptycupy.integrations.jax import diffraction

It may stand in `jax.jit` and `jax.grad`. Arrays come to the host for it: it is for models of one's own on a CPU, and
for checking others. A gradient goes the way to the patterns once more, because callbacks keep nothing. Forward-mode and
second derivatives are refused by JAX; `jax.vmap` calls it once for each element.
"""

from __future__ import annotations

import functools
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from numpy.typing import NDArray

from ptycupy import backends
from ptycupy.backends.interface import Backend
from ptycupy.errors import ConfigError
from ptycupy.integrations.scattering import Given, Recorded

NAMES = ("amplitude", "phase", "probe", "shifts", "transfer")
FLOOR = 1e-10  # what the backends add to intensities
COMPLEX = {np.dtype(np.float32): np.dtype(np.complex64), np.dtype(np.float64): np.dtype(np.complex128)}


def diffraction(
    amplitude: Any,
    phase: Any,
    probe: Any,
    corners: Any,
    shifts: Any = None,
    transfer: Any = None,
    occupancy: Any = None,
) -> jax.Array:
    """Patterns (n, y, x) in the probe's units, beam centred, of a probe at n places of an object; 1e-10 is added.

    amplitude, phase: (o, z, Y, X), phase in rad. probe: (p, y, x) complex, centred in its array. corners: (n, 2) int32
    px (y, x), top-left. shifts: (n, 2) px, None = 0. transfer: (1 or z - 1, 1 or n, y, x) complex, zero frequency in
    the corner, needed for more than one slice. occupancy: (o,), None = 1/o each. Gradients for all but the corners;
    those of complex arrays follow JAX (the conjugate of dL/dRe + i dL/dIm). float32 with complex64, or float64 with
    complex128.

    Raises ConfigError, which names the argument, for shapes and dtypes that do not fit.
    """
    amplitude, phase, probe, corners = (jnp.asarray(x) for x in (amplitude, phase, probe, corners))
    _require("amplitude", amplitude, amplitude.dtype in COMPLEX and amplitude.ndim == 4, "(o, z, Y, X) of a real dtype")
    real, (modes, slices) = amplitude.dtype, amplitude.shape[:2]
    wave = COMPLEX[real]
    _require("phase", phase, phase.shape == amplitude.shape and phase.dtype == real, "as the amplitude")
    _require("probe", probe, probe.ndim == 3 and probe.dtype == wave, f"(p, y, x) of {wave}")
    fits = corners.ndim == 2 and corners.shape[1] == 2 and len(corners) > 0 and corners.dtype == np.int32
    _require("corners", corners, fits, "(n, 2) of int32, n at least 1")
    n, window = len(corners), probe.shape[1:]
    shifts = jnp.zeros((n, 2), real) if shifts is None else jnp.asarray(shifts)
    _require("shifts", shifts, shifts.shape == (n, 2) and shifts.dtype == real, f"({n}, 2) of {real}")
    if transfer is None and slices > 1:
        raise ConfigError(f"transfer: None, but {slices} slices have gaps between them")
    transfer = jnp.ones((1, 1, *window), wave) if transfer is None or slices == 1 else jnp.asarray(transfer)
    shapes = [(gaps, tilts, *window) for gaps in {1, max(1, slices - 1)} for tilts in {1, n}]
    _require("transfer", transfer, transfer.shape in shapes and transfer.dtype == wave, f"one of {shapes} of {wave}")
    weights = jnp.full((modes,), 1 / modes, real) if occupancy is None else jnp.asarray(occupancy)
    _require("occupancy", weights, weights.shape == (modes,) and weights.dtype == real, f"({modes},) of {real}")
    found = _diffraction(amplitude, phase, probe, shifts, transfer, corners, weights)
    return jnp.fft.fftshift(found, axes=(-2, -1))


def _require(name: str, given: Any, fits: bool, right: str) -> None:
    if not fits:
        raise ConfigError(f"{name}: {given.dtype} {given.shape} must be {right}")


@functools.cache
def _backend(dtype: np.dtype[Any]) -> Backend:
    return backends.select("cpu", dtype)


def _recorded(wanted: tuple[str, ...], arrays: tuple[Any, ...]) -> Recorded:
    host = [np.ascontiguousarray(array) for array in arrays]
    *fields, corners, occupancy = host
    given = dict(zip(NAMES, fields, strict=True))
    places = {"corners": corners, "indices": np.arange(len(corners), dtype=np.int32)}
    return Recorded(_backend(host[0].dtype), Given(**given, **places, occupancy=occupancy), wanted)


def _there(*arrays: Any) -> NDArray[Any]:
    return np.asarray(_recorded((), arrays).intensity)


def _back_on_host(grad: Any, *arrays: Any) -> tuple[NDArray[Any], ...]:
    grad, recorded = np.ascontiguousarray(grad), _recorded(NAMES, arrays)
    found = recorded.backward(grad)
    return (*(np.conj(found[name]) for name in NAMES), _of_occupancy(grad, arrays))


def _of_occupancy(grad: NDArray[Any], arrays: tuple[Any, ...]) -> NDArray[Any]:
    """Intensities are linear in it: each object mode alone shows its own part of the gradient."""
    *others, occupancy = arrays
    alone = np.eye(len(occupancy), dtype=grad.dtype)
    return np.array([np.vdot(grad, _there(*others, mode) - FLOOR) for mode in alone], grad.dtype)


@jax.custom_vjp  # type: ignore[untyped-decorator]
def _diffraction(*arrays: Any) -> Any:
    """[n, y, x], zero frequency in the corner."""
    amplitude, _, probe, _, _, corners, _ = arrays
    result = jax.ShapeDtypeStruct((len(corners), *probe.shape[1:]), amplitude.dtype)
    return jax.pure_callback(_there, result, *arrays, vmap_method="sequential")


def _forward(*arrays: Any) -> tuple[Any, Any]:
    return _diffraction(*arrays), arrays


def _backward(arrays: Any, grad: Any) -> tuple[Any, ...]:
    *fields, corners, occupancy = arrays
    shapes = tuple(jax.ShapeDtypeStruct(x.shape, x.dtype) for x in (*fields, occupancy))
    *grads, of_occupancy = jax.pure_callback(_back_on_host, shapes, grad, *arrays, vmap_method="sequential")
    return (*grads, np.zeros(corners.shape, jax.dtypes.float0), of_occupancy)


_diffraction.defvjp(_forward, _backward)

__all__ = ["diffraction"]
