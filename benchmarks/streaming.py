"""A scan larger than the memory it may take, reconstructed on the CPU, and what that costs against patterns in memory.

    python benchmarks/streaming.py [--folder /tmp] [--side 512] [--limit-gb 4] [--rounds 3] [--cut 64]

Simulates 512 x 512 patterns of 128 x 128 px (one slice, one mode, uint16 counts; 8.6 GB on disk, deleted afterwards)
and reconstructs them in a process that the system holds to 4 GB of addresses (RLIMIT_AS), the survey and the outputs
included. Then, in turns, the first 64 rows of the same file: all in memory, and streamed with the limit scaled so that
the same share of patterns has room; streamed with the file's pages in the system's cache, and evicted before every
iteration. Addresses and peak RSS count code, arrays and buffers; the page cache of the file is the system's, and it is
not mapped.
Writes benchmarks/results/streaming_cpu.json.
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np

WINDOW, STEP, MARGIN = 128, 2, 8  # px
BRIGHTEST = 2000.0  # counts of the brightest pixel
CHUNK = 1024  # patterns simulated at once
BATCH = 64
PAGES = "patterns.npy"
RESULTS = Path(__file__).parent / "results" / "streaming_cpu.json"


def simulate(folder: Path, side: int, window: int = WINDOW) -> Path:
    """patterns.npy [side^2, window, window] and geometry.h5 with the probe; returns the former's path."""
    import h5py
    from numpy.lib.format import open_memmap

    import ptycupy

    random = np.random.default_rng(0)
    canvas = window + STEP * (side - 1) + 2 * MARGIN
    spectrum = np.fft.rfft2(random.standard_normal((canvas, canvas), np.float32))
    fy, fx = np.fft.fftfreq(canvas)[:, None], np.fft.rfftfreq(canvas)[None]
    phase = np.fft.irfft2(spectrum * np.exp(-(fy**2 + fx**2) / (2 * 0.05**2)), (canvas, canvas))
    phase = (0.5 * (phase - phase.min()) / np.ptp(phase)).astype(np.float32)
    r = np.arange(window) - window // 2
    square = r[:, None] ** 2 + r[None] ** 2
    probe = (np.exp(-square / (window * 1.5)) * np.exp(0.015j * square)).astype(np.complex64)
    steps = MARGIN + STEP * np.stack(np.meshgrid(np.arange(side), np.arange(side), indexing="ij"), -1).reshape(-1, 2)
    patterns = open_memmap(folder / PAGES, "w+", np.uint16, (side * side, window, window))
    factor = None
    for start in range(0, side * side, CHUNK):
        corners = steps[start : start + CHUNK].astype(np.int32)
        count = len(corners)
        state = ptycupy.State(
            np.ones((1, 1, canvas, canvas), np.float32), phase[None, None], probe[None],
            np.zeros((count, 2), np.float32), np.zeros((1, 2), np.float32), np.float32(0),
        )  # fmt: skip
        problem = ptycupy.Problem(np.zeros((count, window, window), np.uint8), corners)
        exact = ptycupy.forward(problem, state, np.arange(count), backend="cpu")
        factor = BRIGHTEST / float(exact.max()) if factor is None else factor
        # Up or down by chance, so that the mean is exact: Poisson's noise would take ten times as long to draw.
        patterns[start : start + count] = exact * np.float32(factor) + random.random(exact.shape, np.float32)
    patterns.flush()
    del patterns
    with h5py.File(folder / "geometry.h5", "w") as file:
        file["probe"] = probe
    return folder / PAGES


def reconstruct(folder: Path, side: int, options: argparse.Namespace) -> dict[str, Any]:
    """One reconstruction in this process, as the options of a worker say."""
    if options.hard_limit:
        resource.setrlimit(resource.RLIMIT_AS, (options.hard_limit, options.hard_limit))
    import ptycupy
    from ptycupy.backends.host_memory import resident_bytes, status_bytes
    from ptycupy.reconstruction.callbacks import Quiet

    found: dict[str, Any] = {}

    class Watch(Quiet):
        """Notes what the run holds; puts the file out of the system's cache before each further iteration."""

        def on_stop(self, engine: Any) -> None:
            feed = engine.experiment.feed
            found["kept"] = len(engine.used) if feed is None else feed.kept
            found["count"] = len(engine.used)
            found["streamed"] = feed is not None

        def on_iteration(self, engine: Any) -> None:
            if options.evict:
                evict(folder / PAGES)

    if options.evict:
        evict(folder / PAGES)
    limit = None
    if options.memory:  # what patterns and their buffers may take, on top of what the process has now
        import ptycupy.backends.cpu
        import ptycupy.reconstruction.engine  # noqa: F401

        limit = (resident_bytes() + options.memory) / 2**30
    rows = side if options.rows is None else options.rows
    config = {
        "version": 1,
        "data": {
            "path": str(folder / PAGES), "scan_shape": [side, side], "crop_scan": [[0, rows], [0, side]],
            "residency": options.residency, "memory_limit_gib": limit, "bad_pixels": "ignore",
            "device_storage": "dense",  # in both places the same work to decode
        },
        "illumination": {"path": str(folder / "geometry.h5"), "key": "probe", "modes": 1},
        "calibration": {"mode": "none"},
        "scan": {"step_px": STEP},
        "optimizer": {"object_amplitude": 5e-3, "object_phase": 5e-3, "probe": 1e-3, "shifts": 0},
        "constraints": [],
        "reconstruction": {"iterations": options.iterations, "batch_size": BATCH, "checkpoint_every": 1000},
        "backend": {"device": "cpu"},
        "output": {"folder": str(folder / "runs")},
    }  # fmt: skip
    start = time.perf_counter()
    result = ptycupy.reconstruct(config, callbacks=[Watch()])
    return {
        **found,
        "seconds": time.perf_counter() - start,
        "iterations": list(result.history.seconds),
        "losses": list(result.history.total),
        "peak_rss": status_bytes("VmHWM:"),  # of this program alone; ru_maxrss knows the parent's too
    }


