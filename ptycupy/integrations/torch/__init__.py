"""ptycupy's forward model as ops of PyTorch: with autograd, on tensors where they lie.

    from ptycupy.integrations.torch import diffraction, multislice_forward, patches, transfer

Tensors of a CPU are computed by the CPU backend, those of an NVIDIA GPU by the CUDA backend, on the caller's current
stream and without a copy. float32 with complex64 or float64 with complex128 throughout. Everything may be called from
several threads. `torch.compile` takes the ops into its graphs; there, and where a graph is gone back through a second
time, the way is computed again before the gradients, while in eager mode the waves are kept. The gradients themselves
cannot be differentiated (NotSupported), those of `patches` can.
"""

from __future__ import annotations

import torch
from torch.fft import fftshift

from ptycupy.integrations.torch import ops
from ptycupy.integrations.torch.arguments import COMPLEX, require_axes, require_like, require_real, require_shape
from ptycupy.integrations.torch.memory import NotSupported, WrongType, WrongValue
from ptycupy.integrations.torch.optimizer import Adam
from ptycupy.integrations.torch.propagators import transfer
from ptycupy.integrations.torch.run import Inputs

FLOOR = 1e-10  # what the backends add to intensities


def diffraction(
    amplitude: torch.Tensor,
    phase: torch.Tensor,
    probe: torch.Tensor,
    corners: torch.Tensor,
    shifts: torch.Tensor | None = None,
    transfer: torch.Tensor | None = None,
    occupancy: torch.Tensor | None = None,
) -> torch.Tensor:
    """Patterns (n, y, x) in the probe's units, beam centred, of a probe at n places of an object; 1e-10 is added.

    amplitude, phase: (o, z, Y, X), o object modes and z slices, phase in rad. probe: (p, y, x) complex, p modes,
    centred in its array. corners: (n, 2) int32, the top-left corner (y, x) of each window in px. shifts: (n, 2) px
    (y, x), how far the probe is from there (None = 0). transfer: (1 or n, y, x), or (1 or z - 1, 1 or n, y, x) with one
    for each gap, zero frequency in the corner: what `transfer` makes; needed for more than one slice. occupancy: (o,)
    weights of the object modes, None = 1/o each. All but the corners may require gradients.

    Mixed-state multislice (PtyRAD paper, Eqs. 1-5). Raises WrongType (a TypeError) or WrongValue (a ValueError) that
    names the argument.
    """
    require_real("amplitude", amplitude)
    require_axes("amplitude", amplitude, "o z Y X")
    beside = "amplitude", amplitude
    require_like("phase", phase, amplitude.dtype, *beside)
    require_shape("phase", phase, tuple(amplitude.shape), meaning="as the amplitude")
    require_like("probe", probe, COMPLEX[amplitude.dtype], *beside)
    require_axes("probe", probe, "p y x")
    _require_corners(corners, *beside)
    n = corners.shape[0]
    if shifts is None:
        shifts = amplitude.new_zeros((n, 2))
    require_like("shifts", shifts, amplitude.dtype, *beside)
    require_shape("shifts", shifts, (n, 2), meaning="px (y, x) of each pattern")
    window = probe.shape[-2], probe.shape[-1]
    tables = _gaps("transfer", transfer, n, amplitude.shape[1], window, *beside)
    weights = _occupancy("occupancy", occupancy, amplitude.shape[0], *beside)
    return fftshift(ops.diffraction(Inputs(amplitude, phase, probe, shifts, tables, corners, weights)), dim=(-2, -1))


