"""Tiles: an object of which every rank has one part, and what ranks that have the same pixels tell each other."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ptycupy.backends.interface import Array, Backend
from ptycupy.distributed.layout import Box, Layout, Parts, meet, within
from ptycupy.distributed.ranking import nth_largest
from ptycupy.distributed.team import Team

Pieces = dict[int, NDArray[Any]]  # by rank: values [o, z, h, w] of what two tiles have in common


class Tiles:
    """The tiles of one object; all coordinates are those of the whole canvas.

    Arrays [..., Y, X] of a tile are what this rank has. Of a pixel that several tiles have every copy stays the same,
    as long as all get the same sums; the rank whose core it is in has the last word.
    """

    def __init__(self, team: Team, parts: Parts, layout: Layout, window: tuple[int, int], reach: int) -> None:
        self.team, self.parts, self.layout = team, parts, layout
        self.window = window
        self.reach = reach  # px beyond a core that constraints look at
        self._places: dict[tuple[int, ...], Array] = {}

    @property
    def tile(self) -> Box:
        """That of this rank."""
        box: Box = self.layout.tiles[self.team.rank]
        return box

    @property
    def core(self) -> Box:
        """That of this rank."""
        box: Box = self.layout.cores[self.team.rank]
        return box

    @property
    def origin(self) -> NDArray[np.int64]:
        """The first pixel of this rank's tile [2]."""
        origin: NDArray[np.int64] = self.tile[0]
        return origin

    @property
    def shape(self) -> tuple[int, int]:
        height, width = (self.tile[1] - self.tile[0]).tolist()
        return height, width

    # --- in every update --------------------------------------------------------------------------------------
    def borders(self, backend: Backend, field: Array) -> Pieces:
        """Copies of what this rank has in common with others."""
        shared = self.layout.neighbours(self.team.rank)
        return {rank: self._cut(backend, field, box) for rank, box in shared.items()}

    def add(self, backend: Backend, field: Array, mine: Pieces) -> None:
        """Adds up the copies of every pixel, in the order of the ranks; `mine` are the `borders` of the field."""
        shared = self.layout.neighbours(self.team.rank)
        theirs = {rank: np.empty_like(piece) for rank, piece in mine.items()}
        self.team.comm.swap(mine, theirs)
        for rank, box in shared.items():
            total = np.zeros_like(mine[rank])
            for other in sorted([*shared, self.team.rank]):
                if other == self.team.rank:
                    total += mine[rank]
                elif (common := meet(box, shared[other])) is not None:
                    total[within(common, box)] += theirs[other][within(common, shared[other])]
            self._put(backend, field, box, total)

    def refresh(self, backend: Backend, fields: Sequence[Array]) -> None:
        """Every copy becomes what it is on the rank whose core it is in."""
        lent, borrowed = self.layout.lent(self.team.rank), self.layout.borrowed(self.team.rank)
        for field in fields:
            sent = {rank: self._cut(backend, field, box) for rank, box in lent.items()}
            found = {rank: self._blank(field, box) for rank, box in borrowed.items()}
            self.team.comm.swap(sent, found)
            for rank, box in borrowed.items():
                self._put(backend, field, box, found[rank])

    # --- numbers of the whole object ----------------------------------------------------------------------------
    def summed(self, values: NDArray[np.float64]) -> NDArray[np.float64]:
        """Their sum over the ranks, in the order of these."""
        total: NDArray[np.float64] = np.sum(np.stack(self.team.exchange(np.asarray(values))), axis=0)
        return total

    def plane_moments(
        self, backend: Backend, field: Array, corner: tuple[int, int], shape: tuple[int, int]
    ) -> NDArray[np.float64]:
        """`Backend.plane_moments` [o z, 3] of the whole object in a box, whose corner is one of this rank's tile."""
        wanted = np.stack([corner, np.add(corner, shape)]) + self.origin
        own = meet(wanted, self.core)
        found = np.zeros((field.shape[0] * field.shape[1], 3))
        if own is not None:
            (top, left), (height, width) = (own[0] - self.origin).tolist(), (own[1] - own[0]).tolist()
            planes = field.reshape(-1, *self.shape)
            found[:] = backend.to_host(backend.plane_moments(planes, (top, left), (height, width)))
            found[:, 1:] += found[:, :1] * (own.sum(axis=0) - wanted.sum(axis=0)) / 2
        return self.summed(found)

    def ratio_sums(self, backend: Backend, amplitude: Array, phase: Array) -> Array:
        """`Backend.ratio_sums` of the whole object."""
        found = np.zeros(2)
        if (self.core[0] < self.core[1]).all():
            fields = [self._patch(backend, field, self.core) for field in (amplitude, phase)]
            found[:] = backend.to_host(backend.ratio_sums(*fields))
        return backend.asarray(self.summed(found))

    def least(self, value: float) -> float:
        """The least of what the ranks have."""
        return float(min(self.team.exchange(value)))

    def ranked(self, backend: Backend, field: Array, rank: int, magnitudes: bool) -> Array:
        """`Backend.ranked` of the whole object, on the host: no rank sorts the others' values."""
        values = backend.to_host(field)[within(self.core, self.tile)].reshape(-1)
        found = nth_largest(np.abs(values) if magnitudes else values, rank, self.summed)
        return backend.asarray(np.array([found], values.dtype))

    @property
    def box(self) -> tuple[tuple[int, int], tuple[int, int]]:
        """Corner and shape of the whole canvas as a box of this rank's tile."""
        top, left = (-self.origin).tolist()
        return (top, left), self.layout.canvas

    def on_planes(self, backend: Backend, field: Array, apply: Callable[[Array, slice], None]) -> None:
        """apply(plane [1, 1, Y, X], its place among the slices) to every plane of the whole object, in place.

        The ranks take them in turn, each one at a time, through the host: a device needs room for one plane and its
        spectrum.
        """
        tile = np.array(backend.to_host(field))
        planes, slices, size, rank = tile.reshape(-1, *self.shape), field.shape[1], self.team.size, self.team.rank
        cores = {r: core for r, core in enumerate(self.layout.cores) if (core[0] < core[1]).all()}
        canvas = np.array([(0, 0), self.layout.canvas])
        for first in range(0, len(planes), size):
            owners = range(min(size, len(planes) - first))
            owns = rank in owners
            sent = {r: planes[first + r][within(self.core, self.tile)].copy() for r in owners if rank in cores}
            found = {r: np.empty(core[1] - core[0], tile.dtype) for r, core in cores.items() if owns}
            self._swap(sent, found)
            after: dict[int, NDArray[Any]] = {}
            if owns:
                whole = np.empty(self.layout.canvas, tile.dtype)
                for r, piece in found.items():
                    whole[within(cores[r], canvas)] = piece
                whole = self._applied(backend, whole, apply, (first + rank) % slices)
                after = {r: whole[within(other, canvas)].copy() for r, other in enumerate(self.layout.tiles)}
            self.team.any(False)  # a plane that had no room on its device is heard of before the others wait for it
            self._swap(after, {r: planes[first + r] for r in owners})
        backend.copy(field, backend.asarray(tile))

    @staticmethod
    def _applied(
        backend: Backend, plane: NDArray[Any], apply: Callable[[Array, slice], None], place: int
    ) -> NDArray[Any]:
        with backend.arena():
            device = backend.asarray(plane[None, None])
            apply(device, slice(place, place + 1))
            return np.array(backend.to_host(device)[0, 0])

    def _swap(self, sent: Pieces, found: Pieces) -> None:
        """Comm.swap, in which a rank may also send to itself."""
        rank = self.team.rank
        if rank in found:
            found[rank][...] = sent[rank]
        self.team.comm.swap(_without(sent, rank), _without(found, rank))

    # --- moving -------------------------------------------------------------------------------------------------
    def part(self, whole: NDArray[Any]) -> NDArray[Any]:
        """This rank's tile of an array [..., Y, X] of the canvas; arrays of other shapes as they are."""
        if whole.shape[-2:] != self.layout.canvas:
            return whole
        return np.ascontiguousarray(whole[within(self.tile, np.array([(0, 0), self.layout.canvas]))])

    def whole(self, tile: NDArray[Any]) -> NDArray[Any]:
        """On rank 0 the array [..., Y, X] of the canvas; on others their tile. Arrays of other shapes as they are."""
        if tile.shape[-2:] != self.shape or tile.ndim < 4:
            return tile
        cores, rank = self.layout.cores, self.team.rank
        mine = np.ascontiguousarray(tile[within(self.core, self.tile)])
        if rank:
            self.team.comm.swap({0: mine}, {})
            return tile
        found = np.empty((*tile.shape[:-2], *self.layout.canvas), tile.dtype)
        canvas = np.array([(0, 0), self.layout.canvas])
        theirs = {other: self._blank(tile, cores[other]) for other in range(1, self.team.size)}
        self.team.comm.swap({}, theirs)
        for other, piece in {0: mine, **theirs}.items():
            found[within(cores[other], canvas)] = piece
        return found

    def moved(self, tile: NDArray[Any], to: Layout, vacuum: float) -> NDArray[Any]:
        """An array of this rank's tile as the tile that it has in another layout, of a canvas that may be larger and
        whose coordinates this one has already; `vacuum` where there was no canvas."""
        if tile.shape[-2:] != self.shape or tile.ndim < 4:
            return tile
        rank, new = self.team.rank, to.tiles[self.team.rank]
        moved = np.full((*tile.shape[:-2], *(new[1] - new[0]).tolist()), vacuum, tile.dtype)
        known = [meet(core, box) for core, box in zip(self.layout.cores, self.layout.tiles, strict=True)]
        gone = {other: _common(known[rank], to.tiles[other]) for other in range(self.team.size)}
        come = {other: _common(known[other], new) for other in range(self.team.size)}
        sent = {r: np.ascontiguousarray(tile[within(b, self.tile)]) for r, b in gone.items() if b is not None}
        found = {r: self._blank(tile, b) for r, b in come.items() if b is not None}
        self._swap(sent, found)
        for other, piece in found.items():
            box = come[other]
            assert box is not None
            moved[within(box, new)] = piece
        return moved

    # --- pieces -------------------------------------------------------------------------------------------------
    def _patch(self, backend: Backend, field: Array, box: Box) -> Array:
        """A copy on the device, of the arena that is open."""
        height, width = (box[1] - box[0]).tolist()
        corner, first = self._place(backend, box)
        patch = backend.patch_forward(field, (height, width), corner, first)
        return patch.reshape(patch.shape[1:])

    def _cut(self, backend: Backend, field: Array, box: Box) -> NDArray[Any]:
        with backend.arena():
            return np.array(backend.to_host(self._patch(backend, field, box)))

    def _put(self, backend: Backend, field: Array, box: Box, values: NDArray[Any]) -> None:
        """Kernels add patches to a field: what is there is taken away first, which leaves exactly 0."""
        with backend.arena():
            corner, first = self._place(backend, box)
            there = self._patch(backend, field, box)
            backend.scale(there, -1.0)
            backend.patch_backward(there.reshape(1, *there.shape), corner, first, field)
            backend.patch_backward(backend.asarray(values[None]), corner, first, field)

    def _place(self, backend: Backend, box: Box) -> tuple[Array, Array]:
        key = tuple((box[0] - self.origin).tolist())
        if key not in self._places:
            self._places[key] = backend.asarray(np.array([key], np.int32))
        if () not in self._places:
            self._places[()] = backend.asarray(np.zeros(1, np.int32))
        return self._places[key], self._places[()]

    def _blank(self, like: Any, box: Box) -> NDArray[Any]:
        return np.empty((*like.shape[:-2], *(box[1] - box[0]).tolist()), like.dtype)


def _common(a: Box | None, b: Box) -> Box | None:
    return None if a is None else meet(a, b)


def _without(pieces: Pieces, rank: int) -> Pieces:
    return {other: piece for other, piece in pieces.items() if other != rank}


__all__ = ["Tiles"]
