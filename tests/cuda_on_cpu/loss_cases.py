"""Cases of the measured patterns and of the losses: statistics, value, gradient."""

from __future__ import annotations

import numpy as np

from cuda_on_cpu.scene import Outputs, Scene
from ptycupy.backends.interface import Backend
from ptycupy.data.counts import PackedPatterns

STORED = ("bool", "uint8", "int8", "uint16", "int16", "uint32", "int32", "float16", "float32", "float64")


def patterns(b: Backend, s: Scene) -> Outputs:
    outputs = {}
    rng = s.random("patterns")
    mask = (rng.random(s.window) < 0.8).astype(np.uint8)
    weights = (np.arange(s.total) != 1).astype(np.uint8)
    scale = s.draw(b, "scale", s.total, low=0.1, high=2)
    for dtype in STORED:
        stored = rng.integers(-3, 120, (s.total, *s.window))
        stored = (stored > 50 if dtype == "bool" else np.maximum(stored, 0) if dtype[0] == "u" else stored).astype(
            dtype
        )
        if dtype.startswith("float"):
            stored = stored / np.dtype(dtype).type(7)
            stored.flat[::11], stored.flat[1::13] = np.nan, np.inf
            stored.flat[3::17] = np.finfo(dtype).smallest_subnormal
        arguments = s.indices(b), scale, b.asarray(mask), b.asarray(weights)
        outputs[dtype] = b.to_host(b.patterns(b.asarray(stored), *arguments, None))
        for extra in ((1, 0), (2, 3), (5, 4)):
            shape = (s.window[0] + extra[0], s.window[1] + extra[1])
            around = s.draw(b, "background", *shape, low=0, high=1)
            wide = (s.random("padded mask").random(shape) < 0.8).astype(np.uint8)
            padded = s.indices(b), scale, b.asarray(wide), b.asarray(weights), around
            outputs[f"{dtype} padded by {extra}"] = b.to_host(b.patterns(b.asarray(stored), *padded))
    stored = rng.integers(0, 120, (s.total + 3, *s.window)).astype(np.uint16)
    slots = rng.permutation(s.total + 3)[: s.total].astype(np.int32)
    arguments = s.indices(b), scale, b.asarray(mask), b.asarray(weights), None, b.asarray(slots)
    outputs["in slots"] = b.to_host(b.patterns(b.asarray(stored), *arguments))
    return outputs


def packed_patterns(b: Backend, s: Scene) -> Outputs:
    """Counts by hand: all codes, every third pixel in the list once or twice, no entry for the second pattern."""
    outputs = {}
    rng = s.random("packed patterns")
    height, width = s.window
    weights = (np.arange(s.total) != s.total - 1).astype(np.uint8)
    scale = s.draw(b, "scale", s.total, low=0.1, high=2)
    lists = [np.sort(rng.choice(np.repeat(np.arange(0, height * width, 3), 2), height * width // 3)) for _ in weights]
    lists[1] = lists[1][:0]
    offsets = np.cumsum([0, *map(len, lists)]).astype(np.uint64)
    extras = rng.integers(1, 256, max(int(offsets[-1]), 1)).astype(np.uint8)
    for bits in (0, 1, 2, 4, 8, 16):
        words = rng.integers(0, 2**32, (s.total, -(-height * width * bits // 32)), np.uint32) if bits else None
        for i, listed in enumerate(lists if bits else ()):  # only the largest code has entries
            for word, place in zip(*np.divmod(listed, 32 // bits), strict=True):
                words[i, word] |= np.uint32(((1 << bits) - 1) << int(place) * bits)
        for number in ("uint16", "uint32"):
            pixels = np.concatenate([*lists, [0]])[: extras.size].astype(number)
            packed = PackedPatterns(bits, words, offsets, pixels, extras, s.window, np.dtype(np.uint16))
            stored = packed.moved(b.asarray)
            for extra in ((0, 0), (2, 3), (5, 4)):
                shape = height + extra[0], width + extra[1]
                around = s.draw(b, "background", *shape, low=0, high=1) if any(extra) else None
                mask = (s.random("mask").random(shape) < 0.8).astype(np.uint8)
                arguments = s.indices(b), scale, b.asarray(mask), b.asarray(weights), around
                outputs[f"{bits} bits, {number}, {extra}"] = b.to_host(b.packed_patterns(stored, *arguments))
    return outputs


def set_slots(b: Backend, s: Scene) -> Outputs:
    slots = b.asarray(np.full(s.total, 7, np.int32))
    b.set_slots(slots, s.indices(b), 40)
    return {"slots": b.to_host(slots)}


def counted_filter(b: Backend, s: Scene) -> Outputs:
    outputs = {}
    for axis, shape in enumerate(((s.n, s.window[0], s.window[1]), (s.n * s.window[0], s.window[1], 1))):
        rows = shape[1] + 1
        indices = s.random(f"taps {axis}").integers(0, shape[1], (rows, 3)).astype(np.int32)
        weights = np.where(s.random(f"unused {axis}").random((rows, 3)) < 0.3, 0, 1) * 0.5
        values = s.random(f"values {axis}").uniform(0, 1, shape).astype(np.float32).astype(b.real)
        values[s.random(f"uncounted {axis}").random(shape) < 0.2] = -1
        arrays = b.asarray(values), b.asarray(indices), b.asarray(weights.astype(b.real))
        outputs[f"axis {axis}"] = b.to_host(b.counted_filter(*arrays))
    return outputs


def gaussian(b: Backend, s: Scene) -> Outputs:
    outputs = {}
    for power in (0.5, 1.0, 0.2):
        intensity, measured = s.intensity(b), s.measured(b)
        statistics = b.gaussian_statistics(intensity, measured, power)
        outputs[f"statistics {power}"] = b.to_host(statistics)
        outputs[f"value {power}"] = b.to_host(b.gaussian_value(statistics))
        outputs[f"scale {power}"] = b.to_host(b.gaussian_scale(statistics))
        outputs[f"gradient {power}"] = b.to_host(b.gaussian_gradient(intensity, measured, power, statistics, 0.7))
    return outputs


def poisson(b: Backend, s: Scene) -> Outputs:
    outputs = {}
    for power in (1.0, 0.5):
        intensity, measured = s.intensity(b), s.measured(b)
        statistics = b.poisson_statistics(intensity, measured, power, 1e-6)
        outputs[f"statistics {power}"] = b.to_host(statistics)
        outputs[f"value {power}"] = b.to_host(b.poisson_value(statistics))
        outputs[f"scale {power}"] = b.to_host(b.poisson_scale(statistics))
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
        outputs[f"scales {name}"] = np.concatenate([b.to_host(c) for c in (b.gaussian_scale(g), b.poisson_scale(p))])
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
