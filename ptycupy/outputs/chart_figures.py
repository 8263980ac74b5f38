"""Charts: scan positions before and after refinement, and the loss over the iterations."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from ptycupy.outputs.canvas import figure_size, new_figure
from ptycupy.outputs.region import steps
from ptycupy.outputs.scalebar import round_length
from ptycupy.storage.snapshot import Snapshot

if TYPE_CHECKING:
    from matplotlib.figure import Figure


def positions_figure(snapshot: Snapshot, initial_positions: NDArray[Any] | None = None) -> Figure:
    """Window centres at the start (grey) and where they went (arrows, coloured by the distance).

    `initial_positions` (N, 2) px are corner + shift before the first iteration; default: those of the snapshot.
    Arrows are drawn longer than they are, by the factor in the title, where the shifts are too small to be seen.
    """
    step, unit = steps(snapshot)
    middle = np.asarray(snapshot.state.probe.shape[-2:]) // 2
    before = snapshot.initial_positions if initial_positions is None else initial_positions
    used = snapshot.used
    start = (np.asarray(before, np.float64)[used] + middle) * step
    now = (np.asarray(snapshot.corners + snapshot.shifts, np.float64)[used] + middle) * step
    moved = now - start
    distance = np.hypot(*moved.T)
    factor = _magnification(start, distance)
    spread = np.maximum(np.ptp(np.concatenate([start, now]), axis=0), 1e-9)
    height, width = figure_size(*spread)
    figure = new_figure(width + 1.6, max(height, 2.5) + 0.8)
    axes = figure.subplots()
    title = f"{len(used)} positions, none moved"
    if distance.max() > 0:
        arrows: dict[str, Any] = {"angles": "xy", "scale_units": "xy", "scale": 1, "width": 0.003, "headwidth": 4}
        along, down = factor * moved[:, 1], factor * moved[:, 0]
        shown = axes.quiver(start[:, 1], start[:, 0], along, down, distance, cmap="viridis", **arrows)
        figure.colorbar(shown, ax=axes, label=f"shift ({unit})", shrink=0.8)
        rms = float(np.sqrt((distance**2).mean()))
        times = f", arrows {factor:g} times as long" if factor > 1 else ""
        title = f"{len(used)} positions (grey: initial), shifts {rms:.3g} {unit} rms{times}"
        if factor == 1:  # longer arrows do not end at the new positions
            axes.scatter(now[:, 1], now[:, 0], s=8, c=distance, cmap="viridis", linewidths=0)
    axes.scatter(start[:, 1], start[:, 0], s=5, color="0.5", linewidths=0)
    axes.set_aspect("equal")
    axes.invert_yaxis()
    axes.margins(0.06)
    axes.set_xlabel(f"x ({unit})")
    axes.set_ylabel(f"y ({unit})")
    axes.set_title(title, fontsize=10)
    return figure


def loss_figure(snapshot: Snapshot) -> Figure:
    """The total loss and its terms; logarithmic where they span more than one decade."""
    from matplotlib.ticker import MaxNLocator

    history = snapshot.history
    figure = new_figure(6.4, 4.2)
    axes = figure.subplots()
    axes.plot(history.iterations, history.total, color="black", lw=1.8, marker=".", ms=4, label="total")
    if len(history.losses) > 1:
        for name, values in history.losses.items():
            axes.plot(history.iterations, values, lw=1.1, marker=".", ms=3, label=name)
        axes.legend(fontsize=8)
    curves = np.array([history.total, *history.losses.values()], np.float64)
    curves = curves[np.isfinite(curves)]
    positive = curves[curves > 0]
    if positive.size and positive.size == curves.size and positive.max() > 10 * positive.min():
        axes.set_yscale("log")
    axes.xaxis.set_major_locator(MaxNLocator(integer=True))
    axes.set_xlabel("iteration")
    axes.set_ylabel("loss")
    axes.grid(alpha=0.3, which="both")
    if history.total:
        axes.set_title(f"loss {history.total[-1]:.4g} in iteration {history.iterations[-1]}", fontsize=10)
    return figure


def course_figure(snapshot: Snapshot) -> Figure:
    """Learning rates, slice thickness and mean tilt over the iterations; only what is refined, or changed."""
    from matplotlib.ticker import MaxNLocator

    history = snapshot.history
    rates = {name: values for name, values in history.learning_rates.items() if max(values, default=0) > 0}
    tilts = np.asarray(history.mean_tilt, np.float64).reshape(-1, 2)
    curves = [("learning rate", rates, True)]
    if np.ptp(history.slice_thickness) > 0:
        curves.append(("mean slice thickness (Å)", {"": history.slice_thickness}, False))
    if tilts.size and np.ptp(tilts, axis=0).max() > 0:
        curves.append(("mean tilt (mrad)", {"y": tilts[:, 0].tolist(), "x": tilts[:, 1].tolist()}, False))
    figure = new_figure(5.0 * len(curves), 3.4)
    for axes, (label, lines, logarithmic) in zip(
        figure.subplots(1, len(curves), squeeze=False)[0], curves, strict=True
    ):
        for name, values in lines.items():
            positive = [value if value > 0 or not logarithmic else np.nan for value in values]
            axes.plot(history.iterations, positive, marker=".", ms=3, lw=1.1, label=name.replace("_", " "))
        if any(lines):
            axes.legend(fontsize=7)
        if logarithmic and lines:
            axes.set_yscale("log")
        axes.xaxis.set_major_locator(MaxNLocator(integer=True))
        axes.set(xlabel="iteration", ylabel=label)
        axes.grid(alpha=0.3)
    return figure


def _magnification(start: NDArray[np.float64], distance: NDArray[np.float64]) -> float:
    """A round factor (at least 1) that makes the larger shifts about as long as positions are apart."""
    large = float(np.percentile(distance, 95))
    area = float(np.prod(np.maximum(np.ptp(start, axis=0), 1e-9)))
    apart = np.sqrt(area / len(start))
    if large <= 0 or apart <= large:
        return 1.0
    return max(round_length(apart / large / 0.3), 1.0)
