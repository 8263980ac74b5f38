"""NumPy's .npz: members stored plain are read lazily in place, compressed ones are unpacked; pickles are refused."""

from __future__ import annotations

import struct
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from ptycupy.data.files import StridedFile, file_size, human, open_binary, read_bytes, require_bytes
from ptycupy.data.packed import Deflated, PackedArray
from ptycupy.data.readers import ReaderOptions
from ptycupy.data.readers.choice import ArrayInfo, choose
from ptycupy.data.readers.npy import Header, read_header
from ptycupy.data.stored import StoredArray
from ptycupy.errors import DataError

LOCAL_HEADER_BYTES = 30
END_BYTES = 22  # the shortest end of a ZIP archive
MEMBER_LIMIT = 10_000
HEAD_BYTES = (1 << 16) + 12  # of a member: more than the longest header that is accepted


@dataclass(frozen=True)
class Member:
    """One .npy file inside the archive."""

    name: str
    offset: int  # of its bytes in the archive
    stored: int
    size: int
    deflated: bool
    checksum: int


def open_array(path: Path, options: ReaderOptions) -> StoredArray:
    """The array called `key` (with or without ".npy"), or the only one that fits."""
    members = _members(path)
    infos = _infos(path, members)
    key = options.key.removesuffix(".npy") if options.key is not None else None
    info = choose(path, infos, key, options.purpose)
    member = members[info.key]
    header = _header(path, member)
    if header.total > member.size:
        raise DataError(
            f"{path}: {info}: truncated: {member.size} of {header.total} bytes; "
            f"{info} needs {human(header.total)}, the file has {human(file_size(path))}"
        )
    if not member.deflated:
        return StridedFile(path, header.shape, header.dtype, member.offset + header.length, header.strides, info.key)
    part = _part(path, member)
    return PackedArray(part, header.shape, header.dtype, header.length, header.strides, info.key)


def read_number(path: Path, key: str) -> float | None:
    """The real number that the member `key` without axes holds; None where it holds something else."""
    array = open_array(path, ReaderOptions(key, purpose="array"))
    if array.shape or array.dtype.kind not in "biuf":
        return None
    return float(array.read_region(())[()])


def list_arrays(path: Path) -> list[ArrayInfo]:
    """Every array in the archive that is no pickle."""
    return _infos(path, _members(path))


def _infos(path: Path, members: dict[str, Member]) -> list[ArrayInfo]:
    infos, refused = [], None
    for name, member in members.items():
        try:
            header = _header(path, member)
        except DataError as error:
            refused = error
            continue
        infos.append(ArrayInfo(name, header.shape, header.dtype))
    if not infos and refused is not None:
        raise refused
    return infos


def _header(path: Path, member: Member) -> Header:
    name = f"{path}: {member.name}"
    if member.deflated:
        head = _part(path, member).head(HEAD_BYTES)
        return read_header(name, member.size, lambda offset, count: head[offset : offset + count])
    with open_binary(path) as stream:
        return read_header(
            name, member.size, lambda offset, count: read_bytes(stream, path, member.offset + offset, count)
        )


def _part(path: Path, member: Member) -> Deflated:
    return Deflated(path, member.name, member.offset, member.stored, member.size, checksum=member.checksum)


def _members(path: Path) -> dict[str, Member]:
    """The archive's .npy members by name without that ending, each within the file."""
    size = file_size(path)
    members: dict[str, Member] = {}
    with open_binary(path) as stream, _archive(path, size) as archive:
        entries = archive.infolist()
        if len(entries) > MEMBER_LIMIT:
            raise DataError(f"{path}: an archive of {len(entries)} members; up to {MEMBER_LIMIT} are read")
        for entry in entries:
            if not entry.filename.endswith(".npy"):
                continue
            if entry.flag_bits & 1 or entry.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
                raise DataError(
                    f"{path}: {entry.filename} is encrypted or compressed in another way than numpy.savez does; "
                    "save it with numpy.savez or numpy.savez_compressed"
                )
            require_bytes(path, entry.filename, entry.header_offset + LOCAL_HEADER_BYTES, size)
            local = read_bytes(stream, path, entry.header_offset, LOCAL_HEADER_BYTES)
            begin = entry.header_offset + LOCAL_HEADER_BYTES + sum(struct.unpack("<HH", local[26:30]))
            require_bytes(path, entry.filename, begin + entry.compress_size, size)
            deflated = entry.compress_type == zipfile.ZIP_DEFLATED
            if not deflated and entry.file_size != entry.compress_size:
                raise DataError(f"{path}: {entry.filename}: the sizes in the archive contradict each other: damaged")
            name = entry.filename.removesuffix(".npy")
            members[name] = Member(name, begin, entry.compress_size, entry.file_size, deflated, entry.CRC)
        if not members:
            raise DataError(
                f"{path}: an archive without .npy members ({len(entries)} others); archives of PyTorch hold a pickle "
                "and are refused unread; save arrays with numpy.savez"
            )
    return members


@contextmanager
def _archive(path: Path, size: int) -> Iterator[zipfile.ZipFile]:
    """The archive's directory; what zipfile raises on damaged input (all kinds) becomes a DataError."""
    try:
        archive = zipfile.ZipFile(path)
    except Exception as error:
        needed = _needed(path, size)
        if needed > size:
            raise DataError(
                f"{path}: truncated: {size} of {needed} bytes or more; the archive's directory at its end is missing"
            ) from error
        raise DataError(f"{path}: not a readable .npz archive ({error}; {size} bytes)") from error
    with archive:
        yield archive


def _needed(path: Path, size: int) -> int:
    """The least that a file with these local headers must have; for archives whose directory cannot be read."""
    position = 0
    with open_binary(path) as stream:
        while position + LOCAL_HEADER_BYTES <= size:
            local = read_bytes(stream, path, position, LOCAL_HEADER_BYTES)
            if not local.startswith(b"PK\x03\x04"):
                break
            stored, plain, name, extra = struct.unpack("<IIHH", local[18:30])
            begin = position + LOCAL_HEADER_BYTES + name + extra
            if 0xFFFFFFFF in (stored, plain) and extra >= 20 and begin <= size:
                (stored,) = struct.unpack("<Q", read_bytes(stream, path, begin - extra + 12, 8))
            position = begin + stored
    return position + END_BYTES
