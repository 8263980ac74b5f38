"""An object in tiles against a whole one on each rank: seconds of an update and of an iteration's end, in turns.

    NUMBA_NUM_THREADS=1 mpiexec -n 2 python benchmarks/tiles.py [--out FILE.json]

A wide scan: 40 x 40 positions 10 px apart, windows of 64 x 64 px, 2 probe modes, 6 slices, batches of 64. Both engines
are there at once and take turns update by update, so that what else the machine does meets both; medians.
"""

from __future__ import annotations

import argparse
import json
import statistics
import time
from pathlib import Path
from typing import Any

import numpy as np

from ptycupy import Engine, Problem, Settings, State
from ptycupy.backends import select
from ptycupy.bench.machine import describe_machine
from ptycupy.distributed.comm import join
from ptycupy.distributed.team import Team
from ptycupy.reconstruction.teamwork import agree, constrain
from ptycupy.reconstruction.tiling import begin_tiles
from ptycupy.update.settings import Constraint

SIDE, STEP, WINDOW, MODES, SLICES, BATCH, ROUNDS = 40, 10, 64, 2, 6, 64, 30
CASES: dict[str, tuple[str, ...]] = {"plain": ("positive_phase",), "low pass": ("lateral_low_pass", "positive_phase")}


def scene() -> tuple[Problem, State]:
    """Numbers of the right size; what they are does not matter."""
    random = np.random.default_rng(0)
    count, canvas = SIDE**2, (SIDE - 1) * STEP + WINDOW
    corners = (np.stack(np.divmod(np.arange(count), SIDE), axis=1) * STEP).astype(np.int32)
    patterns = random.uniform(0.1, 2, (count, WINDOW, WINDOW)).astype(np.float32)
    shape = (1, SLICES, canvas, canvas)
    probe = (random.standard_normal((MODES, WINDOW, WINDOW)) + 1j).astype(np.complex64)
    state = State(np.ones(shape, np.float32), np.zeros(shape, np.float32), probe, np.zeros((count, 2), np.float32),
                  np.zeros((1, 2), np.float32), 4.0)  # fmt: skip
    return Problem(patterns, corners, pixel_size=0.2, wavelength=0.025), state


def engine(team: Team, tiled: bool, constraints: tuple[str, ...]) -> Engine:
    problem, state = scene()
    rates = dict.fromkeys(("object_amplitude", "object_phase", "probe"), 1e-4)
    settings = Settings({"gaussian": {}}, learning_rates=rates, batch_size=BATCH,
                        constraints=[Constraint(name) for name in constraints])  # fmt: skip
    tiles = begin_tiles(team, problem, state, settings) if tiled else None
    if tiles is None:
        team.deal(np.arange(SIDE**2, dtype=np.int32), alternating=False)
    return Engine(problem, state, settings, select("cpu", "float32"), ranks=team, tiles=tiles)


def ended(made: Engine) -> None:
    for _, apply in made.constraints:
        constrain(made, apply)
    agree(made)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", type=Path)
    out = parser.parse_args().out
    team, random = Team(join()), np.random.default_rng(1)
    found: dict[str, Any] = {}
    for case, constraints in CASES.items():
        engines = {name: engine(team.sibling(), name == "tiles", constraints) for name in ("whole", "tiles")}
        seconds: dict[str, dict[str, list[float]]] = {name: {"update": [], "end": []} for name in engines}
        for number in range(ROUNDS + 1):
            batch = random.choice(SIDE**2, BATCH, replace=False)
            for name, made in engines.items():
                for part, work in (("update", lambda m=made, b=batch: m.step(b)), ("end", lambda m=made: ended(m))):
                    team.any(False)
                    begun = time.perf_counter()
                    work()
                    team.any(False)
                    if number:  # the first one compiles
                        seconds[name][part].append(time.perf_counter() - begun)
        tile = engines["tiles"].tiles
        assert tile is not None
        medians = {name: {part: statistics.median(s) for part, s in each.items()} for name, each in seconds.items()}
        found[case] = {"canvas": tile.layout.canvas, "tile": tile.shape, "seconds": medians}
    if team.rank == 0:
        record = {**describe_machine("cpu"), "command": f"mpiexec -n {team.size} python benchmarks/tiles.py",
                  "ranks": team.size, "medians_of": ROUNDS, "cases": found}  # fmt: skip
        print(json.dumps(record, indent=1))
        if out is not None:
            out.write_text(json.dumps(record, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
