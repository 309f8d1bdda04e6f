"""What the hub said about a model, kept beside its files in the hub client's own cache, for next time and for offline.

models--org--name/refs/REVISION          the commit, as the hub's client writes it
models--org--name/fewbits/COMMIT.json    the files of the commit: name → [bytes, etag]
models--org--name/fewbits/HASH.header    the header of a safetensors file, by name, commit and etag
"""

from __future__ import annotations

import hashlib
import json
import os
import re
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

__all__ = ["HubCache", "Listed", "Listing"]

COMMIT = re.compile(r"[0-9a-f]{40}")


@dataclass(frozen=True)
class Listed:
    """A file of a commit; `size` in bytes; `etag` changes with its content."""

    size: int
    etag: str


@dataclass(frozen=True)
class Listing:
    """The files of a commit."""

    commit: str
    files: Mapping[str, Listed]


class HubCache:
    """The part of a cache folder that is about one model. Writing is best effort: a read-only cache still reads."""

    def __init__(self, cache_dir: str, repository: str) -> None:
        self.cache_dir = cache_dir
        self.folder = Path(cache_dir) / f"models--{repository.replace('/', '--')}"

    def commit(self, revision: str) -> str | None:
        """The commit that a revision was when the hub last said so; a commit is itself."""
        if COMMIT.fullmatch(revision):
            return revision
        try:
            text = (self.folder / "refs" / revision).read_text().strip()
        except (OSError, ValueError):
            return None
        return text if COMMIT.fullmatch(text) else None

    def remember(self, revision: str, listing: Listing) -> None:
        """Keep what a revision is and which files it has."""
        if revision != listing.commit:
            _write(self.folder / "refs" / revision, listing.commit.encode())
        files = {name: [file.size, file.etag] for name, file in listing.files.items()}
        _write(self.folder / "fewbits" / f"{listing.commit}.json", json.dumps(files).encode())

    def listing(self, commit: str) -> Listing | None:
        """The files of a commit, as the hub listed them."""
        try:
            files = json.loads((self.folder / "fewbits" / f"{commit}.json").read_bytes())
            return Listing(commit, {str(name): Listed(int(size), str(etag)) for name, (size, etag) in files.items()})
        except (OSError, ValueError, TypeError, AttributeError):
            return None

    def downloads(self, commit: str) -> Listing | None:
        """Those files of a commit that the hub's client has downloaded, for whatever program."""
        snapshot = self.folder / "snapshots" / commit
        found = [path for path in snapshot.rglob("*") if path.is_file()]
        files = {p.relative_to(snapshot).as_posix(): Listed(p.stat().st_size, p.resolve().name) for p in found}
        return Listing(commit, files) if files else None

    def header(self, commit: str, name: str, file: Listed) -> bytes | None:
        """The first bytes of a file, up to the end of its header."""
        try:
            return self._header(commit, name, file).read_bytes()
        except OSError:
            return None

    def keep_header(self, commit: str, name: str, file: Listed, content: bytes) -> None:
        """Keep the first bytes of a file."""
        _write(self._header(commit, name, file), content)

    def _header(self, commit: str, name: str, file: Listed) -> Path:
        key = hashlib.sha256(json.dumps([commit, name, file.size, file.etag]).encode()).hexdigest()
        return self.folder / "fewbits" / f"{key}.header"


def _write(path: Path, content: bytes) -> None:
    """Whole or not at all."""
    temporary = None
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        descriptor, temporary = tempfile.mkstemp(dir=path.parent)
        with os.fdopen(descriptor, "wb") as file:
            file.write(content)
        os.replace(temporary, path)
    except OSError:
        if temporary is not None:
            Path(temporary).unlink(missing_ok=True)
