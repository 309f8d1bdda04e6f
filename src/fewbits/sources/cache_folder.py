"""Where fewbits keeps what it fetched, and how much of it.

FEWBITS_CACHE, else $XDG_CACHE_HOME/fewbits, else ~/.cache/fewbits; DIR/fewbits with --cache-dir DIR.
FEWBITS_CACHE_SIZE bounds the bytes of files in it (default 20 GB; 0: nothing is kept).
"""

from __future__ import annotations

import os
import re
from pathlib import Path

from fewbits.errors import UsageError
from fewbits.sources.file import shown

__all__ = ["cache_folder", "cache_limit", "parse_bytes"]

LIMIT = 20_000_000_000  # bytes
UNITS = {"": 1, "k": 10**3, "m": 10**6, "g": 10**9, "t": 10**12, "ki": 2**10, "mi": 2**20, "gi": 2**30, "ti": 2**40}


def cache_folder(cache_dir: str | os.PathLike[str] | None = None) -> Path:
    """The folder, which need not exist."""
    if cache_dir is not None:
        return Path(os.path.abspath(os.path.expanduser(cache_dir))) / "fewbits"
    if given := os.environ.get("FEWBITS_CACHE"):
        return Path(os.path.abspath(os.path.expanduser(given)))
    return Path(os.environ.get("XDG_CACHE_HOME") or os.path.expanduser("~/.cache")) / "fewbits"


def cache_limit() -> int:
    """Bytes that may be kept; raises `UsageError`."""
    given = os.environ.get("FEWBITS_CACHE_SIZE", "").strip()
    return parse_bytes(given, "FEWBITS_CACHE_SIZE") if given else LIMIT


def parse_bytes(text: str, what: str) -> int:
    """A number of bytes in `20GB`, `500 MiB`, `1e9` or `0`; raises `UsageError`."""
    match = re.fullmatch(r"\s*(\d+(?:\.\d*)?(?:e\d{1,2})?)\s*([kmgt]?i?)b?\s*", text.lower())
    if not match or match[2] not in UNITS:
        raise UsageError(f"{what} '{shown(text)}': allowed is a number of bytes, as 20GB, 500MB or 0")
    return int(float(match[1]) * UNITS[match[2]])
