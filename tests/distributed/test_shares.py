"""Ranks look through the patterns together at the start: each reads its own, and all know what one alone would know."""

from __future__ import annotations

import threading
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import tiny_run
from thread_ranks import together
from watched_source import WatchedSource

from ptycupy import backends, data
from ptycupy.api import run, settle
from ptycupy.api.report import look
from ptycupy.data.preprocess import scan
from ptycupy.data.source import ArraySource
from ptycupy.distributed.team import Team
from ptycupy.errors import DataError, ResourceError
from ptycupy.reconstruction import fingerprint

COUNT = 75


def patterns(kind: str) -> np.ndarray:
    """With a hot, a dead and a saturated pixel, empty patterns and, of floats, negative and missing values."""
    random = np.random.default_rng(2)
    values = random.poisson(40, (COUNT, 12, 14)).astype(kind)
    values[:, 3, 3], values[:, 5, 8], values[:, 9, 9] = 0, 9000, np.iinfo(np.uint16).max
    values[[7, 60]] = 0
    if kind == "float32":
        values[:, 9, 9] = 41
        values[50, 1, 2], values[70, 4, 4], values[20, 6, 6] = -3, np.nan, -1
    return values


@pytest.mark.parametrize("kind", ["uint16", "float32"])
@pytest.mark.parametrize("negative", ["clip", "subtract_min"])
def test_pieces_make_the_survey_of_the_whole(kind: str, negative: Any) -> None:
    source = ArraySource(patterns(kind))
    mask = np.ones((12, 14), np.bool_)
    mask[0] = False
    one = scan(source, negative, mask, "mask")

    def surveyed(team: Team) -> Any:
        counting = WatchedSource(source)
        return scan(counting, negative, mask, "mask", among=team), counting.seen

    found = together(3, surveyed)
    assert sorted(index for _, seen in found for index in seen) == list(range(COUNT))
    for survey, _ in found:
        np.testing.assert_allclose(survey.mean_pattern, one.mean_pattern, rtol=1e-13)
        np.testing.assert_array_equal(survey.total_intensity, one.total_intensity)
        np.testing.assert_array_equal(survey.weights, one.weights)
        np.testing.assert_array_equal(survey.mask, one.mask)
        assert (survey.minimum, survey.maximum) == (one.minimum, one.maximum)
        assert (survey.nonfinite, survey.negative) == (one.nonfinite, one.negative)
        assert str(survey.source.provenance.steps) == str(one.source.provenance.steps)


def test_what_only_one_rank_sees_all_refuse() -> None:
    found = together(3, lambda team: scan(ArraySource(patterns("float32")), "error", among=team))
    assert isinstance(found[0], DataError)
    assert "negative values down to -3" in str(found[0])
    assert [error.exit_code for error in found] == [3, 3, 3]


def test_each_rank_reads_its_own_patterns_only(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """But for those of the fingerprint, by which ranks know that they have the same data."""
    changes = ["illumination.intensity_of=brightest_pattern", "data.negative=clip_value", "data.negative_value=0.5"]
    settled = settle(tiny_run.write(tmp_path), changes, None, False, False)[0]
    thread = threading.local()
    monkeypatch.setattr(run, "open_patterns", lambda seen: thread.source)
    monkeypatch.setattr(fingerprint, "SAMPLE", 2)  # the first and the last pattern

    def work(team: Team) -> Any:
        thread.source = WatchedSource(data.open_source(settled.data))
        folder: Any = SimpleNamespace(path=tmp_path, clear=lambda: None)
        engine = run.prepare(settled, folder, False, backends.select("cpu", "float32"), team)
        engine.run(2)
        engine.snapshot()
        look(engine)
        return team.here, sorted(thread.source.seen)

    for here, seen in together(2, work):
        assert len(here) == 8
        assert seen == sorted({*here.tolist(), 0, 15})


def test_data_of_different_shape_are_told_apart_before_they_are_looked_at(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    settled = settle(tiny_run.write(tmp_path), [], None, False, False)[0]
    thread = threading.local()
    monkeypatch.setattr(run, "open_patterns", lambda seen: thread.source)

    def work(team: Team) -> Any:
        thread.source = ArraySource(np.ones((16, 16, 16 - team.rank)))
        folder: Any = SimpleNamespace(path=tmp_path, clear=lambda: None)
        return run.prepare(settled, folder, False, backends.select("cpu", "float32"), team)

    found = together(2, work)[0]
    assert isinstance(found, ResourceError)
    assert "do not have the same data set: (16, 16, 15) float64" in str(found)