def evict(path: Path) -> None:
    """Asks the system to forget the pages of a file."""
    with open(path, "rb") as file:
        os.fsync(file.fileno())
        os.posix_fadvise(file.fileno(), 0, 0, os.POSIX_FADV_DONTNEED)


def worker(folder: Path, side: int, *arguments: str) -> dict[str, Any]:
    """The same in a process of its own."""
    command = [sys.executable, __file__, "--worker", "--folder", str(folder), "--side", str(side), *arguments]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        raise SystemExit(f"{' '.join(command)}:\n{done.stderr}")
    answer: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return answer


def scaled_memory(folder: Path, options: argparse.Namespace, share: float) -> int:
    """Bytes beside the process itself with which this share of the cut's patterns has room."""
    pattern = WINDOW * WINDOW * 2
    memory = (1 << 29) + int(share * options.cut * options.side * pattern / 0.8)
    found = worker(folder, options.side, "--rows", str(options.cut), "--memory", str(memory), "--iterations", "1")
    return memory + int((share * found["count"] - found["kept"]) * pattern / 0.8)


def measure(folder: Path, options: argparse.Namespace) -> dict[str, Any]:
    """Both figures."""
    from ptycupy.bench.machine import describe_machine

    side, limit = options.side, int(options.limit_gb * 1e9)
    size = (folder / PAGES).stat().st_size
    full = worker(folder, side, "--hard-limit", str(limit))
    assert full["streamed"]
    assert full["peak_rss"] < limit < size
    rows = options.cut
    alone = worker(folder, side, "--rows", "1")["peak_rss"]  # the process, with next to no patterns
    scaled = scaled_memory(folder, options, full["kept"] / full["count"])
    kinds = {
        "in memory": ["--residency", "device"],
        "streamed": ["--memory", str(scaled)],
        "streamed, file evicted": ["--memory", str(scaled), "--evict"],
    }
    runs: dict[str, list[dict[str, Any]]] = {kind: [] for kind in kinds}
    for _ in range(options.rounds):
        for kind, arguments in kinds.items():
            runs[kind].append(worker(folder, side, "--rows", str(rows), "--iterations", "2", *arguments))
    for kind in list(kinds)[1:]:
        assert all(run["streamed"] and run["losses"] == runs["in memory"][0]["losses"] for run in runs[kind])
    # The first iteration still compiles, or loads what was compiled.
    seconds = {kind: [run["iterations"][1] / run["count"] for run in found] for kind, found in runs.items()}
    medians = {kind: statistics.median(values) for kind, values in seconds.items()}
    return {
        **describe_machine("cpu"),
        "set": f"{side} x {side} patterns of {WINDOW} x {WINDOW} uint16, {size / 1e9:.2f} GB",
        "limit_bytes": limit,
        "full": full,
        "process_alone_peak_rss": alone,
        "cut_rows": rows,
        "cut_kept_share": runs["streamed"][0]["kept"] / runs["streamed"][0]["count"],
        "full_kept_share": full["kept"] / full["count"],
        "cut_peak_rss": {kind: max(run["peak_rss"] for run in found) for kind, found in runs.items()},
        "seconds_per_pattern": seconds,
        "median_seconds_per_pattern": medians,
        "ratio": medians["streamed"] / medians["in memory"],
        "ratio_evicted": medians["streamed, file evicted"] / medians["in memory"],
    }


def options_of(arguments: list[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--folder", type=Path, default=None, help="where there are 9 GB of room")
    parser.add_argument("--side", type=int, default=512)
    parser.add_argument("--limit-gb", type=float, default=4.0)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--cut", type=int, default=64, help="rows of the smaller cut")
    parser.add_argument("--keep", action="store_true", help="leave the patterns in --folder")
    parser.add_argument("--worker", action="store_true", help=argparse.SUPPRESS)
    for name, kind in (("hard-limit", int), ("memory", int), ("rows", int), ("iterations", int), ("residency", str)):
        default = {"iterations": 1, "residency": "auto"}.get(name)
        parser.add_argument(f"--{name}", type=kind, default=default, help=argparse.SUPPRESS)
    parser.add_argument("--evict", action="store_true", help=argparse.SUPPRESS)
    return parser.parse_args(arguments)


def main(arguments: list[str] | None = None) -> None:
    options = options_of(arguments)
    if options.worker:
        print(json.dumps(reconstruct(options.folder, options.side, options)))
        return
    with tempfile.TemporaryDirectory(dir=options.folder) as name:
        folder = options.folder if options.keep and options.folder else Path(name)
        start = time.perf_counter()
        if not (folder / PAGES).exists():
            simulate(folder, options.side)
        print(f"simulated in {time.perf_counter() - start:.0f} s", flush=True)
        found = measure(folder, options)
    RESULTS.write_text(json.dumps(found, indent=1) + "\n", encoding="utf-8")
    print(json.dumps(found, indent=1))


if __name__ == "__main__":
    main()
