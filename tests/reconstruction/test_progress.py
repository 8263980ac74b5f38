"""What is shown and what is logged: a bar on terminals, few lines elsewhere, all in the file, silence as a library."""

import logging
from types import SimpleNamespace

import pytest

from ptycupy.reconstruction.logs import FILE_ONLY, console, log_file
from ptycupy.reconstruction.progress import IterationLog, ProgressBar, duration, figures, peak_memory_bytes
from ptycupy.storage.snapshot import History

logger = logging.getLogger("ptycupy.reconstruction.test")


def engine(iteration):
    history = History(iterations=list(range(1, iteration + 1)), total=[0.5] * iteration, seconds=[90.0] * iteration)
    return SimpleNamespace(iteration=iteration, history=history)


def test_figures_say_loss_pace_time_left_and_memory():
    assert figures(engine(10), 50).startswith("loss 0.5  90 s/iteration  1 h 00 min left")
    assert figures(engine(10), 11).startswith("loss 0.5  90 s/iteration  1 min 30 s left")
    assert 2**20 < peak_memory_bytes() < 2**40
    assert figures(engine(10), 50).endswith("GiB")


@pytest.mark.parametrize(
    ("seconds", "told"),
    [
        (0.0123, "0.0123 s"),
        (1.52, "1.52 s"),
        (59.4, "59.4 s"),
        (59.6, "1 min 00 s"),
        (723, "12 min 03 s"),
        (3599.7, "1 h 00 min"),
        (7500, "2 h 05 min"),
    ],
)
def test_durations_are_said_in_one_way(seconds, told):
    assert duration(seconds) == told


def test_lines_are_rate_limited_on_the_console_and_complete_in_the_file(tmp_path, capsys):
    with console(logging.INFO), log_file(tmp_path / "run.log"):
        shown = IterationLog(50, bar=False, seconds_between=3600)
        for iteration in range(1, 21):
            shown.on_batch(engine(iteration), 1, 10)
            shown.on_iteration(engine(iteration))
    captured = capsys.readouterr()
    assert captured.err.count("\n") == 1
    assert captured.err.startswith("iteration 1/50  loss 0.5")
    assert captured.out == ""
    assert (tmp_path / "run.log").read_text().count(": iteration ") == 20


def test_beside_a_bar_there_are_no_lines(tmp_path, capsys):
    with console(logging.INFO):
        IterationLog(50, bar=True).on_iteration(engine(1))
    assert capsys.readouterr().err == ""


def test_the_bar_shows_the_figures(capsys):
    with ProgressBar(50, done=9) as bar:
        bar.on_batch(engine(9), 5, 10)
        bar.on_iteration(engine(10))
        bar.on_stop(engine(10))
    captured = capsys.readouterr()
    assert captured.out == ""
    assert "10/50" in captured.err
    assert "loss 0.5" in captured.err.replace("\n", " ")


def test_a_library_run_is_silent_but_logged(tmp_path, capsys):
    with log_file(tmp_path / "run.log"):
        logger.info("one line")
    assert capsys.readouterr() == ("", "")
    assert "INFO    ptycupy.reconstruction.test: one line" in (tmp_path / "run.log").read_text()


def test_other_handlers_see_no_more_than_without_the_file(tmp_path, caplog):
    with log_file(tmp_path / "run.log"):
        logger.info("quiet")
        logger.warning("loud")
        logger.error("for the file", extra=FILE_ONLY)
    assert caplog.messages == ["loud"]
    assert "for the file" in (tmp_path / "run.log").read_text()


def test_loggers_are_left_as_they_were(tmp_path):
    root = logging.getLogger("ptycupy")
    before = (root.level, root.propagate, list(root.handlers))
    with pytest.raises(ZeroDivisionError), console(logging.DEBUG), log_file(tmp_path / "run.log"):
        _ = 1 / 0
    assert (root.level, root.propagate, root.handlers) == before


def test_the_console_marks_warnings_and_is_opened_once(capsys):
    with console(logging.WARNING), console(logging.INFO):
        logger.info("not this")
        logger.warning("this")
    assert capsys.readouterr().err == "warning: this\n"
