"""Cases of the optional parameters' ops."""

from __future__ import annotations

from cuda_on_cpu.scene import Outputs, Scene
from ptycupy.backends.interface import Backend


def scan_affine(b: Backend, s: Scene) -> Outputs:
    nominal, indices = s.draw(b, "nominal", s.total, 2, low=-40, high=40), s.indices(b)
    affine, start = s.draw(b, "affine", 4, low=-0.4, high=0.4), s.draw(b, "start", 4)
    b.scan_affine_backward(s.draw(b, "grad", s.n, 2), nominal, indices, affine, start)
    moved = b.scan_affine_forward(s.draw(b, "shifts", s.n, 2), nominal, indices, affine)
    return {"moved": b.to_host(moved), "grad_affine": b.to_host(start)}


def aberrate(b: Backend, s: Scene) -> Outputs:
    basis, coefficients = s.draw(b, "basis", 3, *s.window), s.draw(b, "coefficients", 3, low=-90, high=90)
    plate, start = b.aberrate_forward(coefficients, basis), s.draw(b, "start", 3)
    b.aberrate_backward(s.draw_complex(b, "grad", 1, 1, *s.window), plate, basis, start)
    return {"plate": b.to_host(plate), "grad_coefficients": b.to_host(start)}


def vary(b: Backend, s: Scene) -> Outputs:
    outputs = {}
    for variations in (1, 2):
        waves = s.draw_complex(b, "waves", s.n, 1, s.p + variations, *s.window)
        weights, start = s.draw(b, "weights", s.n, variations), s.draw(b, "start", s.n, variations)
        outputs[f"varied {variations}"] = b.to_host(b.vary_forward(waves, weights))
        for name, target in (("both", start), ("waves", None)):
            grad = s.draw_complex(b, "grad", s.n, 1, s.p, *s.window)
            outputs[f"grad_waves {variations} {name}"] = b.to_host(b.vary_backward(grad, waves, weights, target))
        outputs[f"grad_weights {variations}"] = b.to_host(start)
    return outputs


def normalise_variations(b: Backend, s: Scene) -> Outputs:
    variations = min(3, 2 * s.window[0] * s.window[1] - 1)
    probe, waves = s.draw_complex(b, "probe", s.p, *s.window), s.draw_complex(b, "waves", variations, *s.window)
    weights = s.draw(b, "weights", s.total, variations)
    b.normalise_variations(probe, waves, weights, 2.5)
    return {"probe": b.to_host(probe), "variations": b.to_host(waves), "weights": b.to_host(weights)}


def descan(b: Backend, s: Scene) -> Outputs:
    shape, period = (s.n, s.o, s.p, *s.window), (s.window[0] + 1.0, s.window[1] + 2.0)
    waves, shifts, start = s.draw_complex(b, "waves", *shape), s.draw(b, "descan", s.n, 2), s.draw(b, "start", s.n, 2)
    outputs = {"ramped": b.to_host(b.descan_forward(waves, shifts, period))}
    for name, target in (("both", start), ("waves", None)):
        grad = b.descan_backward(s.draw_complex(b, "grad", *shape), waves, shifts, period, target)
        outputs[f"grad {name}"] = b.to_host(grad)
    return {**outputs, "grad_descan": b.to_host(start)}


def dose(b: Backend, s: Scene) -> Outputs:
    intensity, factors, start = s.intensity(b), s.draw(b, "factors", s.n, 1), s.draw(b, "start", s.n, 1)
    outputs = {"scaled": b.to_host(b.dose_forward(intensity, factors))}
    for name, target in (("both", start), ("intensity", None)):
        grad = b.dose_backward(s.draw(b, "grad", s.n, *s.window), intensity, factors, target)
        outputs[f"grad {name}"] = b.to_host(grad)
    return {**outputs, "grad_factors": b.to_host(start)}


def background(b: Backend, s: Scene) -> Outputs:
    added = b.background_forward(s.intensity(b), s.draw(b, "background", *s.window, low=0))
    start = s.draw(b, "start", *s.window)
    b.background_backward(s.draw(b, "grad", s.n, *s.window), start)
    return {"sum": b.to_host(added), "grad_background": b.to_host(start)}
