"""Figures of points and programs side by side: the paper's presets, other packages, threads."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np
from matplotlib.figure import Figure
from plot_style import Record, axes_of, held, label, measured


def presets(records: list[Record]) -> Figure | None:
    """The points of Table S5 and of Figure S7, a bar each."""
    found = [
        (record, measured([row for name in ("table s5", "figure s7") for row in record.get("paper", {}).get(name, [])]))
        for record in records
    ]
    found = [(record, rows) for record, rows in found if rows]
    if not found:
        return None
    points = list(dict.fromkeys(held([row], "window") for _, rows in found for row in rows))
    figure, ((axes,),) = axes_of(width=7, height=1.5 + 0.5 * len(points))
    thick = 0.8 / len(found)
    for number, (record, rows) in enumerate(found):
        y = [points.index(held([row], "window")) + number * thick for row in rows]
        spread = [row["deviation"] or 0 for row in rows]
        seconds = [row["seconds_per_iteration"] for row in rows]
        bars = axes.barh(y, seconds, thick, xerr=spread, capsize=3, alpha=0.6, label=label(record))
        axes.bar_label(bars, fmt="%.3g", padding=4)
    axes.set_yticks(np.arange(len(points)) + thick * (len(found) - 1) / 2, points)
    axes.invert_yaxis()
    axes.margins(x=0.15)
    axes.set(xlabel="s per iteration of 16384 patterns")
    figure.legend(*axes.get_legend_handles_labels(), loc="outside upper center")
    return figure


def threads(records: list[Record]) -> Figure | None:
    """How much faster an iteration is with more threads of the CPU."""
    found = [record for record in records if "efficiency" in record]
    if not found:
        return None
    figure, ((axes,),) = axes_of()
    for record in found:
        counts = [int(number) for number in record["speedup"]]
        text = f"batch {record['batch']}, {label(record)}"
        (line,) = axes.plot(counts, list(record["speedup"].values()), marker="o", label=f"median, {text}")
        fastest = list(record["speedup_of_the_fastest"].values())
        axes.plot(counts, fastest, color=line.get_color(), linestyle=":", label="of the fastest iterations")
    most = max(int(number) for record in found for number in record["speedup"])
    axes.plot([1, most], [1, most], color="0.7", linewidth=0.8, label="in proportion")
    axes.set(xlabel="threads", ylabel="times as fast as one", xlim=(0.9, None), ylim=(0, None))
    axes.xaxis.get_major_locator().set_params(integer=True)
    axes.legend()
    return figure


TITLES = {
    "ptyrad": "PtyRAD", "ptyrad compiled": "PtyRAD compiled", "py4dstem": "py4DSTEM", "gradient": "phaser (jax)",
    "0": "PtyRAD", **{str(level): f"patched, level {level}" for level in (1, 2, 3)},
}  # fmt: skip


def titled(names: Iterable[str]) -> list[str]:
    return [TITLES.get(name, name) for name in names]


def against(record: Record) -> Figure:
    """Every program's iterations with their median, the time that each takes to PtyRAD's SSIM, and its memory."""
    medians = {name: value for name, value in record["median_seconds_per_iteration"].items() if value is not None}
    reached = (record.get("quality") or {}).get("seconds", {})
    reached = {name: value for name, value in reached.items() if value is not None}
    peaks = {
        name: max((turn.get("peak_mib") or 0 for turn in turns), default=0) for name, turns in record["turns"].items()
    }
    peaks = {name: peak for name, peak in peaks.items() if peak}
    columns = 1 + bool(reached) + bool(peaks)
    figure, (panels,) = axes_of(columns=columns, width=1.5 + 4 * columns)
    axes, *others = panels
    axes.bar(range(len(medians)), list(medians.values()), 0.6, alpha=0.5)
    for place, (name, median) in enumerate(medians.items()):
        seconds = [second for turn in record["turns"][name] for second in turn.get("seconds", [])[1:]]
        axes.plot([place] * len(seconds), seconds, "k.", markersize=4)
        axes.annotate(f"{median:.3g}", (place + 0.08, median), va="bottom")
    if max(medians.values()) > 30 * min(medians.values()):
        axes.set_yscale("log")
    axes.set_xticks(range(len(medians)), titled(medians))
    job = record["job"]
    title = f"batch {job['batch']}, {job['modes']} modes, {job['slices']} slices"
    axes.set(ylabel="s per iteration (dots: each; bar: median)", title=title)
    if reached:
        bars = others[0].bar(titled(reached), list(reached.values()), 0.6, alpha=0.5)
        others[0].bar_label(bars, fmt="%.0f")
        others[0].set(ylabel="s of iterations", title=f"to an SSIM of {record['quality']['ssim']['ptyrad']:.3f}")
    if peaks:
        bars = others[-1].bar(titled(peaks), list(peaks.values()), 0.6, alpha=0.5)
        others[-1].bar_label(bars, fmt="%.0f")
        others[-1].set(ylabel="MiB", title="peak memory of the process")
    figure.suptitle(label(record))
    return figure
