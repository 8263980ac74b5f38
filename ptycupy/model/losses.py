"""Loss terms: what a reconstruction minimises, as a weighted sum; exact over sub-batches."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any, ClassVar, Literal, Protocol

from ptycupy import ops
from ptycupy.backends.interface import Array, Backend
from ptycupy.backends.interface.losses import Likelihood
from ptycupy.config import registered
from ptycupy.config.registered import make
from ptycupy.errors import ConfigError
from ptycupy.experiment.rows import area_matrix, blur_matrix
from ptycupy.model.experiment import Experiment
from ptycupy.model.forward_model import Shared, Variables, counts_as_it_is, intensities, way
from ptycupy.tape import Op, Tape, Variable


@dataclass(frozen=True)
class Batch:
    """What a loss term may look at: one sub-batch, and the size of the batch that it belongs to."""

    backend: Backend
    tape: Tape
    experiment: Experiment
    variables: Variables
    shared: Shared
    indices: Array  # [n] int32
    places: Array  # [n] int32 of their patterns among those that are here
    total: int  # patterns in the whole batch

    @cached_property
    def intensity(self) -> Variable:
        """Model patterns [n, ky, kx], zero frequency in the corner."""
        return intensities(self.backend, self.tape, self.experiment, self.shared, self.indices)

    @cached_property
    def measured(self) -> Array:
        """[n, ky, kx], zero frequency in the corner, -1 where not counted."""
        return self.experiment.measured(self.backend, self.places)

    @property
    def window(self) -> tuple[int, int]:
        y, x = self.variables.probe.value.shape[1:]
        return int(y), int(x)


class LossOp(Op, Protocol):
    """An op whose output is a loss [1] and which is a function of statistics that add up over sub-batches."""

    def measure(self, value: Array) -> Array:
        """The statistics of one sub-batch, float64 on the device."""
        ...


class Scaled(Protocol):
    """A loss whose gradient is scale(statistics) times the gradient for the statistics UNIT."""

    def value(self, statistics: Array) -> Array:
        """The loss [1] of a batch with these statistics."""
        ...

    def scale(self, statistics: Array) -> Array:
        """[1] float64."""
        ...


class ScaledLossOp(LossOp, Scaled, Protocol):
    """A LossOp of this kind."""


UNIT = (1.0, 1.0, 1.0)
Scope = Literal["patterns", "patterns, to a scale", "object"]


class Term(Protocol):
    """One term of the loss: which op it is, and what the op looks at. A user's own term fits here too.

    A class attribute `scope: Scope` may say that a term looks at no pattern ("object"), or that `ops` is one
    ScaledLossOp on the intensities ("patterns, to a scale"); then a batch in parts needs no forward pass beforehand.
    `recordable = True` says that `ops` takes nothing from the host that differs from batch to batch, and works on
    arrays through the backend alone, so that `backend.graphs` may record it.
    """

    weight: float

    def ops(self, batch: Batch, statistics: list[Array] | None) -> list[tuple[LossOp, Variable]]:
        """(op, input) pairs whose values are summed; each op takes its own entry of `statistics` if given."""
        ...


def misfit(
    term: Term, batch: Batch, add: Callable[[Array], None] | None = None
) -> tuple[ops.Misfit, Sequence[Variable]] | None:
    """The term and all the way there as one op, and its inputs; None where the term or the model are not made for it.

    `add` is that of `ops.Misfit`.
    """
    if not isinstance(term, Gaussian | Poisson) or type(term) not in (Gaussian, Poisson):
        return None  # a subclass may have ops of its own
    if not counts_as_it_is(batch.experiment, batch.shared):
        return None
    found = way(batch.backend, batch.tape, batch.experiment, batch.shared, batch.indices)
    if found is None or not any(given.requires_grad for given in found.inputs):
        return None
    measured = batch.experiment.observed(batch.backend, batch.places)
    return ops.Misfit(batch.backend, found.op, measured, term.likelihood, add), found.inputs


def _entry(statistics: list[Array] | None, number: int) -> Array | None:
    return None if statistics is None else statistics[number]


@dataclass(frozen=True)
class Gaussian:
    """Amplitude likelihood, power 0.5: the paper's default data term."""

    scope: ClassVar[Scope] = "patterns, to a scale"
    weight: float = 1.0
    power: float = 0.5

    @property
    def likelihood(self) -> Likelihood:
        return Likelihood("gaussian", self.power)

    def ops(self, batch: Batch, statistics: list[Array] | None) -> list[tuple[LossOp, Variable]]:
        return [(ops.Gaussian(batch.backend, batch.measured, self.power, _entry(statistics, 0)), batch.intensity)]


