"""ptycupy as the forward model of pty-chi 2.2: autodifferentiation that runs through our slices.

    options = ptychi.api.AutodiffPtychographyOptions()
    options.reconstructor_options.forward_model_class = PtycupyForwardModel

Windows, slices and far field are ptycupy's, forward and back; the probe of each position (OPR modes, sub-pixel shift of
the first mode), detector and blur stay pty-chi's own, so that the model is the same.
"""

from __future__ import annotations

from typing import Any

import torch
from ptychi.forward_models import PlanarPtychographyForwardModel  # type: ignore[import-not-found]

from ptycupy.integrations.torch import transfer
from ptycupy.integrations.torch.ops import diffraction
from ptycupy.integrations.torch.run import Inputs

METRE = 1e10  # angstrom


class PtycupyForwardModel(PlanarPtychographyForwardModel):
    """Intensities [n, h, w] as PlanarPtychographyForwardModel computes them, to float32.

    Falls back to pty-chi's own code for what ptycupy's ops are not made for: a probe on another grid than the object,
    object patches shifted instead of the probe, propagation over a finite distance to the detector, windows that leave
    the object, and where patches or intermediate waves are asked for.
    """

    def forward(self, indices: torch.Tensor, return_object_patches: bool = False) -> Any:
        """Predicted intensities, zero frequency in the corner."""
        indices = indices.to(self.object.tensor.data.device)
        corners = self._corners(indices)
        if return_object_patches or corners is None:
            return super().forward(indices, return_object_patches)
        self.dip_generate()
        waves = self.shift_unique_probes(indices, self.get_unique_probes(indices), first_mode_only=True)
        volume = self.object.data
        inputs = Inputs(
            amplitude=volume.abs()[None],
            phase=volume.angle()[None],
            probe=waves.contiguous(),
            shifts=None,
            transfer=self._tables(waves) if self.object.is_multislice else None,
            corners=corners,
            occupancy=waves.real.new_ones((1,)),
        )
        norm = self.free_space_propagator.norm
        scale = waves.shape[-2] * waves.shape[-1] if norm in (None, "backward") else 1.0  # ours is unitary
        y = diffraction(inputs) * scale
        return self.blur_diffraction_patterns(self.conform_to_detector_size(y))

    def _corners(self, indices: torch.Tensor) -> torch.Tensor | None:
        """(n, 2) int32 px, or None where pty-chi's own code has to do it."""
        far = self.free_space_propagation_distance_m == torch.inf
        if self.resampling_enabled or self.retain_intermediates or not (far and self.apply_subpixel_shifts_on_probe):
            return None
        window = self.probe.get_spatial_shape()
        _, middles, _ = self.get_probe_grid_position_data()
        half = middles.new_tensor([(side - 1) / 2 for side in window])
        corners = (middles[indices] - half).round().to(torch.int32)
        room = corners.new_tensor([whole - part for whole, part in zip(self.object.lateral_shape, window, strict=True)])
        inside = bool(((corners >= 0) & (corners <= room)).all())
        return corners.contiguous() if inside else None

    def _tables(self, waves: torch.Tensor) -> torch.Tensor:
        """Transfer functions of the gaps; their gradient reaches spacings that are refined."""
        return transfer(
            (waves.shape[-2], waves.shape[-1]),
            (self.probe_pixel_height_m * METRE, self.probe_pixel_size_m * METRE),
            self.wavelength_m * METRE,
            self.object.slice_spacings.data * METRE,
            dtype=waves.real.dtype,
            device=waves.device,
        )


__all__ = ["PtycupyForwardModel"]
