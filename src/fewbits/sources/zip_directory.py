"""Directories of zip archives (PKWARE APPNOTE 6.3.10, zip64 included), checked before anything of them is used.

An archive ends with a directory: for each entry its name, sizes and the place of its bytes. Only the directory is read.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import PurePosixPath

from fewbits.errors import SourceError
from fewbits.sources.file import File
from fewbits.sources.strict_json import quoted

__all__ = ["DEFLATED", "LOCAL", "STORED", "ZipEntry", "plain_name", "read_directory"]

STORED, DEFLATED = 0, 8  # methods of compression
LOCAL = 30  # bytes of an entry's own header before its name
LONGEST = 1 << 26  # bytes of a directory
RATIO = 1032  # the most that deflate can make of a byte: 258 bytes from two bits

END, END64, LOCATOR, CENTRAL = b"PK\5\6", b"PK\6\6", b"PK\6\7", b"PK\1\2"
WHOLE16, WHOLE32 = 0xFFFF, 0xFFFFFFFF  # "see zip64"
ENCRYPTED, UTF8 = 0x2041, 0x0800  # flags


@dataclass(frozen=True)
class ZipEntry:
    """A file in an archive: `packed` bytes that become `size`, after a header at `header`, before `bound`."""

    name: str
    raw_name: bytes
    method: int
    crc: int
    packed: int
    size: int
    header: int
    bound: int = 0


def read_directory(file: File) -> dict[str, ZipEntry]:
    """The files of an archive by name; none overlap, all lie inside; folders are left out; raises `SourceError`."""
    begin, length, count = _find(file)
    raw = bytearray(length)
    file.read_into(begin, memoryview(raw), "its zip directory")
    entries = list(_entries(bytes(raw), file.where))
    if len(entries) != count:
        raise SourceError(f"{file.where}: its zip directory has {len(entries):,} entries, but says {count:,}")
    found: dict[str, ZipEntry] = {}
    for entry in _bounded(entries, begin, file.where):
        if entry.name in found:
            raise SourceError(f"{file.where}: {quoted(entry.name)} is in the archive twice")
        found[entry.name] = entry
    return {name: entry for name, entry in found.items() if not name.endswith("/")}


def plain_name(name: str) -> bool:
    """Whether a name stays below the folder it is meant for, as any system would read it, and prints."""
    drive = name[1:2] == ":" and name[:1].isalpha()
    inside = not name.startswith("/") and "\\" not in name and ".." not in PurePosixPath(name).parts
    return bool(name) and name.isprintable() and inside and not drive


def _find(file: File) -> tuple[int, int, int]:
    """Offset, length and number of entries of the directory."""
    tail = bytearray(min(file.size, 20 + 22 + WHOLE16))  # a locator, the end, a comment
    first = file.size - len(tail)
    file.read_into(first, memoryview(tail), "the end of its zip directory")
    at = len(tail) - 21
    while (at := tail.rfind(END, 0, at + 3)) >= 0:  # nothing but a comment of the length it says may follow
        if at + 22 <= len(tail) and at + 22 + int.from_bytes(tail[at + 20 : at + 22], "little") == len(tail):
            break
    if at < 0:
        raise SourceError(f"{file.where}: truncated or no zip archive, it has no directory at its end")
    disk, disks, here, count, length, begin = struct.unpack_from("<4H2L", tail, at + 4)
    end = first + at
    if at >= 20 and tail[at - 20 : at].startswith(LOCATOR):
        end, *found = _find64(file, first + at - 20)
        said = (
            (disk, WHOLE16),
            (disks, WHOLE16),
            (here, WHOLE16),
            (count, WHOLE16),
            (length, WHOLE32),
            (begin, WHOLE32),
        )
        if any(old not in (new, none) for (old, none), new in zip(said, found, strict=True)):
            raise SourceError(f"{file.where}: its two zip directories differ")
        disk, disks, here, count, length, begin = found
    if (disk, disks) != (0, 0) or here != count:
        raise SourceError(f"{file.where}: a part of a zip archive in several files")
    if begin + length != end:
        raise SourceError(f"{file.where}: its zip directory is at {begin:,} to {begin + length:,}, but ends at {end:,}")
    if length > LONGEST:
        raise SourceError(f"{file.where}: a zip directory of {length:,} bytes, at most {LONGEST:,} are read")
    return begin, length, count


def _find64(file: File, locator: int) -> tuple[int, int, int, int, int, int, int]:
    """Offset of the end record of zip64, and what it says."""
    raw = bytearray(20)
    file.read_into(locator, memoryview(raw), "its zip64 directory")
    (end,) = struct.unpack_from("<Q", raw, 8)
    if end + 56 > locator:
        raise SourceError(f"{file.where}: its zip64 directory is said to end at {end:,}, behind {locator - 56:,}")
    raw = bytearray(56)
    file.read_into(end, memoryview(raw), "its zip64 directory")
    if not raw.startswith(END64):
        raise SourceError(f"{file.where}: no zip64 directory at byte {end:,}, where it is said to end")
    disk, disks, here, count, length, begin = struct.unpack_from("<2L4Q", raw, 16)
    return end, disk, disks, here, count, length, begin


def _entries(raw: bytes, where: str) -> Iterator[ZipEntry]:
    at = 0
    while at < len(raw):
        if raw[at : at + 4] != CENTRAL or at + 46 > len(raw):
            raise SourceError(f"{where}: its zip directory is damaged at its byte {at:,}")
        flags, method = struct.unpack_from("<2H", raw, at + 8)
        crc, packed, size, named, extra, comment, disk = struct.unpack_from("<3L4H", raw, at + 16)
        (header,) = struct.unpack_from("<L", raw, at + 42)
        middle = at + 46 + named
        end = middle + extra + comment
        if end > len(raw):
            raise SourceError(f"{where}: its zip directory is cut off in an entry at its byte {at:,}")
        name = _name(raw[at + 46 : middle], flags, where)
        if flags & ENCRYPTED or disk not in (0, WHOLE16):
            raise SourceError(f"{where}: {quoted(name)} is encrypted or in another file")
        size, packed, header = _wide(raw[middle : middle + extra], [size, packed, header], where, name)
        entry = ZipEntry(name, raw[at + 46 : middle], method, crc, packed, size, header)
        _check_size(entry, where)
        yield entry
        at = end


def _name(raw: bytes, flags: int, where: str) -> str:
    try:
        name = raw.decode("utf-8" if flags & UTF8 or raw.isascii() else "cp437")
    except UnicodeError as error:
        raise SourceError(f"{where}: {quoted(raw)} in its zip directory is not UTF-8") from error
    if not plain_name(name):
        raise SourceError(f"{where}: {quoted(name)} in its zip directory is no name of a file inside")
    return name


def _wide(extra: bytes, values: list[int], where: str, name: str) -> list[int]:
    """Size, packed size and offset with what stands in the zip64 field."""
    if WHOLE32 not in values:
        return values
    at = 0
    while at + 4 <= len(extra):
        kind, length = struct.unpack_from("<2H", extra, at)
        if kind == 1:
            field, needed = extra[at + 4 : at + 4 + length], values.count(WHOLE32)
            if len(field) >= 8 * needed:
                wide = iter(struct.unpack_from(f"<{needed}Q", field))
                return [next(wide) if value == WHOLE32 else value for value in values]
        at += 4 + length
    raise SourceError(f"{where}: {quoted(name)} has no zip64 sizes in the zip directory")


def _check_size(entry: ZipEntry, where: str) -> None:
    if entry.method == STORED and entry.size != entry.packed:
        raise SourceError(
            f"{where}: {quoted(entry.name)} is stored as it is, in {entry.packed:,} bytes for {entry.size:,}"
        )
    if entry.size > RATIO * entry.packed:
        raise SourceError(
            f"{where}: {quoted(entry.name)} would become {entry.size:,} bytes from {entry.packed:,}, which no "
            f"compression of zip reaches (at most {RATIO}:1)"
        )


def _bounded(entries: list[ZipEntry], end: int, where: str) -> Iterator[ZipEntry]:
    """The entries by place, each with the first byte that is not its own any more."""
    ordered = sorted(entries, key=lambda entry: entry.header)
    bounds = [*(entry.header for entry in ordered[1:]), end]
    for entry, bound in zip(ordered, bounds, strict=False):
        if entry.header + LOCAL + len(entry.raw_name) + entry.packed > bound:
            what = "the directory" if bound == end else "another entry"
            raise SourceError(
                f"{where}: {quoted(entry.name)} at byte {entry.header:,} reaches into {what} at {bound:,}"
            )
        yield replace(entry, bound=bound)