@dataclass(frozen=True)
class Poisson:
    """Poisson likelihood."""

    scope: ClassVar[Scope] = "patterns, to a scale"
    weight: float = 1.0
    power: float = 1.0
    eps: float = 1e-6

    @property
    def likelihood(self) -> Likelihood:
        return Likelihood("poisson", self.power, self.eps)

    def ops(self, batch: Batch, statistics: list[Array] | None) -> list[tuple[LossOp, Variable]]:
        known = _entry(statistics, 0)
        return [(ops.Poisson(batch.backend, batch.measured, self.power, self.eps, known), batch.intensity)]


@dataclass(frozen=True)
class Pacbed:
    """Misfit of the position-averaged pattern."""

    weight: float = 0.5
    power: float = 0.2

    def ops(self, batch: Batch, statistics: list[Array] | None) -> list[tuple[LossOp, Variable]]:
        return [(ops.Pacbed(batch.backend, batch.measured, self.power, _entry(statistics, 0)), batch.intensity)]


@dataclass(frozen=True)
class Sparsity:
    """l-n norm of the phase over the batch's overlapping patches."""

    scope: ClassVar[Scope] = "object"
    weight: float = 0.1
    order: int = 1

    def ops(self, batch: Batch, statistics: list[Array] | None) -> list[tuple[LossOp, Variable]]:
        phase = batch.variables.object_phase
        _, slices, *canvas = phase.value.shape
        window = batch.window
        coverage = batch.backend.coverage((canvas[0], canvas[1]), window, batch.experiment.corners, batch.indices)
        count = batch.total * slices * window[0] * window[1]
        occupancy, known = batch.experiment.occupancy, _entry(statistics, 0)
        return [(ops.Sparsity(batch.backend, coverage, occupancy, count, self.order, known), phase)]


@dataclass(frozen=True)
class Similarity:
    """Standard deviation over the object modes, after an optional blur and area resampling."""

    scope: ClassVar[Scope] = "object"
    weight: float = 0.1
    fields: Literal["amplitude", "phase", "both"] = "both"
    blur: float = 1.0
    scale: tuple[float, float, float] = (1.0, 1.0, 1.0)

    def __post_init__(self) -> None:
        if self.fields not in {"amplitude", "phase", "both"}:
            raise ConfigError(f"losses.similarity.fields: {self.fields!r} must be amplitude, phase or both")

    def ops(self, batch: Batch, statistics: list[Array] | None) -> list[tuple[LossOp, Variable]]:
        chosen = []
        if self.fields in {"amplitude", "both"}:
            chosen.append(batch.variables.object_amplitude)
        if self.fields in {"phase", "both"}:
            chosen.append(batch.variables.object_phase)
        terms: list[tuple[LossOp, Variable]] = []
        for i, field in enumerate(chosen):
            patch = ops.Patch(batch.backend, batch.window, batch.experiment.corners, batch.indices)
            patches = self._filtered(batch, batch.tape.apply(patch, field))
            n, _, *size = patches.value.shape
            count = batch.total * size[0] * size[1] * size[2]
            known = _entry(statistics, i)
            terms.append((ops.Similarity(batch.backend, batch.experiment.occupancy, count, known), patches))
        return terms

    def _filtered(self, batch: Batch, patches: Variable) -> Variable:
        """Blur (kernel 5, reflect) laterally, then area resampling of z, y and x."""
        for axis in (3, 4) if self.blur > 0 else ():
            length = patches.value.shape[axis]
            rows = batch.experiment.rows(batch.backend, blur_matrix, length, self.blur, 5, "reflect")
            patches = batch.tape.apply(ops.AxisFilter(batch.backend, axis, rows), patches)
        for axis, scale in zip((2, 3, 4), self.scale, strict=True):
            if scale != 1.0:
                rows = batch.experiment.rows(batch.backend, area_matrix, patches.value.shape[axis], scale)
                patches = batch.tape.apply(ops.AxisFilter(batch.backend, axis, rows), patches)
        return patches


def scope_of(term: Term) -> Scope:
    """What a term looks at; "patterns" where it does not say."""
    scope: Scope = getattr(term, "scope", "patterns")
    return scope


TERMS: dict[str, type[Any]] = {
    "gaussian": Gaussian,
    "poisson": Poisson,
    "pacbed": Pacbed,
    "sparsity": Sparsity,
    "similarity": Similarity,
}


def make_terms(losses: Mapping[str, Any]) -> dict[str, Term]:
    """Terms by name from {"gaussian": {"weight": 1.0, ...}, ...}; a value may also be a Term of one's own.

    A package registers its own terms as `ptycupy.losses`: a callable that takes their parameters and makes a Term.

    Raises ConfigError for an unknown term or parameter, or where there is no term at all.
    """
    terms: dict[str, Term] = {}
    for name, given in losses.items():
        own = hasattr(given, "ops")
        terms[name] = given if own else make(f"losses.{name}", name, given, TERMS, registered.LOSSES)
    if not terms:
        raise ConfigError("losses: at least one term is needed, for example {'gaussian': {'weight': 1.0}}")
    return terms
