"""What each level puts in the place of what."""

from __future__ import annotations

from typing import Any

import torch
from ptyrad.core import forward, models
from ptyrad.solver import hypertune, ptyrad_solver, reconstruction

from ptycupy.integrations.ptyrad.step import Batches
from ptycupy.integrations.torch import Adam, diffraction, multislice_forward, patches
from ptycupy.integrations.torch.optimizer import ABSENT

Replacement = tuple[Any, str, Any]  # owner, name, what it becomes


def replacements(level: int) -> list[Replacement]:
    """Everything that this level replaces; each level has what those below it have."""
    found: list[Replacement] = [(owner, "multislice_forward", multislice_forward) for owner in (forward, models.ptycho)]
    if level >= 2:
        found.append((models.PtychoModel, "forward", _forward))
    if level >= 3:
        loss = Batches().compute_loss
        found += [(owner, "compute_loss", loss) for owner in (reconstruction, hypertune)]
        optimizer = _with_own_adam(reconstruction.create_optimizer)
        found += [(owner, "create_optimizer", optimizer) for owner in (reconstruction, hypertune, ptyrad_solver)]
    return found


def _forward(self: Any, indices: Any, return_raw: bool = False) -> torch.Tensor:
    """PtychoModel.forward: patterns of these positions, on the detector or before it (`return_raw`)."""
    probe, corners = self.get_complex_probe_view(), self.crop_pos[indices]
    shifts, transfer = self.opt_probe_pos_shifts[indices], self.get_propagators(indices)
    found = diffraction(self.opt_obja, self.opt_objp, probe, corners, shifts, transfer, self.omode_occu)
    window = probe.shape[-2], probe.shape[-1]
    # Its losses look here for the object's part.
    self._current_object_patches = tuple(patches(field, corners, window) for field in (self.opt_obja, self.opt_objp))
    if return_raw:
        return found
    measurable: torch.Tensor = self.get_detector_pattern(found)
    return measurable


def _with_own_adam(create: Any) -> Any:
    """Its function that makes the optimizer, giving our Adam where that is the same."""

    def create_optimizer(optimizer_params: Any, optimizable_params: Any) -> torch.optim.Optimizer:
        made: torch.optim.Optimizer = create(optimizer_params, optimizable_params)
        if type(made) is not torch.optim.Adam or any(made.param_groups[0].get(name) for name in ABSENT):
            return made
        own = Adam(made.param_groups)
        own.load_state_dict(made.state_dict())
        return own

    return create_optimizer


__all__ = ["replacements"]
