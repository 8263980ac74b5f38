"""Signals: once means finish the batch, Ctrl-C twice means now; handlers come back."""

import os
import signal
import subprocess
import sys
import threading
from types import SimpleNamespace

import pytest

from ptycupy.reconstruction.interrupt import Interrupted, StopOnSignal

LOOP = """
import sys, time
from types import SimpleNamespace
from ptycupy.reconstruction.interrupt import StopOnSignal
engine = SimpleNamespace(stop_requested=False)
with StopOnSignal() as signals:
    signals.engine = engine
    print("running", flush=True)
    while not engine.stop_requested:
        time.sleep(0.01)
    print("saving", flush=True)
    time.sleep(float(sys.argv[1]))
    print("saved", flush=True)
sys.exit(signals.exit_code)
"""


def running(seconds_to_save):
    process = subprocess.Popen(
        [sys.executable, "-c", LOOP, str(seconds_to_save)], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )
    assert process.stdout.readline() == "running\n"
    return process


def engine():
    return SimpleNamespace(stop_requested=False)


@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143), (signal.SIGUSR1, 143)])
def test_fault_53_54_one_signal_lets_the_run_save(number, code):
    process = running(0)
    process.send_signal(number)
    out, err = process.communicate(timeout=10)
    assert (out, process.returncode) == ("saving\nsaved\n", code)
    assert f"{number.name}: finishing the batch" in err


def test_fault_53_ctrl_c_twice_stops_at_once():
    process = running(60)
    process.send_signal(signal.SIGINT)
    assert process.stdout.readline() == "saving\n"
    process.send_signal(signal.SIGINT)
    out, err = process.communicate(timeout=10)
    assert "saved" not in out
    assert "Interrupted" in err


def test_fault_54_a_repeated_sigterm_does_not_cut_the_saving_short():
    process = running(0.5)
    process.send_signal(signal.SIGTERM)
    assert process.stdout.readline() == "saving\n"
    process.send_signal(signal.SIGTERM)
    out, _ = process.communicate(timeout=10)
    assert (out, process.returncode) == ("saved\n", 143)


def test_before_there_is_an_engine_a_signal_stops_at_once():
    with pytest.raises(Interrupted) as caught, StopOnSignal():
        os.kill(os.getpid(), signal.SIGTERM)
    assert caught.value.exit_code == 143


def test_handlers_are_restored():
    before = [signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM, signal.SIGUSR1)]
    with StopOnSignal() as signals:
        signals.engine = engine()
        assert signal.getsignal(signal.SIGINT) is not before[0]
        os.kill(os.getpid(), signal.SIGUSR1)
        assert signals.engine.stop_requested
        assert signals.exit_code == 143
    assert [signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM, signal.SIGUSR1)] == before


def test_other_threads_are_left_alone():
    found = []

    def work():
        with StopOnSignal() as signals:
            found.append(signals.exit_code)

    before = signal.getsignal(signal.SIGINT)
    thread = threading.Thread(target=work)
    thread.start()
    thread.join()
    assert found == [None]
    assert signal.getsignal(signal.SIGINT) is before
