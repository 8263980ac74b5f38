"""Who runs a trial, and whether that process still lives: on this machine by its pid, elsewhere by its heartbeat."""

from __future__ import annotations

import contextlib
import logging
import os
import socket
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from optuna.exceptions import UpdateFinishedTrialError
from optuna.storages import BaseStorage
from optuna.trial import FrozenTrial

from ptycupy.storage import processes

logger = logging.getLogger(__name__)
WORKER = "ptycupy:worker"  # system attributes of a trial
BEAT = "ptycupy:beat"


def machine() -> str:
    """What tells this machine from others, and one container's processes from another's."""
    parts = [socket.gethostname()]
    with contextlib.suppress(OSError):  # Linux only; elsewhere the name has to do
        parts += [Path("/proc/sys/kernel/random/boot_id").read_text().strip(), os.readlink("/proc/self/ns/pid")]
    return " ".join(parts)


def started(pid: int) -> str | None:
    """When a process began, in the system's own ticks, so that a new process with an old pid is known; or None."""
    status = _status(pid)
    return status[19] if status else None


def myself() -> dict[str, Any]:
    """The mark that a worker puts on its trial."""
    return {"machine": machine(), "host": socket.gethostname(), "pid": os.getpid(), "started": started(os.getpid())}


class Deaths:
    """Judges the workers of running trials; other machines' by whether their heartbeat still changes, as seen from
    here, so that clocks need not agree."""

    def __init__(self, patience: float) -> None:
        self.patience = patience  # s
        self._seen: dict[int, tuple[Any, float]] = {}  # trial -> its last heartbeat, and when that was first seen

    def dead(self, trial: FrozenTrial) -> bool:
        """Whether the process that runs this trial has ended."""
        worker = trial.system_attrs.get(WORKER)
        if worker is not None and worker["machine"] == machine() and sys.platform != "win32":
            return not _alive(worker["pid"], worker["started"])
        beat, now = trial.system_attrs.get(BEAT), time.monotonic()
        before, since = self._seen.setdefault(trial._trial_id, (beat, now))
        if beat != before:
            self._seen[trial._trial_id] = (beat, now)
            return False
        return now - since > self.patience


def _alive(pid: int, begun: str | None) -> bool:
    """Whether the process that began then still runs, and does not only wait for its parent to see its end."""
    now = started(pid)
    return processes.runs(pid) and _status(pid)[:1] != ["Z"] and (begun is None or now is None or now == begun)


def _status(pid: int) -> list[str]:
    """What Linux says about a process, from its state on; empty where nothing is said."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except OSError:
        return []


@contextlib.contextmanager
def heartbeat(storage: BaseStorage, trial_id: int, every: float) -> Iterator[None]:
    """Counts up in the storage while a trial runs, in a thread of its own."""
    stop = threading.Event()

    def beat() -> None:
        number = 0
        while not stop.wait(every):
            number += 1
            try:
                storage.set_trial_system_attr(trial_id, BEAT, number)
            except UpdateFinishedTrialError:
                return  # given up for dead; the trial's end will say so
            except Exception as error:  # a database that is away for a while must not end the trial
                logger.warning("no heartbeat for trial %d: %s", trial_id, error)

    thread = threading.Thread(target=beat, name=f"heartbeat of trial {trial_id}", daemon=True)
    thread.start()
    try:
        yield
    finally:
        stop.set()
        thread.join()
