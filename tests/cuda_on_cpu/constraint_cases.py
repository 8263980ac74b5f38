"""Cases of the constraint steps and of the memory methods."""

from __future__ import annotations

import numpy as np

from cuda_on_cpu.scene import Outputs, Scene
from ptycupy.backends.interface import Backend


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
    b.multiply(target, b.asarray(np.array([0.3])))
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
    b.release()
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


def copies_beside(b: Backend, s: Scene) -> Outputs:
    """Values that are sent while others are computed, and an addition that waits for them."""
    target, ones = b.zeros((s.total, 3), b.real), b.asarray(np.ones((s.total, 3), b.real))
    staging = b.staging(target)
    staging[...] = np.arange(3 * s.total).reshape(s.total, 3)
    b.wait(b.send(target, staging, b.mark()))
    b.add(target, ones)
    return {"sent": b.to_host(target)}


def recorded_work(b: Backend, s: Scene) -> Outputs:
    """An addition that runs once as ever, and is then launched twice."""
    target, step = b.zeros((s.total,), b.real), b.asarray(np.full(s.total, 2, b.real))
    b.add(target, step)
    recording = b.record(lambda: b.add(target, step))
    b.fill(target, 1.0)
    recording.launch()
    recording.launch()
    return {"added": b.to_host(target)}
