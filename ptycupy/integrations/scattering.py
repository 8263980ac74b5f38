"""From object and probe to the intensities of one batch, and back: what the frameworks of other packages differentiate.

Array protocols differ from framework to framework, this does not: it takes and gives arrays of a Backend.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass

from ptycupy.backends.interface import Array, Backend
from ptycupy.ops import Diffraction, FarField, Intensity, Multislice, Transmission, Transmit
from ptycupy.tape import Tape, Variable


@dataclass(frozen=True)
class Given:
    """Contiguous arrays of one device in one precision."""

    amplitude: Array  # [o, z, Y, X] real
    phase: Array  # [o, z, Y, X] real, rad
    probe: Array  # [p, y, x] complex; without shifts [n, p, y, x], what enters each pattern's first slice
    shifts: Array | None  # [n, 2] real, px
    transfer: Array | None  # [1 or z - 1, 1 or n, y, x] complex; None for one slice
    corners: Array  # [n, 2] int32 px
    indices: Array  # [n] int32, 0 to n - 1
    occupancy: Array  # [o] real

    @property
    def slices(self) -> int:
        return int(self.amplitude.shape[1])


class Recorded:
    """One pass to `intensity` [n, y, x], zero frequency in the corner, 1e-10 added; `backward` goes back, once.

    wanted: the fields of Given whose gradients will be asked for: amplitude, phase, probe, shifts, transfer. Their
    arrays must stay as they are until then.
    """

    def __init__(self, backend: Backend, given: Given, wanted: Collection[str]) -> None:
        self._backend, self._tape = backend, Tape(backend)
        probe = given.probe if given.shifts is not None else given.probe[:, None]
        values = {"amplitude": given.amplitude, "phase": given.phase, "probe": probe}
        if given.shifts is not None:
            values["shifts"] = given.shifts
        if given.transfer is not None and given.slices > 1:  # there is nothing behind the last slice
            values["transfer"] = given.transfer
        self._shapes = {name: getattr(given, name).shape for name in wanted}
        self._types = {name: getattr(given, name).dtype for name in wanted}
        make = self._tape.variable, self._tape.constant
        self._variables = {name: make[name not in wanted](value) for name, value in values.items()}
        self._output = self._run(given)

    @property
    def intensity(self) -> Array:
        return self._output.value

    def backward(self, grad: Array) -> dict[str, Array]:
        """The gradients that are wanted, of dL/dintensity [n, y, x]; complex ones are dL/dRe + i dL/dIm."""
        self._tape.backward([(self._output, grad)])
        found: dict[str, Array] = {}
        for name, shape in self._shapes.items():
            variable = self._variables.get(name)
            if variable is None or variable.grad is None:
                found[name] = self._backend.zeros(shape, self._types[name])
            else:
                found[name] = variable.grad.reshape(shape)
        return found

    def _run(self, given: Given) -> Variable:
        backend, apply, known = self._backend, self._tape.apply, self._variables
        places = given.corners, given.indices
        transmission = apply(Transmission(backend), known["amplitude"], known["phase"])
        transfer, shifts = known.get("transfer", self._tape.constant(None)), known.get("shifts")
        if shifts is not None:
            way = Diffraction(backend, *places, given.occupancy, transfer.requires_grad)
            return apply(way, known["probe"], shifts, transmission, transfer)
        if given.slices == 1:
            waves = apply(Transmit(backend, 0, *places), known["probe"], transmission)
        else:
            through = Multislice(backend, *places, transfer.requires_grad)
            waves = apply(through, known["probe"], transmission, transfer)
        return apply(Intensity(backend, given.occupancy), apply(FarField(backend), waves))


__all__ = ["Given", "Recorded"]
