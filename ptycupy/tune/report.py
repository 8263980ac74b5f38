"""What a study leaves behind: the best configuration, a table of all trials, pictures, and a page with them."""

from __future__ import annotations

import csv
import io
import logging
import warnings
from pathlib import Path
from typing import Any

import optuna
from optuna.distributions import CategoricalDistribution
from optuna.importance import PedAnovaImportanceEvaluator
from optuna.trial import FrozenTrial, TrialState

from ptycupy import config as configuration
from ptycupy.outputs.canvas import save_png
from ptycupy.outputs.tuning_figures import Axis, Point, history_figure, importance_figure, pareto_figure, slice_figure
from ptycupy.storage.atomic import atomic_write
from ptycupy.tune import phases
from ptycupy.tune.claims import REASON, RETRY, counts
from ptycupy.tune.page import PHASES, Summary, suffix, write_page
from ptycupy.tune.words import unit
from ptycupy.tune.worker import Task, quiet_optuna

logger = logging.getLogger(__name__)
ENOUGH = 4  # complete trials, below which importances say nothing


def write_report(task: Task) -> optuna.Study:
    """Writes best.yaml, trials.csv, the PNGs and report.html into the study's folder as it stands; returns it."""
    with quiet_optuna():
        study = task.study.open()
        trials = [trial for trial in study.get_trials() if counts(trial)]
        _write(task.folder / "trials.csv", _table(task, trials))
        done = [trial for trial in trials if trial.state == TrialState.COMPLETE]
        if not done:
            logger.warning("no trial was completed: there is no best configuration")
            return study
        done.sort(key=lambda trial: (trial.values[0], trial.number))
        best = _yaml(task, done[0])
        _write(task.folder / "best.yaml", best)
        front = _front(task, study, done)
        axes = [_axis(task, key) for key in task.space.distributions]
        found: dict[str, dict[str, float]] = {}
        for index, name in enumerate(task.tune.objectives):
            end = suffix(task, name)
            points = [_point(trial, index) for trial in trials]
            save_png(history_figure(points, name), task.folder / f"history{end}.png")
            save_png(slice_figure(points, axes, name), task.folder / f"slices{end}.png")
            found[name] = _importances(study, done, index)
            if found[name]:
                save_png(importance_figure(found[name], name), task.folder / f"importances{end}.png")
        shown = phases.draw(task.folder / PHASES, task.folder, front if len(found) > 1 else _improvements(done))
        write_page(Summary(task, trials, done, front, found, shown), best)
        logger.info("best: %s of trial %d; %s", ", ".join(f"{value:.6g}" for value in done[0].values), done[0].number,
                    task.folder / "report.html")  # fmt: skip
        return study


def _front(task: Task, study: optuna.Study, done: list[FrozenTrial]) -> list[FrozenTrial]:
    """The trials of the Pareto front, best first by the first objective, with their configurations and a picture."""
    best = {trial.number for trial in study.best_trials}
    front = [trial for trial in done if trial.number in best]
    if len(task.tune.objectives) > 1:
        (task.folder / "pareto").mkdir(exist_ok=True)
        for trial in front:
            _write(task.folder / "pareto" / f"trial_{trial.number:04d}.yaml", _yaml(task, trial))
        figure = pareto_figure(
            [trial.values for trial in done], [trial.number in best for trial in done], task.tune.objectives,
            [trial.number for trial in done],
        )  # fmt: skip
        save_png(figure, task.folder / "pareto.png")
    return front


def _improvements(done: list[FrozenTrial]) -> list[FrozenTrial]:
    """Those that were the best when they began, among the ones that began before."""
    found: list[FrozenTrial] = []
    for trial in sorted(done, key=lambda trial: trial.number):
        if not found or trial.values[0] < found[-1].values[0]:
            found.append(trial)
    return found


def _yaml(task: Task, trial: FrozenTrial) -> str:
    """The trial's configuration with the iterations of the whole reconstruction, and where it came from."""
    values = {key: task.space.decode(key, value) for key, value in trial.params.items()}
    found = ", ".join(f"{name} {value:.6g}" for name, value in zip(task.tune.objectives, trial.values, strict=True))
    chosen = "".join(f"#   {key}: {value}\n" for key, value in values.items())
    head = f"# Trial {trial.number} of the study {task.study.name}: {found} after {task.iterations} iterations, with\n"
    return f"{head}{chosen}{configuration.dump(task.space.config(values))}"


def _table(task: Task, trials: list[FrozenTrial]) -> str:
    keys, names = list(task.space.distributions), task.tune.objectives
    text = io.StringIO(newline="")
    table = csv.writer(text)
    table.writerow(["trial", "state", *names, *keys, "iterations", "seconds", "started", "ended", RETRY, REASON])
    for trial in trials:
        values: list[Any] = list(trial.values or [])
        if trial.state == TrialState.PRUNED and trial.intermediate_values:
            values = [trial.intermediate_values[max(trial.intermediate_values)]]
        values += [""] * (len(names) - len(values))
        attributes = [trial.user_attrs.get(name, "") for name in ("iterations", "seconds")]
        times = [time.isoformat() if time else "" for time in (trial.datetime_start, trial.datetime_complete)]
        ends = [trial.user_attrs.get(name, "") for name in (RETRY, REASON)]
        chosen = [trial.params.get(key, "") for key in keys]
        table.writerow([trial.number, trial.state.name.lower(), *values, *chosen, *attributes, *times, *ends])
    return text.getvalue()


def _importances(study: optuna.Study, done: list[FrozenTrial], index: int) -> dict[str, float]:
    """PED-ANOVA's share of every key; empty where trials are too few or all alike."""
    varied = {key for trial in done for key in trial.params if len({repr(one.params.get(key)) for one in done}) > 1}
    if len(done) < ENOUGH or not varied or len({trial.values[index] for trial in done}) < 2:
        return {}

    def target(trial: FrozenTrial) -> float:
        return float(trial.values[index])

    several = len(study.directions) > 1
    evaluator = PedAnovaImportanceEvaluator()
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message="PedAnova", category=UserWarning)  # low values are what we want
        return optuna.importance.get_param_importances(study, evaluator=evaluator, target=target if several else None)


def _axis(task: Task, key: str) -> Axis:
    distribution = task.space.distributions[key]
    if isinstance(distribution, CategoricalDistribution):
        return Axis(key, choices=tuple(map(str, distribution.choices)))
    mode = task.config.calibration.mode
    return Axis(key, log=bool(getattr(distribution, "log", False)), unit=unit(key, mode))


def _point(trial: FrozenTrial, index: int) -> Point:
    value = None if trial.state != TrialState.COMPLETE else float(trial.values[index])
    if trial.state == TrialState.PRUNED and trial.intermediate_values:
        value = float(trial.intermediate_values[max(trial.intermediate_values)])
    params = {key: one if isinstance(one, (int, float)) and not isinstance(one, bool) else str(one)
              for key, one in trial.params.items()}  # fmt: skip
    return Point(trial.number, value, trial.state == TrialState.COMPLETE, params)


def _write(path: Path, text: str) -> None:
    with atomic_write(path) as file:
        file.write(text.encode())
