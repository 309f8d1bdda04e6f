"""Files read at positions, that are noticed when they change under the reader."""

from __future__ import annotations

import os
import stat
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from fewbits.errors import SourceError

__all__ = ["File", "LocalFile", "explain", "read_small", "shown"]


class File(Protocol):
    """Bytes of known length; `key` changes whenever they may."""

    @property
    def where(self) -> str:
        """What to call it in a message."""
        ...

    @property
    def size(self) -> int:
        """Length in bytes."""
        ...

    @property
    def key(self) -> str:
        """Names the content: place and version."""
        ...

    def read_into(self, offset: int, buffer: memoryview, what: str) -> None:
        """Fill `buffer` from `offset`, for the purpose named by `what`; raises `SourceError`; from any thread."""
        ...


@dataclass(frozen=True)
class LocalFile:
    """A regular file as it was when first seen."""

    path: str
    size: int
    modified: int  # nanoseconds
    inode: int

    @classmethod
    def at(cls, path: str | Path) -> LocalFile:
        """The file at `path`; `SourceError` where there is none, or no regular one."""
        try:
            found = os.stat(path)
        except (OSError, ValueError) as error:
            raise explain(error, str(path)) from error
        if not stat.S_ISREG(found.st_mode):
            raise SourceError(f"{shown(path)}: not a regular file")
        return cls(os.path.realpath(path), found.st_size, found.st_mtime_ns, found.st_ino)

    @property
    def where(self) -> str:
        """The path."""
        return shown(self.path)

    @property
    def key(self) -> str:
        """Path, size and time of last change."""
        return f"{self.path}:{self.size}:{self.modified}"

    def read_into(self, offset: int, buffer: memoryview, what: str) -> None:
        """Fill `buffer` from `offset`.

        Opened anew each time: no descriptors to run out of or to share, and a replaced file is noticed. The check
        after reading is what makes bytes that were written meanwhile an error instead of weights.
        """
        try:
            with open(self.path, "rb", buffering=0, opener=_open_without_waiting) as file:
                self._check(file.fileno(), what, offset)
                file.seek(offset)
                done = 0
                while done < len(buffer):
                    got = file.readinto(buffer[done:])
                    if not got:
                        raise SourceError(
                            f"{self.where}: ends at byte {offset + done}, while reading {what} at {offset}"
                        )
                    done += got
                self._check(file.fileno(), what, offset)
        except OSError as error:
            raise explain(error, self.path, f"while reading {what} at byte {offset}") from error

    def _check(self, descriptor: int, what: str, offset: int) -> None:
        now = os.fstat(descriptor)
        if now.st_size != self.size:
            change = f"from {self.size:,} to {now.st_size:,} bytes"
        elif (now.st_mtime_ns, now.st_ino) != (self.modified, self.inode):
            change = "since its header was read"
        else:
            return
        raise SourceError(f"{self.where}: changed {change}, noticed while reading {what} at byte {offset}")


def read_small(file: File, limit: int, what: str) -> bytes:
    """All bytes of a file of at most `limit` bytes; raises `SourceError`."""
    if file.size > limit:
        raise SourceError(f"{file.where}: {file.size:,} bytes are too many for {what}, at most {limit:,} are read")
    content = bytearray(file.size)
    file.read_into(0, memoryview(content), what)
    return bytes(content)


def explain(error: OSError | ValueError, path: str, doing: str = "") -> SourceError:
    """The error of the operating system in one line."""
    reason = (getattr(error, "strerror", None) or str(error)).lower()
    return SourceError(f"{shown(path)}: {reason}" + (f", {doing}" if doing else ""))


def shown(name: str | Path, limit: int = 200) -> str:
    """A name that may hold anything, as printable text on one line."""
    text = str(name)
    text = text if text.isprintable() else ascii(text)
    return text if len(text) <= limit else f"{text[: limit // 2]}…{text[-limit // 2 :]}"


def _open_without_waiting(path: str, flags: int) -> int:
    """A pipe put in the file's place must not hang the reader."""
    return os.open(path, flags | getattr(os, "O_NONBLOCK", 0))
