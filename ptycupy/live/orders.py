"""Orders from a browser, one JSON object each."""

from __future__ import annotations

import json
import logging
from collections.abc import Callable
from typing import Any

from ptycupy.errors import ConfigError
from ptycupy.live.board import Board
from ptycupy.live.controls import Controls, Set, Switch

logger = logging.getLogger(__name__)


class Orders:
    """Obeys orders to the run that is under way; `stop(by)` ends it as a signal does."""

    def __init__(self, board: Board) -> None:
        self.board = board
        self.stop: Callable[[str], None] | None = None

    def obey(self, order: Any) -> str:
        """Does, or has done after the iteration, what an order says, and says so; raises ConfigError if refused.

        {"do": "pause" | "continue" | "stop" | "finish"}, {"do": "set", "key": ..., "value": text in YAML} or
        {"do": "switch", "constraint": name, "on": bool}.
        """
        if not isinstance(order, dict) or not isinstance(order.get("do"), str):
            raise ConfigError('an order is {"do": "pause"}, continue, stop, finish, set or switch')
        controls = self.board.controls
        if controls is None:
            raise ConfigError("no iterations are running now, so that nothing can be ordered")
        match order:
            case {"do": "pause" | "continue" as what}:
                self.board.pause(what == "pause")
                return "pauses after this iteration" if what == "pause" else "goes on"
            case {"do": "stop"}:
                if self.stop is None:
                    raise ConfigError("this run cannot be stopped from here")
                self.board.post(state="stopping")  # before the run says that it has
                self.stop("stop on the live page")
                return "finishes the batch and saves"
            case {"do": "finish"}:
                self.board.post(state="finishing")
                controls.finish = True
                return "ends after this iteration, with pictures and report"
            case {"do": "set", "key": str(key), "value": str(text)}:
                return self._ask(controls, Set(key, text), f"{key}: {text}")
            case {"do": "switch", "constraint": str(name), "on": bool(on)}:
                return self._ask(controls, Switch(name, on), f"{name} {'on' if on else 'off'}")
        raise ConfigError(f"no such order: {json.dumps(order)[:200]}")

    def _ask(self, controls: Controls, request: Set | Switch, what: str) -> str:
        controls.ask(request)
        self.board.post()
        return f"{what}, from the next iteration on"
