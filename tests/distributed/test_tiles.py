"""An object in tiles goes the way of a whole one; no rank has all of it, and tiles agree to the bit where they overlap.

The tolerances are those that the guide states (ptycupy/guide/many_gpus.md).
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from scenes import random_scene
from thread_ranks import TOLERANCE, same, together

from ptycupy import Engine, Settings, backends
from ptycupy.backends.interface import Backend
from ptycupy.distributed.layout import divide, laid_out
from ptycupy.distributed.ranking import nth_largest
from ptycupy.distributed.team import Team
from ptycupy.distributed.tiles import Tiles
from ptycupy.errors import ConfigError, DataError
from ptycupy.reconstruction.callbacks import Quiet
from ptycupy.reconstruction.tiling import begin_tiles
from ptycupy.storage.snapshot import Snapshot
from ptycupy.update.settings import Constraint

ROWS, COLUMNS, STEP, WINDOW = 5, 7, 7, (12, 10)
CANVAS = (ROWS * STEP + 12, COLUMNS * STEP + 10)
OFF = 3  # a position without a pattern that counts
PLAIN = ("depth_blur", "orthogonal_probe", "fixed_probe_intensity", "amplitude_threshold", "position_recentring")


def scene() -> tuple[Any, Any]:
    """A scan that is wider than its window, three slices, two modes of object and probe, everything optional."""
    count, random = ROWS * COLUMNS, np.random.default_rng(3)
    weights = np.arange(count) != OFF
    problem, state = random_scene(
        positions=count, window=WINDOW, optional=True, scan_shape=(ROWS, COLUMNS), pattern_weights=weights
    )
    corners = np.stack(np.divmod(np.arange(count), COLUMNS), axis=1) * STEP + random.integers(1, 4, (count, 2))
    shape = (2, 3, *CANVAS)
    amplitude, phase = 1 + 0.05 * random.standard_normal(shape), 0.2 * random.standard_normal(shape)
    state = state.replace(object_amplitude=amplitude, object_phase=phase)
    return replace(problem, corners=corners.astype(np.int32)), state


def settings(state: Any, constraints: Any = PLAIN, **changes: Any) -> Settings:
    rates = dict.fromkeys([name for name, _ in state.items()], 1e-3) | {"shifts": 0.15}  # windows leave their tiles
    given = {"losses": {"gaussian": {}, "sparsity": {}}, "batch_size": 8, "learning_rates": rates} | changes
    return Settings(constraints=[c if isinstance(c, Constraint) else Constraint(c) for c in constraints], **given)


def engine(team: Team | None, dtype: str = "float64", tiled: bool = True, **changes: Any) -> Engine:
    problem, state = scene()
    chosen = settings(state, **changes)
    if team is None:
        return Engine(problem, state, chosen, "cpu", dtype)
    if not tiled:
        team.deal(np.flatnonzero(problem.pattern_weights).astype(np.int32), alternating=False)
        return Engine(problem, state, chosen, "cpu", dtype, ranks=team)
    return Engine(problem, state, chosen, "cpu", dtype, ranks=team, tiles=begin_tiles(team, problem, state, chosen))


def run(team: Team | None, iterations: int = 10, callbacks: Any = (), **changes: Any) -> Snapshot:
    made = engine(team, **changes)
    made.run(iterations, callbacks)
    return made.snapshot()


def equal(a: Snapshot, b: Snapshot, tolerance: float) -> None:
    same(a, b, tolerance)
    np.testing.assert_array_equal(b.corners, a.corners)
    np.testing.assert_allclose(b.initial_positions, a.initial_positions, rtol=0, atol=1e-12)


@pytest.mark.parametrize("ranks", [2, 4])
def test_tiles_go_the_way_of_one_rank(ranks: int) -> None:
    one = run(None)
    many = together(ranks, lambda team: run(team))
    assert one.state.object_phase.shape[2:] > CANVAS  # it grew, and tiles with it
    equal(one, many[0], TOLERANCE["float64"])


def test_tiles_go_the_way_of_one_rank_in_single_precision_and_with_the_same_bits_again() -> None:
    changes = {"dtype": "float32", "losses": dict.fromkeys(("gaussian", "pacbed", "sparsity", "similarity"), {})}
    one = run(None, **changes)
    many, again = (together(2, lambda team: run(team, **changes))[0] for _ in range(2))
    same(many, again, 0.0)
    same(one, many, TOLERANCE["float32"])


EACH = {
    "lateral_blur": [Constraint("lateral_blur", std=0.8, relax=0.2)],
    "total_variation": [Constraint("total_variation", weight_lateral=0.01, weight_depth=0.01, iterations=3)],
    "tikhonov": [Constraint("tikhonov", weight_lateral=0.1, weight_depth=0.1)],
    "complex_ratio": [Constraint("complex_ratio", relax=0.5)],
    "mirrored_amplitude": ["mirrored_amplitude"],
    "positive_phase": ["positive_phase"],
    "positive_phase, subtracted": [Constraint("positive_phase", mode="subtract_min", relax=0.3)],
    "gauge": ["probe_centring", "phase_ramp_removal", "probe_object_ambiguity"],
    "probe": ["probe_fourier_mask", "probe_real_mask", "probe_support"],
    "lateral_low_pass": [Constraint("lateral_low_pass", radius=0.4, relax=0.2)],
    "butterworth_low_pass": [Constraint("butterworth_low_pass", obj_type="phase")],
    "missing_wedge": ["missing_wedge"],
    "frequency_threshold": [Constraint("frequency_threshold", thresh=0.3)],
    "grid_artefact_removal": ["grid_artefact_removal"],
    "depth_recentring": [Constraint("depth_recentring", thresh=60.0, scale=0.7)],
    "several blurs": ["lateral_blur", "tikhonov", "depth_blur", "tilt_smoothing"],
}


@pytest.mark.parametrize("case", EACH)
def test_constraints_see_beyond_their_tile(case: str) -> None:
    one = run(None, 3, constraints=EACH[case])
    equal(one, together(3, lambda team: run(team, 3, constraints=EACH[case]))[0], TOLERANCE["float64"])


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_the_nth_largest_of_all_ranks_is_that_of_all_numbers_together(dtype: str) -> None:
    values = np.random.default_rng(5).standard_normal(301).astype(dtype)
    values[:40] = values[40]  # the same number many times
    values[100:110], values[110:120] = 0.0, -0.0
    parts = np.split(values, [7, 7, 200])  # one rank has none
    wanted = (1, 2, 30, 77, 150, 300, 301)

    def found(team: Team) -> list[float]:
        def summed(counts: Any) -> Any:
            return np.sum(team.exchange(counts), axis=0)

        return [nth_largest(parts[team.rank], rank, summed) for rank in wanted]

    for each in together(4, found):
        assert each == [float(np.sort(values)[-rank]) for rank in wanted]


class Watched:
    """A CPU backend that says how many pixels of an object its largest array has."""

    def __init__(self) -> None:
        self.backend = backends.select("cpu", "float32")
        self.largest = 0
        for name in ("asarray", "zeros", "empty"):
            setattr(self.backend, name, self._noting(getattr(self.backend, name)))

    def _noting(self, make: Any) -> Any:
        def made(*given: Any) -> Any:
            array = make(*given)
            if array.ndim == 4 and array.shape[:2] == (2, 3):
                self.largest = max(self.largest, array.shape[2] * array.shape[3])
            return array

        return made


class Overlaps(Quiet):
    """Pixels that several tiles have hold the same bits on all of them, after every iteration."""

    def __init__(self) -> None:
        self.seen = 0

    def on_iteration(self, engine: Engine) -> None:
        name = "object_phase"
        fields = [getattr(engine.parameters, name), *engine.moments[name].arrays.values()]
        every = engine.ranks.exchange((engine.tiles.tile, [np.array(field) for field in fields]))
        canvas = np.full((len(fields), 2, 3, *engine.tiles.layout.canvas), np.nan)
        for (start, stop), values in every:
            there = canvas[..., start[0] : stop[0], start[1] : stop[1]]
            known = ~np.isnan(there)
            np.testing.assert_array_equal(there[known], np.stack(values)[known])
            there[:] = np.stack(values)
            self.seen += int(known.sum())


def test_no_rank_has_the_whole_object_and_overlaps_are_the_same() -> None:
    def work(team: Team) -> tuple[int, int, int]:
        watched, overlaps = Watched(), Overlaps()
        problem, state = scene()
        rates = dict.fromkeys(("object_amplitude", "object_phase", "probe", "shifts"), 1e-2)
        chosen = settings(state, constraints=[*PLAIN, "lateral_blur"], learning_rates=rates)
        tiles = begin_tiles(team, problem, state, chosen)
        made = Engine(problem, state, chosen, watched.backend, ranks=team, tiles=tiles)
        made.run(6, [overlaps])
        return watched.largest, overlaps.seen, int(np.prod(made.tiles.layout.canvas))

    for largest, seen, canvas in together(4, work):
        assert 0 < largest < 0.6 * canvas
        assert seen > 0


class StopAt(Quiet):
    """Asks one rank to stop in the middle of an iteration."""

    def on_batch(self, engine: Engine, number: int, batches: int) -> None:
        if engine.ranks.rank == 1 and engine.iteration == 4 and number == 2:
            engine.stop_requested = True


def test_a_checkpoint_of_tiles_goes_on_anywhere() -> None:
    def resumed(team: Team | None, tiled: bool = True) -> Snapshot:
        made = engine(team, tiled=tiled)
        made.restore(stopped)
        made.run(8 - made.iteration)
        return made.snapshot()

    stopped = together(4, lambda team: run(team, callbacks=[StopAt()]))[0]
    assert (stopped.iteration, len(stopped.pending)) == (4, 3)
    through = together(4, lambda team: run(team, 8))[0]
    equal(through, together(4, resumed)[0], 0.0)
    for other in (resumed(None), together(2, resumed)[0], together(2, lambda team: resumed(team, False))[1]):
        equal(through, other, TOLERANCE["float64"])


def test_half_the_rates_go_back_to_earlier_tiles() -> None:
    changes = {"on_divergence": "halve_lr", "losses": {"gaussian": {}}}

    def run_wild(team: Team | None) -> Snapshot:
        problem, state = scene()
        rates = dict.fromkeys(("object_phase", "object_amplitude", "probe", "shifts"), 0.5)
        chosen = settings(state, learning_rates=rates | {"shifts": 30.0}, **changes)
        tiles = None if team is None else begin_tiles(team, problem, state, chosen)
        more = {} if team is None else {"ranks": team, "tiles": tiles}
        made = Engine(problem, state, chosen, "cpu", "float64", **more)
        made.run(3)
        return made.snapshot()

    one, many = run_wild(None), together(2, run_wild)[0]
    assert one.learning_rate_factor < 1
    assert many.learning_rate_factor == one.learning_rate_factor
    equal(one, many, 1e-9)


class Unspoken:
    """A constraint of one's own that does not say how far it looks."""

    def __call__(self, backend: Any, parameters: Any, context: Any) -> None:
        backend.clamp(parameters.object_phase, -0.3, 0.3, 0.0)


