"""The commit that a model on the hub had when it was last asked, so that it need not be asked at every look."""

from __future__ import annotations

import os
import time
from dataclasses import dataclass

from fewbits.errors import SourceError
from fewbits.sources.cache_folder import cache_folder
from fewbits.sources.hub_address import Address, parse_hub_address
from fewbits.sources.hub_cache import HubCache

__all__ = ["HOUR", "Recent", "recent"]

HOUR = 3600.0  # seconds
DEFAULT_REVISION = "main"


@dataclass(frozen=True)
class Recent:
    """A model at the commit that was found `age` seconds ago; `uri` opens it without a question to the hub."""

    uri: str
    age: float


def recent(
    uri: str, revision: str | None = None, cache_dir: str | os.PathLike[str] | None = None, within: float = HOUR
) -> Recent | None:
    """The model at the commit that the hub named less than `within` seconds ago; None where it has to be asked."""
    if os.path.lexists(os.path.expanduser(uri)):
        return None
    try:
        address = parse_hub_address(uri, revision)
    except SourceError:
        return None  # which opening says better
    if address is None:
        return None
    asked = address.revision or DEFAULT_REVISION
    cache = HubCache(cache_folder(cache_dir), "", address.repository)
    try:
        age = time.time() - (cache.folder / "refs" / asked).stat().st_mtime
    except (OSError, ValueError):
        return None
    commit = cache.commit(asked)
    if not 0 <= age < within or commit is None or commit == asked or cache.listing(commit) is None:
        return None
    return Recent(f"hf://{Address(address.repository, commit, address.path)}", age)
