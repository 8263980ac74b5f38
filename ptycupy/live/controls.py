"""What a browser may ask of a run: checked when asked, done between iterations."""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from ptycupy.config.amend import amended, constraint_at, parameters_of
from ptycupy.config.schema import Config
from ptycupy.errors import ConfigError

Pair = tuple[str, str]  # key and value in YAML
Resolve = Callable[[Config, int], list[Pair]]  # of the configuration and the last finished iteration


@dataclass(frozen=True)
class Set:
    """A key gets a value."""

    key: str
    text: str

    def __call__(self, config: Config, iteration: int) -> list[Pair]:
        return [(self.key, self.text)]


@dataclass(frozen=True)
class Switch:
    """A constraint is not applied any more, or again, from the next iteration on: by its keys `end` and `start`."""

    name: str
    on: bool

    def __call__(self, config: Config, iteration: int) -> list[Pair]:
        found = constraint_at(config, self.name)
        if found is None:
            raise ConfigError(f"constraints.{self.name}: not among the run's constraints")
        key, coming = f"constraints.{self.name}", iteration + 1
        if self.on:
            late = [] if found.start <= coming else [(f"{key}.start", str(coming))]
            return [*late, (f"{key}.end", "null")]
        if found.start < coming:
            return [(f"{key}.end", str(coming))]
        never = config.reconstruction.iterations + 1  # one that has not begun cannot end
        return [(f"{key}.end", "null"), (f"{key}.start", str(never))]


class Controls:
    """Requests to one run, from any thread, and what they make of its configuration."""

    def __init__(self, config: Config, check: Callable[[Config], None]) -> None:
        self._lock = threading.Lock()
        self._check = check  # raises ConfigError for what the run could not do
        self._requests: list[Resolve] = []
        self.config = config  # as wanted
        self.iteration = 0
        self.finish = False

    def ask(self, request: Resolve) -> None:
        """Wants this from the next iteration on; raises ConfigError where it is refused."""
        with self._lock:
            wanted = _with(self.config, request(self.config, self.iteration))
            self._check(wanted)
            self.config = wanted
            self._requests.append(request)

    def take(self, config: Config, iteration: int) -> list[Pair]:
        """What is to be changed in the configuration in force, after this iteration."""
        with self._lock:
            self.iteration = iteration
            pairs: list[Pair] = []
            for request in self._requests:
                new = request(config, iteration)
                config, pairs = _with(config, new), pairs + new
            self._requests.clear()
            self.config = config
            return pairs

    def shown(self) -> dict[str, Any]:
        """Learning rates and constraints for the page, as wanted."""
        with self._lock:
            config, iteration = self.config, self.iteration
        names = [one.name for one in config.constraints]
        constraints = []
        for number, one in enumerate(config.constraints):
            parameters = parameters_of(one)
            runs = one.start <= iteration + 1 and (one.end is None or iteration + 1 < one.end)
            later = iteration + 1 < one.start <= config.reconstruction.iterations
            own = {name: value for name, value in parameters.items() if name not in ("start", "step", "end")}
            constraints.append(
                {
                    "key": one.name if names.count(one.name) == 1 else str(number),
                    "name": one.name,
                    "on": runs or later,
                    "when": f"from iteration {one.start}" if later else "",
                    "parameters": own,
                }
            )
        rates = {name: rate.learning_rate for name, rate in config.optimizer.rates.items()}
        return {"rates": rates, "constraints": constraints}


def _with(config: Config, pairs: list[Pair]) -> Config:
    for key, text in pairs:
        config = amended(config, key, text)
    return config
