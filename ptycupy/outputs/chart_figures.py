"""Charts: scan positions before and after refinement, and the loss over the iterations."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from ptycupy.outputs.canvas import add_colorbar, figure_size, new_figure
from ptycupy.outputs.region import steps
from ptycupy.outputs.scalebar import round_length
from ptycupy.storage.snapshot import History, Snapshot

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure


def positions_figure(snapshot: Snapshot, initial_positions: NDArray[Any] | None = None) -> Figure:
    """Window centres at the start (grey) and where they went (arrows, coloured by the distance).

    `initial_positions` (N, 2) px are corner + shift before the first iteration; default: those of the snapshot.
    Arrows are drawn longer than they are, by the factor in the title, where the shifts are too small to be seen.
    """
    start, now, _ = window_centres(snapshot, initial_positions)
    spread = np.maximum(np.ptp(np.concatenate([start, now]), axis=0), 1e-9)
    height, width = figure_size(*spread)
    figure = new_figure(width + 1.6, max(height, 2.5) + 0.8)
    draw_positions(figure.subplots(), snapshot, initial_positions)
    return figure


def window_centres(
    snapshot: Snapshot, initial_positions: NDArray[Any] | None = None
) -> tuple[NDArray[np.float64], NDArray[np.float64], str]:
    """Centres (n, 2) of the windows of the used positions, at the start and now, and their unit."""
    step, unit = steps(snapshot)
    middle = np.asarray(snapshot.state.probe.shape[-2:]) // 2
    before = snapshot.initial_positions if initial_positions is None else initial_positions
    used = snapshot.used
    start = (np.asarray(before, np.float64)[used] + middle) * step
    now = (np.asarray(snapshot.corners + snapshot.shifts, np.float64)[used] + middle) * step
    return start, now, unit


def draw_positions(
    axes: Axes, snapshot: Snapshot, initial_positions: NDArray[Any] | None = None, *, colorbar: bool = True
) -> None:
    """What `positions_figure` shows, into axes."""
    start, now, unit = window_centres(snapshot, initial_positions)
    moved = now - start
    distance = np.hypot(*moved.T)
    factor = _magnification(start, distance)
    title = f"{len(start)} positions, none moved"
    if distance.max() > 0:
        arrows: dict[str, Any] = {"angles": "xy", "scale_units": "xy", "scale": 1, "width": 0.003, "headwidth": 4}
        along, down = factor * moved[:, 1], factor * moved[:, 0]
        shown = axes.quiver(start[:, 1], start[:, 0], along, down, distance, cmap="viridis", **arrows)
        if colorbar:
            add_colorbar(axes, shown, f"shift ({unit})")
        rms = float(np.sqrt((distance**2).mean()))
        times = f", arrows {factor:g} times as long" if factor > 1 else ""
        title = f"{len(start)} positions (grey: initial)\nshifts {rms:.3g} {unit} rms{times}"
        if factor == 1:  # longer arrows do not end at the new positions
            axes.scatter(now[:, 1], now[:, 0], s=8, c=distance, cmap="viridis", linewidths=0)
    axes.scatter(start[:, 1], start[:, 0], s=5, color="0.5", linewidths=0)
    axes.set_aspect("equal")
    axes.invert_yaxis()
    axes.margins(0.06)
    axes.set_xlabel(f"x ({unit})")
    axes.set_ylabel(f"y ({unit})")
    axes.set_title(title, fontsize=10)


def loss_figure(snapshot: Snapshot) -> Figure:
    """The total loss and, where there are several, its terms beside it; logarithmic where they span over a decade."""
    history = snapshot.history
    several = len(history.losses) > 1
    figure = new_figure(9.4 if several else 5.6, 3.6)
    panels = figure.subplots(1, 2 if several else 1, squeeze=False)[0]
    draw_loss(panels[0], history)
    if several:
        draw_loss_terms(panels[1], history)
    return figure


def draw_loss(axes: Axes, history: History) -> None:
    """The total loss, into axes; logarithmic where it spans over a decade."""
    _draw_losses(axes, history, {"total": history.total})
    if history.total:
        axes.set_title(f"loss {history.total[-1]:.4g} in iteration {history.iterations[-1]}", fontsize=10)


def draw_loss_terms(axes: Axes, history: History) -> None:
    """The terms of the loss, into axes; logarithmic where they span over a decade."""
    _draw_losses(axes, history, history.losses)
    if history.losses:
        axes.legend(fontsize=8)
    axes.set_title("terms of the loss, with their weights", fontsize=10)


def _draw_losses(axes: Axes, history: History, curves: Mapping[str, Sequence[float]]) -> None:
    from matplotlib.ticker import MaxNLocator

    for name, values in curves.items():
        axes.plot(history.iterations, values, lw=1.3, marker=".", ms=4, label=name)
    found = np.array([*curves.values()], np.float64)
    finite = found[np.isfinite(found)]
    if finite.size and finite.min() > 0 and finite.max() > 10 * finite.min():
        axes.set_yscale("log")
    axes.xaxis.set_major_locator(MaxNLocator(integer=True))
    axes.set(xlabel="iteration", ylabel="loss")
    axes.grid(alpha=0.3)


def course_figure(snapshot: Snapshot) -> Figure:
    """Learning rates, slice thickness and mean tilt over the iterations; only what is refined, or changed."""
    history = snapshot.history
    tilts = np.asarray(history.mean_tilt, np.float64).reshape(-1, 2)
    curves: list[tuple[str, dict[str, list[float]]]] = []
    if np.ptp(history.slice_thickness) > 0:
        curves.append(("mean slice thickness (Å)", {"": history.slice_thickness}))
    if tilts.size and np.ptp(tilts, axis=0).max() > 0:
        curves.append(("mean tilt (mrad)", {"y": tilts[:, 0].tolist(), "x": tilts[:, 1].tolist()}))
    figure = new_figure(5.0 * (1 + len(curves)), 3.4)
    first, *others = figure.subplots(1, 1 + len(curves), squeeze=False)[0]
    draw_learning_rates(first, history)
    for axes, (label, lines) in zip(others, curves, strict=True):
        _lines(axes, history, label, lines)
    return figure


def draw_learning_rates(axes: Axes, history: History) -> None:
    """Learning rates above 0 of all that is refined, into axes."""
    rates = {name: values for name, values in history.learning_rates.items() if max(values, default=0) > 0}
    lines = {name: [value if value > 0 else math.nan for value in values] for name, values in rates.items()}
    _lines(axes, history, "learning rate", lines)
    if lines:
        axes.set_yscale("log")


def _lines(axes: Axes, history: History, label: str, lines: Mapping[str, Sequence[float]]) -> None:
    from matplotlib.ticker import MaxNLocator

    for number, (name, values) in enumerate(lines.items()):
        dashes: Any = (3 * number, (4, 2)) if number else "-"  # curves that lie on one another are all seen
        axes.plot(history.iterations, values, ls=dashes, marker=".", ms=3, lw=1.4, label=name.replace("_", " "))
    if any(lines):
        axes.legend(fontsize=7)
    axes.xaxis.set_major_locator(MaxNLocator(integer=True))
    axes.set(xlabel="iteration", ylabel=label)
    axes.grid(alpha=0.3)


def _magnification(start: NDArray[np.float64], distance: NDArray[np.float64]) -> float:
    """A round factor (at least 1) that makes the larger shifts about as long as positions are apart."""
    large = float(np.percentile(distance, 95))
    area = float(np.prod(np.maximum(np.ptp(start, axis=0), 1e-9)))
    apart = np.sqrt(area / len(start))
    if large <= 0 or apart <= large:
        return 1.0
    return max(round_length(apart / large / 0.3), 1.0)
