"""Cases of the optimizer steps."""

from __future__ import annotations

from collections.abc import Callable
from itertools import product

import numpy as np

from cuda_on_cpu.scene import Outputs, Scene
from ptycupy.backends.bias import corrected
from ptycupy.backends.interface import Array, Backend

DECAYS = ((0.0, 1.0), (0.1, 0.95))  # (decay, keep)
_Step = Callable[[int, Array, Array, list[Array]], None]


def _steps(b: Backend, s: Scene, memories: int, take: _Step, start: float = 0.0) -> Outputs:
    """Three steps of a real and of a complex parameter: what became of it and of its memory."""
    outputs = {}
    for kind, draw in (("real", s.draw), ("complex", s.draw_complex)):
        shape = s.p, *s.window
        parameter = draw(b, "start", *shape)
        real = shape if kind == "real" else (*shape, 2)
        arrays = [b.zeros(real, b.real) for _ in range(memories)]
        for array in arrays:
            b.fill(array, start)
        for step in (1, 2, 3):
            grad = b.to_host(draw(b, f"grad {step}", *shape)).copy()
            grad.flat[::5] = 0
            take(step, parameter, b.asarray(grad), arrays)
        for number, array in enumerate([parameter, *arrays]):
            outputs[f"{kind} {number}"] = np.array(b.to_host(array))
    return outputs


def _each(name: str, outputs: Outputs) -> Outputs:
    return {f"{name} {key}": array for key, array in outputs.items()}


def sgd(b: Backend, s: Scene) -> Outputs:
    plain = _steps(b, s, 0, lambda _, x, g, m: b.sgd(x, g, None, 0.1, 0.0, 1.0, 0.0, 1.0, 0.2))

    def nesterov(step: int, x: Array, g: Array, m: list[Array]) -> None:
        b.sgd(x, g, m[0], 0.1, 0.9, 1.0 if step == 1 else 0.7, 1.0, 0.9, 0.0)

    return _each("plain", plain) | _each("nesterov", _steps(b, s, 1, nesterov))


def adam(b: Backend, s: Scene) -> Outputs:
    outputs = {}
    for largest, (decay, keep) in product((False, True), DECAYS):

        def take(step: int, x: Array, g: Array, m: list[Array], decay: float = decay, keep: float = keep) -> None:
            b.adam(x, g, m[0], m[1], 1e-2, step, 0.9, 0.999, 1e-8, m[2] if len(m) > 2 else None, decay, keep)

        outputs |= _each(f"{largest} {decay}", _steps(b, s, 3 if largest else 2, take))

    def repeat(step: int, x: Array, g: Array, m: list[Array]) -> None:
        numbers = b.asarray(np.array([*corrected(1e-2, step, 0.9, 0.999), 0.9]))
        b.adam(x, g, m[0], m[1], 0.0, 1, 0.9, 0.999, 1e-8, decay=0.2, numbers=numbers)

    return outputs | _each("numbers of the device", _steps(b, s, 2, repeat))


def sparse_adam(b: Backend, s: Scene) -> Outputs:
    return _steps(b, s, 2, lambda step, x, g, m: b.sparse_adam(x, g, m[0], m[1], 1e-2, step, 0.9, 0.999, 1e-8))


def nadam(b: Backend, s: Scene) -> Outputs:
    rates = 1e-2, 2e-2, 3.0, 0.9, 0.999, 1e-8
    return {
        key: array
        for i, decays in enumerate(DECAYS)
        for key, array in _each(
            str(i), _steps(b, s, 2, lambda _, x, g, m, d=decays: b.nadam(x, g, m[0], m[1], *rates, *d))
        ).items()
    }


def radam(b: Backend, s: Scene) -> Outputs:
    outputs = {}
    for plain, adaptive in ((1e-2, 0.0), (0.0, 1e-3)):

        def take(_: int, x: Array, g: Array, m: list[Array], p: float = plain, a: float = adaptive) -> None:
            b.radam(x, g, m[0], m[1], p, a, 0.9, 0.999, 1e-8, *DECAYS[1])

        outputs |= _each(str(plain), _steps(b, s, 2, take))
    return outputs


def adamax(b: Backend, s: Scene) -> Outputs:
    return _steps(b, s, 2, lambda _, x, g, m: b.adamax(x, g, m[0], m[1], 1e-2, 0.9, 0.999, 1e-4, 0.1))


def adagrad(b: Backend, s: Scene) -> Outputs:
    return _steps(b, s, 1, lambda _, x, g, m: b.adagrad(x, g, m[0], 0.1, 1e-10, 0.1), start=0.5)


