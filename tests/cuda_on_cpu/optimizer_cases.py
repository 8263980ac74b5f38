"""Cases of the optimizer steps."""

from __future__ import annotations

from cuda_on_cpu.scene import Outputs, Scene
from ptycupy.backends.interface import Backend


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
