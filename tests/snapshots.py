"""Small synthetic snapshots that tests of storage and outputs share."""

import numpy as np

from ptycupy.experiment.state import State
from ptycupy.storage.snapshot import History, Moments, Snapshot


def atoms(shape, slices, modes=1, spacing=9.0, seed=0):
    """Phase [modes, slices, y, x] in rad of a slightly twisted square lattice of Gaussian atoms."""
    rng = np.random.default_rng(seed)
    rows, columns = np.mgrid[: shape[0], : shape[1]].astype(float)
    phase = np.zeros((modes, slices, *shape))
    for mode in range(modes):
        for index in range(slices):
            angle = 0.06 * index
            y = (rows * np.cos(angle) - columns * np.sin(angle)) / spacing
            x = (rows * np.sin(angle) + columns * np.cos(angle)) / spacing
            squared = (y - np.rint(y)) ** 2 + (x - np.rint(x)) ** 2
            phase[mode, index] = 0.4 * np.exp(-squared / 0.03) + 0.01 * rng.standard_normal(shape)
    return phase.astype(np.float32)


def make(
    modes=1, slices=3, probes=2, window=(16, 16), scan=(4, 5), step=3, pixel_size=(0.2, 0.2), thickness="one", tilts=1,
    iterations=4, seed=0,
):  # fmt: skip
    """A Snapshot with random but plausible content; `thickness` is "one" (0-d) or "each" ((slices-1,))."""
    rng = np.random.default_rng(seed)
    count = scan[0] * scan[1]
    corners = np.stack(np.meshgrid(np.arange(scan[0]), np.arange(scan[1]), indexing="ij"), -1).reshape(-1, 2)
    corners = (corners * step + 4).astype(np.int32)
    canvas = tuple(int(corners[:, axis].max()) + window[axis] + 4 for axis in (0, 1))
    phase = atoms(canvas, slices, modes, seed=seed)
    amplitude = (1 - 0.1 * phase + 0.005 * rng.standard_normal(phase.shape)).astype(np.float32)
    rows, columns = (np.arange(n) - n // 2 for n in window)
    base = np.exp(-(rows[:, None] ** 2 + columns[None] ** 2) / (0.3 * window[0]) ** 2 / 2)
    wave = base * np.exp(0.04j * (rows[:, None] ** 2 + columns[None] ** 2))
    orders = [np.ones(window), np.broadcast_to(rows[:, None], window), np.broadcast_to(columns, window)]
    probe = np.stack([wave * orders[mode % 3] * 0.3**mode for mode in range(probes)]).astype(np.complex64)
    iteration = list(range(1, iterations + 1))
    gap = 10.0 if thickness == "one" else np.linspace(8, 12, slices - 1)
    state = State(
        object_amplitude=amplitude,
        object_phase=phase,
        probe=probe,
        shifts=rng.uniform(-0.49, 0.49, (count, 2)).astype(np.float32),  # within the pixel, as every iteration ends
        tilts=rng.standard_normal((count if tilts != 1 else 1, 2)).astype(np.float32),
        slice_thickness=np.asarray(gap, np.float32),
    )
    totals = [float(np.exp(-0.3 * i) + 0.2) for i in iteration]
    return Snapshot(
        state=state,
        corners=corners,
        pixel_size=pixel_size,
        wavelength=None if pixel_size is None else 0.0197,
        object_occupancy=np.linspace(1, 2, modes) / np.linspace(1, 2, modes).sum(),
        detector_shape=window,
        scan_shape=scan,
        detector_blur=0.5,
        propagator="angular_spectrum",
        used=np.arange(0, count),
        initial_positions=corners.astype(np.float32),
        probe_intensity=float((np.abs(probe) ** 2).sum()),
        iteration=iterations,
        history=History(
            iterations=iteration,
            losses={"gaussian": [0.9 * t for t in totals], "sparsity": [0.1 * t for t in totals]},
            total=totals,
            seconds=[0.1 / (i + 2) for i in iteration],
            learning_rates={"object_phase": [5e-4 for _ in iteration], "probe": [1e-4 for _ in iteration]},
            slice_thickness=[10.0 + 0.1 * i for i in iteration],
            mean_tilt=[(0.1 * i, -0.2 * i) for i in iteration],
        ),
        moments={
            "object_phase": Moments(
                {"first": rng.standard_normal(phase.shape, np.float32), "second": np.abs(phase)}, {"eta": 0.1}, 17
            ),
            "probe": Moments({"first": probe * 1e-3, "second": np.abs(probe) + 1j * np.abs(probe)}, {}, 17),
        },
        learning_rate_factor=0.5,
        pending=(np.array([3, 1, 2]), np.array([0])),
        batch_losses=rng.standard_normal((2, 3)),
        generator='{"bit_generator": "PCG64", "state": {"state": 35399562948360463058890781895381311971}}',
        data_fingerprint="1f2e3d4c",
        config="version: 1\ndata:\n  path: /data/scan.h5\n  key: null\nreconstruction:\n  iterations: 4\n",
        versions={"ptycupy": "0.1.0", "numpy": np.__version__},
    )


def same(left, right):
    """Whether two snapshots are equal to the last bit, types of the arrays included."""
    if isinstance(left, np.ndarray) or isinstance(right, np.ndarray):
        return (
            isinstance(left, np.ndarray)
            and isinstance(right, np.ndarray)
            and left.dtype == right.dtype
            and left.shape == right.shape
            and bool(np.array_equal(left, right, equal_nan=True))
        )
    if type(left) is not type(right):
        return False
    if isinstance(left, dict):
        return left.keys() == right.keys() and all(same(left[key], right[key]) for key in left)
    if isinstance(left, tuple):
        return len(left) == len(right) and all(same(a, b) for a, b in zip(left, right, strict=True))
    if isinstance(left, (State, Snapshot, History, Moments)):
        return all(same(getattr(left, name), getattr(right, name)) for name in left.__dataclass_fields__)
    return left == right
