"""Marks in the work of a device that is done with everything as soon as it is asked."""

from __future__ import annotations


class Past:
    """A mark that is past."""

    def wait(self) -> None:
        return


__all__ = ["Past"]
