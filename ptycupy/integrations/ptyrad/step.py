"""Loss and gradients of one batch of PtyRAD's model, there and back in one pass on its own memory."""

from __future__ import annotations

from typing import Any
from weakref import WeakKeyDictionary

import numpy as np
import torch
from numpy.typing import NDArray
from ptyrad.core import CombinedLoss

from ptycupy.backends.interface import Backend
from ptycupy.config.ptyrad.refinement import LOSSES
from ptycupy.data.source import ArraySource
from ptycupy.experiment.state import Problem
from ptycupy.integrations.torch.memory import NotSupported, array, queue, tensor
from ptycupy.integrations.torch.ops import TWICE
from ptycupy.model.experiment import place
from ptycupy.model.losses import make_terms
from ptycupy.model.objective import Objective, in_one_pass
from ptycupy.model.parameters import Parameters
from ptycupy.model.storage import Resident
from ptycupy.reconstruction.memory import patterns_that_fit

TENSORS = {  # of the model, by the field of Parameters
    "object_amplitude": "opt_obja",
    "object_phase": "opt_objp",
    "probe": "opt_probe",
    "shifts": "opt_probe_pos_shifts",
    "tilts": "opt_obj_tilts",
    "slice_thickness": "opt_slice_thickness",
}


class Batches:
    """What has been placed on a device, by the model that it belongs to."""

    def __init__(self) -> None:
        self._objectives: WeakKeyDictionary[Any, tuple[Any, Objective]] = WeakKeyDictionary()

    @torch.compiler.disable  # type: ignore[untyped-decorator]
    def compute_loss(
        self, batch: Any, model: Any, model_instance: Any, measured_DP: Any, loss_fn: Any
    ) -> tuple[torch.Tensor, list[torch.Tensor]]:
        """PtyRAD's function of this name: the loss of a batch with its gradients, and its terms."""
        if model is not model_instance:
            raise NotSupported("patch: level 3 takes no model in several processes; level 2 does")
        if type(loss_fn) is not CombinedLoss:
            raise NotSupported(f"patch: level 3 takes no loss of one's own ({type(loss_fn).__name__}); level 2 does")
        indices = np.asarray(batch.cpu() if isinstance(batch, torch.Tensor) else batch, np.int32)
        tensors = [getattr(model, name) for name in TENSORS.values()]
        total, terms = _Loss.apply(self, model, loss_fn, indices, *tensors)
        by_name = dict(zip((name for name in LOSSES if _state(loss_fn)[name]), terms, strict=True))
        zero = terms.new_zeros(())
        return total, [by_name.get(name, zero) for name in LOSSES]

    def objective(self, backend: Backend, model: Any, loss_fn: Any, parameters: Parameters) -> Objective:
        """Of this model and loss; its patterns are placed once."""
        chosen = {name: values for name, values in loss_fn.loss_params.items() if name in LOSSES and values["state"]}
        known = self._objectives.get(model)
        if known is not None and known[0] == chosen and known[1].backend is backend:
            return known[1]
        terms = make_terms({LOSSES[name][0]: _options(name, values) for name, values in chosen.items()})
        experiment = place(backend, _problem(model), parameters) if known is None else known[1].experiment
        fields = [name for name, _ in parameters.items()]
        at_once = patterns_that_fit(backend, parameters, experiment, fields, in_one_pass=in_one_pass(terms))
        objective = Objective(backend, experiment, terms, at_once)
        self._objectives[model] = (chosen, objective)
        return objective


class _Loss(torch.autograd.Function):
    """A batch's loss and its terms; the gradients are found on the same way and wait for the factor of the loss."""

    @staticmethod
    def forward(
        ctx: Any, batches: Batches, model: Any, loss_fn: Any, indices: NDArray[np.int32], *tensors: torch.Tensor
    ) -> tuple[torch.Tensor, torch.Tensor]:
        wanted = [name for name, needs in zip(TENSORS, ctx.needs_input_grad[4:], strict=True) if needs]
        with queue(tensors[0].device, tensors[0].dtype) as backend:
            parameters = _parameters(tensors)
            objective = batches.objective(backend, model, loss_fn, parameters)
            gradients = parameters.zeros_like(backend, wanted)
            values = backend.zeros((len(objective.terms),), np.float64)
            objective.accumulate(parameters, gradients, objective.experiment.batch(indices, least=1), values)
            found = dict(gradients.items())
            weights = torch.tensor([term.weight for term in objective.terms.values()], device=tensors[0].device)
            terms = tensor(values).to(torch.float32) * weights
        ctx.gradients = [_like(x, found.get(name)) for name, x in zip(TENSORS, tensors, strict=True)]
        ctx.mark_non_differentiable(terms)
        return terms.sum(), terms

    @staticmethod
    def backward(ctx: Any, grad: torch.Tensor, of_terms: Any) -> tuple[Any, ...]:
        if torch.is_grad_enabled():
            raise NotSupported(TWICE)
        return (None, None, None, None, *(None if x is None else x * grad for x in ctx.gradients))


def _state(loss_fn: Any) -> dict[str, bool]:
    return {name: bool(loss_fn.loss_params.get(name, {}).get("state")) for name in LOSSES}


def _options(name: str, values: dict[str, Any]) -> dict[str, Any]:
    """A term's parameters by our names."""
    given = {ours: values[theirs] for theirs, ours in LOSSES[name][1].items() if theirs in values}
    return {key: tuple(x) if isinstance(x, list) else 0.0 if x is None else x for key, x in given.items()}


def _parameters(tensors: tuple[torch.Tensor, ...]) -> Parameters:
    """On the memory of the model's own tensors."""
    named = dict(zip(TENSORS, (x.detach() for x in tensors), strict=True))
    named["probe"] = torch.view_as_complex(named["probe"])
    named["slice_thickness"] = named["slice_thickness"].reshape(1)
    return Parameters.of({name: array(x) for name, x in named.items()})


def _like(x: torch.Tensor, gradient: Any) -> torch.Tensor | None:
    """The gradient as the model has its tensor: complex numbers as pairs, one thickness without axes."""
    if gradient is None:
        return None
    found = tensor(gradient)
    return (torch.view_as_real(found) if found.is_complex() else found).reshape(x.shape)


def _problem(model: Any) -> Problem:
    """What PtyRAD's model has measured, as a Problem on the memory that it lies in."""
    loader = model.meas_loader
    if not isinstance(loader.meas_arr, np.ndarray):
        raise NotSupported(
            f"patch: level 3 takes patterns in memory, not {type(loader.meas_arr).__name__}; level 2 does"
        )
    if not loader.preload_data and model.opt_objp.is_cuda:
        raise NotSupported("patch: level 3 on a GPU needs preload_data: true; level 2 does without")
    patterns: Any = loader.meas_arr
    if loader.preload_data:
        patterns = Resident(ArraySource(loader.meas_arr), array(loader.data))
    padding, factors = loader.meas_padded, loader.meas_scale_factors
    blur = model.detector_blur_std
    return Problem(
        patterns=patterns,
        corners=model.crop_pos.cpu().numpy(),
        pixel_size=float(model.dx),
        wavelength=float(model.lambd),
        object_occupancy=model.omode_occu.cpu().numpy(),
        detector_blur=0.0 if blur is None else float(blur),
        detector_match="resample" if model.simu_match_mode == "resample" else "crop",
        pattern_padding=None if padding is None else padding.cpu().numpy().reshape(padding.shape[-2:]),
        pattern_resampling=None if factors is None else (float(factors[0]), float(factors[1])),
    )


__all__ = ["Batches"]
