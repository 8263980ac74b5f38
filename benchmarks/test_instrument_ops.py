"""One row per op of the optional parameters, forward and adjoint: time, and GB/s and GFLOP/s of what is counted for it.

    pytest benchmarks/test_instrument_ops.py --benchmark-only [--backend cuda]

128 x 128 px windows, 16 of 1024 patterns, 4 probe modes, one variation, 14 aberrations, float32. The rows of tilts
and thickness are those of transfer in test_ops.py, the detector's those of patterns and counted filter there.
"""

import numpy as np

N, TOTAL, P, W, V, K = 16, 1024, 4, 128, 1, 14


class Bench:
    """Arrays of one batch on a backend, and every op as a call without arguments."""

    def __init__(self, backend):
        b = self.b = backend
        g = np.random.default_rng(0)

        def real(*shape):
            return b.asarray(g.uniform(0.1, 2, shape).astype(np.float32))

        def wave(*shape):
            return b.asarray((g.standard_normal(shape) + 1j * g.standard_normal(shape)).astype(np.complex64))

        self.indices = b.asarray(g.permutation(TOTAL)[:N].astype(np.int32))
        self.nominal, self.shifts, self.grad_shifts = real(TOTAL, 2), real(N, 2), real(N, 2)
        self.affine, self.grad_affine = b.asarray(np.full(4, 0.01, np.float32)), real(4)
        self.basis, self.coefficients, self.grad_coefficients = real(K, W, W), real(K), real(K)
        self.plate = b.aberrate_forward(self.coefficients, self.basis)
        self.grad_plate = wave(1, 1, W, W)
        self.varied, self.weights, self.grad_weights = wave(N, 1, P + V, W, W), real(N, V), real(N, V)
        self.waves, self.grad = wave(N, 1, P, W, W), wave(N, 1, P, W, W)
        self.probe, self.variations, self.all_weights = wave(P, W, W), wave(V, W, W), real(TOTAL, V)
        self.descan, self.grad_descan = real(N, 2), real(N, 2)
        self.intensity, self.grad_intensity = real(N, W, W), real(N, W, W)
        self.factors, self.grad_factors = real(N, 1), real(N, 1)
        self.background, self.grad_background = real(W, W), real(W, W)

    def calls(self):
        """name -> call."""
        b = self.b
        scan, period = (self.nominal, self.indices, self.affine), (W, W)
        return {
            "scan affine forward": lambda: b.scan_affine_forward(self.shifts, *scan),
            "scan affine backward": lambda: b.scan_affine_backward(self.grad_shifts, *scan, self.grad_affine),
            "aberrate forward": lambda: b.aberrate_forward(self.coefficients, self.basis),
            "aberrate backward": lambda: b.aberrate_backward(
                self.grad_plate, self.plate, self.basis, self.grad_coefficients
            ),
            "vary forward": lambda: b.vary_forward(self.varied, self.weights),
            "vary backward": lambda: b.vary_backward(self.grad, self.varied, self.weights, self.grad_weights),
            "normalise variations": lambda: b.normalise_variations(self.probe, self.variations, self.all_weights, 1.0),
            "descan forward": lambda: b.descan_forward(self.waves, self.descan, period),
            "descan backward": lambda: b.descan_backward(self.grad, self.waves, self.descan, period, self.grad_descan),
            "dose forward": lambda: b.dose_forward(self.intensity, self.factors),
            "dose backward": lambda: b.dose_backward(
                self.grad_intensity, self.intensity, self.factors, self.grad_factors
            ),
            "background forward": lambda: b.background_forward(self.intensity, self.background),
            "background backward": lambda: b.background_backward(self.grad_intensity, self.grad_background),
        }


def test_op(record_speed, bench, name):
    record_speed(bench, name)
