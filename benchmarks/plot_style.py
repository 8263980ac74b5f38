"""What the figures of benchmarks have in common."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from matplotlib.figure import Figure

from ptycupy.outputs.canvas import new_figure

NAMES = {"batch": "batch {}", "modes": "{} modes", "slices": "{} slices", "window": "window {} px"}
Record = dict[str, Any]


def label(record: Record) -> str:
    """Device and date, and what of a GPU's ways was asked for."""
    machine = record["machine"]
    device = f"{machine['processor']}, {machine['cores']} cores" if record["device"] == "cpu" else record["device"]
    ways = [record["fft"]] if record.get("fft", "auto") != "auto" else []
    return ", ".join([device, *ways, *(["graphs"] if record.get("graphs") else []), record["date"]])


def measured(rows: list[Record]) -> list[Record]:
    """Rows without those that found no room."""
    return [row for row in rows if "failed" not in row]


def held(rows: list[Record], varied: str) -> str:
    """What a sweep holds fixed, in words."""
    return ", ".join(name.format(rows[0][key]) for key, name in NAMES.items() if key != varied)


def axes_of(columns: int = 1, width: float = 6.0, height: float = 4.2, shared: bool = False) -> tuple[Figure, Any]:
    """A row of panels in inches, with one y scale where it is shared."""
    figure = new_figure(width, height, dpi=120)
    return figure, figure.subplots(1, columns, squeeze=False, sharey=shared)


def doubling(axes: Any, values: Sequence[int]) -> None:
    """An x axis on which each of these stands, to base 2."""
    axes.set_xscale("log", base=2)
    axes.set_xticks(values, [str(value) for value in values])
    axes.minorticks_off()
