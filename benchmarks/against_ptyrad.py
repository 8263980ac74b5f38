"""ptycupy and PtyRAD 1.0.0 on the same data, same machine, in turns: seconds per iteration, median and ratio.

    python benchmarks/against_ptyrad.py --ptyrad-python /path/to/env/bin/python [--rounds 3] [--compiled ROUNDS]
        [--quality] [--backend cuda] [--graphs on|off|auto] [--fft WAY] [--scan 128] [--out FILE.json]

PtyRAD runs in an interpreter of its own (Python 3.12 with ptyrad==1.0.0). Each round runs a few iterations of one
program and then of the other; an iteration is every pattern once with constraints, without loading and saving.
The first iteration of each turn (compilation, caches) is not counted. --compiled takes PtyRAD with torch.compile too,
two iterations a turn, in the first rounds: on a CPU an iteration may take minutes. --quality also runs PtyRAD for 20
iterations (with its position jitter of 0.15 px) and then ptycupy, with the same settings, until it has PtyRAD's SSIM;
both times are sums of iterations. The best rate of transforms is measured in the same run; its share counts 4
transforms per slice and wave. --backend cuda takes both to a GPU, whose load and memory are read meanwhile, and
there --graphs on records ptycupy's iterations as CUDA graphs, and --fft is its `backend.fft`. --scan 128 repeats the
set's patterns to a scan of 128 x 128, the size of the PtyRAD paper's Table S5.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import shlex
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from dataclasses import asdict
from pathlib import Path
from typing import Any

import h5py
import numpy as np

import ptycupy
from ptycupy.analysis.result import score_phase
from ptycupy.backends import select
from ptycupy.backends.cuda.chains import FFTS
from ptycupy.backends.host_memory import status_bytes
from ptycupy.bench.ceilings import FftRate, fft_rates, iteration_transform_flops
from ptycupy.bench.machine import describe_machine
from ptycupy.bench.quality import DATA, PIXEL_ANGSTROM, SCAN_SHAPE, STEP_ANGSTROM, Watch, wse2_engine
from ptycupy.bench.sampling import Sampler
from ptycupy.config.schema import Truth

HERE = Path(__file__).resolve().parent
WINDOW = (128, 128)
QUALITY = {"iterations": 20, "jitter_px": 0.15}


@contextlib.contextmanager
def repeated(scan: int) -> Iterator[Path]:
    """The set with its patterns repeated to a scan of that many lines; the set itself where it has as many."""
    if (scan, scan) == SCAN_SHAPE:
        yield DATA
        return
    with tempfile.TemporaryDirectory() as folder:
        with h5py.File(DATA) as few, h5py.File(Path(folder) / "repeated.h5", "w") as many:
            patterns = few["dp"][...].reshape(-1, *WINDOW)
            many["dp"] = np.resize(patterns, (scan * scan, *WINDOW))
        yield Path(folder) / "repeated.h5"


def own_engine(job: dict[str, Any]) -> ptycupy.Engine:
    """The same problem and settings with ptycupy."""
    settings = (job["batch"], job["modes"], job["slices"], job["jitter_px"] or 0.0, job["seed"])
    return wse2_engine(
        select(job["device"], fft=job["fft"], graphs=job["graphs"]),
        Path(job["data"]),
        *settings,
        (job["scan"], job["scan"]),
    )


def own_turn(job: dict[str, Any]) -> dict[str, Any]:
    """Seconds and losses of a job's iterations, the device's load after the first of them, and the most memory that
    this process ever had."""
    engine = own_engine(job)
    engine.run(1)
    with Sampler(engine.backend.name) as sampler:
        engine.run(job["iterations"] - 1)
    most = status_bytes("VmHWM:")
    peak = None if most is None else most / 2**20
    return {"seconds": engine.history.seconds, "loss": engine.history.total, "load": sampler.summary, "peak_mib": peak}


class Reaching(Watch):
    """Stops the engine that has reached a wanted SSIM."""

    def __init__(self, data: Path, wanted: float) -> None:
        super().__init__(data, ())
        self.wanted = wanted

    def on_iteration(self, engine: ptycupy.Engine) -> None:
        super().on_iteration(engine)
        engine.stop_requested = self.ssim[-1] >= self.wanted


def ptyrad_ssim(file: Path, data: str) -> float:
    """Of the phase that the worker wrote, on the field that ptycupy's own results are judged on."""
    with np.load(file) as found:
        phase, corners = found["phase"], found["corners"]
    first, last = corners.min(axis=0) + WINDOW[0] // 2, corners.max(axis=0) + WINDOW[0] // 2
    field = phase[first[0] : last[0] + 1, first[1] : last[1] + 1]
    ends = np.array([(0, 0), np.subtract(SCAN_SHAPE, 1)]) * STEP_ANGSTROM / PIXEL_ANGSTROM  # of the raster, px
    return score_phase(field, PIXEL_ANGSTROM, ends, Truth(path=data, key="truth_phase")).ssim


