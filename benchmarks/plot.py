"""Draws what `ptycupy bench` and against_ptyrad.py measured.

    python benchmarks/plot.py FILE.json... [--out FOLDER]

One PNG per figure of the PtyRAD paper that the records have: figure_3a (SSIM against time), figure_3b to figure_3d and
windows (seconds per iteration), figure_s4 (images), figure_s5 (the grid), figure_s6 (SSIM against the batch size), ops;
and against_ptyrad. Several records of one kind are drawn together, named by their devices.
"""

from __future__ import annotations

import argparse
import base64
import json
from pathlib import Path
from typing import Any

import numpy as np
from matplotlib.figure import Figure
from matplotlib.ticker import LogLocator

from ptycupy.outputs.canvas import new_figure

SWEEPS = {
    "figure 3b": ("figure_3b", "batch", "batch size"),
    "figure 3c": ("figure_3c", "modes", "probe modes"),
    "figure 3d": ("figure_3d", "slices", "slices"),
    "window": ("windows", "window", "window, px"),
}
NAMES = {"batch": "batch {}", "modes": "{} modes", "slices": "{} slices", "window": "window {} px"}
Record = dict[str, Any]


def label(record: Record) -> str:
    """Device and date."""
    machine = record["machine"]
    device = f"{machine['processor']}, {machine['cores']} cores" if record["device"] == "cpu" else record["device"]
    return f"{device}, {record['date']}"


def qualities(records: list[Record]) -> list[tuple[Record, list[Record]]]:
    """The records of `ptycupy bench` that follow the SSIM, with their runs."""
    return [(record, record["quality"]) for record in records if record.get("quality") and "turns" not in record]


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


def sweep(records: list[Record], name: str) -> Figure | None:
    """Seconds per iteration of 16384 patterns against what varies."""
    _, varied, title = SWEEPS[name]
    found = [(record, measured(record.get("iteration", {}).get(name, []))) for record in records]
    found = [(record, rows) for record, rows in found if rows]
    if not found:
        return None
    figure, ((axes,),) = axes_of()
    for record, rows in found:
        x, y = [row[varied] for row in rows], [row["seconds_per_iteration"] for row in rows]
        axes.errorbar(x, y, [row["deviation"] or 0 for row in rows], marker="o", capsize=3, label=label(record))
    every = sorted({row[varied] for _, rows in found for row in rows})
    axes.set_xscale("log", base=2)
    axes.set_xticks(every, [str(value) for value in every])
    axes.minorticks_off()
    axes.set(xlabel=title, ylabel="s per iteration of 16384 patterns", ylim=(0, None), title=held(found[0][1], varied))
    axes.legend()
    return figure


def grid(records: list[Record]) -> Figure | None:
    """Figure S5: a panel per number of slices, a curve per number of modes."""
    found = [(record, measured(record.get("paper", {}).get("figure s5", []))) for record in records]
    found = [(record, rows) for record, rows in found if rows]
    if not found:
        return None
    slices = sorted({row["slices"] for _, rows in found for row in rows})
    batches = sorted({row["batch"] for _, rows in found for row in rows})
    figure, (panels,) = axes_of(columns=len(slices), width=2 + 3.4 * len(slices), shared=True)
    for axes, count in zip(panels, slices, strict=True):
        for record, rows in found:
            for modes in sorted({row["modes"] for row in rows}):
                line = [row for row in rows if row["slices"] == count and row["modes"] == modes]
                text = f"{modes} modes" + (f", {label(record)}" if len(found) > 1 else "")
                y, spread = ([row["seconds_per_iteration"] for row in line], [row["deviation"] or 0 for row in line])
                axes.errorbar([row["batch"] for row in line], y, spread, marker="o", capsize=3, label=text)
        axes.set_xscale("log", base=2)
        axes.set_yscale("log")
        axes.set_xticks(batches, [str(value) for value in batches])
        axes.minorticks_off()
        axes.yaxis.set_major_locator(LogLocator(subs=(1, 2, 5)))
        axes.yaxis.set_major_formatter("{x:g}")
        axes.set(xlabel="batch size", title=f"slices: {count}")
    panels[0].set_ylabel("s per iteration of 16384 patterns")
    figure.legend(*panels[0].get_legend_handles_labels(), loc="outside right upper")
    figure.suptitle(label(found[0][0]) if len(found) == 1 else "")
    return figure


def ssim_against_time(records: list[Record]) -> Figure | None:
    """Figure 3a, of the first batch size of each record."""
    found = qualities(records)
    if not found:
        return None
    figure, ((axes,),) = axes_of()
    for record, (run, *_) in found:
        axes.plot(run["seconds"], run["ssim"], marker=".", label=f"batch {run['batch']}, {label(record)}")
    axes.set(xlabel="time of iterations, s", ylabel="SSIM with the truth", xlim=(0, None), title="twisted WSe2, abTEM")
    axes.legend()
    return figure


def ssim_against_batch(records: list[Record]) -> Figure | None:
    """Figure S6: after the last iteration that all runs have."""
    found = [(record, runs) for record, runs in qualities(records) if len(runs) > 1]
    if not found:
        return None
    figure, ((axes,),) = axes_of()
    for record, runs in found:
        last = min(len(run["ssim"]) for run in runs)
        text = f"after {last} iterations, {label(record)}"
        axes.plot([run["batch"] for run in runs], [run["ssim"][last - 1] for run in runs], marker="o", label=text)
    batches = sorted({run["batch"] for _, runs in found for run in runs})
    axes.set_xscale("log", base=2)
    axes.set_xticks(batches, [str(value) for value in batches])
    axes.minorticks_off()
    axes.set(xlabel="batch size", ylabel="SSIM with the truth", title="twisted WSe2, abTEM")
    axes.legend()
    return figure


