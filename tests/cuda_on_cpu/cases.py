"""One use of every Backend method on a drawn scene, the same for every backend.

A case takes a backend and a scene and returns named host arrays: results, accumulated gradients, changed parameters.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ptycupy.backends.interface import Array, Backend

Outputs = dict[str, NDArray[Any]]


@dataclass(frozen=True)
class Scene:
    """Sizes; `draw` gives the same numbers to every backend, all of them exact in float32."""

    n: int = 3
    p: int = 2
    o: int = 2
    z: int = 3
    window: tuple[int, int] = (5, 7)
    canvas: tuple[int, int] = (13, 11)
    tilts: bool = True  # one per pattern
    gaps: int = 2

    @property
    def t(self) -> int:
        return self.n if self.tilts else 1

    @property
    def total(self) -> int:
        """Positions in all; a batch takes some of them."""
        return self.n + 2

    def draw(self, b: Backend, name: str, *shape: int, low: float = -1.0, high: float = 1.0) -> Array:
        return b.asarray(self._random(name).uniform(low, high, shape).astype(np.float32).astype(b.real))

    def draw_complex(self, b: Backend, name: str, *shape: int) -> Array:
        rng = self._random(name)
        values = (rng.normal(size=shape) + 1j * rng.normal(size=shape)).astype(np.complex64)
        return b.asarray(values.astype(b.complex))

    def corners(self, b: Backend) -> Array:
        room = np.subtract(self.canvas, self.window) + 1
        return b.asarray(self._random("corners").integers(0, room, (self.total, 2)).astype(np.int32))

    def indices(self, b: Backend) -> Array:
        return b.asarray(self._random("indices").permutation(self.total)[: self.n].astype(np.int32))

    def measured(self, b: Backend) -> Array:
        values = self._random("measured").poisson(1.0, (self.n, *self.window)).astype(np.float32)
        values[self._random("uncounted").random(values.shape) < 0.2] = -1
        values.flat[0] = 1  # at least one that counts
        return b.asarray(values.astype(b.real))

    def intensity(self, b: Backend) -> Array:
        return self.draw(b, "intensity", self.n, *self.window, low=1e-3, high=3)

    def occupancy(self, b: Backend) -> Array:
        return self.draw(b, "occupancy", self.o, low=0.2, high=1)

    def _random(self, name: str) -> np.random.Generator:
        return np.random.default_rng([self.n, *self.window, *name.encode()])


def take(b: Backend, s: Scene) -> Outputs:
    table, indices = s.draw(b, "table", s.total, 2), s.indices(b)
    grad_table = s.draw(b, "start", s.total, 2)
    b.take_backward(s.draw(b, "grad", s.n, 2), indices, grad_table)
    return {"rows": b.to_host(b.take_forward(table, indices)), "grad_table": b.to_host(grad_table)}


def transmission(b: Backend, s: Scene) -> Outputs:
    shape = s.o, s.z, *s.canvas
    amplitude, phase = s.draw(b, "amplitude", *shape, low=0.5), s.draw(b, "phase", *shape, low=-4, high=4)
    grad = s.draw_complex(b, "grad", *shape)
    grads = [s.draw(b, name, *shape) for name in ("start amplitude", "start phase", "only amplitude", "only phase")]
    b.transmission_backward(grad, amplitude, phase, grads[0], grads[1])
    b.transmission_backward(grad, amplitude, phase, grads[2], None)
    b.transmission_backward(grad, amplitude, phase, None, grads[3])
    return {
        "transmission": b.to_host(b.transmission_forward(amplitude, phase)),
        **{f"grad {i}": b.to_host(grad) for i, grad in enumerate(grads)},
    }


def shift(b: Backend, s: Scene) -> Outputs:
    probe, shifts = s.draw_complex(b, "probe", s.p, *s.window), s.draw(b, "shifts", s.n, 2, low=-3, high=3)
    waves, saved = b.shift_forward(probe, shifts)
    outputs = {"waves": b.to_host(waves)}
    grad_probe, grad_shifts = s.draw_complex(b, "start", s.p, *s.window), s.draw(b, "start", s.n, 2)
    for name, target, other in (("both", grad_probe, grad_shifts), ("probe", grad_probe, None), ("shifts", None, grad_shifts)):
        b.shift_backward(s.draw_complex(b, "grad", s.n, 1, s.p, *s.window), shifts, saved, target, other)
        outputs[f"grad_probe {name}"] = b.to_host(grad_probe).copy()
        outputs[f"grad_shifts {name}"] = b.to_host(grad_shifts).copy()
    return outputs


def transmit(b: Backend, s: Scene) -> Outputs:
    transmission, corners, indices = s.draw_complex(b, "object", s.o, s.z, *s.canvas), s.corners(b), s.indices(b)
    outputs = {}
    for modes in {1, s.o}:
        for index in {0, s.z - 1}:
            waves = s.draw_complex(b, "waves", s.n, modes, s.p, *s.window)
            exits = b.transmit_forward(waves, transmission, index, corners, indices)
            outputs[f"exits {modes} {index}"] = b.to_host(exits)
            for grad_object, needs_waves in ((True, True), (True, False), (False, True)):
                target = s.draw_complex(b, "start", s.o, s.z, *s.canvas)
                grad = b.transmit_backward(
                    s.draw_complex(b, "grad", s.n, s.o, s.p, *s.window),
                    waves,
                    transmission,
                    index,
                    corners,
                    indices,
                    target if grad_object else None,
                    needs_waves,
                )
                key = f"{modes} {index} {grad_object} {needs_waves}"
                outputs[f"grad_transmission {key}"] = b.to_host(target)
                assert (grad is not None) == needs_waves
                if grad is not None:
                    outputs[f"grad_waves {key}"] = b.to_host(grad)
    return outputs


def transfer(b: Backend, s: Scene) -> Outputs:
    height, width = s.window
    tilts, thickness = s.draw(b, "tilts", s.t, 2, low=-9, high=9), s.draw(b, "gaps", s.gaps, low=2, high=12)
    base, aperture = s.draw(b, "base", height, width, low=-0.5, high=0), s.draw(b, "aperture", height, width, low=0)
    ky, kx = s.draw(b, "ky", height, low=-9, high=9), s.draw(b, "kx", width, low=-9, high=9)
    result = b.transfer_forward(tilts, thickness, base, aperture, ky, kx)
    grad = s.draw_complex(b, "grad", s.gaps, s.t, height, width)
    outputs = {"transfer": b.to_host(result)}
    for name, wants_tilts, wants_thickness in (("both", 1, 1), ("tilts", 1, 0), ("thickness", 0, 1)):
        grad_tilts, grad_thickness = s.draw(b, "start", s.t, 2), s.draw(b, "start", s.gaps)
        b.transfer_backward(
            grad,
            result,
            tilts,
            thickness,
            base,
            ky,
            kx,
            grad_tilts if wants_tilts else None,
            grad_thickness if wants_thickness else None,
        )
        outputs[f"grad_tilts {name}"] = b.to_host(grad_tilts)
        outputs[f"grad_thickness {name}"] = b.to_host(grad_thickness)
    return outputs


def propagate(b: Backend, s: Scene) -> Outputs:
    shape = s.n, s.o, s.p, *s.window
    transfer = s.draw_complex(b, "transfer", s.gaps, s.t, *s.window)
    gap = s.gaps - 1
    waves, nothing = b.propagate_forward(s.draw_complex(b, "waves", *shape), transfer, gap, False)
    kept, saved = b.propagate_forward(s.draw_complex(b, "waves", *shape), transfer, gap, True)
    assert nothing is None
    grad_transfer = s.draw_complex(b, "start", s.gaps, s.t, *s.window)
    outputs = {"waves": b.to_host(waves), "kept": b.to_host(kept)}
    grad = b.propagate_backward(s.draw_complex(b, "grad", *shape), transfer, gap, saved, grad_transfer)
    plain = b.propagate_backward(s.draw_complex(b, "grad", *shape), transfer, gap, None, None)
    return {
        **outputs,
        "grad_waves": b.to_host(grad),
        "grad_waves alone": b.to_host(plain),
        "grad_transfer": b.to_host(grad_transfer),
    }


def far_field(b: Backend, s: Scene) -> Outputs:
    shape = s.n, s.o, s.p, *s.window
    return {
        "waves": b.to_host(b.far_field_forward(s.draw_complex(b, "waves", *shape))),
        "grad_waves": b.to_host(b.far_field_backward(s.draw_complex(b, "grad", *shape))),
    }


def intensity(b: Backend, s: Scene) -> Outputs:
    waves, occupancy = s.draw_complex(b, "waves", s.n, s.o, s.p, *s.window), s.occupancy(b)
    outputs = {"intensity": b.to_host(b.intensity_forward(waves, occupancy))}
    grad = b.intensity_backward(s.draw(b, "grad", s.n, *s.window), waves, occupancy)
    return {**outputs, "grad_waves": b.to_host(grad)}


def axis_filter(b: Backend, s: Scene) -> Outputs:
    outputs = {}
    for axis, shape in enumerate(((1, s.z, 70), (s.n, s.window[0], s.window[1]), (s.n * s.z, s.window[1], 1))):
        rows = shape[1] + 1
        indices = s._random(f"taps {axis}").integers(0, shape[1], (rows, 3)).astype(np.int32)
        weights = s.draw(b, f"weights {axis}", rows, 3)
        values = s.draw(b, f"values {axis}", *shape)
        outputs[f"axis {axis}"] = b.to_host(b.axis_filter(values, b.asarray(indices), weights))
    return outputs


def patch(b: Backend, s: Scene) -> Outputs:
    corners, indices = s.corners(b), s.indices(b)
    patches = b.patch_forward(s.draw(b, "field", s.o, s.z, *s.canvas), s.window, corners, indices)
    grad_field = s.draw(b, "start", s.o, s.z, *s.canvas)
    b.patch_backward(s.draw(b, "grad", s.n, s.o, s.z, *s.window), corners, indices, grad_field)
    return {"patches": b.to_host(patches), "grad_field": b.to_host(grad_field)}


STORED = ("bool", "uint8", "int8", "uint16", "int16", "uint32", "int32", "float16", "float32", "float64")


def patterns(b: Backend, s: Scene) -> Outputs:
    outputs = {}
    rng = s._random("patterns")
    mask = (rng.random(s.window) < 0.8).astype(np.uint8)
    weights = (np.arange(s.total) != 1).astype(np.uint8)
    scale = s.draw(b, "scale", s.total, low=0.1, high=2)
    for dtype in STORED:
        stored = rng.integers(-3, 120, (s.total, *s.window))
        stored = (stored > 50 if dtype == "bool" else np.maximum(stored, 0) if dtype[0] == "u" else stored).astype(dtype)
        if dtype.startswith("float"):
            stored = stored / np.dtype(dtype).type(7)
            stored.flat[::11], stored.flat[1::13] = np.nan, np.inf
            stored.flat[3::17] = np.finfo(dtype).smallest_subnormal
        arguments = s.indices(b), scale, b.asarray(mask), b.asarray(weights)
        outputs[dtype] = b.to_host(b.patterns(b.asarray(stored), *arguments))
    return outputs


def gaussian(b: Backend, s: Scene) -> Outputs:
    outputs = {}
    for power in (0.5, 1.0, 0.2):
        intensity, measured = s.intensity(b), s.measured(b)
        statistics = b.gaussian_statistics(intensity, measured, power)
        outputs[f"statistics {power}"] = b.to_host(statistics)
        outputs[f"value {power}"] = b.to_host(b.gaussian_value(statistics))
        outputs[f"gradient {power}"] = b.to_host(b.gaussian_gradient(intensity, measured, power, statistics, 0.7))
    return outputs


def poisson(b: Backend, s: Scene) -> Outputs:
    outputs = {}
    for power in (1.0, 0.5):
        intensity, measured = s.intensity(b), s.measured(b)
        statistics = b.poisson_statistics(intensity, measured, power, 1e-6)
        outputs[f"statistics {power}"] = b.to_host(statistics)
        outputs[f"value {power}"] = b.to_host(b.poisson_value(statistics))
        gradient = b.poisson_gradient(intensity, measured, power, 1e-6, statistics, 0.7)
        outputs[f"gradient {power}"] = b.to_host(gradient)
    return outputs


def pacbed(b: Backend, s: Scene) -> Outputs:
    outputs = {}
    for power in (0.2, 1.0):
        intensity, measured = s.intensity(b), s.measured(b)
        statistics = b.pacbed_statistics(intensity, measured, power)
        value = b.pacbed_value(statistics, power)
        outputs[f"statistics {power}"] = b.to_host(statistics)
        outputs[f"value {power}"] = b.to_host(value)
        outputs[f"gradient {power}"] = b.to_host(b.pacbed_gradient(measured, power, statistics, value, 0.7))
    return outputs


def empty_data(b: Backend, s: Scene) -> Outputs:
    """Losses where nothing counts, and where every count is 0: finite, and without a pull."""
    outputs = {}
    intensity = s.intensity(b)
    for name, level in (("uncounted", -1.0), ("dark", 0.0)):
        measured = b.asarray(np.full((s.n, *s.window), level, b.real))
        g = b.gaussian_statistics(intensity, measured, 0.5)
        p = b.poisson_statistics(intensity, measured, 1.0, 1e-6)
        k = b.pacbed_statistics(intensity, measured, 0.2)
        value = b.pacbed_value(k, 0.2)
        outputs[f"values {name}"] = np.concatenate(
            [b.to_host(v) for v in (b.gaussian_value(g), b.poisson_value(p), value)]
        )
        outputs[f"gaussian {name}"] = b.to_host(b.gaussian_gradient(intensity, measured, 0.5, g, 1.0))
        outputs[f"poisson {name}"] = b.to_host(b.poisson_gradient(intensity, measured, 1.0, 1e-6, p, 1.0))
        outputs[f"pacbed {name}"] = b.to_host(b.pacbed_gradient(measured, 0.2, k, value, 1.0))
    return outputs


def sparsity(b: Backend, s: Scene) -> Outputs:
    coverage = b.coverage(s.canvas, s.window, s.corners(b), s.indices(b))
    outputs = {"coverage": b.to_host(coverage)}
    phase, occupancy = b.to_host(s.draw(b, "phase", s.o, s.z, *s.canvas)).copy(), s.occupancy(b)
    phase.flat[::5] = 0
    for name, values in (("drawn", phase), ("zero", np.zeros_like(phase))):
        device_phase = b.asarray(values)
        for order in (1, 2, 3):
            count = s.n * s.z * s.window[0] * s.window[1]
            statistics = b.sparsity_statistics(device_phase, coverage, order)
            grad = s.draw(b, "start", s.o, s.z, *s.canvas)
            b.sparsity_gradient(device_phase, coverage, order, statistics, occupancy, count, 0.7, grad)
            outputs[f"statistics {name} {order}"] = b.to_host(statistics)
            outputs[f"value {name} {order}"] = b.to_host(b.sparsity_value(statistics, occupancy, count, order))
            outputs[f"gradient {name} {order}"] = b.to_host(grad)
    return outputs


def similarity(b: Backend, s: Scene) -> Outputs:
    occupancy = s.occupancy(b)
    patches = s.draw(b, "patches", s.n, s.o, s.z, *s.window)
    statistics = b.similarity_statistics(patches, occupancy)
    still = b.asarray(np.zeros((s.n, s.o, s.z, *s.window), b.real))
    return {
        "statistics": b.to_host(statistics),
        "value": b.to_host(b.similarity_value(statistics, 17)),
        "gradient": b.to_host(b.similarity_gradient(patches, occupancy, 0.7)),
        "gradient without deviation": b.to_host(b.similarity_gradient(still, occupancy, 0.7)),
    }


def adam(b: Backend, s: Scene) -> Outputs:
    outputs = {}
    for name, draw in (("real", s.draw), ("complex", s.draw_complex)):
        shape = s.p, *s.window
        parameter, first, second = (draw(b, f"start {i}", *shape) for i in range(3))
        b.fill(first, 0)
        b.fill(second, 0)
        for step in (1, 2, 3):
            b.adam(parameter, draw(b, f"grad {step}", *shape), first, second, 1e-2, step, 0.9, 0.999, 1e-8)
        for what, array in (("parameter", parameter), ("first", first), ("second", second)):
            outputs[f"{what} {name}"] = b.to_host(array)
    return outputs


def clamp(b: Backend, s: Scene) -> Outputs:
    outputs = {}
    for low, high, relax in ((-0.25, 0.5, 0.0), (0.0, np.inf, 0.3), (-np.inf, 0.1, 1.0)):
        values = s.draw(b, "values", s.o, *s.canvas)
        b.clamp(values, low, high, relax)
        outputs[f"{low} {high} {relax}"] = b.to_host(values)
    return outputs


def relax(b: Backend, s: Scene) -> Outputs:
    values, waves = s.draw(b, "values", s.o, *s.canvas), s.draw_complex(b, "waves", s.p, *s.window)
    b.relax(values, s.draw(b, "before", s.o, *s.canvas), 0.3)
    b.relax(waves, s.draw_complex(b, "before", s.p, *s.window), 0.6)
    return {"real": b.to_host(values), "complex": b.to_host(waves)}


def power(b: Backend, s: Scene) -> Outputs:
    waves = s.draw_complex(b, "waves", s.p, *s.window)
    total = b.total_power(waves)
    b.rescale_power(waves, total, 2.5)
    return {"power": b.to_host(total), "waves": b.to_host(waves)}


def orthogonalise(b: Backend, s: Scene) -> Outputs:
    """Eigenvectors are free up to a phase each: compare the mixed state, each mode's density and their overlaps."""
    outputs = {}
    for modes in {1, s.p, 5}:
        drawn = b.to_host(s.draw_complex(b, "probe", modes, *s.window)).copy()
        drawn *= 2.0 ** -np.arange(modes)[:, None, None]
        probe = b.asarray(drawn)
        b.orthogonalise(probe)
        result = b.to_host(probe).astype(np.complex128).reshape(modes, -1)
        gram = result @ result.conj().T
        outputs[f"gram {modes}"] = np.abs(gram)
        outputs[f"mixed state {modes}"] = result.T @ result.conj()
        powers = np.diag(gram).real
        # Only as many modes as the window has pixels carry power; the rest are rounding errors of any shape.
        outputs[f"densities {modes}"] = np.abs(result[powers > 1e-6 * powers[0]]) ** 2
    return outputs