class Spoken(Unspoken):
    reach = 0


def test_a_constraint_of_ones_own_says_how_far_it_looks() -> None:
    one = run(None, 2, constraints=[Constraint(Spoken())])
    equal(one, together(2, lambda team: run(team, 2, constraints=[Constraint(Spoken())]))[0], TOLERANCE["float64"])


@pytest.mark.parametrize(
    ("changes", "text"),
    [
        ({"constraints": [Constraint(Unspoken())]}, "constraints: Unspoken looks at the whole object"),
        ({"optimizer": "lsqml"}, "optimizer.name: lsqml looks at the whole object"),
        ({"optimizer": "lbfgs"}, "optimizer.name: lbfgs looks at the whole object"),
        ({"optimizer": "adafactor"}, "optimizer.name: adafactor looks at the whole object"),
    ],
)
def test_what_needs_the_whole_object_is_refused_by_name(changes: Any, text: str) -> None:
    found = together(2, lambda team: engine(team, **changes))
    assert isinstance(found[0], ConfigError)
    assert text in str(found[0])
    assert "distributed.object: shared" in str(found[0])


def test_any_rank_may_ask_for_any_pattern_of_its_like_and_gets_it() -> None:
    wanted = [30, 0, 12, 34]
    alone = engine(None)
    predicted, measured = alone.predict(wanted), alone.measured(wanted)
    for tiled in (True, False):

        def asked(team: Team, tiled: bool = tiled) -> Any:
            made = engine(team, tiled=tiled)
            return made.predict(wanted), made.measured(wanted)

        for found in together(3, asked):
            np.testing.assert_allclose(found[0], predicted, rtol=1e-12)
            np.testing.assert_array_equal(found[1], measured)
    refused = together(2, lambda team: engine(team).predict([OFF]))[0]
    assert isinstance(refused, DataError)
    assert f"no rank has positions [{OFF}]" in str(refused)


