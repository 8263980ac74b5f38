"""One row per op, forward and adjoint: time, GB/s of the bytes that must move, GFLOP/s of its transforms.

    pytest benchmarks/test_ops.py --benchmark-only [--backend cuda]

Those of the optional parameters are in test_instrument_ops.py, the optimizers' in test_optimizer_steps.py.
128 x 128 px windows, 16 patterns, 4 probe modes, 6 slices, float32.
"""

from __future__ import annotations

from math import log2

import numpy as np

from ptycupy.backends.interface.losses import Likelihood
from ptycupy.data.counts import count_of, pack
from ptycupy.data.source import ArraySource
from ptycupy.experiment.propagation import propagation_tables
from ptycupy.experiment.rows import blur_matrix
from ptycupy.model.experiment import upload_rows

N, P, Z, W, C = 16, 4, 6, 128, 236
WAVE = 8 * W * W  # bytes of one complex64 wave
FFT = 5 * W * W * 2 * log2(W)  # flops of one 2-D transform


class Bench:
    """Arrays of one batch on a backend, and every op as a call without arguments."""

    def __init__(self, backend):
        b = self.b = backend
        g = np.random.default_rng(0)

        def real(*shape, low=0.1):
            return b.asarray(g.uniform(low, 2, shape).astype(np.float32))

        def wave(*shape):
            return b.asarray((g.standard_normal(shape) + 1j * g.standard_normal(shape)).astype(np.complex64))

        tables = propagation_tables((W, W), (0.15, 0.15), 0.0418)
        self.tables = [b.asarray(t.astype(np.float32)) for t in (tables.base, tables.aperture, tables.ky, tables.kx)]
        self.amplitude, self.phase = real(1, Z, C, C), real(1, Z, C, C)
        self.grad_object, self.other_object = wave(1, Z, C, C), wave(1, Z, C, C)
        self.accumulated = real(1, Z, C, C)
        self.still = b.zeros((Z, C, C), np.complex64)  # scaled again and again, it stays 0
        self.probe, self.shifts, self.grad_probe = wave(P, W, W), real(N, 2), wave(P, W, W)
        self.grad_shifts = real(N, 2)
        self.waves, self.other, self.far = (wave(N, 1, P, W, W) for _ in range(3))
        self.products, self.steps = b.asarray(g.uniform(1, 2, (N, 5))), b.asarray(g.uniform(0, 1, 2))
        self.corners = b.asarray(g.integers(0, C - W, (N, 2)).astype(np.int32))
        self.indices = b.asarray(np.arange(N, dtype=np.int32))
        self.tilts, self.thickness = real(1, 2), real(1)
        self.transfer = b.transfer_forward(self.tilts, self.thickness, *self.tables)
        self.accumulated_object = wave(1, Z, C, C)
        self.multislice = b.multislice_forward(self.waves, self.grad_object, self.transfer, self.corners, self.indices)[
            1
        ]
        self.half = b.zeros((N, 1, P, W, W, 2), np.float16), b.asarray(np.ones((N, 1, P), np.float32))
        self.occupancy = b.asarray(np.ones(1, np.float32))
        self.intensity = real(N, W, W)
        self.stored = b.asarray(g.integers(0, 1000, (N, W, W)).astype(np.uint16))
        self.slots = b.asarray(np.arange(N, dtype=np.int32))
        self.scale = real(N)
        self.mask, self.weights = b.asarray(np.ones((W, W), np.uint8)), b.asarray(np.ones(N, np.uint8))
        self.measured = b.patterns(self.stored, self.indices, self.scale, self.mask, self.weights)
        self.small, self.background = b.asarray(g.integers(0, 1000, (N, 64, 64)).astype(np.uint16)), real(W, W)
        counts = ArraySource(g.poisson(500 / W**2, (N, W, W)).astype(np.uint8))
        kept = counts, np.ones((W, W), bool), np.ones(N, bool)
        self.packed, self.events = (pack(counts, count_of(*kept), bits, *kept[1:]).moved(b.asarray) for bits in (4, 0))
        self.detector_rows = upload_rows(b, blur_matrix(W, 0.8, 5, "reflect"))
        self.rows = upload_rows(b, blur_matrix(C, 0.8, 5, "reflect"))
        self.first, self.second = real(1, Z, C, C), real(1, Z, C, C)
        self.likelihood = Likelihood("gaussian", 0.5)
        self.gaussian = b.gaussian_statistics(self.intensity, self.measured, 0.5)
        self.poisson = b.poisson_statistics(self.intensity, self.measured, 1.0, 1e-6)
        self.pacbed = b.pacbed_statistics(self.intensity, self.measured, 0.2)
        self.pacbed_loss = b.pacbed_value(self.pacbed, 0.2)
        self.covered = b.coverage((C, C), (W, W), self.corners, self.indices)
        self.sparsity = b.sparsity_statistics(self.phase, self.covered, 1)
        self.patches = b.patch_forward(self.phase, (W, W), self.corners, self.indices)
        self.two_modes = b.asarray(g.uniform(0, 1, (N, 2, 1, W, W)).astype(np.float32))
        self.two = b.asarray(np.full(2, 0.5, np.float32))
        self.similarity = b.similarity_statistics(self.two_modes, self.two)
        self.power = b.total_power(self.probe)
        self.depth, self.taps = real(Z), wave(Z)
        self.ratio = (self.amplitude, self.phase, b.ratio_sums(self.amplitude, self.phase))
        self.spectrum = b.shift_forward(self.probe, self.shifts)[1]

    def calls(self):
        """name -> (call, bytes moved at least, flops of transforms)."""
        b, canvas, waves, pattern = self.b, 4 * Z * C * C, N * P * WAVE, 4 * N * W * W
        at = (self.corners, self.indices)
        beam = (self.probe, self.shifts, self.grad_object, self.transfer, *at, self.occupancy)
        return {
            "transmission forward": (lambda: b.transmission_forward(self.amplitude, self.phase), 4 * canvas, 0),
            "transmission backward": (
                lambda: b.transmission_backward(self.grad_object, self.amplitude, self.phase, None, self.accumulated),
                6 * canvas,
                0,
            ),
            "shift forward": (lambda: b.shift_forward(self.probe, self.shifts), waves, (N + 1) * P * FFT),
            "shift backward": (
                lambda: b.shift_backward(self.other, self.shifts, self.spectrum, self.grad_probe, self.grad_shifts),
                waves,
                (N + 1) * P * FFT,
            ),
            "transmit forward": (lambda: b.transmit_forward(self.waves, self.grad_object, 0, *at), 2 * waves, 0),
            "transmit backward": (
                lambda: b.transmit_backward(
                    self.other, self.waves, self.grad_object, 0, *at, self.grad_object, needs_waves=True
                ),
                3 * waves,
                0,
            ),
            "transfer forward": (
                lambda: b.transfer_forward(self.tilts, self.thickness, *self.tables),
                WAVE + 8 * W * W,
                0,
            ),
            "propagate forward": (
                lambda: b.propagate_forward(self.waves, self.transfer, 0, False),
                2 * waves,
                2 * N * P * FFT,
            ),
            "propagate backward": (
                lambda: b.propagate_backward(self.waves, self.transfer, 0, None, None),
                2 * waves,
                2 * N * P * FFT,
            ),
            "multislice forward": (
                lambda: b.multislice_forward(self.waves, self.grad_object, self.transfer, *at),
                2 * waves + 2 * canvas,
                2 * (Z - 1) * N * P * FFT,
            ),
            "multislice backward": (
                lambda: b.multislice_backward(
                    self.other, self.multislice, self.grad_object, self.transfer, *at, self.accumulated_object, True
                ),
                2 * waves + 6 * canvas,
                2 * (Z - 1) * N * P * FFT,
            ),
            "half encode": (lambda: b.half_encode(self.waves, *self.half), 1.5 * waves, 0),
            "half decode": (lambda: b.half_decode(*self.half, self.other), 1.5 * waves, 0),
            "diffraction forward": (lambda: b.diffraction_forward(*beam), waves, ((2 * Z * N + 1) * P) * FFT),
            "diffraction forward and backward": (
                lambda: b.diffraction_backward(
                    self.intensity,
                    b.diffraction_forward(*beam)[1],
                    *beam[1:],
                    self.grad_probe,
                    self.grad_shifts,
                    self.accumulated_object,
                ),
                2 * (Z + 1) * waves,
                2 * ((2 * Z * N + 1) * P) * FFT,
            ),
            "misfit forward and backward": (
                lambda: b.misfit_backward(
                    1.0,
                    self.gaussian,
                    b.misfit_forward(*beam, self.measured, self.likelihood)[1],
                    *beam[1:],
                    self.measured,
                    self.likelihood,
                    self.grad_probe,
                    self.grad_shifts,
                    self.accumulated_object,
                ),
                4 * (waves + canvas) + 2 * pattern,
                2 * ((2 * Z * N + 1) * P) * FFT,
            ),
            "far field backward": (lambda: b.far_field_backward(self.waves), 2 * waves, N * P * FFT),
            "far field forward": (lambda: b.far_field_forward(self.waves), 2 * waves, N * P * FFT),
            "intensity forward": (lambda: b.intensity_forward(self.waves, self.occupancy), waves + pattern, 0),
            "intensity backward": (
                lambda: b.intensity_backward(self.intensity, self.other, self.occupancy),
                2 * waves + pattern,
                0,
            ),
            "axis filter (lateral blur, y)": (
                lambda: b.axis_filter(self.phase.reshape(Z, C, C), self.rows.indices, self.rows.weights),
                2 * canvas,
                0,
            ),
            "patch forward": (lambda: b.patch_forward(self.phase, (W, W), *at), 2 * Z * pattern, 0),
            "patch backward": (lambda: b.patch_backward(self.patches, *at, self.accumulated), 2 * Z * pattern, 0),
            "patterns (uint16)": (
                lambda: b.patterns(self.stored, self.indices, self.scale, self.mask, self.weights),
                1.5 * pattern,
                0,
            ),
            "patterns (uint16, padded)": (
                lambda: b.patterns(self.small, self.indices, self.scale, self.mask, self.weights, self.background),
                1.5 * pattern,
                0,
            ),
            "patterns (4 bits per pixel)": (
                lambda: b.packed_patterns(self.packed, self.indices, self.scale, self.mask, self.weights),
                pattern + self.packed.nbytes,
                0,
            ),
            "patterns (events, 500 electrons)": (
                lambda: b.packed_patterns(self.events, self.indices, self.scale, self.mask, self.weights),
                pattern + self.events.nbytes,
                0,
            ),
            "patterns (uint16, in slots)": (
                lambda: b.patterns(self.stored, self.indices, self.scale, self.mask, self.weights, None, self.slots),
                1.5 * pattern,
                0,
            ),
            "set slots": (lambda: b.set_slots(self.slots, self.indices, 0), 8 * N, 0),
            "counted filter (resampling, y)": (
                lambda: b.counted_filter(self.measured, self.detector_rows.indices, self.detector_rows.weights),
                2 * pattern,
                0,
            ),
            "gaussian statistics": (
                lambda: b.gaussian_statistics(self.intensity, self.measured, 0.5),
                2 * pattern,
                0,
            ),
            "gaussian value": (lambda: b.gaussian_value(self.gaussian), 16, 0),
            "gaussian scale": (lambda: b.gaussian_scale(self.gaussian), 16, 0),
            "poisson scale": (lambda: b.poisson_scale(self.poisson), 16, 0),
            "poisson value": (lambda: b.poisson_value(self.poisson), 16, 0),
            "sparsity value": (
                lambda: b.sparsity_value(self.sparsity, self.occupancy, N * Z * W * W, 1),
                16,
                0,
            ),
            "similarity value": (lambda: b.similarity_value(self.similarity, N * W * W), 16, 0),
            "gaussian gradient": (
                lambda: b.gaussian_gradient(self.intensity, self.measured, 0.5, self.gaussian, 1.0),
                3 * pattern,
                0,
            ),
            "poisson gradient": (
                lambda: b.poisson_gradient(self.intensity, self.measured, 1.0, 1e-6, self.poisson, 1.0),
                3 * pattern,
                0,
            ),
            "pacbed gradient": (
                lambda: b.pacbed_gradient(self.measured, 0.2, self.pacbed, self.pacbed_loss, 1.0),
                2 * pattern,
                0,
            ),
            "coverage": (lambda: b.coverage((C, C), (W, W), *at), 4 * C * C, 0),
            "sparsity gradient": (
                lambda: b.sparsity_gradient(
                    self.phase, self.covered, 1, self.sparsity, self.occupancy, N * Z * W * W, 1.0, self.accumulated
                ),
                3 * canvas,
                0,
            ),
            "adam (one object field)": (
                lambda: b.adam(self.amplitude, self.phase, self.first, self.second, 0.0, 10, 0.9, 0.999, 1e-8),
                7 * canvas,
                0,
            ),
            "take forward": (lambda: b.take_forward(self.shifts, self.indices), 16 * N, 0),
            "take backward": (lambda: b.take_backward(self.shifts, self.indices, self.grad_shifts), 24 * N, 0),
            "transfer backward": (
                lambda: b.transfer_backward(
                    self.transfer,
                    self.transfer,
                    self.tilts,
                    self.thickness,
                    self.tables[0],
                    *self.tables[2:],
                    self.grad_shifts[:1],
                    self.thickness,
                ),
                2 * WAVE + 4 * W * W,
                0,
            ),
            "poisson statistics": (
                lambda: b.poisson_statistics(self.intensity, self.measured, 1.0, 1e-6),
                2 * pattern,
                0,
            ),
            "pacbed statistics": (lambda: b.pacbed_statistics(self.intensity, self.measured, 0.2), 2 * pattern, 0),
            "sparsity statistics": (lambda: b.sparsity_statistics(self.phase, self.covered, 1), canvas, 0),
            "similarity statistics": (
                lambda: b.similarity_statistics(self.two_modes, self.two),
                2 * pattern,
                0,
            ),
            "similarity gradient": (
                lambda: b.similarity_gradient(self.two_modes, self.two, 1.0),
                4 * pattern,
                0,
            ),
            "relax": (lambda: b.relax(self.first, self.second, 0.5), 3 * canvas, 0),
            "rescale power": (lambda: b.rescale_power(self.probe, self.power, 1.0), 2 * P * WAVE, 0),
            "recentre": (lambda: b.recentre(self.shifts, 0.0), 24 * N, 0),
            "reanchor": (lambda: b.reanchor(self.shifts, self.corners), 32 * N, 0),
            "count nonfinite": (lambda: b.count_nonfinite(self.phase), canvas, 0),
            "clamp": (lambda: b.clamp(self.amplitude, 0.9, 1.1, 0.0), 2 * canvas, 0),
            "orthogonalise": (lambda: b.orthogonalise(self.probe), 2 * P * WAVE, 0),
            "total power": (lambda: b.total_power(self.probe), P * WAVE, 0),
            "pack": (lambda: b.pack(self.phase), 3 * canvas, 0),
            "unpack": (lambda: b.unpack(self.first, self.grad_object), 3 * canvas, 0),
            "spectral filter": (lambda: b.spectral_filter(self.grad_object, self.phase), 5 * canvas, 0),
            "spectral wedge": (lambda: b.spectral_wedge(self.grad_object, self.depth, 1.0, 1.0), 4 * canvas, 0),
            "cosine forward": (lambda: b.cosine_forward(self.phase), 8 * canvas, 5 * Z * C * C * 2 * log2(C)),
            "cosine backward": (lambda: b.cosine_backward(self.phase), 8 * canvas, 5 * Z * C * C * 2 * log2(C)),
            "ranked": (lambda: b.ranked(self.phase, Z * C * C // 20, True), 4 * canvas, 0),
            "suppress": (lambda: b.suppress(self.first, self.depth), 2 * canvas, 0),
            "denoise": (lambda: b.denoise(self.first, 1e-3, 1e-3, 1), 13 * canvas, 0),
            "depth shift": (lambda: b.depth_shift(self.first, self.second, self.taps), 10 * canvas, 0),
            "wave moments": (lambda: b.wave_moments(self.probe), P * WAVE, 0),
            "plane moments": (lambda: b.plane_moments(self.phase[0], (0, 0), (C, C)), canvas, 0),
            "ratio sums": (lambda: b.ratio_sums(self.amplitude, self.phase), 2 * canvas, 0),
            "apply ratio": (lambda: b.apply_ratio(self.first, None, *self.ratio, 1.0, 0.0), 3 * canvas, 0),
            "mirror": (lambda: b.mirror(self.first, self.phase, 0.03, 4.0, 0.1), 3 * canvas, 0),
            "subtract ramp": (lambda: b.subtract_ramp(self.first[0], 0.0, (0.0, 0.0), (0.0, 0.0)), 2 * canvas, 0),
            "modulate": (lambda: b.modulate(self.probe, (0.1, 0.1), (0.0, 0.0)), 2 * P * WAVE, 0),
            "scale": (lambda: b.scale(self.first, 1.0), 2 * canvas, 0),
            "lsqml residual": (lambda: b.lsqml_residual(self.intensity, self.measured), 3 * pattern, 0),
            "lsqml window power": (
                lambda: b.lsqml_window_power(self.intensity[0], self.amplitude, self.occupancy, None, *at),
                pattern + 8 * W * W,
                0,
            ),
            "lsqml direction": (
                lambda: b.lsqml_direction(self.still, self.amplitude[0, 0], 0.1),
                4 * canvas + 4 * C * C,
                0,
            ),
            "lsqml products": (
                lambda: b.lsqml_products(self.waves, self.other, self.far, self.intensity, self.occupancy),
                3 * waves + pattern,
                0,
            ),
            "lsqml steps": (lambda: b.lsqml_steps(self.products), 40 * N, 0),
            "lsqml object": (
                lambda: b.lsqml_object(
                    self.first, self.second, self.amplitude, self.phase, self.other_object, self.steps, 1e-3, 1e-3
                ),
                6 * canvas,
                0,
            ),
            "lsqml probe": (lambda: b.lsqml_probe(self.probe, self.grad_probe, self.steps, 1e-3), 3 * P * WAVE, 0),
        }


def test_op(record_speed, bench, name):
    record_speed(bench.b, *bench.calls()[name])
