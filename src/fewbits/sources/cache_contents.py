"""What the cache holds, and how to empty it."""

from __future__ import annotations

import json
import shutil
from collections import defaultdict
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from fewbits.errors import SourceError
from fewbits.sources.file import shown
from fewbits.sources.range_cache import ABOUT, kept_ranges

__all__ = ["Kept", "clear", "contents"]


@dataclass(frozen=True)
class Kept:
    """One file: `bytes` in `ranges` of its `size` are kept; `used` is the time of last use, seconds since 1970."""

    model: str
    file: str
    version: str
    bytes: int
    size: int
    ranges: int
    used: float
    folder: Path


def contents(folder: Path) -> list[Kept]:
    """The files of which something is kept below a cache folder, by model and name."""
    found: dict[Path, list[tuple[int, float]]] = defaultdict(list)
    for path, status in kept_ranges(folder / "ranges"):
        begin, _, end = path.name.partition("-")
        found[path.parent].append((int(end) - int(begin), status.st_mtime))
    kept = [_kept(home, ranges) for home, ranges in found.items()]
    return sorted(kept, key=lambda each: (each.model, each.file, each.version))


def clear(folder: Path, model: str = "") -> tuple[int, int]:
    """Remove what is kept, of one model or of all; (files, bytes) that went. Raises `SourceError`."""
    going = [each for each in contents(folder) if model in ("", each.model)]
    try:
        for each in going:
            shutil.rmtree(each.folder)
        listings = folder / "hub"
        if not model:
            shutil.rmtree(folder / "ranges", ignore_errors=True)
            shutil.rmtree(listings, ignore_errors=True)
        else:
            shutil.rmtree(listings / f"models--{model.replace('/', '--')}", ignore_errors=True)
    except FileNotFoundError:  # another process was faster
        pass
    except OSError as error:
        raise SourceError(f"{shown(error.filename or folder)}: {(error.strerror or str(error)).lower()}") from error
    return len(going), sum(each.bytes for each in going)


def _kept(home: Path, ranges: list[tuple[int, float]]) -> Kept:
    about: dict[str, object] = {}
    with suppress(OSError, ValueError):
        found = json.loads((home / ABOUT).read_bytes())
        about = found if isinstance(found, dict) else {}
    size = about.get("size")
    return Kept(
        model=str(about.get("model", "?")),
        file=str(about.get("file", "?")),
        version=str(about.get("version", "")),
        bytes=sum(count for count, _ in ranges),
        size=size if isinstance(size, int) else 0,
        ranges=len(ranges),
        used=max(used for _, used in ranges),
        folder=home,
    )