def recentre(b: Backend, s: Scene) -> Outputs:
    outputs = {}
    for relax in (0.0, 0.4):
        shifts = s.draw(b, "shifts", s.total, 2)
        b.recentre(shifts, relax)
        outputs[f"shifts {relax}"] = b.to_host(shifts)
    return outputs


def reanchor(b: Backend, s: Scene) -> Outputs:
    drawn = b.to_host(s.draw(b, "shifts", 300, 2, low=-4, high=4)).copy()
    drawn[:6] = [[0.5, -0.5], [1.5, 2.5], [-1.5, -2.5], [0, 0], [0.49, -0.51], [3, -3]]
    shifts, corners = b.asarray(drawn), b.asarray(np.arange(600, dtype=np.int32).reshape(300, 2) * 7 % 101)
    limits = b.reanchor(shifts, corners)
    return {"shifts": b.to_host(shifts), "corners": b.to_host(corners), "limits": b.to_host(limits)}


def count_nonfinite(b: Backend, s: Scene) -> Outputs:
    outputs = {}
    for name, draw in (("real", s.draw), ("complex", s.draw_complex)):
        values = b.to_host(draw(b, "values", s.n, *s.window)).copy()
        outputs[f"none {name}"] = b.to_host(b.count_nonfinite(b.asarray(values)))
        values.flat[0], values.flat[-1] = np.nan, -np.inf
        outputs[f"some {name}"] = b.to_host(b.count_nonfinite(b.asarray(values)))
    return outputs


