"""Stages: one run folder, a subfolder for every stage but the last, each starting from the result before it."""

from __future__ import annotations

import logging
from collections.abc import Callable, Collection
from pathlib import Path
from typing import Any, Protocol, TypeVar

from ptycupy.config import stage_configs
from ptycupy.config.schema import Config
from ptycupy.errors import DataError
from ptycupy.reconstruction.run_folder import RESULT, RunFolder
from ptycupy.storage.result import load_result

logger = logging.getLogger(__name__)
THINGS = ("object", "probe", "positions", "tilts")  # what a reconstruction may take from an earlier one


class Ended(Protocol):
    """What a stage returns."""

    @property
    def exit_code(self) -> int:
        """Not 0 where a signal ended it early."""
        ...


AnyEnded = TypeVar("AnyEnded", bound=Ended)


def run_stages(
    config: Config, folder: RunFolder, resume: bool, run: Callable[[Config, RunFolder, bool], AnyEnded]
) -> AnyEnded:
    """Runs every stage by `run(config, folder, resume)`; stage k in stage_k, the last in the run folder itself.

    With `resume`, finished stages are left alone and the one that was under way goes on. Returns what the last one that
    ran returned: of the last stage, or of the one that a signal ended.
    """
    if not resume:
        folder.clear_stages()
    *early, last = stage_configs(config)
    before: tuple[Config, Path] | None = None
    for number, stage in enumerate(early, 1):
        path = folder.path / f"stage_{number}"
        if not (resume and finished(path, stage)):
            logger.info("stage %d of %d", number, len(early) + 1)
            with folder.stage(number) as place:
                ended = run(_started(stage, before), place, resume and place.holds_run)
            if ended.exit_code:
                return ended
        before = stage, path / RESULT
    logger.info("stage %d of %d", len(early) + 1, len(early) + 1)
    begun = folder.result.exists() or any(folder.path.glob("checkpoint_*.h5"))
    return run(_started(last, before), folder, resume and begun)


def _started(stage: Config, before: tuple[Config, Path] | None) -> Config:
    return stage if before is None else start_from(stage, *before)


def start_from(config: Config, earlier: Config, result: Path, things: Collection[str] = THINGS) -> Config:
    """The configuration with these things taken from the result of an earlier one; a refined thickness comes with the
    object."""
    start: dict[str, Any] = {"path": str(result), "key": None}
    thing: dict[str, Any] = {}
    if "object" in things:
        thing |= start
        if earlier.optimizer.slice_thickness.learning_rate > 0:
            thing |= {"slice_thickness_angstrom": None, "total_thickness_angstrom": None}
    if "tilts" in things:
        thing |= {"tilt_path": str(result), "tilt_key": None}
    changes: dict[str, Any] = {"object": config.object.model_copy(update=thing)}
    if "probe" in things:
        beam = {**start, "shift_along_beam_angstrom": 0.0}
        changes["illumination"] = config.illumination.model_copy(update=beam)
    if "positions" in things:
        changes["scan"] = config.scan.model_copy(update={**start, "adjust_loaded": False})
    return config.model_copy(update=changes)


def finished(folder: Path, config: Config) -> bool:
    """Whether the folder's result has all iterations of the configuration, of its last stage where it has some."""
    result = folder / RESULT
    if not result.exists():
        return False
    try:
        return load_result(result).iteration >= stage_configs(config)[-1].reconstruction.iterations
    except DataError as error:
        logger.warning("done again from the checkpoints: %s", error)
        return False
