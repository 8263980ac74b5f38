"""Small random experiments for tests: physical enough to differentiate, small enough to be quick."""

from __future__ import annotations

from typing import Any

import numpy as np

from ptycupy.experiment.state import Problem, State


def random_scene(
    *,
    positions: int = 5,
    window: tuple[int, int] = (12, 12),
    detector: tuple[int, int] | None = None,
    probe_modes: int = 2,
    object_modes: int = 2,
    slices: int = 3,
    tilt_per_position: bool = True,
    optional: bool = False,
    seed: int = 0,
    **problem: Any,
) -> tuple[Problem, State]:
    """A random problem and state in double precision, `optional` fields and all; keywords go to Problem."""
    g = np.random.default_rng(seed)
    canvas = (window[0] + 7, window[1] + 6)
    detector = window if detector is None else detector
    corners = g.integers(0, (8, 7), (positions, 2)).astype(np.int32)
    y, x = (np.arange(n) - n / 2 for n in window)
    envelope = np.exp(-(y[:, None] ** 2 + x[None, :] ** 2) / (0.1 * window[0] * window[1]))
    noise = g.standard_normal((2, probe_modes, *window))
    probe = envelope * (1 + 0.3 * (noise[0] + 1j * noise[1])) / np.arange(1, probe_modes + 1)[:, None, None]
    shape = (object_modes, slices, *canvas)
    state = State(
        object_amplitude=1 + 0.1 * g.standard_normal(shape),
        object_phase=0.3 * g.standard_normal(shape),
        probe=probe,
        shifts=g.uniform(-0.5, 0.5, (positions, 2)),
        tilts=g.uniform(-5, 5, (positions if tilt_per_position else 1, 2)),
        slice_thickness=np.asarray(8.0) if slices < 3 else g.uniform(5, 10, slices - 1),
    )
    if optional:
        variations = envelope * (g.standard_normal((2, *window)) + 1j * g.standard_normal((2, *window)))
        state = state.replace(
            pattern_intensity=g.uniform(0.8, 1.2, positions),
            background=g.uniform(0.05, 0.2, detector),
            descan=g.uniform(-0.7, 0.7, (positions, 2)),
            aberrations=g.uniform(-15, 15, 3),
            scan_affine=np.array([0.02, -0.03, 1.5, -1.0]),
            probe_variations=variations,
            variation_weights=0.3 * g.standard_normal((positions, 2)),
        )
        problem.setdefault("aberrations", ("C10", "C12a", "C21b"))
    settings: dict[str, Any] = {
        "pixel_size": (0.2, 0.25),
        "wavelength": 0.025,
        "object_occupancy": np.linspace(1, 2, object_modes) / np.linspace(1, 2, object_modes).sum(),
        **problem,
    }
    return Problem(patterns=g.uniform(0.1, 2, (positions, *detector)), corners=corners, **settings), state
