"""The live page: what a run looks like while it is under way, and a few controls, on one local page of a browser."""

from ptycupy.live.server import Page
from ptycupy.live.watcher import Watcher

__all__ = ["Page", "Watcher"]
