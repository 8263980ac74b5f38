"""Several ranks go the way of one: the same batches, and sums that differ by rounding only.

The tolerances are those that the guide states (ptycupy/guide/many_gpus.md).
"""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from scenes import random_scene
from thread_ranks import TOLERANCE, same, together

from ptycupy import Engine, Settings
from ptycupy.distributed.team import Team
from ptycupy.errors import MemoryShortage
from ptycupy.reconstruction.callbacks import Quiet
from ptycupy.storage.snapshot import Snapshot
from ptycupy.update.settings import Constraint

POSITIONS = 13
EVERY_LOSS = ("gaussian", "poisson", "pacbed", "sparsity", "similarity")
CONSTRAINTS = ("depth_blur", "orthogonal_probe", "fixed_probe_intensity", "position_recentring", "tilt_smoothing")

CASES: dict[str, dict[str, Any]] = {
    "all losses": {"losses": dict.fromkeys(EVERY_LOSS, {})},
    "one loss, in parts": {"losses": {"gaussian": {}}, "sub_batch": 1},
    "poisson, small batches": {"losses": {"poisson": {}}, "batch_size": 2},
    "accumulated": {"gradient_accumulation": 2, "losses": {"gaussian": {}, "sparsity": {}}},
    "one op there and back": {"losses": {"gaussian": {}, "sparsity": {}}, "plain": True},
    "compact": {"grouping": "compact"},
    "adafactor": {"optimizer": "adafactor"},
    "lsqml": {"optimizer": "lsqml"},
}


def run(team: Team | None, dtype: str, iterations: int = 10, callback: Any = None, **changes: Any) -> Snapshot:
    plain = changes.pop("plain", False)  # a model that runs as one op: nothing optional, one tilt that stays
    problem, state = random_scene(
        positions=POSITIONS,
        window=(64, 64) if plain else (12, 12),
        detector_blur=0.5,
        optional="optimizer" not in changes and not plain,
        tilt_per_position=not plain,
        scan_shape=(1, POSITIONS),
    )
    refined = ("object_amplitude", "object_phase", "probe", "shifts") if plain else [name for name, _ in state.items()]
    given = {"losses": {"gaussian": {}, "sparsity": {}}, "batch_size": 4} | changes
    settings = Settings(
        learning_rates=dict.fromkeys(refined, 1e-3),
        constraints=[Constraint(name) for name in CONSTRAINTS[: 4 if plain else None]],
        **given,
    )
    if team is None:
        engine = Engine(problem, state, settings, "cpu", dtype)
    else:
        team.deal(np.arange(POSITIONS, dtype=np.int32), alternating=settings.grouping == "compact")
        engine = Engine(problem, state, settings, "cpu", dtype, ranks=team)
    engine.run(iterations, [] if callback is None else [callback])
    return engine.snapshot()


@pytest.mark.parametrize("case", CASES)
def test_three_ranks_are_one_in_double_precision(case: str) -> None:
    one = run(None, "float64", **CASES[case])
    many = together(3, lambda team: run(team, "float64", **CASES[case]))
    for snapshot in many:
        same(one, snapshot, TOLERANCE["float64"])
        same(many[0], snapshot, 0.0)  # all ranks hold the same bits


def test_ranks_are_one_in_single_precision_and_the_same_bits_again() -> None:
    one = run(None, "float32", **CASES["all losses"])
    many, again = (together(2, lambda team: run(team, "float32", **CASES["all losses"])) for _ in range(2))
    same(one, many[0], TOLERANCE["float32"])
    same(many[0], again[0], 0.0)
    same(many[0], again[1], 0.0)


def test_a_line_search_stays_together() -> None:
    one = run(None, "float64", 2, optimizer="lbfgs")
    many = together(2, lambda team: run(team, "float64", 2, optimizer="lbfgs"))
    same(many[0], many[1], 0.0)
    same(one, many[0], 1e-4)


class StopAt(Quiet):
    """Asks one rank to stop in the middle of an iteration."""

    def __init__(self, rank: int, iteration: int) -> None:
        self.rank, self.iteration = rank, iteration

    def on_batch(self, engine: Engine, number: int, batches: int) -> None:
        if engine.ranks.rank == self.rank and engine.iteration == self.iteration and number == 2:
            engine.stop_requested = True


def test_all_stop_where_one_is_asked_to_and_another_number_of_ranks_goes_on() -> None:
    stopped = together(3, lambda team: run(team, "float64", callback=StopAt(1, 4)))
    assert [(s.iteration, len(s.pending)) for s in stopped] == [(4, 2)] * 3

    def resumed(team: Team | None) -> Snapshot:
        problem, state = random_scene(positions=POSITIONS, detector_blur=0.5, optional=True, scan_shape=(1, POSITIONS))
        settings = Settings(
            losses={"gaussian": {}, "sparsity": {}},
            batch_size=4,
            learning_rates=dict.fromkeys([name for name, _ in state.items()], 1e-3),
            constraints=[Constraint(name) for name in CONSTRAINTS],
        )
        if team is not None:
            team.deal(np.arange(POSITIONS, dtype=np.int32), alternating=False)
        keywords = {} if team is None else {"ranks": team}
        engine = Engine(problem, state, settings, "cpu", "float64", **keywords)
        engine.restore(stopped[0])
        engine.run(10 - engine.iteration)
        return engine.snapshot()

    through = run(None, "float64")
    same(through, resumed(None), TOLERANCE["float64"])
    same(through, together(2, resumed)[1], TOLERANCE["float64"])


def test_memory_that_one_rank_lacks_makes_all_begin_the_batch_again(monkeypatch: pytest.MonkeyPatch) -> None:
    """Rank 1 fails once in the forward pass, and once after the others' statistics were added."""
    from ptycupy.model import objective

    asked = {"statistics": 0, "gradients": 0}
    original = objective._Run._batch

    def scarce(self: Any, tape: Any, variables: Any, shared: Any, part: Any) -> Any:
        kind = "gradients" if shared.transmission.requires_grad else "statistics"
        if self.ranks.rank == 1 and self.ranks.size == 2:
            asked[kind] += 1
            if asked[kind] == 3:
                raise MemoryShortage("a test's")
        return original(self, tape, variables, shared, part)

    losses = {"losses": {"gaussian": {}, "pacbed": {}}}
    one = run(None, "float64", **losses)
    monkeypatch.setattr(objective._Run, "_batch", scarce)
    for snapshot in together(2, lambda team: run(team, "float64", **losses)):
        same(one, snapshot, TOLERANCE["float64"])
    assert min(asked.values()) > 3
