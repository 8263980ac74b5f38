"""benchmarks/threads.py on a tiny scan, with the threads that there are."""

import importlib.util
import json
import sys
from pathlib import Path

import numba
import pytest

from ptycupy.bench.iteration import Point, synthetic_engine

BENCHMARK = Path(__file__).parents[2] / "benchmarks" / "threads.py"


@pytest.fixture(scope="module")
def threads():
    spec = importlib.util.spec_from_file_location("benchmark_threads", BENCHMARK)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_numbers_reach_all_threads(threads):
    assert threads.numbers(1) == [1]
    assert threads.numbers(2) == [1, 2]
    assert threads.numbers(20) == [1, 2, 3, 4, 6, 8, 12, 16, 20]
    assert threads.numbers(64) == [1, 2, 3, 4, 6, 8, 12, 16, 24, 32, 48, 64]


def test_every_number_of_threads_is_timed(threads, tmp_path, monkeypatch, capsys):
    used = []

    def tiny(backend, data, batch):
        engine = synthetic_engine(backend, Point(batch, 1, 2, 16), 9)
        run = engine.run
        monkeypatch.setattr(engine, "run", lambda count: used.append(numba.get_num_threads()) or run(count))
        return engine

    monkeypatch.setattr(threads, "wse2_engine", tiny)
    most, out = numba.get_num_threads(), tmp_path / "threads.json"
    monkeypatch.setattr(sys, "argv", ["threads.py", "--batch", "4", "--rounds", "2", "--out", str(out)])
    threads.main()
    counts = threads.numbers(most)
    assert used == 3 * counts
    assert numba.get_num_threads() == most
    found = json.loads(out.read_text())
    assert [int(n) for n in found["median"]] == counts
    assert all(len(seconds) == 2 for seconds in found["seconds"].values())
    assert found["speedup"]["1"] == found["efficiency"]["1"] == 1.0
    assert "speedup" in capsys.readouterr().out


def test_more_threads_than_there_are_cannot_be_asked_for(threads, monkeypatch, capsys):
    monkeypatch.setattr(sys, "argv", ["threads.py", "--threads", "1,4096"])
    with pytest.raises(SystemExit):
        threads.main()
    assert "which this machine has" in capsys.readouterr().err