def images(records: list[Record]) -> Figure | None:
    """Figure S4: the summed phase on the way, and the truth, all on the truth's grey scale."""
    found = [run for _, (run, *_) in qualities(records) if run["images"]]
    if not found:
        return None
    pictures = {name: unpacked(image) for name, image in found[0]["images"].items() if name != "truth"}
    pictures = dict(sorted(pictures.items(), key=lambda pair: int(pair[0])))
    truth = unpacked(found[0]["images"]["truth"])
    figure, (panels,) = axes_of(columns=len(pictures) + 1, width=1 + 2.6 * (len(pictures) + 1), height=3.2)
    titles = [f"iteration {name}" for name in pictures] + ["truth"]
    for axes, title, picture in zip(panels, titles, [*pictures.values(), truth], strict=True):
        shown = axes.imshow(picture, cmap="gray", vmin=0, vmax=truth.max())
        axes.set(title=title, xlabel="px")
    panels[0].set_ylabel("px")
    figure.colorbar(shown, ax=list(panels), label="phase, rad", shrink=0.8)
    return figure


def against(records: list[Record]) -> Figure | None:
    """Every program's iterations with their median, and the time that each takes to PtyRAD's SSIM; first record."""
    found = [record for record in records if "turns" in record]
    if not found:
        return None
    record = found[0]
    medians = {name: value for name, value in record["median_seconds_per_iteration"].items() if value is not None}
    reached = {name: value for name, value in record.get("quality", {}).get("seconds", {}).items() if value is not None}
    figure, (panels,) = axes_of(columns=1 + bool(reached), width=5.5 + 4 * bool(reached))
    panels[0].bar(range(len(medians)), list(medians.values()), 0.6, alpha=0.5)
    for place, (name, median) in enumerate(medians.items()):
        seconds = [second for turn in record["turns"][name] for second in turn.get("seconds", [])[1:]]
        panels[0].plot([place] * len(seconds), seconds, "k.", markersize=4)
        panels[0].annotate(f"{median:.2f}", (place + 0.08, median), va="bottom")
    panels[0].set_xticks(range(len(medians)), list(medians))
    job = record["job"]
    panels[0].set(
        ylabel="s per iteration (dots: each; bar: median)",
        title=f"batch {job['batch']}, {job['modes']} modes, {job['slices']} slices",
    )
    if reached:
        bars = panels[1].bar(list(reached), list(reached.values()), 0.6, alpha=0.5)
        panels[1].bar_label(bars, fmt="%.0f")
        panels[1].set(ylabel="s of iterations", title=f"to an SSIM of {record['quality']['ssim']['ptyrad']:.3f}")
    figure.suptitle(label(record))
    return figure


def unpacked(image: Record) -> np.ndarray:
    grey = np.frombuffer(base64.b64decode(image["pixels"]), np.uint8).reshape(image["shape"])
    return image["low_rad"] + grey / 255 * (image["high_rad"] - image["low_rad"])


def ops(records: list[Record]) -> Figure | None:
    """GB/s and GFLOP/s of transforms of every op beside the machine's ceilings."""
    found = [record for record in records if "ops" in record]
    if not found:
        return None
    count = len(found[0]["ops"]["rows"])
    figure, (panels,) = axes_of(columns=2, width=11, height=1.5 + 0.32 * count)
    for number, record in enumerate(found):
        rows = record["ops"]["rows"]
        y = np.arange(len(rows)) + number / (len(found) + 1)
        best = record["ceilings"]["transforms"][0]["gflops"]
        for axes, key, ceiling in (
            (panels[0], "gb_per_s", record["ceilings"]["copy_gb_per_s"]),
            (panels[1], "transform_gflops", best),
        ):
            bars = axes.barh(y, [row[key] for row in rows], 1 / (len(found) + 1), label=label(record))
            axes.axvline(ceiling, color=bars.patches[0].get_facecolor(), linestyle="--")
    for axes, title in ((panels[0], "GB/s (dashed: a copy)"), (panels[1], "GFLOP/s of transforms (dashed: the best)")):
        axes.set_yticks(np.arange(count), [row["op"] for row in found[0]["ops"]["rows"]])
        axes.invert_yaxis()
        axes.set(xlabel=title, title=held([found[0]["ops"]], ""))
    figure.legend(*panels[1].get_legend_handles_labels(), loc="outside upper center")
    return figure


def draw(records: list[Record], folder: Path) -> list[Path]:
    """Writes every figure that the records have something for, and returns the files."""
    figures = {
        "figure_3a": ssim_against_time(records),
        **{file: sweep(records, name) for name, (file, *_) in SWEEPS.items()},
        "figure_s4": images(records),
        "figure_s5": grid(records),
        "figure_s6": ssim_against_batch(records),
        "ops": ops(records),
        "against_ptyrad": against(records),
    }
    folder.mkdir(parents=True, exist_ok=True)
    written = []
    for name, figure in figures.items():
        if figure is not None:
            written.append(folder / f"{name}.png")
            figure.savefig(written[-1])
    return written


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("files", nargs="+", type=Path, metavar="FILE.json")
    parser.add_argument("--out", type=Path, default=Path("figures"), metavar="FOLDER")
    given = parser.parse_args()
    for path in draw([json.loads(file.read_text(encoding="utf-8")) for file in given.files], given.out):
        print(path)


if __name__ == "__main__":
    main()
