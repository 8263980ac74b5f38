"""report.html of a study: what was found and how sure it is, what trials look like, pictures, what is worth mending."""

from __future__ import annotations

import statistics
import time
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from optuna.trial import FrozenTrial, TrialState

from ptycupy import __version__
from ptycupy.outputs.report import Picture, Section, Table, write_report
from ptycupy.reconstruction.progress import duration
from ptycupy.tune.advice import advise
from ptycupy.tune.liveness import WORKER
from ptycupy.tune.samplers import startup_trials, wanted_trials
from ptycupy.tune.words import unit, word
from ptycupy.tune.worker import Task

ABOUT = {
    "contrast": "minus standard deviation over mean of the phase summed over depth, in the scanned field",
    "loss": "of the last iteration",
    "held_out_loss": "loss of patterns that no gradient has seen",
    "ring_correlation": "minus the area under the Fourier ring correlation of two halves",
}
BEST, LISTED = 5, 10  # trials whose values say how sure the best one's are, and those that are listed
FEW = 20  # complete trials, below which importances say little
PHASES = "phases.png"


@dataclass(frozen=True)
class Summary:
    """A study as far as it has come, with at least one complete trial."""

    task: Task
    trials: Sequence[FrozenTrial]  # that count
    done: Sequence[FrozenTrial]  # the complete ones, best first by the first objective
    front: Sequence[FrozenTrial]  # those that no other one beats in all objectives, the same way
    importances: Mapping[str, Mapping[str, float]]  # of every objective, the keys' shares
    phases: Sequence[tuple[int, float]]  # trials in the picture of phases, and how far these spread (rad)


def suffix(task: Task, name: str) -> str:
    """What pictures of one of several objectives have in their names."""
    return "" if len(task.tune.objectives) == 1 else f"_{name}"


def write_page(summary: Summary, best: str) -> None:
    """Writes report.html beside the pictures in the study's folder; `best` is the text of best.yaml."""
    task = summary.task
    write_report(
        task.folder / "report.html",
        f"ptycupy tune: {task.study.name}",
        time.strftime("%Y-%m-%d %H:%M") + f", ptycupy {__version__}",
        advise(task, summary.trials, summary.done, summary.phases),
        [_result(summary), _looks(summary), *_courses(summary), _list(summary), _study(summary),
         Section("The best configuration", folded=best)],
    )  # fmt: skip


def label(task: Task, key: str) -> str:
    """A key and its unit."""
    found = unit(key, task.config.calibration.mode)
    return f"{key} ({found})" if found else key


def _result(summary: Summary) -> Section:
    task, best = summary.task, summary.done[0]
    names = task.tune.objectives
    rows = [(str(name), f"{value:.6g} ({ABOUT[name]})") for name, value in zip(names, best.values, strict=True)]
    rows += [
        ("trial", f"{best.number}, after {task.iterations} iterations"),
        ("to go on", f"ptycupy recon {task.folder / 'best.yaml'}"),
    ]
    if len(names) > 1:
        cells = [_cells(task, trial) for trial in summary.front]
        about = f"The best by {names[0]} is above. No trial beats these in all objectives; pareto/ has them to run."
        return Section(
            "Trade-offs", rows, [Picture(task.folder / "pareto.png", "Complete trials; numbers are those of trials")],
            tables=[Table(_header(task), cells, about)],
        )  # fmt: skip
    shares = summary.importances.get(names[0], {})
    near = summary.done[:BEST]
    lines = []
    for key in task.space.distributions:
        share = [f"{shares[key]:.2f}" if key in shares else ""] if shares else []
        spread = [_spread([trial.params[key] for trial in near])] if len(near) == BEST else []
        lines.append([label(task, key), word(best.params[key]), *spread, task.space.describe()[key], *share])
    header = ["key", "best", *([f"best {BEST} trials"] if len(near) == BEST else []), "tried"]
    about = "Values that differ much among the best trials matter little, or are not found yet."
    return Section("Result", rows, tables=[Table([*header, *(["importance"] if shares else [])], lines, about)])


def _looks(summary: Summary) -> Section:
    which = "of the front" if len(summary.task.tune.objectives) > 1 else "that were the best so far, the best one last"
    caption = f"Phase, summed over depth, of trials {which}. A low number is no proof: look whether it is a specimen."
    pictures = [Picture(summary.task.folder / PHASES, caption, large=True)] if summary.phases else []
    return Section("What trials look like", pictures=pictures)


def _courses(summary: Summary) -> list[Section]:
    """How the search went and what the keys do, for every objective."""
    task, sections = summary.task, []
    for name in task.tune.objectives:
        end = suffix(task, name)
        few = "" if len(summary.done) >= FEW else f"; of {len(summary.done)} complete trials they say little"
        pictures = [
            Picture(task.folder / f"history{end}.png", "Every trial, in the order in which they began"),
            Picture(
                task.folder / f"slices{end}.png", "Complete trials over each key; the best one is circled", large=True
            ),
            Picture(
                task.folder / f"importances{end}.png",
                f"Which keys tell good trials from others (PED-ANOVA, shares of 1){few}",
            ),
        ]
        sections.append(Section(f"Course of {name}" if end else "Course", pictures=pictures))
    return sections


def _list(summary: Summary) -> Section:
    task = summary.task
    cells = [_cells(task, trial) for trial in summary.done[:LISTED]]
    by = f" by {task.tune.objectives[0]}" if len(task.tune.objectives) > 1 else ""
    return Section(
        f"The best {len(cells)} trials{by}", tables=[Table(_header(task), cells, "trials.csv has them all.")]
    )


def _study(summary: Summary) -> Section:
    task = summary.task
    tune = task.tune
    states = Counter(trial.state for trial in summary.trials)
    parts = [f"{states[state]} {state.name.lower()}" for state in TrialState if states[state]]
    seconds = [trial.user_attrs["seconds"] for trial in summary.trials if "seconds" in trial.user_attrs]
    workers = {(one["host"], one["pid"], one["started"]) for trial in summary.trials
               if (one := trial.system_attrs.get(WORKER))}  # fmt: skip
    middle = statistics.median(seconds) if seconds else 0.0
    hosts = len({host for host, *_ in workers})
    first = startup_trials(tune)
    return Section("Study", [
        ("trials", f"{', '.join(parts)}, of {wanted_trials(tune, task.space)}"),
        ("time", f"{duration(sum(seconds))} of all trials together, {middle:.3g} s each (median)"),
        ("workers", f"{len(workers)} processes on {hosts} machine{'s' if hosts != 1 else ''}"),
        ("sampler", tune.sampler.name + (f", after {first} random trials" if first else "")),
        ("pruner", "none" if tune.pruner is None else tune.pruner.name),
        ("seed", str(tune.seed)),
    ])  # fmt: skip


def _header(task: Task) -> list[str]:
    return ["trial", *task.tune.objectives, *(label(task, key) for key in task.space.distributions)]


def _cells(task: Task, trial: FrozenTrial) -> list[str]:
    values = [word(trial.params[key]) for key in task.space.distributions]
    return [str(trial.number), *(f"{value:.5g}" for value in trial.values), *values]


def _spread(values: Sequence[object]) -> str:
    """From the smallest to the largest, or every choice with how often it comes."""
    numbers = [value for value in values if isinstance(value, (int, float)) and not isinstance(value, bool)]
    if len(numbers) < len(values):
        return ", ".join(f"{value} ({count})" for value, count in Counter(map(str, values)).most_common())
    low, high = min(numbers), max(numbers)
    return word(low) if low == high else f"{word(low)} .. {word(high)}"
