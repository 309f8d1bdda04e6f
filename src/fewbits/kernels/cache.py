"""Where compiled kernels are kept between runs, and whether they can be."""

from __future__ import annotations

import os
import shutil
import tempfile
from functools import cache
from pathlib import Path

__all__ = ["is_kept"]

ROOM = 32 << 20  # bytes; all kernels together take less


@cache
def is_kept() -> bool:
    """Whether there is a place for compiled kernels; asked before numba is imported, which would refuse or fail without one.

    The place is NUMBA_CACHE_DIR, else `__pycache__` beside the kernels or the user's cache (numba's own choice), else a
    private temporary folder; a full disk is no place.
    """
    if given := os.environ.get("NUMBA_CACHE_DIR"):
        return _has_room(Path(given))
    if any(_has_room(place) for place in (Path(__file__).parent / "__pycache__", Path.home() / ".cache")):
        return True
    if _has_room(Path(tempfile.gettempdir())):
        os.environ["NUMBA_CACHE_DIR"] = tempfile.mkdtemp(prefix="fewbits-kernels-")
        return True
    return False


def _has_room(place: Path) -> bool:
    """Whether a folder may be written (or made) and its disk has room."""
    while not place.exists() and place != place.parent:
        place = place.parent
    return place.is_dir() and os.access(place, os.W_OK | os.X_OK) and shutil.disk_usage(place).free > ROOM
