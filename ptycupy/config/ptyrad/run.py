"""The loop and what it leaves: `recon_params`."""

from __future__ import annotations

import math

from ptycupy.config.ptyrad.builder import Builder
from ptycupy.config.ptyrad.scanned import scan_shape

GROUPS = {"random": "random", "compact": "compact", "sparse": "sparse", "hilbert": "sparse", "fps": "sparse"}
WITHOUT_EFFECT = {
    "recon_dir_affixes": "has no effect: run folders are named by date, time and the file's name",
    "prefix_time": "has no effect: run folders are named by date, time and the file's name",
    "prefix": "has no effect: --set output.name=... names the run folder",
    "postfix": "has no effect: --set output.name=... names the run folder",
    "save_result": "has no effect: result.h5 holds everything, and images of object and probe lie beside it",
    "result_modes": "has no effect: images are written in our own formats",
    "copy_params": "has no effect: result.h5 holds the configuration",
    "compiler_configs": "has no effect: there is no torch to compile",
    "convergence_monitor": "has no effect: the history holds losses, times and learning rates",
}


def loop(to: Builder) -> None:
    """Iterations, batches and the seed."""
    init, recon = to.parameters.init_params, to.parameters.recon_params
    to.put("reconstruction.iterations", recon.NITER, "recon_params.NITER")
    to.put("reconstruction.batch_size", _batch_size(to), "recon_params.BATCH_SIZE.size")
    accumulation = recon.BATCH_SIZE.grad_accumulation
    to.put("reconstruction.gradient_accumulation", accumulation, "recon_params.BATCH_SIZE.grad_accumulation")
    to.put("reconstruction.grouping", GROUPS[recon.GROUP_MODE], "recon_params.GROUP_MODE")
    to.differs("recon_params.GROUP_MODE", "batches are drawn again in every iteration, where PtyRAD keeps its first")
    if recon.GROUP_MODE in ("hilbert", "fps"):
        to.differs("recon_params.GROUP_MODE", f"{recon.GROUP_MODE}: batches are spread over the scan as `sparse` does")
    if init.random_seed is not None:
        to.put("reconstruction.seed", init.random_seed, "init_params.random_seed")
        to.differs("init_params.random_seed", "the same seed gives the same run here, not the random numbers of PtyRAD")
    _selection(to)


def _batch_size(to: Builder) -> int:
    """PtyRAD makes N // size batches of at least `size`."""
    init, recon = to.parameters.init_params, to.parameters.recon_params
    size, count = recon.BATCH_SIZE.size, _reconstructed(to)
    if recon.GROUP_MODE != "random" or count % size == 0 or count < size or init.pos_N_scans is not None:
        return size
    larger = math.ceil(count / (count // size))
    if larger != size:
        to.differs("recon_params.BATCH_SIZE", f"{larger}, as PtyRAD makes {count // size} batches of {count} patterns")
    return larger


def _reconstructed(to: Builder) -> int:
    """Positions that take part."""
    return math.prod(_part(to))


def _part(to: Builder) -> tuple[int, int]:
    """Positions (slow, fast) that take part."""
    chosen, (slow, fast) = to.parameters.recon_params.INDICES_MODE, scan_shape(to)
    if chosen.mode == "full":
        return slow, fast
    if (chosen.subscan_slow, chosen.subscan_fast) == (None, None):
        return slow // 2, fast // 2
    return chosen.subscan_slow or slow, chosen.subscan_fast or fast


def _selection(to: Builder) -> None:
    chosen, key = to.parameters.recon_params.INDICES_MODE, "recon_params.INDICES_MODE"
    if chosen.mode != "full":
        mode = "centre" if chosen.mode == "center" else "spread"
        to.put("reconstruction.subscan", {"mode": mode, "shape": _part(to)}, key)


def output(to: Builder) -> None:
    """Folders, checkpoints and figures."""
    recon = to.parameters.recon_params
    to.put("output.folder", recon.output_dir, "recon_params.output_dir")
    to.put("reconstruction.checkpoint_every", recon.SAVE_ITERS, "recon_params.SAVE_ITERS")
    for key in to.changed("recon_params", *WITHOUT_EFFECT):
        to.differs(key, WITHOUT_EFFECT[key.partition(".")[2]])
    if recon.SAVE_ITERS is not None and recon.selected_figs and recon.SAVE_ITERS < recon.NITER:
        to.put("output.figures_every", recon.SAVE_ITERS, "recon_params.SAVE_ITERS")
    for key in to.changed("recon_params", "selected_figs"):
        to.differs(key, "has no effect on which figures are drawn; an empty list leaves those at the end alone")
