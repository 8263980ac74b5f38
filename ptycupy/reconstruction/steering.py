"""Settings that change while an engine runs, between iterations, and what of such changes a resumed run keeps."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from typing import TYPE_CHECKING

from ptycupy.config.amend import amended, value_at
from ptycupy.config.schema import Config
from ptycupy.errors import ConfigError
from ptycupy.reconstruction.configured import settings_from
from ptycupy.reconstruction.constraints import constraints_of
from ptycupy.reconstruction.tiling import required_reach
from ptycupy.storage.snapshot import Change
from ptycupy.update.constraints import Constrain
from ptycupy.update.settings import Active, Settings

if TYPE_CHECKING:
    from ptycupy.reconstruction.engine import Engine

logger = logging.getLogger(__name__)


def fitting(engine: Engine, settings: Settings) -> list[tuple[Active, Constrain]]:
    """The constraints of other settings; ConfigError for what the engine could not go on with. Touches nothing."""
    if engine.tiles is not None and (reach := required_reach(settings)) > engine.tiles.reach:
        raise ConfigError(
            f"constraints: look {reach} px beyond a pixel, but the tiles of the object were laid out for "
            f"{engine.tiles.reach} px; start again with them in the configuration"
        )
    return constraints_of(settings, engine.parameters)


def steer(engine: Engine, config: Config, asked: Sequence[tuple[str, str]]) -> Config:
    """Changes learning rates and constraints to what `asked`, (key, value as YAML) each, makes of the configuration
    in force, which is returned as it is then. Logged, and recorded in the engine. All ranks do it together.

    Raises ConfigError, before anything is changed, for what the configuration or the engine would refuse.
    """
    found, changes = config, []
    for key, text in asked:
        new = amended(found, key, text)
        change = Change(engine.iteration, key, value_at(found, key), value_at(new, key))
        if change.before != change.after:
            changes.append(change)
        found = new
    settings = settings_from(found)
    engine.constraints, engine.settings = fitting(engine, settings), settings
    for change in changes:
        logger.info("changed: %s", change)
    engine.changes += changes
    return found


def in_force(config: Config, changes: Sequence[Change]) -> Config:
    """The configuration with what was changed in the run that is resumed with it.

    A key that the configuration itself has been given another value of since, counts as the configuration has it.
    """
    for key in dict.fromkeys(change.key for change in changes):
        of_key = [change for change in changes if change.key == key]
        starts = [i for i, c in enumerate(of_key) if i == 0 or c.before != of_key[i - 1].after]
        if value_at(config, key) == of_key[starts[-1]].before:
            config = amended(config, key, of_key[-1].after)
    return config


def restore_changes(engine: Engine, config: Config) -> None:
    """Settings of a restored engine as they were when its snapshot was taken."""
    now = in_force(config, engine.changes)
    if now == config:
        return
    settings = settings_from(now)
    engine.constraints, engine.settings = constraints_of(settings, engine.parameters), settings
    for key in dict.fromkeys(change.key for change in engine.changes):
        if value_at(now, key) != value_at(config, key):
            logger.info("as changed in the run: %s: %s", key, value_at(now, key))
