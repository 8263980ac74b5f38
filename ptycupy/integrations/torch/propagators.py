"""Transfer functions from slice to slice as tensors."""

from __future__ import annotations

import torch

from ptycupy.experiment.propagation import propagation_tables
from ptycupy.integrations.torch.arguments import COMPLEX
from ptycupy.integrations.torch.memory import WrongType


def transfer(
    window: tuple[int, int],
    pixel_size: float | tuple[float, float],
    wavelength: float,
    slice_thickness: float | torch.Tensor,
    tilts: torch.Tensor | None = None,
    dtype: torch.dtype = torch.float32,
    device: torch.device | str | None = None,
) -> torch.Tensor:
    """exp(i dz (sqrt(k^2 - K^2) - k + Ky tan(ty) + Kx tan(tx))) as (gaps, tilts, y, x), zero frequency in the corner.

    Complex, window in px (y, x). pixel_size (scalar or (y, x)), wavelength and slice_thickness (scalar or (gaps,)) in
    angstrom. tilts: (1 or n, 2) mrad (y, x), None = 0. Thickness and tilts may require gradients. dtype: float32 or
    float64 of the object that it is for. Evanescent waves vanish. Raises WrongType for another dtype.
    """
    if dtype not in COMPLEX:
        raise WrongType(f"dtype: {dtype}; it must be torch.float32 or torch.float64")
    tables = propagation_tables(window, pixel_size, wavelength)
    base, aperture, ky, kx = (
        torch.as_tensor(table, dtype=torch.float64, device=device)
        for table in (tables.base, tables.aperture, tables.ky, tables.kx)
    )
    thickness = torch.as_tensor(slice_thickness, dtype=torch.float64, device=device).reshape(-1, 1, 1, 1)
    slopes = torch.zeros((1, 2), dtype=torch.float64, device=device) if tilts is None else torch.tan(1e-3 * tilts)
    slopes = slopes.to(torch.float64)[:, :, None, None]
    angle = thickness * (base + ky[:, None] * slopes[:, 0] + kx * slopes[:, 1])
    return torch.polar(aperture.expand_as(angle), angle).to(COMPLEX[dtype])


__all__ = ["transfer"]