def multislice_forward(
    obja_patches: torch.Tensor,
    objp_patches: torch.Tensor,
    probe: torch.Tensor,
    H: torch.Tensor,
    omode_occu: torch.Tensor | None = None,
    eps: float = FLOOR,
) -> torch.Tensor:
    """The function of this name in PtyRAD 1.0.0 (`ptyrad.core.forward`), argument by argument: patterns (N, Ky, Kx).

    obja_patches, objp_patches: (N, omode, Nz, Ny, Nx) amplitude and phase in rad. probe: (N or 1, pmode, Ny, Nx)
    complex. H: (N or 1, Ny, Nx) complex, zero frequency in the corner. omode_occu: (omode,), None = 1/omode. eps is
    added to the intensities. All tensors may require gradients. Raises as `diffraction`.
    """
    require_real("obja_patches", obja_patches)
    require_axes("obja_patches", obja_patches, "n omode Nz Ny Nx")
    beside = "obja_patches", obja_patches
    n, modes, slices, height, width = obja_patches.shape
    require_like("objp_patches", objp_patches, obja_patches.dtype, *beside)
    require_shape("objp_patches", objp_patches, tuple(obja_patches.shape), meaning="as obja_patches")
    require_like("probe", probe, COMPLEX[obja_patches.dtype], *beside)
    require_axes("probe", probe, "n pmode Ny Nx")
    shapes = [(count, probe.shape[1], height, width) for count in (n, 1)]
    require_shape("probe", probe, *shapes, meaning="one for each pattern or for all")
    require_like("H", H, COMPLEX[obja_patches.dtype], *beside)
    require_shape("H", H, *((count, height, width) for count in (n, 1)), meaning="one for each pattern or for all")
    weights = _occupancy("omode_occu", omode_occu, modes, *beside)
    # One below the other, the patches are an object on which every pattern has a place of its own.
    rows = torch.arange(n, dtype=torch.int32, device=obja_patches.device) * height
    corners = torch.stack([rows, torch.zeros_like(rows)], dim=1)
    object_shape = modes, slices, n * height, width
    amplitude, phase = (x.permute(1, 2, 0, 3, 4).reshape(object_shape) for x in (obja_patches, objp_patches))
    waves = probe.expand(n, -1, -1, -1)
    tables = H[None] if slices > 1 else None
    found = ops.diffraction(Inputs(amplitude, phase, waves, None, tables, corners, weights))
    patterns = fftshift(found, dim=(-2, -1))
    return patterns if eps == FLOOR else patterns + (eps - FLOOR)


def patches(field: torch.Tensor, corners: torch.Tensor, window: tuple[int, int]) -> torch.Tensor:
    """Windows (n, o, z, y, x) of a real field (o, z, Y, X), at corners (n, 2) int32 px; `window` is (y, x).

    Its gradient adds every window to its place. Raises as `diffraction`.
    """
    require_real("field", field)
    require_axes("field", field, "o z Y X")
    _require_corners(corners, "field", field)
    found: torch.Tensor = ops.patches(field, corners, *window)
    return found


def _require_corners(corners: torch.Tensor, first: str, reference: torch.Tensor) -> None:
    require_like("corners", corners, torch.int32, first, reference)
    require_shape("corners", corners, (corners.shape[0] if corners.ndim else 0, 2), meaning="px (y, x) of each pattern")


def _gaps(
    name: str,
    given: torch.Tensor | None,
    n: int,
    slices: int,
    window: tuple[int, int],
    first: str,
    reference: torch.Tensor,
) -> torch.Tensor | None:
    """The transfer functions [1 or z - 1, 1 or n, y, x]; None where there is no gap for them."""
    if given is None:
        if slices > 1:
            raise WrongValue(f"{name}: None, but {slices} slices have gaps between them: see `transfer`")
        return None
    require_like(name, given, COMPLEX[reference.dtype], first, reference)
    tables = given if given.ndim == 4 else given[None]
    allowed = [(gaps, tilts, *window) for gaps in (1, max(slices - 1, 1)) for tilts in (1, n)]
    require_shape(name, tables, *allowed, meaning="(gaps, 1 or n, y, x)")
    return tables if slices > 1 else None


def _occupancy(name: str, given: torch.Tensor | None, modes: int, first: str, reference: torch.Tensor) -> torch.Tensor:
    if given is None:
        return reference.new_full((modes,), 1 / modes)
    require_like(name, given, reference.dtype, first, reference)
    require_shape(name, given, (modes,), meaning="one weight per object mode")
    return given


__all__ = [
    "Adam",
    "NotSupported",
    "WrongType",
    "WrongValue",
    "diffraction",
    "multislice_forward",
    "patches",
    "transfer",
]
