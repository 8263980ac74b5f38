"""Cases of the filters, and of what constraints measure."""

from __future__ import annotations

import numpy as np

from cuda_on_cpu.scene import Outputs, Scene
from ptycupy.backends.interface import Backend


def spectral(b: Backend, s: Scene) -> Outputs:
    waves = b.pack(s.draw(b, "values", s.o, s.z, *s.canvas))
    packed = b.to_host(waves).copy()
    plane = s.draw(b, "mask", *s.canvas, low=0)
    b.spectral_filter(waves, plane)
    b.spectral_filter(waves, s.draw(b, "depth mask", s.z, *s.canvas, low=0))
    real = s.draw(b, "other", s.p, *s.window)
    b.unpack(real, s.draw_complex(b, "waves", s.p, *s.window))
    return {"packed": packed, "filtered": b.to_host(waves), "unpacked": b.to_host(real)}


def wedge(b: Backend, s: Scene) -> Outputs:
    spectra = s.draw_complex(b, "spectra", s.o, s.z, *s.canvas)
    b.spectral_wedge(spectra, s.draw(b, "depth", s.z, low=0, high=0.5), 0.7, 1.3)
    return {"spectra": b.to_host(spectra)}


def cosine(b: Backend, s: Scene) -> Outputs:
    outputs = {}
    for name, shape in (("object", (s.o, s.z, *s.canvas)), ("window", (s.p, *s.window))):
        values = s.draw(b, name, *shape)
        coefficients = b.cosine_forward(values)
        outputs[f"coefficients {name}"] = b.to_host(coefficients).copy()
        outputs[f"values {name}"] = b.to_host(b.cosine_backward(s.draw(b, "coefficients", *shape)))
        back = b.to_host(b.cosine_backward(coefficients))
        assert np.abs(back - b.to_host(values)).max() < 1e-5
    return outputs


def ranked(b: Backend, s: Scene) -> Outputs:
    outputs = {}
    values = b.to_host(s.draw(b, "values", s.o, s.z, *s.canvas)).copy()
    values.flat[: values.size // 3] *= 1e-6  # several exponents
    values.flat[-1] = 0
    kept = b.asarray(values)
    for rank in {1, (values.size + 1) // 2, values.size}:
        for magnitudes in (False, True):
            outputs[f"{rank} {magnitudes}"] = b.to_host(b.ranked(kept, rank, magnitudes)).copy()
    b.suppress(kept, b.ranked(kept, (values.size + 3) // 4, True))
    outputs["largest quarter"] = b.to_host(kept)
    return outputs


def moments(b: Backend, s: Scene) -> Outputs:
    values = s.draw(b, "values", s.o * s.z, *s.canvas)
    box = tuple((n + 1) // 2 for n in s.canvas)
    corner = (s.canvas[0] - box[0], s.canvas[1] - box[1])
    return {
        "waves": b.to_host(b.wave_moments(s.draw_complex(b, "waves", s.p, *s.window))),
        "plane": b.to_host(b.plane_moments(values, (0, 0), s.canvas)),
        "box": b.to_host(b.plane_moments(values, corner, (box[0], box[1]))),
    }


def ratio(b: Backend, s: Scene) -> Outputs:
    shape = (s.o, s.z, *s.canvas)
    outputs = {}
    for name in ("both", "amplitude", "phase"):
        amplitude, phase = s.draw(b, "amplitude", *shape, low=0.5, high=1.2), s.draw(b, "phase", *shape)
        sums = b.ratio_sums(amplitude, phase)
        new = (None if name == "phase" else amplitude, None if name == "amplitude" else phase)
        b.apply_ratio(*new, amplitude, phase, sums, 0.8, 0.3)
        outputs |= {f"{name} a": b.to_host(amplitude), f"{name} phi": b.to_host(phase), f"{name} C": b.to_host(sums)}
    return outputs


def mirror(b: Backend, s: Scene) -> Outputs:
    amplitude, phase = s.draw(b, "amplitude", s.o, *s.canvas), s.draw(b, "phase", s.o, *s.canvas)
    b.mirror(amplitude, phase, 0.3, 4.0, 0.1)
    return {"amplitude": b.to_host(amplitude)}


def ramps(b: Backend, s: Scene) -> Outputs:
    values, waves = s.draw(b, "values", s.o, *s.canvas), s.draw_complex(b, "waves", s.p, *s.window)
    b.subtract_ramp(values, 0.25, (0.5, -0.125), (3.5, 2.0))
    b.modulate(waves, (-0.3, 0.7), (2.0, 3.0))
    real, other = s.draw(b, "real", s.o, *s.canvas), s.draw_complex(b, "other", s.p, *s.window)
    b.scale(real, 1.5)
    b.scale(other, -0.5)
    return {n: b.to_host(a) for n, a in {"values": values, "waves": waves, "real": real, "complex": other}.items()}


def depth_shift(b: Backend, s: Scene) -> Outputs:
    """Compared as a transmission and by the sum of the phases: a phase at half a turn may come out on either side."""
    amplitude = s.draw(b, "amplitude", s.o, s.z, *s.canvas, low=0.9, high=1.1)
    phase = s.draw(b, "phase", s.o, s.z, *s.canvas, low=4.0, high=4.5)
    taps = s.draw_complex(b, "taps", s.z)
    host = b.to_host(taps).copy() * 0.05
    host[0] += 1 - host.sum().real
    b.depth_shift(amplitude, phase, b.asarray(host))
    found = b.to_host(amplitude) * np.exp(1j * b.to_host(phase).astype(float))
    return {"amplitude": b.to_host(amplitude), "phase": b.to_host(phase), "transmission": found}


def denoise(b: Backend, s: Scene) -> Outputs:
    outputs = {}
    for lateral, depth in ((0.1, 0.0), (0.2, 0.3), (0.0, 0.5)):
        values = s.draw(b, "values", s.o, s.z, *s.canvas)
        b.denoise(values, lateral, depth, 5)
        outputs[f"{lateral} {depth}"] = b.to_host(values)
    return outputs
