"""One row per optimizer's step and per vector operation: time, and GB/s and GFLOP/s of what is counted for it.

    pytest benchmarks/test_optimizer_steps.py --benchmark-only [--backend cuda]

One field of an object of 6 slices of 236 x 236 px, float32.
"""

import numpy as np

SHAPE = (1, 6, 236, 236)


class Bench:
    """A parameter, its gradient and what optimizers remember, and every step as a call without arguments."""

    def __init__(self, backend):
        b = self.b = backend
        g = np.random.default_rng(0)
        self.x, self.grad, self.a, self.c, self.d = (
            b.asarray(g.uniform(0.1, 2, SHAPE).astype(np.float32)) for _ in range(5)
        )
        self.rows = b.asarray(np.ones((*SHAPE[:-1], 1), np.float32))
        self.columns = b.asarray(np.ones((*SHAPE[:-2], 1, SHAPE[-1]), np.float32))

    def calls(self):
        """name -> call; rates of 0 keep the parameter where it is."""
        b, x, g, first, second = self.b, self.x, self.grad, self.a, self.c
        betas = (0.9, 0.999, 1e-8)
        return {
            "sgd": lambda: b.sgd(x, g, None, 0.0, 0.0, 1.0, 0.0, 1.0, 0.0),
            "sgd with momentum": lambda: b.sgd(x, g, first, 0.0, 0.9, 1.0, 0.0, 1.0, 0.0),
            "amsgrad": lambda: b.adam(x, g, first, second, 0.0, 10, *betas, self.d),
            "sparse adam": lambda: b.sparse_adam(x, g, first, second, 0.0, 10, *betas),
            "nadam": lambda: b.nadam(x, g, first, second, 0.0, 0.0, 1.0, *betas, 0.0, 1.0),
            "radam": lambda: b.radam(x, g, first, second, 0.0, 0.0, *betas, 0.0, 1.0),
            "adamax": lambda: b.adamax(x, g, first, second, 0.0, *betas, 0.0),
            "adagrad": lambda: b.adagrad(x, g, second, 0.0, 1e-10, 0.0),
            "adadelta": lambda: b.adadelta(x, g, first, second, 0.0, 0.9, 1e-06, 0.0),
            "rmsprop": lambda: b.rmsprop(x, g, second, None, None, 0.0, 0.99, 1e-08, 0.0, 0.0),
            "rmsprop, centred, with momentum": lambda: b.rmsprop(
                x, g, second, first, self.d, 0.0, 0.99, 1e-08, 0.9, 0.0
            ),
            "rprop": lambda: b.rprop(x, g, first, self.d, 0.5, 1.2, 1e-09, 1e-06),
            "asgd": lambda: b.asgd(x, g, first, 0.0, 1.0, 0.5, 0.0),
            "adafactor": lambda: b.adafactor(x, g, self.rows, self.columns, 0.0, 0.1, 1e-07, 0.001, 1.0, 1.0),
            "dot": lambda: b.dot(x, g),
            "combine": lambda: b.combine(first, g, 0.5, 0.5),
            "magnitudes": lambda: b.magnitudes(x),
        }


def test_step(record_speed, bench, name):
    record_speed(bench, name)
