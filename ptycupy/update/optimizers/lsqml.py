"""Least-squares maximum likelihood."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from ptycupy.backends.interface import Array
from ptycupy.errors import ConfigError, MemoryShortage
from ptycupy.model.forward_model import constants, detected, scattered, share
from ptycupy.model.linearised import linearised_waves
from ptycupy.ops import AxisFilter
from ptycupy.tape import Tape
from ptycupy.update.algorithm import GradientSteps, Work
from ptycupy.update.optimizers.adam import Adam
from ptycupy.update.optimizers.interface import Moments

OBJECT = ("object_amplitude", "object_phase")
MOVED = (*OBJECT, "probe")


@dataclass(frozen=True)
class Lsqml:
    """Least-squares maximum likelihood (Odstrcil, Menzel and Guizar-Sicairos, Opt. Express 26, 3108, 2018), for
    several slices as Chen et al. (Science 372, 826, 2021) use it, and for mixed states.

    For each batch, chi is what the waves lack of the measured amplitudes (their Eq. 13; 0 where nothing is counted).
    Object and probe move along their gradients over the illumination, sum |P|^2, and the transmission, sum |O|^2,
    each with `delta` times its largest value added (Eqs. 24 and 25). The step lengths solve, for each position, the
    2 x 2 least squares of chi by both changes of its wave (Eqs. 22 and 23), and are averaged, times `beta_object`
    and `beta_probe`. The changes of the wave are exact to first order through all slices, and with whatever else the
    State has (tilts, aberrations, a varying probe, descan, dose, background); object and probe of all slices share
    one pair of steps. `momentum` repeats so much of an iteration's whole change at its end (heavy ball), unless it
    points against the newest change.

    Learning rates of object and probe only say whether they are refined; schedules scale their steps, and momenta
    that a schedule moves are their `momentum`. Adam refines everything else with its own rates and the settings'
    losses, which do not move object and probe: those fit amplitudes, as the gaussian loss of power 0.5 does.
    """

    beta_object: float = 1.0
    beta_probe: float = 1.0
    delta: float = 0.1
    momentum: float = 0.0

    def __post_init__(self) -> None:
        if not 0 <= self.momentum < 1:
            raise ConfigError(f"lsqml: momentum {self.momentum} must be at least 0 and below 1")
        for name in ("beta_object", "beta_probe", "delta"):
            if not getattr(self, name) >= 0:
                raise ConfigError(f"lsqml: {name} {getattr(self, name)} must be at least 0")

    def advance(self, work: Work) -> None:
        moved = [name for name in MOVED if name in work.rates]
        others = [name for name in work.rates if name not in moved]
        hastened = [name for name in moved if self.momentum > 0 or name in work.momenta]
        work.evaluate(work.values, others)
        if moved:
            self._begin(work, hastened)
            Step(work, self.delta).move(self.beta_object, self.beta_probe)
            if work.last:
                self._accelerate(work, hastened)
        GradientSteps(Adam()).move(work, others)

    def _begin(self, work: Work, names: list[str]) -> None:
        """Remembers where the iteration starts, at its first update."""
        for name in names:
            parameter = getattr(work.parameters, name)
            memory = work.moments.setdefault(name, Moments())
            for key in ("start", "velocity"):
                if key not in memory.arrays:
                    memory.arrays[key] = work.backend.zeros(parameter.shape, parameter.dtype)
            if memory.step == 0:
                work.backend.copy(memory.arrays["start"], parameter)
            memory.step += 1

    def _accelerate(self, work: Work, names: list[str]) -> None:
        """velocity = change + momentum velocity; parameter = start + velocity."""
        backend = work.backend
        for name in names:
            momentum = work.momenta.get(name, self.momentum)
            parameter, memory = getattr(work.parameters, name), work.moments[name]
            start, velocity = memory.arrays["start"], memory.arrays["velocity"]
            memory.step = 0
            with backend.arena():
                change = backend.empty(parameter.shape, parameter.dtype)
                backend.copy(change, parameter)
                backend.combine(change, start, 1.0, -1.0)
                agrees = float(backend.to_host(backend.dot(change, velocity))[0]) > 0
                backend.combine(velocity, change, momentum if agrees else 0.0, 1.0)
                backend.copy(parameter, start)
                backend.combine(parameter, velocity, 1.0, 1.0)


class Step:
    """Directions and step lengths of one update."""

    def __init__(self, work: Work, delta: float) -> None:
        self.work, self.backend, self.delta = work, work.backend, delta
        p, backend = work.parameters, work.backend
        self.moves_object, self.moves_probe = any(name in work.rates for name in OBJECT), "probe" in work.rates
        self.object = backend.zeros(p.object_phase.shape, backend.complex)
        self.probe = backend.zeros(p.probe.shape, backend.complex)

    def move(self, beta_object: float, beta_probe: float) -> None:
        backend, p, factors = self.backend, self.work.parameters, self.work.factors
        steps = backend.lsqml_steps(self.products_in_pieces())
        if self.moves_object:
            amplitude, phase = (getattr(p, name) if name in self.work.rates else None for name in OBJECT)
            arrays = amplitude, phase, p.object_amplitude, p.object_phase, self.object
            first, second = (beta_object * factors.get(name, 0.0) for name in OBJECT)
            backend.lsqml_object(*arrays, steps, first, second)
        if self.moves_probe:
            backend.lsqml_probe(p.probe, self.probe, steps, beta_probe * factors["probe"])

    def products_in_pieces(self) -> Array:
        """`products` along new directions, of pieces as small as memory asks for."""
        while True:
            try:
                self.find_directions()
                return self.products()
            except MemoryShortage as error:
                self.work.make_smaller(error)
                self.backend.fill(self.object, 0.0)
                self.backend.fill(self.probe, 0.0)

    def find_directions(self) -> None:
        """Gradients of sum (sqrt(I) - sqrt(M))^2, times -1/2, over what reaches each pixel.

        What counts of each pattern goes with its dose: its gradient does, so the sums below it do.
        """
        backend, p, e = self.backend, self.work.parameters, self.work.experiment
        illuminated = backend.zeros((p.slices, *p.canvas), backend.real)
        transmitted = backend.zeros(p.window, backend.real)
        for part, indices in self._parts():
            with backend.arena():
                tape = Tape(backend)
                variables = replace(constants(tape, p), probe=tape.variable(p.probe, self.probe))
                v = share(backend, tape, e, variables)
                v = replace(v, transmission=tape.variable(v.transmission.value, self.object))
                doses = None if p.pattern_intensity is None else backend.take_forward(p.pattern_intensity, indices)

                def enter(s: int, waves: Array, indices: Array = indices, doses: Array | None = doses) -> None:
                    weights = e.occupancy if waves.shape[1] > 1 else backend.asarray(np.ones(1, backend.real))
                    power = backend.intensity_forward(waves, weights)
                    if doses is not None:
                        power = backend.dose_forward(power, doses)
                    shape = power.shape[0], 1, 1, *power.shape[1:]
                    target = illuminated[s].reshape(1, 1, *p.canvas)
                    backend.patch_backward(power.reshape(shape), e.corners, indices, target)

                waves = scattered(backend, tape, e, v, indices, enter)
                intensity = detected(backend, tape, e, v, indices, waves)
                measured = e.measured(backend, backend.asarray(e.located(part)))
                tape.backward([(intensity, backend.lsqml_residual(intensity.value, measured))])
                backend.lsqml_window_power(transmitted, p.object_amplitude, e.occupancy, doses, e.corners, indices)
        self.work.ranks.add(backend, [self.object, self.probe, illuminated, transmitted])
        with backend.arena():
            for s in range(p.slices):
                for o in range(self.object.shape[0]):
                    backend.lsqml_direction(self.object[o, s], illuminated[s], self.delta)
            backend.lsqml_direction(self.probe, transmitted, self.delta)
        if not self.moves_object:
            backend.fill(self.object, 0.0)
        if not self.moves_probe:
            backend.fill(self.probe, 0.0)

    def products(self) -> Array:
        """[n, 5] products of chi and of the changes of the waves along both directions."""
        backend, p, e = self.backend, self.work.parameters, self.work.experiment
        every = self._every()
        found = np.zeros((len(every), 5))
        for part, indices in self._parts():
            with backend.arena():
                far, u, v = linearised_waves(backend, e, p, indices, self.object, self.probe)
                lack = self._lack(far, part, indices)
                found[np.isin(every, part)] = backend.to_host(backend.lsqml_products(far, u, v, lack, e.occupancy))
        products = backend.asarray(found)
        self.work.ranks.add(backend, [products])
        return products

    def _lack(self, far: Array, part: NDArray[np.int32], indices: Array) -> Array:
        """1 - sqrt(M / I) [n, y, x] on the grid of the waves, of which chi is minus so much.

        A dose multiplies waves and chi of its pattern alike, and so has no part in it.
        """
        backend, e = self.backend, self.work.experiment
        tape = Tape(backend)
        intensity = detected(backend, tape, e, constants(tape, self.work.parameters), indices, tape.constant(far))
        lack = backend.lsqml_residual(intensity.value, e.measured(backend, backend.asarray(e.located(part))))
        for axis, rows in reversed(list(enumerate(e.detector, start=1))):
            if rows is not None:
                (lack,) = AxisFilter(backend, axis, rows).backward(lack, None, ())
        return lack

    def _every(self) -> NDArray[np.int32]:
        return np.concatenate(list(self.work.batches)).astype(np.int32)

    def _parts(self) -> Iterator[tuple[NDArray[np.int32], Array]]:
        """This rank's patterns, on host and device, in pieces that fit; changes of waves need as much room again."""
        own = self.work.ranks.own(self._every())
        size = max(1, self.work.sub_batch() // 2)
        for first in range(0, len(own), size):
            part = own[first : first + size]
            yield part, self.backend.asarray(part)
