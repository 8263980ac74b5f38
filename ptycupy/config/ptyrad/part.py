"""What all sections of a PtyRAD parameter file share."""

from __future__ import annotations

from typing import TypeVar

from pydantic import ConfigDict

from ptycupy.config.base import Section

Item = TypeVar("Item")
Many = tuple[Item, ...]


class Part(Section):
    """A section of a PtyRAD file: no unknown keys, and numbers as lenient as PtyRAD reads them."""

    model_config = ConfigDict(strict=False)
