"""Tuning: many short reconstructions with other values of some keys, to find the best ones; the only home of optuna.

found = ptycupy.tune.tune("scan.yaml")          # needs a section `tune`; any number of processes may do so at once
found.folder / "best.yaml"                      # runs with `ptycupy recon`
"""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ptycupy.api import settle
from ptycupy.config.schema import Config
from ptycupy.reconstruction.logs import console, log_file

if TYPE_CHECKING:
    from optuna import Study

logger = logging.getLogger(__name__)
__all__ = ["Tuned", "tune"]


@dataclass(frozen=True)
class Tuned:
    """A study after this process has done its part."""

    study: Study  # Optuna's own, to look at
    folder: Path  # best.yaml, trials.csv, the pictures and, unless tune.storage says otherwise, the journal
    exit_code: int = 0  # 130 or 143 where a signal ended it early


def tune(
    config: str | Path | Mapping[str, Any] | Config,
    *,
    overrides: Sequence[str] = (),
    backend: str | None = None,
    workers: str | int | None = None,
    quiet: bool = True,
    ptyrad: bool = False,
    allow_unsupported: bool = False,
) -> Tuned:
    """Works on the study that a configuration (path, dict or Config) describes until it has all of its trials.

    Any number of processes, on any machines that reach the same storage, may do so at once. `workers` starts processes
    here and waits for them: a number of them, or their GPUs as "gpu:0,gpu:1" (or "gpu:0,1"). Ctrl-C lets the batch
    finish and queues the trial under way again; the same call goes on later. Other arguments are as `reconstruct` has
    them. Raises the errors of `ptycupy.errors`, among them that of the tenth trial in a row that failed.
    """
    import contextlib
    import os
    import socket

    from ptycupy.api.run import with_simulation
    from ptycupy.reconstruction.interrupt import StopOnSignal
    from ptycupy.tune.local import parse_workers, run_workers
    from ptycupy.tune.report import write_report
    from ptycupy.tune.worker import open_task, work

    settled, label, notes = settle(config, overrides, backend, ptyrad, allow_unsupported)
    places = None if workers is None else parse_workers(workers, settled.backend.device)
    with contextlib.ExitStack() as stack:
        if not quiet:
            stack.enter_context(console(logging.INFO))
        for note in notes:
            logger.log(logging.WARNING if note.unsupported else logging.INFO, "PtyRAD's %s", note)
        task = open_task(settled, label)
        stack.enter_context(log_file(task.folder / f"worker_{socket.gethostname()}_{os.getpid()}.log"))
        logger.info("study %s in %s: %d trials of %d iterations", task.study.name, task.folder, task.tune.trials,
                    task.iterations)  # fmt: skip
        signals = stack.enter_context(StopOnSignal())
        with_simulation(settled, task.folder, True)
        if places is None:
            work(task, signals)
            code = signals.exit_code or 0
        else:
            code = run_workers(settled, label, places, quiet=quiet)
        study = write_report(task)
        return Tuned(study, task.folder, code)
