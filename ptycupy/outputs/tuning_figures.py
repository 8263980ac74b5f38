"""Pictures of a tuning study: how it went on, what each key does to the objective, which keys matter, trade-offs."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np

from ptycupy.outputs.canvas import DPI_OF_MANY, new_figure

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

COLUMNS = 3
LEGIBLE = 60  # characters of a choice


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


def history_figure(points: Sequence[Point], name: str) -> Figure:
    """The objective of every trial, and the best one so far."""
    from matplotlib.ticker import MaxNLocator

    figure = new_figure(6.4, 4.2)
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
    axes.set(xlabel="trial", ylabel=name, title=f"{len(points)} trials")
    _legend(axes)
    return figure


def slice_figure(points: Sequence[Point], tuned: Sequence[Axis], name: str) -> Figure:
    """The objective against every key, later trials darker."""
    columns = min(COLUMNS, len(tuned))
    rows = math.ceil(len(tuned) / columns)
    figure = new_figure(3.6 * columns + 0.4, 3.0 * rows + 0.3, DPI_OF_MANY)
    panels = figure.subplots(rows, columns, squeeze=False, sharey=True).ravel()
    for axes, axis in zip(panels, tuned, strict=False):
        seen = [point for point in points if point.complete and point.value is not None and axis.key in point.params]
        at = [axis.choices.index(str(p.params[axis.key])) if axis.choices else p.params[axis.key] for p in seen]
        order = [point.number for point in seen]
        axes.scatter(at, [point.value for point in seen], c=order, cmap="viridis_r", s=18, vmin=0)
        if axis.log:
            axes.set_xscale("log")
        if axis.choices:
            labels = [choice[:LEGIBLE] for choice in axis.choices]
            axes.set_xticks(range(len(labels)), labels, rotation=20 if max(map(len, labels)) > 4 else 0, fontsize=8)
        axes.set_xlabel(axis.key, fontsize=8)
        axes.grid(alpha=0.3)
    for axes in panels[len(tuned) :]:
        axes.set_visible(False)
    for axes in panels[::columns]:
        axes.set_ylabel(name)
    return figure


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


def pareto_figure(values: Sequence[Sequence[float]], best: Sequence[bool], names: Sequence[str]) -> Figure:
    """Every pair of objectives; trials that no other one beats in all of them are dark. All are minimised."""
    array, front = np.asarray(values, np.float64), np.asarray(best, bool)
    pairs = [(one, other) for one in range(len(names)) for other in range(one + 1, len(names))]
    figure = new_figure(4.6 * len(pairs) + 0.4, 4.2)
    for axes, (one, other) in zip(figure.subplots(1, len(pairs), squeeze=False)[0], pairs, strict=True):
        axes.scatter(array[~front, one], array[~front, other], s=18, color="0.7", label="beaten by another one")
        axes.scatter(array[front, one], array[front, other], s=28, color="tab:red", label="on the front")
        axes.set(xlabel=names[one], ylabel=names[other])
        _legend(axes)
    return figure


def _legend(axes: Axes) -> None:
    axes.grid(alpha=0.3)
    if axes.get_legend_handles_labels()[0]:
        axes.legend(fontsize=8)