@pytest.mark.parametrize("ranks", [1, 2, 3, 4, 7, 16])
def test_cores_are_the_canvas_once_and_tiles_hold_their_windows(ranks: int) -> None:
    random = np.random.default_rng(ranks)
    corners = np.stack([random.integers(0, 80, 50), random.integers(0, 33, 50)], axis=1)
    corners[:20] = corners[0]  # many in one place
    window, canvas = (16, 9), (96, 42)
    parts, cores = divide(corners, window, canvas, ranks)
    assert sorted(np.concatenate(parts).tolist()) == list(range(50))
    assert max(map(len, parts)) - min(map(len, parts)) <= 2
    layout = laid_out(corners, parts, cores, window, canvas, reach=3)
    for before, after in ((np.zeros(2, int), np.zeros(2, int)), (np.array([5, 0]), np.array([0, 7]))):
        grown = layout.grown(before, after).holding(corners + before, parts, window, 3)
        covered = np.zeros(grown.canvas, int)
        for rank in range(ranks):
            (top, left), (bottom, right) = grown.cores[rank]
            covered[top:bottom, left:right] += 1
            low, high = grown.tiles[rank]
            assert (low >= 0).all()
            assert (high <= grown.canvas).all()
            assert (corners[parts[rank]] + before >= low).all()
            assert (corners[parts[rank]] + before + window <= high).all()
            if top < bottom and left < right:
                assert (low <= np.maximum(grown.cores[rank][0] - 3, 0)).all()
                assert (high >= np.minimum(grown.cores[rank][1] + 3, grown.canvas)).all()
        assert (covered == 1).all()


