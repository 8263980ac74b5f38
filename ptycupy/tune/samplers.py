"""Samplers and pruners by their names in the configuration, checked before the first trial."""

from __future__ import annotations

import inspect
import math
import warnings
from collections.abc import Callable
from importlib.util import find_spec
from typing import Any, TypeVar

from optuna import pruners, samplers
from optuna.exceptions import ExperimentalWarning

from ptycupy.config.suggest import did_you_mean
from ptycupy.config.tuning import Pruner, Sampler, Tune
from ptycupy.errors import ConfigError
from ptycupy.experiment.seeds import sequence
from ptycupy.tune.space import Space


class _Grid(samplers.GridSampler):
    """Without the request to stop after the last combination: our loop ends by the number of trials."""

    def after_trial(self, study: Any, trial: Any, state: Any, values: Any) -> None:
        """Nothing."""


class _BruteForce(samplers.BruteForceSampler):
    """The same."""

    def after_trial(self, study: Any, trial: Any, state: Any, values: Any) -> None:
        """Nothing."""


SAMPLERS: dict[str, type[samplers.BaseSampler]] = {
    "tpe": samplers.TPESampler,
    "random": samplers.RandomSampler,
    "cmaes": samplers.CmaEsSampler,
    "gp": samplers.GPSampler,
    "qmc": samplers.QMCSampler,
    "grid": _Grid,
    "nsga2": samplers.NSGAIISampler,
    "nsga3": samplers.NSGAIIISampler,
    "brute_force": _BruteForce,
}
PRUNERS: dict[str, type[pruners.BasePruner]] = {
    "hyperband": pruners.HyperbandPruner,
    "median": pruners.MedianPruner,
    "percentile": pruners.PercentilePruner,
    "successive_halving": pruners.SuccessiveHalvingPruner,
    "patient": pruners.PatientPruner,
    "threshold": pruners.ThresholdPruner,
}
PACKAGES = {"cmaes": "cmaes", "gp": "torch", "qmc": "scipy"}
SINGLE = ("cmaes", "gp")  # samplers of a single objective, as far as we use them
STARTUP = {"tpe": 10, "cmaes": 10, "gp": 10}
DEFAULTS: dict[str, dict[str, Any]] = {
    # The first trials are ours (see `startup_trials`), so that a sampler models from the first one on.
    "tpe": {"multivariate": True, "n_startup_trials": 1},
    "cmaes": {"n_startup_trials": 1},
    "gp": {"n_startup_trials": 1},
    "qmc": {"scramble": True},
}
EXHAUSTIVE = ("grid", "brute_force")
SHARED_SEED = ("qmc", "grid")  # one sequence, or one shuffled list, that all trials take their points from
Made = TypeVar("Made")


def wanted_trials(tune: Tune, space: Space) -> int:
    """How many trials the study has: tune.trials, or as many as there are combinations where each is tried once."""
    if tune.sampler.name not in EXHAUSTIVE:
        return tune.trials
    return min(tune.trials, math.prod(len(values) for values in space.grid().values()))


def startup_trials(tune: Tune) -> int:
    """How many of the first trials are drawn at random."""
    given = tune.sampler.startup_trials
    return STARTUP.get(tune.sampler.name, 0) if given is None else given


def make_sampler(tune: Tune, space: Space, rank: int) -> samplers.BaseSampler:
    """The sampler of the study's trial number `rank`, with a seed of its own: it needs no memory but the study.

    So one worker proposes the same trials whether or not it was interrupted, and two never propose the same one.
    """
    seed = int(sequence(tune.seed, f"tune {rank}").generate_state(1)[0])
    if rank < startup_trials(tune):
        return samplers.RandomSampler(seed=seed)
    return _sampler(tune, space, seed)


def require_sampler(tune: Tune, space: Space) -> None:
    """ConfigError where sampler or pruner cannot be made: an absent package, an unknown option, a wrong objective."""
    section = tune.sampler
    package = PACKAGES.get(section.name)
    if package is not None and find_spec(package) is None:
        raise ConfigError(
            f"tune.sampler.name: {section.name} needs the package {package}: `pip install {package}`, or take tpe"
        )
    if section.name in SINGLE and len(tune.objectives) > 1:
        raise ConfigError(f"tune.sampler.name: {section.name} takes a single objective; take tpe, nsga2 or nsga3")
    _sampler(tune, space, 0)
    wanted_trials(tune, space)
    make_pruner(tune.pruner, 2)


def make_pruner(section: Pruner | None, iterations: int) -> pruners.BasePruner:
    """The pruner for trials of so many iterations."""
    if section is None:
        return pruners.NopPruner()
    options = dict(section.options)
    if section.name == "hyperband":
        options = {"max_resource": iterations, **options}
        rungs: dict[str, Any] = {key: options[key] for key in ("min_resource", "reduction_factor") if key in options}
        _made(pruners.SuccessiveHalvingPruner, rungs, "tune.pruner.options")  # checks them, which hyperband does late
    if section.name == "patient":
        wrapped = options.pop("wrapped", None)
        inner = None if wrapped is None else make_pruner(Pruner.model_validate(wrapped), iterations)
        options = {"wrapped_pruner": inner, **options}
    return _made(PRUNERS[section.name], options, "tune.pruner.options")


def _sampler(tune: Tune, space: Space, seed: int) -> samplers.BaseSampler:
    section: Sampler = tune.sampler
    options = {**DEFAULTS.get(section.name, {}), **section.options}
    options.setdefault("seed", tune.seed if section.name in SHARED_SEED else seed)
    if section.name == "grid":
        options["search_space"] = space.grid()
    return _made(SAMPLERS[section.name], options, "tune.sampler.options")


def _made(kind: Callable[..., Made], options: dict[str, Any], key: str) -> Made:
    known = list(inspect.signature(kind).parameters)
    for name in options:
        if name not in known:
            raise ConfigError(f"{key}.{name}: unknown{did_you_mean(name, known)}; known: {', '.join(known)}")
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", ExperimentalWarning)  # several samplers have been so for years
            return kind(**options)
    except (TypeError, ValueError) as error:
        raise ConfigError(f"{key}: {error}") from error