def memory(b: Backend, s: Scene) -> Outputs:
    waves = s.draw_complex(b, "waves", s.n, *s.window)
    target = b.zeros((s.n, *s.window), b.complex)
    b.copy(target, waves)
    b.add(target, waves)
    filled = b.empty((s.n, 3), b.real)
    b.fill(filled, 0.75)
    complex_filled = b.zeros((4,), b.complex)
    b.fill(complex_filled, 2.0)
    statistics = b.asarray(np.array([1.0, 1e-9, 3.0]))
    b.add(statistics, b.asarray(np.array([1e-9, 1.0, 1e300])))
    with b.arena():
        scratch = b.empty((s.n, *s.window), b.complex)
        b.copy(scratch, target)
        other = b.empty((s.n, *s.window), b.complex)
        b.fill(other, 1.0)
        recycled = b.to_host(scratch).copy()
    b.synchronize()
    assert b.free_bytes() > 0
    return {
        "target": b.to_host(target),
        "filled": b.to_host(filled),
        "complex_filled": b.to_host(complex_filled),
        "statistics": b.to_host(statistics),
        "zeros": b.to_host(b.zeros((2, 3), np.int32)),
        "big endian": b.to_host(b.asarray(np.arange(5, dtype=">u2"))),
        "cast": b.to_host(b.asarray(np.arange(5), b.real)),
        "recycled": recycled,
    }


CASES: dict[str, Callable[[Backend, Scene], Outputs]] = {
    case.__name__: case
    for case in (
        memory,
        take,
        transmission,
        shift,
        transmit,
        transfer,
        propagate,
        far_field,
        intensity,
        axis_filter,
        patch,
        patterns,
        gaussian,
        poisson,
        pacbed,
        empty_data,
        sparsity,
        similarity,
        adam,
        clamp,
        relax,
        power,
        orthogonalise,
        recentre,
        reanchor,
        count_nonfinite,
    )
}
