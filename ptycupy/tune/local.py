"""Several workers on this machine: processes that are spawned, never forked, each with its share of the threads."""

from __future__ import annotations

import logging
import multiprocessing
import os
import re
import signal
import sys
import time
from dataclasses import dataclass
from multiprocessing.process import BaseProcess
from types import FrameType

from ptycupy.config.schema import Config
from ptycupy.errors import ConfigError, PtycupyError

logger = logging.getLogger(__name__)
THREADS = ("NUMBA_NUM_THREADS", "OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS")
POLL = 0.2  # s


@dataclass(frozen=True)
class Place:
    """Where a worker computes."""

    device: str  # as backend.device
    threads: int


def parse_workers(text: str | int, device: str) -> list[Place]:
    """`2`, or `gpu:0,gpu:1`, `gpu:0,1`, also with cuda for gpu; ConfigError for anything else."""
    given = str(text).strip()
    if re.fullmatch(r"[1-9]\d{0,3}", given):
        devices = [device] * int(given)
    elif re.fullmatch(r"(gpu|cuda):\d+(,((gpu|cuda):)?\d+)*", given):
        devices = [f"cuda:{part.rpartition(':')[2]}" for part in given.split(",")]
    else:
        raise ConfigError(f"--workers {given!r}: expected how many, such as 2, or their GPUs, such as gpu:0,gpu:1")
    threads = max(1, _cores() // len(devices))
    return [Place(one, threads) for one in devices]


def run_workers(config: Config, label: str, places: list[Place], *, quiet: bool) -> int:
    """Runs a worker in each place until all have ended; the exit code of the whole.

    One that is killed is missed by nobody: the others take its trial over. Signals are passed on. The code is 0 where
    a worker came to the study's end, else that of the first one that failed.
    """
    context = multiprocessing.get_context("spawn")
    workers: list[BaseProcess] = []
    received: list[int] = []

    def pass_on(number: int, frame: FrameType | None) -> None:
        received.append(number)
        for worker in workers:
            if worker.pid is not None and worker.is_alive():
                os.kill(worker.pid, number)

    before = {number: signal.signal(number, pass_on) for number in _signals()}
    try:
        for place in places:
            worker: BaseProcess = context.Process(target=_work, args=(config, label, place, quiet), daemon=False)
            worker.start()
            workers.append(worker)
            logger.info("worker %d on %s, %d threads", worker.pid, place.device, place.threads)
        while any(worker.is_alive() for worker in workers):
            time.sleep(POLL)
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
    codes = [worker.exitcode or 0 for worker in workers]
    for worker, code in zip(workers, codes, strict=True):
        if code < 0:
            logger.warning("worker %s was ended by signal %d", worker.pid, -code)
    if received:
        return 130 if received[0] == signal.SIGINT else 143
    if 0 in codes:
        return 0
    return next((code for code in codes if code > 0), 1)


def _work(config: Config, label: str, place: Place, quiet: bool) -> None:
    """What a worker's process does; it exits as the command line would."""
    if hasattr(os, "setpgrp"):
        os.setpgrp()  # a Ctrl-C of the terminal comes once, from the process that started us
    for name in THREADS:  # before numba and BLAS are imported
        os.environ[name] = str(place.threads)
    from ptycupy.reconstruction.interrupt import Interrupted, StopOnSignal
    from ptycupy.reconstruction.logs import console
    from ptycupy.tune.worker import open_task, work

    backend = config.backend.model_copy(update={"device": place.device})
    with console(logging.WARNING if quiet else logging.INFO):
        try:
            task = open_task(config.model_copy(update={"backend": backend}), label)
            with StopOnSignal() as signals:
                work(task, signals)
            sys.exit(signals.exit_code or 0)
        except PtycupyError as error:
            logger.error("%s", error)
            sys.exit(error.exit_code)
        except Interrupted as error:
            sys.exit(error.exit_code)


def _signals() -> list[int]:
    names = ("SIGINT", "SIGTERM", "SIGUSR1")
    return [int(getattr(signal, name)) for name in names if hasattr(signal, name)]


def _cores() -> int:
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
