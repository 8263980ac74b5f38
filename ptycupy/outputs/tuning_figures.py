"""Pictures of a tuning study: how it went on, what each key does to the objective, which keys matter, trade-offs."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np

from ptycupy.outputs.canvas import DPI_OF_MANY, new_figure

if TYPE_CHECKING:
    from matplotlib.figure import Figure

COLUMNS = 3
LEGIBLE = 60  # characters of a choice
LABELS = 12  # numbers of trials in a picture of a front


@dataclass(frozen=True)
class Point:
    """A trial: its objective (the last one seen, where it was pruned) and values; None where it has none."""

    number: int
    value: float | None
    complete: bool
    params: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Axis:
    """A key that was tuned: `choices` where it has them, else a range."""

    key: str
    log: bool = False
    choices: tuple[str, ...] = ()
    unit: str = ""


def history_figure(points: Sequence[Point], name: str) -> Figure:
    """The objective of every trial, and the best one so far."""
    from matplotlib.ticker import MaxNLocator

    figure = new_figure(7.2, 4.2)
    axes = figure.subplots()
    done = [(point.number, point.value) for point in points if point.complete and point.value is not None]
    ended = [(point.number, point.value) for point in points if not point.complete and point.value is not None]
    failed = [point.number for point in points if point.value is None]
    if ended:
        numbers, values = zip(*ended, strict=True)
        axes.scatter(numbers, values, s=18, color="0.7", label="pruned, at its end")
    if done:
        numbers, values = zip(*done, strict=True)
        axes.scatter(numbers, values, s=22, color="tab:blue", label="complete")
        axes.step(numbers, np.minimum.accumulate(values), where="post", color="black", lw=1.4, label="best so far")
    if failed:
        axes.plot(failed, [0.01] * len(failed), "x", color="tab:red", ms=5, label="failed or not run",
                  transform=axes.get_xaxis_transform())  # fmt: skip
    axes.xaxis.set_major_locator(MaxNLocator(integer=True))
    axes.set(xlabel="trial", ylabel=name)
    axes.grid(alpha=0.3)
    figure.legend(*axes.get_legend_handles_labels(), loc="outside upper center", ncols=4, fontsize=8, frameon=False)
    return figure


def slice_figure(points: Sequence[Point], tuned: Sequence[Axis], name: str) -> Figure:
    """The objective of complete trials against every key, coloured by their order; the best one is circled."""
    columns = min(COLUMNS, len(tuned))
    rows = math.ceil(len(tuned) / columns)
    figure = new_figure(3.6 * columns + 0.4, 3.0 * rows + 0.3, DPI_OF_MANY)
    panels = figure.subplots(rows, columns, squeeze=False, sharey=True).ravel()
    seen = [(point, point.value) for point in points if point.complete and point.value is not None]
    best, lowest = min(seen, key=lambda one: one[1])
    drawn = None
    for axes, axis in zip(panels, tuned, strict=False):
        places = [_place(point, axis) for point, _ in seen]
        drawn = axes.scatter(places, [value for _, value in seen], c=[point.number for point, _ in seen], s=18,
                             cmap="viridis_r", vmin=0, vmax=max(len(points) - 1, 1))  # fmt: skip
        axes.scatter(_place(best, axis), lowest, s=110, facecolors="none", edgecolors="tab:red", linewidths=1.5)
        if axis.log:
            axes.set_xscale("log")
        if axis.choices:
            labels = [choice[:LEGIBLE] for choice in axis.choices]
            axes.set_xticks(range(len(labels)), labels, rotation=20 if max(map(len, labels)) > 4 else 0, fontsize=8)
        axes.set_xlabel(f"{axis.key} ({axis.unit})" if axis.unit else axis.key, fontsize=8)
        axes.grid(alpha=0.3)
    for axes in panels[len(tuned) :]:
        axes.set_visible(False)
    for axes in panels[::columns]:
        axes.set_ylabel(name)
    if drawn is not None:
        figure.colorbar(drawn, ax=list(panels[: len(tuned)]), label="trial", pad=0.01, aspect=30)
    return figure


def _place(point: Point, axis: Axis) -> Any:
    """Where a trial lies on a key's axis; NaN where it has no such value."""
    if axis.key not in point.params:
        return math.nan
    value = point.params[axis.key]
    return axis.choices.index(str(value)) if axis.choices else value


def importance_figure(shares: Mapping[str, float], name: str) -> Figure:
    """How much of what makes trials good each key explains; shares add up to 1."""
    ordered = sorted(shares.items(), key=lambda item: item[1])
    figure = new_figure(6.4, 0.42 * len(ordered) + 1.3)
    axes = figure.subplots()
    bars = axes.barh([key for key, _ in ordered], [share for _, share in ordered], color="tab:blue")
    axes.bar_label(bars, [f"{share:.2f}" for _, share in ordered], padding=3, fontsize=8)
    axes.set(xlabel=f"importance for {name} (PED-ANOVA)", xlim=(0, 1.12 * max(max(shares.values()), 1e-9)))
    axes.tick_params(axis="y", labelsize=8)
    return figure


def pareto_figure(
    values: Sequence[Sequence[float]], best: Sequence[bool], names: Sequence[str], numbers: Sequence[int]
) -> Figure:
    """Every pair of objectives, all of them minimised; the trials that no other one beats in all of them are joined,
    where there are two objectives, and bear their numbers."""
    array, front = np.asarray(values, np.float64), np.asarray(best, bool)
    pairs = [(one, other) for one in range(len(names)) for other in range(one + 1, len(names))]
    figure = new_figure(5.4 * len(pairs) + 0.4, 4.6)
    for axes, (one, other) in zip(figure.subplots(1, len(pairs), squeeze=False)[0], pairs, strict=True):
        axes.scatter(array[~front, one], array[~front, other], s=18, color="0.7", label="beaten by another one")
        order = np.flatnonzero(front)[np.argsort(array[front, one])]
        if len(pairs) == 1:
            axes.step(array[order, one], array[order, other], where="post", color="tab:red", lw=0.8, alpha=0.5)
        axes.scatter(array[order, one], array[order, other], s=28, color="tab:red", label="on the front")
        for row in order[:: max(1, len(order) // LABELS)]:
            axes.annotate(f"{numbers[row]}", array[row, [one, other]], xytext=(4, 4), textcoords="offset points",
                          fontsize=7)  # fmt: skip
        axes.set(xlabel=f"{names[one]} (less is better)", ylabel=f"{names[other]} (less is better)")
        axes.grid(alpha=0.3)
        axes.legend(fontsize=8)
    return figure