def quality(job: dict[str, Any], ask: Any) -> dict[str, Any]:
    """PtyRAD's SSIM after 20 iterations, and the seconds of iterations that either program takes to have it."""
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "object.npz"
        theirs = ask({**job, **QUALITY, "object": str(file)})
        if "failed" in theirs:
            sys.exit(f"PtyRAD failed: {theirs['failed']}")
        wanted = ptyrad_ssim(file, job["data"])
    watch = Reaching(Path(job["data"]), wanted)
    engine = own_engine({**job, **QUALITY})
    engine.run(3 * QUALITY["iterations"], [watch])
    reached = watch.ssim[-1] >= wanted
    seconds = {"ptyrad": sum(theirs["seconds"]), "ptycupy": sum(engine.history.seconds) if reached else None}
    return {
        "iterations": {"ptyrad": len(theirs["seconds"]), "ptycupy": engine.iteration if reached else None},
        "ssim": {"ptyrad": wanted, "ptycupy": watch.ssim},
        "seconds": seconds,
        "share_of_ptyrad_time": seconds["ptycupy"] / seconds["ptyrad"] if reached else None,
    }


def summarise(turns: dict[str, list[dict[str, Any]]], job: dict[str, Any], rates: list[FftRate]) -> dict[str, Any]:
    """Medians, ratios (null for a program that failed) and the share of the best rate of transforms."""
    medians: dict[str, float | None] = {}
    for name, runs in turns.items():
        seconds = [s for run in runs for s in run.get("seconds", [])[1:]]
        medians[name] = statistics.median(seconds) if seconds else None
    own = medians["ptycupy"]
    flops = iteration_transform_flops(WINDOW, job["scan"] ** 2, job["modes"], job["slices"])
    return {
        "median_seconds_per_iteration": medians,
        "ratio": {
            name: None if own is None or other is None else other / own
            for name, other in medians.items()
            if name != "ptycupy"
        },
        "failed": {name: runs[-1]["failed"] for name, runs in turns.items() if "failed" in runs[-1]},
        "transforms": {
            "best": asdict(rates[0]),
            "rates": [asdict(rate) for rate in rates],
            "flops_per_iteration": flops,
            "share_of_best": {
                name: None if seconds is None else flops / seconds / 1e9 / rates[0].gflops
                for name, seconds in medians.items()
            },
        },
    }


