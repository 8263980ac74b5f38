"""The study: made or joined, and refused where what is stored under its name was another search."""

from __future__ import annotations

import json
import warnings
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from typing import Any

import optuna
from optuna.exceptions import DuplicatedStudyError, ExperimentalWarning
from optuna.pruners import BasePruner
from optuna.samplers import BaseSampler
from optuna.storages import BaseStorage, RDBStorage, get_storage
from optuna.study import StudyDirection

from ptycupy.config.schema import Config
from ptycupy.errors import ConfigError
from ptycupy.tune.journal import exclusive
from ptycupy.tune.space import Space

IDENTITY = "ptycupy"  # the study's user attribute that holds what makes it this study
ELSEWHERE = ("backend", "distributed", "output", "tune")  # sections that leave the trials' results as they are


@dataclass(frozen=True)
class Study:
    """A study of Optuna by its storage and name. Every trial opens it anew, with a sampler of its own."""

    storage: BaseStorage  # the one that Optuna's own studies go through too: of a database it keeps a copy in memory
    name: str
    number: int  # how the storage knows it
    url: Any = None  # of a database, SQLAlchemy's

    @classmethod
    def of(cls, storage: BaseStorage, name: str) -> Study:
        """The study of this name; KeyError where there is none."""
        url = storage.engine.url if isinstance(storage, RDBStorage) else None
        return cls(get_storage(storage), name, storage.get_study_id_from_name(name), url)

    def exclusive(self) -> AbstractContextManager[None]:
        """Open while this process alone may change the state of trials. Journals order what is written and databases
        lock rows; only SQLite, which does not, needs a lock of ours."""
        return nullcontext() if self.url is None else exclusive(self.url)

    def open(self, sampler: BaseSampler | None = None, pruner: BasePruner | None = None) -> optuna.Study:
        """The study as it stands now."""
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", ExperimentalWarning)
            return optuna.load_study(study_name=self.name, storage=self.storage, sampler=sampler, pruner=pruner)


def join(storage: BaseStorage, name: str, config: Config, space: Space, iterations: int) -> Study:
    """The study of this name, made where there is none yet.

    ConfigError, with the differences, where one stands there that searches another space, by other objectives, or with
    another reconstruction: its trials could not be compared with new ones.
    """
    assert config.tune is not None
    wanted = _identity(config, space, iterations)
    directions = [StudyDirection.MINIMIZE] * len(config.tune.objectives)
    try:
        made = optuna.create_study(study_name=name, storage=storage, directions=directions)
    except DuplicatedStudyError:
        study = optuna.load_study(study_name=name, storage=storage)
    else:
        made.set_user_attr(IDENTITY, json.dumps(wanted))
        made.set_metric_names(list(config.tune.objectives))
        study = made
    found = study.user_attrs.get(IDENTITY)
    if found is None and not study.get_trials(deepcopy=False):
        study.set_user_attr(IDENTITY, json.dumps(wanted))  # whoever made it died, or has not come so far yet
    else:
        _require_same(name, json.loads(found) if found is not None else {}, wanted)
    return Study.of(storage, name)


def _identity(config: Config, space: Space, iterations: int) -> dict[str, dict[str, Any]]:
    assert config.tune is not None
    tuned = {
        "objectives": ", ".join(config.tune.objectives),
        "iterations": iterations,
        "seed": config.tune.seed,
        "held_out_fraction": config.tune.held_out_fraction,
        "required_gain": config.tune.required_gain,
    }
    sections = {key: value for key, value in space.base.items() if key not in ELSEWHERE}
    return {"space": space.describe(), "tune": tuned, "configuration": dict(_leaves(sections))}


def _leaves(value: Any, path: str = "") -> list[tuple[str, Any]]:
    if isinstance(value, dict) and value:
        return [leaf for key, inner in value.items() for leaf in _leaves(inner, f"{path}.{key}" if path else str(key))]
    return [(path, value)]


def _require_same(name: str, found: dict[str, dict[str, Any]], wanted: dict[str, dict[str, Any]]) -> None:
    lines = []
    for part, heading in (("space", "tune.space."), ("tune", "tune."), ("configuration", "")):
        old, new = found.get(part, {}), wanted[part]
        for key in {**old, **new}:
            before, now = old.get(key, "absent"), new.get(key, "absent")
            if before != now:
                lines.append(f"  {heading}{key}: there {before}, here {now}")
    if lines:
        listed = "\n".join(lines)
        raise ConfigError(f"tune.study: {name} is there already and is another search; give it another name:\n{listed}")
