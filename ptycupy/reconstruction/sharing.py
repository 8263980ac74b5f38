"""What several engines share: one array with one memory for each field, stepped and constrained once."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np

from ptycupy.errors import ConfigError
from ptycupy.model.parameters import Parameters
from ptycupy.reconstruction import teamwork
from ptycupy.reconstruction.rates import rate, refined_fields
from ptycupy.update.algorithm import GradientSteps
from ptycupy.update.constraints import Constrain
from ptycupy.update.schedules import Progress

if TYPE_CHECKING:
    from ptycupy.reconstruction.engine import Engine

FIELDS = {
    "probe": ("probe", "aberrations"),
    "object": ("object_amplitude", "object_phase", "slice_thickness"),
}
PIXEL_SIZE_TOLERANCE = 1e-3  # relative: a shared array has one pixel size


class Sharing:
    """The shared fields of some engines, whose arrays and optimizer memories become those of the first one."""

    def __init__(self, engines: Sequence[Engine], share: Collection[str]) -> None:
        unknown = [name for name in share if name not in FIELDS]
        if unknown or not share:
            raise ConfigError(f"share: {list(share)} must name what scans have in common: {', '.join(FIELDS)}")
        self.engines, self.first = engines, engines[0]
        self.objects = "object" in share
        there = {name for name, _ in self.first.parameters.items()}
        self.fields = tuple(name for thing in FIELDS if thing in share for name in FIELDS[thing] if name in there)
        for number, engine in enumerate(engines[1:], 2):
            self._require_fit(engine, f"scan {number}")
        for engine in engines:
            if not isinstance(engine.algorithm, GradientSteps):
                name = type(engine.algorithm).__name__
                raise ConfigError(
                    f"optimizer {name}: cannot be used for scans that share something; take adam, for example"
                )
            for _, constrain in engine.constraints:
                self._place(constrain)
        if "probe" in share and self.first.parameters.probe_variations is not None:
            raise ConfigError("a probe that varies over the scan cannot be shared; take illumination.variations: 0")
        self.alias(self.first)
        if "probe" in share:
            for engine in engines:
                engine.context = replace(engine.context, probe_intensity=self.first.context.probe_intensity)

    def alias(self, source: Engine) -> None:
        """Every engine gets the source's shared arrays and memories."""
        for engine in self.engines:
            for name in self.fields:
                setattr(engine.parameters, name, getattr(source.parameters, name))
                if name in source.moments:
                    engine.moments[name] = source.moments[name]

    def gradients(self, number: int) -> list[Parameters]:
        """Zeroed gradients of every engine's refined fields in an iteration; those of shared fields are the same."""
        backend = self.first.backend
        shared = self.first.parameters.zeros_like(backend, refined_fields(self.first, number) & set(self.fields))
        found = []
        for engine in self.engines:
            own = engine.parameters.zeros_like(backend, refined_fields(engine, number) - set(self.fields))
            found.append(Parameters.of({**dict(own.items()), **dict(shared.items())}))
        return found

    def add(self, scans: Iterable[int], gradients: Sequence[Parameters]) -> None:
        """Gradients of these scans become those of all ranks: of what is shared once."""
        first = self.first
        if first.ranks.size == 1:
            return
        arrays = [array for name, array in gradients[0].items() if name in self.fields]
        for scan in sorted(scans):
            apart = {*self.fields, *teamwork.scattered(self.engines[scan], gradients[scan])}
            arrays += [array for name, array in gradients[scan].items() if name not in apart]
        first.ranks.add(first.backend, arrays)

    def step(self, scans: Iterable[int], gradients: Sequence[Parameters], progress: Progress) -> None:
        """One step of what is shared, and of everything else in these scans."""
        self._step(self.first, gradients[0], progress, self.fields)
        for scan in sorted(scans):
            engine = self.engines[scan]
            own = [name for name, _ in engine.parameters.items() if name not in self.fields]
            self._step(engine, gradients[scan], progress, own)

    def _step(self, engine: Engine, gradients: Parameters, progress: Progress, names: Iterable[str]) -> None:
        assert isinstance(engine.algorithm, GradientSteps)
        momenta = engine.plan.momenta(engine.settings.learning_rates, progress)
        for name in names:
            grad, learning_rate = getattr(gradients, name), rate(engine, name, progress)
            if grad is None or learning_rate <= 0:
                continue
            parameter = getattr(engine.parameters, name)
            engine.algorithm.step(
                engine.backend, name, parameter, grad, engine.moments, learning_rate, momenta.get(name)
            )
            engine.limits.keep(engine.backend, name, parameter)
            engine.scattered |= {name} & teamwork.scattered(engine, gradients).keys()

    # --- constraints --------------------------------------------------------------------------------------------
    def constrain(self, number: int) -> None:
        """The constraints of an iteration's end: on what is shared once, by the first engine's, else in every scan."""
        for engine in self.engines:
            for active, constrain in engine.constraints:
                if number not in active:
                    continue
                if not self._place(constrain):
                    teamwork.constrain(engine, constrain)
                elif engine is self.first:
                    self._together(constrain)

    def _together(self, constrain: Constrain) -> None:
        """A constraint on shared fields, with the positions of all scans, which it may move along."""
        first, backend = self.first, self.first.backend
        shifts = self._joined([engine.parameters.shifts for engine in self.engines])
        corners = self._joined([engine.experiment.corners for engine in self.engines])
        constrain(backend, replace(first.parameters, shifts=shifts), replace(first.context, corners=corners))
        at = 0
        for engine in self.engines:
            own = engine.parameters.shifts
            backend.copy(own, shifts[at : at + own.shape[0]])
            at += own.shape[0]

    def _joined(self, arrays: list[Any]) -> Any:
        backend = self.first.backend
        return backend.asarray(np.concatenate([backend.to_host(array) for array in arrays]))

    def _place(self, constrain: Constrain) -> bool:
        """Whether a constraint acts on what is shared; ConfigError where it does only in part, or does not say."""
        name = type(constrain).__name__
        changes: tuple[str, ...] | None = getattr(constrain, "changes", None)
        if changes is None:
            raise ConfigError(
                f"constraint {name}: does not say which fields it changes (as `changes`), which sharing needs to know"
            )
        if changes == ("shifts",):
            return self.objects  # positions are about one object, or each about its own
        shared = [field for field in changes if field in self.fields]
        alike = (*self.fields, "shifts")
        if shared and not set(changes) <= set(alike):
            other = [field for field in changes if field not in alike]
            raise ConfigError(
                f"constraint {name}: changes {', '.join(shared)}, which the scans share, together with "
                f"{', '.join(other)}, which they do not; leave it out"
            )
        return bool(shared)

    def _require_fit(self, engine: Engine, who: str) -> None:
        if engine.backend is not self.first.backend:
            raise ConfigError(f"{who}: runs on another backend than scan 1; what is shared lies on one")
        if engine.iteration != self.first.iteration:
            raise ConfigError(f"{who}: has done {engine.iteration} iterations, scan 1 {self.first.iteration}")
        for name in self.fields:
            ours, theirs = getattr(self.first.parameters, name), getattr(engine.parameters, name)
            if theirs is None or tuple(theirs.shape) != tuple(ours.shape):
                found = "none" if theirs is None else tuple(theirs.shape)
                raise ConfigError(f"{who}: {name} {found} cannot be shared with scan 1, which has {tuple(ours.shape)}")
        sizes = self.first.context.pixel_size, engine.context.pixel_size
        numbers = np.array([(np.nan, np.nan) if size is None else size for size in sizes])
        if not np.allclose(numbers[0], numbers[1], rtol=PIXEL_SIZE_TOLERANCE, atol=0, equal_nan=True):
            told = " and ".join("unknown" if size is None else f"{size[0]:g} x {size[1]:g} angstrom" for size in sizes)
            raise ConfigError(f"{who}: pixel sizes {told} differ; scans that share probe or object need one")
