"""The picture in the README: what three shipped configurations reconstruct on this machine.

    python benchmarks/readme_picture.py [--runs FOLDER]

Runs multislice_wse2_tuned, multislice_sto_tilted and quickstart, or takes their results from FOLDER/wse2, /sto and
/star, and writes ptycupy/guide/pictures/reconstructions.png.
"""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

import ptycupy
from ptycupy import config
from ptycupy.analysis.planes import without_plane
from ptycupy.analysis.result import score_result
from ptycupy.outputs.canvas import new_figure
from ptycupy.outputs.region import mean_mode, shown_region, steps
from ptycupy.outputs.scalebar import add_scalebar
from ptycupy.storage.result import load_result

ROOT = Path(__file__).parents[1]
PICTURE = ROOT / "ptycupy" / "guide" / "pictures" / "reconstructions.png"
CONFIGS = {"wse2": "multislice_wse2_tuned.yaml", "sto": "multislice_sto_tilted.yaml", "star": "quickstart.yaml"}


def snapshot_of(name: str, runs: Path) -> Any:
    """The result in runs/name, which is made where it is not there."""
    path = runs / name / "result.h5"
    if not path.exists():
        settings = [f"output.folder={runs}", f"output.name={name}"]
        ptycupy.reconstruct(config.load_config(ROOT / "configs" / CONFIGS[name], settings))
    return load_result(path)


def draw(runs: Path) -> None:
    """Four panels side by side, phases with scale bars."""
    wse2, sto, star = (snapshot_of(name, runs) for name in CONFIGS)
    truth = config.load_config(ROOT / "configs" / CONFIGS["wse2"]).truth
    compared = score_result(wse2, truth)
    panels = [
        ("WSe$_2$, ptycupy", compared.image, wse2),
        ("WSe$_2$, truth", compared.truth, wse2),
        ("SrTiO$_3$, tilted", flat(sto), sto),
        ("Siemens star, X-rays", flat(star), star),
    ]
    figure = new_figure(12, 3.45)
    for axes, (title, image, snapshot) in zip(figure.subplots(1, len(panels)), panels, strict=True):
        (_, dx), unit = steps(snapshot)
        axes.imshow(image, cmap="gray", interpolation="nearest")
        add_scalebar(axes, dx * image.shape[1], unit)
        axes.set_title(title, fontsize=11)
        axes.set_axis_off()
    PICTURE.parent.mkdir(exist_ok=True)
    figure.savefig(PICTURE, dpi=110)


def flat(snapshot: Any) -> Any:
    """The phase summed over slices, in the scanned field, without its mean slope."""
    return without_plane(mean_mode(snapshot, snapshot.state.object_phase).sum(axis=0)[shown_region(snapshot)])


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--runs", type=Path, default=Path("runs"))
    draw(parser.parse_args().runs)
