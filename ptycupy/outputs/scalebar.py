"""Scale bars of a round length, readable on any background."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from matplotlib.axes import Axes


def round_length(width: float) -> float:
    """The largest of 1, 2, 5 x 10^n that is at most 30 % of a width."""
    target = 0.3 * width
    power = 10.0 ** math.floor(math.log10(target))
    return max(step * power for step in (1, 2, 5) if step * power <= target * (1 + 1e-9))


def label(length: float, unit: str) -> str:
    """5 Å, 20 nm (from 100 Å on), 0.5 1/Å, 50 px."""
    if unit == "Å" and length >= 100:
        length, unit = length / 10, "nm"
    return f"{length:g} {unit}"


def add_scalebar(axes: Axes, width: float, unit: str) -> None:
    """Draws a bar with its length above it in the lower left of an image whose x axis spans `width` units."""
    from matplotlib.patches import Rectangle

    length = round_length(width)
    share = length / width
    bar = Rectangle((0.05, 0.05), share, 0.015, transform=axes.transAxes, facecolor="white", edgecolor="none", zorder=5)
    axes.add_patch(bar)
    axes.annotate(
        label(length, unit), (0.05 + share / 2, 0.065), xycoords="axes fraction", xytext=(0, 2.5),
        textcoords="offset points", color="white", ha="center", va="bottom", fontsize=9, zorder=5,
        bbox={"facecolor": "black", "alpha": 0.45, "edgecolor": "none", "boxstyle": "round,pad=0.15"},
    )  # fmt: skip
    shade = Rectangle(
        (0.05 - 0.015, 0.05 - 0.012), share + 0.03, 0.039, transform=axes.transAxes, facecolor="black", alpha=0.45,
        edgecolor="none", zorder=4,
    )  # fmt: skip
    axes.add_patch(shade)
