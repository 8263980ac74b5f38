"""A pattern source that remembers what was read of it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from ptycupy.data.source import Provenance, SourceView


@dataclass(frozen=True)
class WatchedSource(SourceView):
    """Another source as it is; `reads` are the indices of every reading."""

    reads: list[list[int]] = field(default_factory=list)

    @property
    def provenance(self) -> Provenance:
        return self.base.provenance

    @property
    def seen(self) -> set[int]:
        return {index for indices in self.reads for index in indices}

    def read(self, indices: Any) -> Any:
        self.reads.append(np.asarray(indices).tolist())
        return self.base.read(indices)

    def slabs(self, size: int) -> Iterator[tuple[slice, Any]]:
        for part, patterns in self.base.slabs(size):
            self.reads.append(list(range(part.start, part.stop)))
            yield part, patterns
