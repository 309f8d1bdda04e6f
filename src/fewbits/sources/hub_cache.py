"""What the hub said about a model, kept for next time and for offline, and what its own client has downloaded.

hub/models--org--name/refs/REVISION      in the cache of fewbits: the commit
hub/models--org--name/COMMIT.json        the files of the commit: name → [bytes, etag]
models--org--name/…                      in the cache of the hub's client, which is only read
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from fewbits.sources.range_cache import write_whole

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
    """What both caches have about one model. Writing is best effort: a read-only cache still reads."""

    def __init__(self, folder: Path, downloads: str, repository: str) -> None:
        name = f"models--{repository.replace('/', '--')}"
        self.repository, self.cache_dir = repository, downloads
        self.folder, self._downloads = folder / "hub" / name, Path(downloads) / name

    def commit(self, revision: str) -> str | None:
        """The commit that a revision was when the hub last said so; a commit is itself."""
        if COMMIT.fullmatch(revision):
            return revision
        for folder in (self.folder, self._downloads):
            with suppress(OSError, ValueError):
                text = (folder / "refs" / revision).read_text().strip()
                if COMMIT.fullmatch(text):
                    return text
        return None

    def remember(self, revision: str, listing: Listing) -> None:
        """Keep what a revision is and which files it has."""
        files = {name: [file.size, file.etag] for name, file in listing.files.items()}
        with suppress(OSError):
            if revision != listing.commit:
                write_whole(self.folder / "refs" / revision, listing.commit.encode())
            write_whole(self.folder / f"{listing.commit}.json", json.dumps(files).encode())

    def listing(self, commit: str) -> Listing | None:
        """The files of a commit, as the hub listed them."""
        try:
            files = json.loads((self.folder / f"{commit}.json").read_bytes())
            return Listing(commit, {str(name): Listed(int(size), str(etag)) for name, (size, etag) in files.items()})
        except (OSError, ValueError, TypeError, AttributeError):
            return None

    def downloads(self, commit: str) -> Listing | None:
        """Those files of a commit that the hub's client has downloaded, for whatever program."""
        snapshot = self._downloads / "snapshots" / commit
        found = [path for path in snapshot.rglob("*") if path.is_file()]
        files = {p.relative_to(snapshot).as_posix(): Listed(p.stat().st_size, p.resolve().name) for p in found}
        return Listing(commit, files) if files else None

    def downloaded(self, commit: str, name: str) -> str | None:
        """The path of a file of a commit that is downloaded; None where it is not."""
        from huggingface_hub import try_to_load_from_cache

        found = try_to_load_from_cache(self.repository, name, self.cache_dir, commit)
        return found if isinstance(found, str) else None