class InTurns:
    """A Comm of ranks that take turns, whose border pixels are all there before the first one asks for them."""

    local_size = 1

    def __init__(self, rank: int, posted: list[Any]) -> None:
        self.rank, self.size, self._posted = rank, len(posted), posted

    def swap(self, outgoing: Any, incoming: Any) -> None:
        for rank, array in incoming.items():
            array[...] = self._posted[rank][self.rank]


def test_devices_cut_borders_and_put_sums_in_their_place(any_backend: Backend) -> None:
    backend, random = any_backend, np.random.default_rng(1)
    corners, window, canvas = random.integers(0, 20, (40, 2)), (13, 9), (33, 29)
    parts, cores = divide(corners, window, canvas, 4)
    layout = laid_out(corners, parts, cores, window, canvas, reach=2)
    posted: list[Any] = [None] * 4
    tiles = [Tiles(Team(InTurns(rank, posted)), parts, layout, window, 2) for rank in range(4)]
    values = [random.standard_normal((2, 2, *one.shape)).astype(backend.real) for one in tiles]
    fields = [backend.zeros(value.shape, backend.real) for value in values]
    whole = np.zeros((2, 2, *canvas), backend.real)
    for rank, (field, value) in enumerate(zip(fields, values, strict=True)):
        backend.copy(field, backend.asarray(value))
        (top, left), (bottom, right) = layout.tiles[rank]
        whole[..., top:bottom, left:right] += value  # in the order of the ranks
        posted[rank] = tiles[rank].borders(backend, field)
    for rank, field in enumerate(fields):
        tiles[rank].add(backend, field, posted[rank])
        (top, left), (bottom, right) = layout.tiles[rank]
        np.testing.assert_array_equal(backend.to_host(field), whole[..., top:bottom, left:right])
