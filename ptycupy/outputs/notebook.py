"""A result as a notebook shows it: a few numbers and one picture, self-contained and below 200 kB."""

from __future__ import annotations

import base64
from collections.abc import Mapping
from html import escape

from ptycupy.outputs.canvas import figure_png
from ptycupy.outputs.preview import preview_figure
from ptycupy.outputs.region import steps
from ptycupy.storage.snapshot import Snapshot

CELL = '<td style="text-align:left">'


def result_png(snapshot: Snapshot) -> bytes:
    """Phase, Fourier transform, probe modes and loss in one PNG."""
    return figure_png(preview_figure(snapshot))


def result_html(snapshot: Snapshot, said: Mapping[str, str]) -> str:
    """The picture below what the reconstruction is, and what else is `said` of it by name."""
    history, state = snapshot.history, snapshot.state
    modes, slices, rows, columns = state.object_phase.shape
    (step_y, step_x), unit = steps(snapshot)
    pixel = "" if snapshot.pixel_size is None else f" of {step_y:.4g} x {step_x:.4g} {unit}"
    table = {
        "iterations": str(snapshot.iteration),
        "loss": f"{history.total[-1]:.5g}" if history.total else "none",
        "time": f"{sum(history.seconds):.3g} s",
        "object (mode, slice, y, x)": f"{modes} x {slices} x {rows} x {columns} px{pixel}",
        "probe (mode, y, x)": " x ".join(map(str, state.probe.shape)) + " px",
        "positions": str(len(snapshot.used)),
        **said,
    }
    lines = "".join(f"<tr>{CELL}{escape(name)}</td>{CELL}{escape(value)}</td></tr>" for name, value in table.items())
    picture = base64.b64encode(result_png(snapshot)).decode()
    image = f'<img alt="phase, Fourier transform, probe modes and loss" src="data:image/png;base64,{picture}">'
    return f"<div><table>{lines}</table>{image}</div>"
