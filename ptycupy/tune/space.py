"""The search space: from `tune.space` to Optuna's distributions, and from a trial's values to its configuration."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from optuna.distributions import BaseDistribution, CategoricalDistribution, FloatDistribution, IntDistribution

from ptycupy import config as configuration
from ptycupy.config.overrides import SHORT_FORMS
from ptycupy.config.schema import Config
from ptycupy.config.tuning import Dimension
from ptycupy.errors import ConfigError

Values = Mapping[str, Any]
PLAIN = (bool, int, float, str, type(None))  # what Optuna keeps as a choice; others are kept as their JSON


class Space:
    """The keys of a configuration's `tune.space` and what they may be.

    Raises ConfigError, with every problem, where one of the values cannot stand in the configuration.
    """

    def __init__(self, config: Config) -> None:
        tune = config.tune
        if tune is None:
            raise ConfigError(
                "tune: this configuration has no such section; name the keys to tune, e.g. "
                "`tune: {space: {illumination.aberrations.C10: {low: -100, high: 100}}}`"
            )
        self.base: dict[str, Any] = config.model_copy(update={"tune": None}).model_dump(mode="json")
        self.dimensions = dict(tune.space)
        self.distributions = {key: self._distribution(key, one) for key, one in self.dimensions.items()}
        self._require_possible()
        self.initial = [self._point(number, point) for number, point in enumerate(tune.initial)]

    def config(self, values: Values) -> Config:
        """The configuration with these values put in, without its `tune` section; ConfigError where they cannot be."""
        overrides = [override for key, value in values.items() for override in self._overrides(key, value)]
        return configuration.read_dict(self.base, overrides).config

    def suggest(self, trial: Any) -> dict[str, Any]:
        """The trial's values, as its sampler chooses them: key -> value of the configuration."""
        chosen = {}
        for key, distribution in self.distributions.items():
            if isinstance(distribution, CategoricalDistribution):
                chosen[key] = self.decode(key, trial.suggest_categorical(key, distribution.choices))
                continue
            assert isinstance(distribution, (FloatDistribution, IntDistribution))
            suggest = trial.suggest_int if isinstance(distribution, IntDistribution) else trial.suggest_float
            chosen[key] = suggest(
                key, distribution.low, distribution.high, step=distribution.step, log=distribution.log
            )
        return chosen

    def decode(self, key: str, value: Any) -> Any:
        """The value of the configuration that Optuna knows by `value`."""
        choices = self.dimensions[key].choices
        if choices is None:
            return value
        return next((choice for choice in choices if _label(choice) == value), value)

    def describe(self) -> dict[str, str]:
        """Key -> its distribution in words, for comparing two spaces."""
        return {key: _words(distribution) for key, distribution in self.distributions.items()}

    def grid(self) -> dict[str, list[Any]]:
        """Every value of every key; ConfigError for a range without a step."""
        return {key: self._values(key, distribution) for key, distribution in self.distributions.items()}

    def _values(self, key: str, distribution: BaseDistribution) -> list[Any]:
        if isinstance(distribution, CategoricalDistribution):
            return list(distribution.choices)
        if isinstance(distribution, IntDistribution) and not distribution.log:
            return list(range(distribution.low, distribution.high + 1, distribution.step))
        if isinstance(distribution, FloatDistribution) and distribution.step is not None:
            count = round((distribution.high - distribution.low) / distribution.step) + 1
            return [distribution.low + number * distribution.step for number in range(count)]
        raise ConfigError(f"tune.space.{key}.step: required by the samplers grid and brute_force, e.g. `step: 5.0`")

    def _distribution(self, key: str, one: Dimension) -> BaseDistribution:
        if one.choices is not None:
            return CategoricalDistribution([_label(choice) for choice in one.choices])
        low, high = one.low or 0, one.high or 0
        numbers = [number for number in (low, high, one.step) if number is not None]
        if all(isinstance(number, int) for number in numbers) and not self._takes_fractions(key, low):
            return IntDistribution(int(low), int(high), log=one.log, step=int(one.step or 1))
        high = float(high)
        if one.step is not None:  # the last value that the steps reach, as Optuna would have it with a warning
            high = low + one.step * int((high - low) / one.step * (1 + 1e-12))
        return FloatDistribution(float(low), high, log=one.log, step=one.step)

    def _takes_fractions(self, key: str, low: float) -> bool:
        try:
            self.config({key: low + 0.5})
        except ConfigError as error:
            return "a whole number" not in str(error)
        return True

    def _require_possible(self) -> None:
        """Every choice, and both ends of every range, can stand in the configuration beside the others' first ones."""
        first = {key: self._ends(key)[0] for key in self.dimensions}
        problems: dict[str, None] = {}
        for key in self.dimensions:
            for value in self._ends(key):
                try:
                    self.config({**first, key: value})
                except ConfigError as error:
                    reason = str(error).replace("--set ", "")
                    problems[f"tune.space.{key}: {value!r} cannot be: {reason}"] = None
                    break
        if problems:
            raise ConfigError("\n".join(problems))

    def _ends(self, key: str) -> list[Any]:
        distribution = self.distributions[key]
        if isinstance(distribution, CategoricalDistribution):
            return list(self.dimensions[key].choices or ())
        assert isinstance(distribution, (FloatDistribution, IntDistribution))
        return [distribution.low, distribution.high]

    def _point(self, number: int, point: Values) -> dict[str, Any]:
        """A point of `tune.initial` as Optuna knows it."""
        found = {}
        for key, value in point.items():
            distribution, label = self.distributions[key], _label(value)
            if isinstance(distribution, CategoricalDistribution):
                fits = label in distribution.choices
            else:
                assert isinstance(distribution, (FloatDistribution, IntDistribution))
                fits = type(label) in (int, float) and distribution.low <= label <= distribution.high
            if not fits:
                raise ConfigError(f"tune.initial.{number}.{key}: {value!r} is not in {_words(distribution)}")
            found[key] = label
        return found

    def _overrides(self, key: str, value: Any) -> list[str]:
        """`key=value` in YAML; a mapping is merged, key by key, and a bare number keeps the rest of its section."""
        if isinstance(value, Mapping):
            return [one for name, inner in value.items() for one in self._overrides(f"{key}.{name}", inner)]
        parts = tuple(key.split("."))
        for pattern, name in SHORT_FORMS.items():
            short = len(pattern) == len(parts) and all(p in ("*", part) for p, part in zip(pattern, parts, strict=True))
            if short and isinstance(self._at(parts), dict):
                key = f"{key}.{name}"
        return [f"{key}={json.dumps(value)}"]

    def _at(self, parts: tuple[str, ...]) -> Any:
        found: Any = self.base
        for part in parts:
            found = found.get(part) if isinstance(found, dict) else None
        return found


def _label(choice: Any) -> Any:
    return choice if isinstance(choice, PLAIN) else json.dumps(choice, sort_keys=True)


def _words(distribution: BaseDistribution) -> str:
    if isinstance(distribution, CategoricalDistribution):
        return f"one of {', '.join(map(str, distribution.choices))}"
    assert isinstance(distribution, (FloatDistribution, IntDistribution))
    kind = "whole numbers " if isinstance(distribution, IntDistribution) else ""
    step = f" in steps of {distribution.step:g}" if distribution.step is not None and distribution.step != 1 else ""
    return f"{kind}{distribution.low:g} .. {distribution.high:g}{step}{' (log)' if distribution.log else ''}"
