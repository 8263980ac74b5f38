"""Draws what `ptycupy bench` and against_ptyrad.py measured.

    python benchmarks/plot.py FILE.json... [--out FOLDER]

One PNG per figure of the PtyRAD paper that the records have: figure_3a (SSIM against time), figure_3b to figure_3d and
windows (seconds per iteration), figure_s4 (images), figure_s5 (the grid), figure_s6 (SSIM against the batch size),
presets (Table S5 and Figure S7), load (what the device did meanwhile), ops; and against_ptyrad, against_others and
threads. Several records of one kind are drawn together, named by their devices.
"""

from __future__ import annotations

import argparse
import base64
import json
from pathlib import Path

import numpy as np
from matplotlib.figure import Figure
from matplotlib.ticker import LogLocator
from plot_programs import against, presets, threads
from plot_style import Record, axes_of, doubling, held, label, measured

SWEEPS = {
    "figure 3b": ("figure_3b", "batch", "batch size"),
    "figure 3c": ("figure_3c", "modes", "probe modes"),
    "figure 3d": ("figure_3d", "slices", "slices"),
    "window": ("windows", "window", "window, px"),
}


def qualities(records: list[Record]) -> list[tuple[Record, list[Record]]]:
    """The records of `ptycupy bench` that follow the SSIM, with their runs."""
    return [(record, record["quality"]) for record in records if record.get("quality") and "turns" not in record]


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
    doubling(axes, every)
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
    doubling(axes, batches)
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


LOADS = {
    "gpu_percent": "GPU busy, %",
    "memory_mib": "GPU memory, MiB",
    "temperature_c": "temperature, degrees C",
    "power_w": "power, W",
    "resident_mib": "resident memory, MiB",
}


def load(records: list[Record]) -> Figure | None:
    """What was sampled beside the sweep over batch sizes: means, and in a thin line the largest."""
    found = [(record, measured(record.get("iteration", {}).get("figure 3b", []))) for record in records]
    found = [(record, [row for row in rows if row.get("load")]) for record, rows in found]
    found = [(record, rows) for record, rows in found if rows]
    names = [name for name in LOADS if any(name in row["load"] for _, rows in found for row in rows)]
    if not names:
        return None
    figure, (panels,) = axes_of(columns=len(names), width=1.5 + 3.6 * len(names), height=3.6)
    for axes, name in zip(panels, names, strict=True):
        for record, rows in found:
            shown = [row for row in rows if name in row["load"]]
            x = [row["batch"] for row in shown]
            (line,) = axes.plot(x, [row["load"][name]["mean"] for row in shown], marker="o", label=label(record))
            axes.plot(x, [row["load"][name]["max"] for row in shown], color=line.get_color(), linewidth=0.7)
        every = sorted({row["batch"] for _, rows in found for row in rows})
        doubling(axes, every)
        axes.set(xlabel="batch size", ylabel=LOADS[name], ylim=(0, 1.08 * axes.dataLim.y1))
    figure.legend(*panels[0].get_legend_handles_labels(), loc="outside upper center")
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
    for axes, title in (
        (panels[0], "GB/s (dashed: a copy)"),
        (panels[1], "GFLOP/s of transforms (dashed: the best library)"),
    ):
        axes.set_yticks(np.arange(count), [row["op"] for row in found[0]["ops"]["rows"]])
        axes.invert_yaxis()
        axes.set_xlabel(title)
    handles, labels = panels[1].get_legend_handles_labels()
    figure.legend(handles, labels, loc="outside upper center", title=held([found[0]["ops"]], ""))
    return figure


def draw(records: list[Record], folder: Path) -> list[Path]:
    """Writes every figure that the records have something for, and returns the files."""
    figures = {
        "figure_3a": ssim_against_time(records),
        **{file: sweep(records, name) for name, (file, *_) in SWEEPS.items()},
        "figure_s4": images(records),
        "figure_s5": grid(records),
        "figure_s6": ssim_against_batch(records),
        "presets": presets(records),
        "load": load(records),
        "ops": ops(records),
        "threads": threads(records),
    }
    compared = [record for record in records if "turns" in record]
    for record in compared:  # each has programs of its own
        name = "against_ptyrad" if "ptyrad" in record["turns"] else "against_others"
        number = sum(key.startswith(name) for key in figures)
        figures[f"{name}_{number + 1}" if number else name] = against(record)
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