class Worker:
    """A program in its own interpreter, asked one job at a time."""

    def __init__(self, python: str, script: str = "ptyrad_worker.py") -> None:
        self.script = script
        self.process = subprocess.Popen(
            [python, str(HERE / script)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
        )

    def ask(self, job: dict[str, Any]) -> dict[str, Any]:
        """What it answers; {"failed": reason} where the program raised an error."""
        if self.process.stdin is None or self.process.stdout is None:
            raise AssertionError("pipes were asked for")
        self.process.stdin.write(json.dumps(job) + "\n")
        self.process.stdin.flush()
        answer = self.process.stdout.readline()
        if not answer:
            sys.exit(f"no answer: run {self.script} by hand to see why")
        found: dict[str, Any] = json.loads(answer)
        return found

    def close(self) -> None:
        self.process.communicate()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--ptyrad-python", default=os.environ.get("PTYCUPY_PTYRAD_PYTHON"), help="its interpreter")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--iterations", type=int, default=3, help="per turn, the first one is not counted")
    parser.add_argument("--batch", type=int, default=16)
    parser.add_argument("--modes", type=int, default=4)
    parser.add_argument("--slices", type=int, default=6)
    parser.add_argument(
        "--compiled", type=int, default=0, metavar="ROUNDS", help="in so many rounds PtyRAD with torch.compile too"
    )
    parser.add_argument("--quality", action="store_true", help="time to the SSIM of PtyRAD's 20 iterations too")
    parser.add_argument("--backend", default="cpu", choices=["cpu", "cuda"], help="of both programs")
    parser.add_argument("--graphs", default="auto", choices=["on", "off", "auto"], help="CUDA graphs of ptycupy's")
    parser.add_argument("--fft", default="auto", choices=FFTS, help="backend.fft of ptycupy's")
    parser.add_argument(
        "--scan", type=int, default=SCAN_SHAPE[0], metavar="LINES", help="and as many positions in each"
    )
    parser.add_argument("--out", type=Path, help="default: benchmarks/results/against_ptyrad_BACKEND.json")
    given = parser.parse_args()
    if not given.ptyrad_python:
        parser.error("--ptyrad-python (or PTYCUPY_PTYRAD_PYTHON) must name an interpreter that has ptyrad==1.0.0")
    if given.backend == "cpu" and given.graphs == "on":
        parser.error("--graphs on needs --backend cuda: the CPU has no CUDA graphs")
    if given.quality and given.scan != SCAN_SHAPE[0]:
        parser.error("--quality needs the set as it is, without --scan")
    with repeated(given.scan) as data:
        measure(given, data)


def measure(given: argparse.Namespace, data: Path) -> None:
    """Every turn of both programs, into one record."""
    job = {
        "data": str(data),
        "scan": given.scan,
        "device": given.backend,
        "graphs": given.graphs,
        "fft": given.fft,
        "modes": given.modes,
        "slices": given.slices,
        "batch": given.batch,
        "iterations": given.iterations,
        "threads": os.cpu_count(),
        "jitter_px": None,
        "seed": 0,
        "compiled": False,
        "object": "",
    }
    worker = Worker(given.ptyrad_python)
    backend = select(given.backend, fft=given.fft, graphs=given.graphs)
    rates = fft_rates(backend, WINDOW)
    turns: dict[str, list[dict[str, Any]]] = {"ptycupy": [], "ptyrad": []}
    if given.compiled:
        turns["ptyrad compiled"] = []
    for number in range(given.rounds):
        turns["ptycupy"].append(own_turn(job))
        turns["ptyrad"].append(worker.ask(job))
        if number < given.compiled:
            turns["ptyrad compiled"].append(worker.ask({**job, "compiled": True, "iterations": 2}))
        told = {n: [round(s, 2) for s in runs[-1].get("seconds", [])] for n, runs in turns.items() if runs}
        print(f"round {number + 1}: {told}", flush=True)
    rates = sorted(rates + fft_rates(backend, WINDOW), key=lambda rate: -rate.gflops)  # the machine may have been busy
    summary = summarise(turns, job, rates)
    command = shlex.join(["python", "benchmarks/against_ptyrad.py", *sys.argv[1:]])
    result = {
        **describe_machine(backend.name),
        "command": command.replace(given.ptyrad_python, "PTYRAD_PYTHON"),
        "ptyrad": {"version": "1.0.0", "torch": next((r["torch"] for r in turns["ptyrad"] if "torch" in r), None)},
        "job": {**job, "data": data.name},
        **summary,
        "quality": quality(job, worker.ask) if given.quality else None,
        "turns": turns,
    }
    worker.close()
    out = given.out or HERE / "results" / f"against_ptyrad_{given.backend}.json"
    out.parent.mkdir(parents=True, exist_ok=True)
    out.write_text(json.dumps(result, indent=1) + "\n")
    print(json.dumps({key: result[key] for key in (*summary, "quality")}, indent=1))


if __name__ == "__main__":
    main()
