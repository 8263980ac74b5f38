"""The lines that say which figures a GPU has reached, from records as the benchmarks write them."""

import json

import pytest
from bench.test_against import load


@pytest.fixture(scope="module")
def targets():
    return load("gpu_targets")


def point(batch, seconds, mib, **other):
    row = {"batch": batch, "seconds_per_iteration": seconds, "seconds_timed": [seconds / 4], "pattern_bytes": 10**9}
    return {**row, "load": {"memory_mib": {"max": mib}, "gpu_percent": {"mean": 97.5}}, **other}


def bench(folder, fft, sixteen, large):
    sweep = [
        point(16, sixteen, 2000.0),
        point(256, 0.3, 2500.0),
        {"batch": 512, "failed": "no room"},
        point(1024, 0.25, 2200.0),
    ]
    record = {
        "fft": fft,
        "graphs": True,
        "iteration": {"figure 3b": sweep, "large windows": [point(32, large, 2000.0)]},
        "load": {"load": [point(16, sixteen, 2000.0)]},
    }
    (folder / f"bench_gpu_{fft}.json").write_text(json.dumps(record))


def against(folder, batch, graphs, seconds):
    found = {"ptycupy": seconds, "ptyrad": 4.4, "ptyrad compiled": None}
    record = {
        "job": {"batch": batch, "fft": "whole", "graphs": graphs},
        "median_seconds_per_iteration": found,
        "ratio": {"ptyrad": 4.4 / seconds, "ptyrad compiled": None},
    }
    (folder / f"against_ptyrad_gpu_{batch}_{graphs}.json").write_text(json.dumps(record))


def test_nothing_was_measured_yet(targets, tmp_path):
    found = targets.lines(tmp_path)
    assert len(found) == len(targets.TARGETS) == 10
    assert all(line.endswith("not measured") for line in found)


def test_the_best_way_counts(targets, tmp_path):
    bench(tmp_path, "steps", 0.4, 5.2)
    bench(tmp_path, "whole", 0.3, 5.6)
    for batch, graphs, seconds in ((16, "on", 0.4), (16, "off", 1.8), (256, "on", 0.9)):
        against(tmp_path, batch, graphs, seconds)
    found = {target.name: line for target, line in zip(targets.TARGETS, targets.lines(tmp_path), strict=True)}
    told = {name: line[60:].split()[2:] for name, line in found.items()}
    assert told == {
        "batch 16: PtyRAD eager over ptycupy": ["10", "11", "reached", "whole,", "graphs", "on"],
        "batch 16: PtyRAD compiled over ptycupy": ["6", "not", "measured"],
        "batch 256: PtyRAD eager over ptycupy": ["6", "4.89", "MISSED", "whole,", "graphs", "on"],
        "batch 256: PtyRAD compiled over ptycupy": ["4", "not", "measured"],
        "batch 256: seconds per iteration": ["0.5", "0.9", "MISSED", "whole,", "graphs", "on"],
        "batch 16 over batch 1024, in steps of rows and columns": ["1.3", "1.6", "MISSED", "steps,", "graphs", "on"],
        "batch 16 over batch 1024, whole waves": ["1.5", "1.2", "reached", "whole,", "graphs", "on"],
        "batch 16: % of a minute in which the GPU is busy": ["95", "97.5", "reached", "whole,", "graphs", "on"],
        "256 x 256 px, 8 modes, 21 slices, 4096 patterns: seconds": ["1", "1.3", "MISSED", "steps,", "graphs", "on"],
        "GB beyond the patterns at any batch": ["2", "1.62", "reached", "steps,", "graphs", "on"],
    }


def test_the_points_that_they_look_for_are_measured(targets):
    from ptycupy.bench.iteration import LOAD, SWEEPS

    assert {16, 256, 1024} <= {point.batch for point in SWEEPS["figure 3b"] if (point.modes, point.slices) == (12, 6)}
    (large,) = SWEEPS["large windows"]
    assert (large.window, large.modes, large.slices) == (256, 8, 21)
    assert [point.batch for point in LOAD["load"]] == [16]
