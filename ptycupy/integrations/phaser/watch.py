"""What phaser wants to know while the engine runs, and its flags as our windows of iterations."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

from phaser.state import ProgressState  # type: ignore[import-not-found]
from phaser.types import process_flag  # type: ignore[import-not-found]

from ptycupy.errors import ConfigError
from ptycupy.integrations.phaser.exchange import Placed, put_back
from ptycupy.reconstruction.callbacks import Quiet
from ptycupy.reconstruction.engine import Engine
from ptycupy.update.settings import Active


def active(flag: Any, state: Any, iterations: int) -> Active | None:
    """The iterations in which a flag of phaser is true, or None where it never is.

    Raises ConfigError where they are not evenly spaced.
    """
    true = [number for number in range(1, iterations + 1) if _at(flag, state, number, iterations)]
    if not true:
        return None
    step = true[1] - true[0] if len(true) > 1 else 1
    if true != list(range(true[0], true[-1] + 1, step)):
        raise ConfigError(f"{flag}: the engine ptycupy refines in evenly spaced iterations, not in {true}")
    return Active(true[0], step, true[-1] + 1)


def _at(flag: Any, state: Any, number: int, iterations: int) -> bool:
    shown = replace(state, iter=replace(state.iter, engine_iter=number))
    return bool(process_flag(flag)({"state": shown, "niter": iterations}))


@dataclass
class Watched(Quiet):
    """Keeps phaser's state and progress up to date, and tells its observers after every batch and iteration."""

    placed: Placed
    state: Any
    observer: Any
    iterations: int
    xp: Any

    def __post_init__(self) -> None:
        self.start = int(self.state.iter.total_iter)

    def on_batch(self, engine: Engine, number: int, batches: int) -> None:
        self.observer.heartbeat()

    def on_iteration(self, engine: Engine) -> None:
        self.state.iter.engine_iter = engine.iteration
        self.state.iter.total_iter = self.start + engine.iteration
        losses = {"total_loss": engine.history.total[-1]}
        losses |= {name: values[-1] for name, values in engine.history.losses.items()}
        for name, value in losses.items():
            progress = self.state.progress.setdefault(name, ProgressState())
            progress.iters.append(self.state.iter.total_iter)
            progress.values.append(value)
        put_back(engine, self.placed, self.state, self.xp)
        self.observer.update_iteration(self.state, engine.iteration, self.iterations, losses)