def adadelta(b: Backend, s: Scene) -> Outputs:
    return _steps(b, s, 2, lambda _, x, g, m: b.adadelta(x, g, m[0], m[1], 1.0, 0.9, 1e-6, 0.1))


def rmsprop(b: Backend, s: Scene) -> Outputs:
    factors = 1e-2, 0.9, 1e-3, 0.5, 0.1
    plain = _steps(b, s, 1, lambda _, x, g, m: b.rmsprop(x, g, m[0], None, None, *factors))
    both = _steps(b, s, 3, lambda _, x, g, m: b.rmsprop(x, g, m[0], m[1], m[2], *factors))
    return _each("plain", plain) | _each("both", both)


def rprop(b: Backend, s: Scene) -> Outputs:
    return _steps(b, s, 2, lambda _, x, g, m: b.rprop(x, g, m[0], m[1], 0.5, 1.2, 1e-6, 0.11), start=0.1)


def asgd(b: Backend, s: Scene) -> Outputs:
    return _steps(b, s, 1, lambda step, x, g, m: b.asgd(x, g, m[0], 0.1, 0.99, 1 / step, 0.1))


def adafactor(b: Backend, s: Scene) -> Outputs:
    outputs = {}
    for kind, draw in (("real", s.draw), ("complex", s.draw_complex)):
        for shape in ((s.o, s.p, *s.window), (s.total,)):
            parameter = draw(b, "start", *shape)
            *outer, last = shape if kind == "real" else (*shape, 2)
            factored = bool(outer)
            rows = b.zeros((*outer, 1) if factored else (last,), b.real)
            columns = b.zeros((*outer[:-1], 1, last), b.real) if factored else None
            for step in (1, 2, 3):
                grad = draw(b, f"grad {step}", *shape)
                b.adafactor(parameter, grad, rows, columns, 0.1, step**-0.8, 1e-7, 1e-3, 0.5, 0.99)
            for name, array in (("parameter", parameter), ("rows", rows), ("columns", columns)):
                if array is not None:
                    outputs[f"{name} {kind} {len(shape)}"] = np.array(b.to_host(array))
    return outputs


def vectors(b: Backend, s: Scene) -> Outputs:
    outputs = {}
    for kind, draw in (("real", s.draw), ("complex", s.draw_complex)):
        target, source = draw(b, "target", s.o, *s.canvas), draw(b, "source", s.o, *s.canvas)
        outputs[f"dot {kind}"] = np.array(b.to_host(b.dot(target, source))) / source.size
        outputs[f"magnitudes {kind}"] = np.array(b.to_host(b.magnitudes(source)))
        b.combine(target, source, 0.7, -1.3)
        outputs[f"combine {kind}"] = np.array(b.to_host(target))
    return outputs


def lsqml(b: Backend, s: Scene) -> Outputs:
    outputs = {}
    grad = b.lsqml_residual(s.intensity(b), s.measured(b))
    power = b.zeros(s.window, b.real)
    amplitude, phase = (s.draw(b, name, s.o, s.z, *s.canvas, low=0.2) for name in ("amplitude", "phase"))
    doses = s.draw(b, "doses", s.n, 1, low=0.5, high=2)
    for factors in (None, doses):
        b.lsqml_window_power(power, amplitude, s.occupancy(b), factors, s.corners(b), s.indices(b))
    direction = s.draw_complex(b, "direction", s.p, *s.window)
    b.lsqml_direction(direction, power, 0.1)
    waves, u, v = (s.draw_complex(b, name, s.n, s.o, s.p, *s.window) for name in ("waves", "u", "v"))
    products = b.lsqml_products(waves, u, v, grad, s.occupancy(b))
    known = np.array([[2.0, 3, 1, 4, 5], [1, 1, 0, -1, 2], [4, 0, 0, 8, 0], [0, 2, 0, 0, 1]])
    steps = b.lsqml_steps(b.asarray(known))
    probe = s.draw_complex(b, "probe", s.p, *s.window)
    b.lsqml_probe(probe, direction, steps, 0.7)
    outputs = {
        "grad": grad,
        "power": power,
        "direction": direction,
        "products": products,
        "steps": steps,
        "probe": probe,
    }
    change = s.draw_complex(b, "change", s.o, s.z, *s.canvas)
    b.lsqml_object(amplitude, None, amplitude, phase, change, steps, 0.1, 0.0)
    b.lsqml_object(None, phase, amplitude, phase, change, steps, 0.0, 0.1)
    b.lsqml_object(amplitude, phase, amplitude, phase, change, steps, 0.1, 0.2)
    outputs |= {"amplitude": amplitude, "phase": phase}
    return {name: np.array(b.to_host(array)) for name, array in outputs.items()}
