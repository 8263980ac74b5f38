"""One call of the ops on tensors: there, and back."""

from __future__ import annotations

from collections.abc import Collection
from typing import NamedTuple

import torch

from ptycupy.integrations.scattering import Given, Recorded
from ptycupy.integrations.torch.memory import WrongValue, array, queue, tensor


class Inputs(NamedTuple):
    """The tensors of `scattering.Given`, in the order of the op's arguments."""

    amplitude: torch.Tensor
    phase: torch.Tensor
    probe: torch.Tensor
    shifts: torch.Tensor | None
    transfer: torch.Tensor | None
    corners: torch.Tensor
    occupancy: torch.Tensor

    @property
    def window(self) -> tuple[int, int]:
        return int(self.probe.shape[-2]), int(self.probe.shape[-1])

    def shape(self) -> tuple[int, int, int]:
        """Of the intensities."""
        return (self.corners.shape[0], *self.probe.shape[-2:])


DIFFERENTIABLE = ("amplitude", "phase", "probe", "shifts", "transfer", "occupancy")


class Pass:
    """Intensities [n, y, x] of these inputs, zero frequency in the corner, and whatever `back` needs of the way."""

    def __init__(self, inputs: Inputs, wanted: Collection[str]) -> None:
        self.wanted = tuple(name for name in wanted if getattr(inputs, name) is not None)
        self._recorded: Recorded | None = None
        if inputs.corners.shape[0] == 0:
            self.intensity = inputs.amplitude.new_zeros(inputs.shape())
            return
        require_inside(inputs.corners, inputs.window, (inputs.amplitude.shape[2], inputs.amplitude.shape[3]))
        with queue(inputs.amplitude.device, inputs.amplitude.dtype) as backend:
            given = Given(
                amplitude=array(inputs.amplitude),
                phase=array(inputs.phase),
                probe=array(inputs.probe),
                shifts=None if inputs.shifts is None else array(inputs.shifts),
                transfer=None if inputs.transfer is None else array(inputs.transfer),
                corners=array(inputs.corners),
                indices=array(torch.arange(len(inputs.corners), dtype=torch.int32, device=inputs.corners.device)),
                occupancy=array(inputs.occupancy),
            )
            recorded = Recorded(backend, given, [name for name in self.wanted if name != "occupancy"])
            self.intensity = tensor(recorded.intensity)
        if self.wanted:
            self._recorded = recorded

    def back(self, inputs: Inputs, grad: torch.Tensor) -> dict[str, torch.Tensor]:
        """The wanted gradients; once only, because what is kept of the way there is overwritten."""
        found = {name: getattr(inputs, name).new_zeros(getattr(inputs, name).shape) for name in self.wanted}
        if self._recorded is None:
            return found
        recorded, self._recorded = self._recorded, None
        with queue(inputs.amplitude.device, inputs.amplitude.dtype):
            found |= {name: tensor(values) for name, values in recorded.backward(array(grad)).items()}
        if "occupancy" in found:
            found["occupancy"] = _of_occupancy(inputs, grad)
        return found


def require_inside(corners: torch.Tensor, window: tuple[int, int], canvas: tuple[int, int]) -> None:
    """Raises WrongValue unless every window lies on the object: kernels check no bounds."""
    room = torch.tensor([canvas[0] - window[0], canvas[1] - window[1]], dtype=corners.dtype, device=corners.device)
    outside = ((corners < 0) | (corners > room)).any(dim=1)
    if bool(outside.any()):
        first = int(outside.nonzero()[0])
        raise WrongValue(
            f"corners[{first}] = {corners[first].tolist()}: a window of {window[0]} x {window[1]} px there leaves the "
            f"object of {canvas[0]} x {canvas[1]} px"
        )


def _of_occupancy(inputs: Inputs, grad: torch.Tensor) -> torch.Tensor:
    """Intensities are linear in it: each object mode alone shows its own part of the gradient."""
    modes = torch.eye(len(inputs.occupancy), dtype=inputs.occupancy.dtype, device=inputs.occupancy.device)
    alone = [Pass(inputs._replace(occupancy=mode), ()).intensity - 1e-10 for mode in modes]
    return torch.stack([(grad * intensity).sum() for intensity in alone])


__all__ = ["DIFFERENTIABLE", "Inputs", "Pass", "require_inside"]
