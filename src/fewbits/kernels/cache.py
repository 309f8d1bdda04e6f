"""Where compiled kernels are kept between runs."""

from __future__ import annotations

import os
import tempfile
from pathlib import Path

__all__ = ["are_compiled", "ensure_place"]


def ensure_place() -> None:
    """Give numba a private folder where it could keep nothing beside the package or in the user's cache; it would refuse to import."""
    if os.environ.get("NUMBA_CACHE_DIR"):
        return
    package = Path(__file__).parent
    if not any(_writable(place) for place in (package / "__pycache__", Path.home() / ".cache")):
        os.environ["NUMBA_CACHE_DIR"] = tempfile.mkdtemp(prefix="fewbits-kernels-")


def are_compiled() -> bool:
    """Whether the kernels of the fast path have been compiled before, so that a first use does not wait."""
    from fewbits.kernels import fast

    file = fast.sum_errors._cache._cache_file
    return Path(file._cache_path, file._index_name).exists()


def _writable(place: Path) -> bool:
    """Whether a folder is there and may be written, or could be made."""
    while not place.exists() and place != place.parent:
        place = place.parent
    return place.is_dir() and os.access(place, os.W_OK | os.X_OK)
