"""Which tensors a FILTER means (S-010 … S-016)."""

from __future__ import annotations

from collections.abc import Iterable

from fewbits.errors import SourceError, UsageError
from fewbits.sources.dtypes import DTYPES
from fewbits.sources.nearest import nearest
from fewbits.sources.source import STORED_AS_FLOAT32
from fewbits.sources.strict_json import quoted
from fewbits.tensor import Tensor

__all__ = ["holds_integers", "matches", "select"]


def select(
    tensors: Iterable[Tensor], query: str = "", limit: int | None = None, *, every: bool = False
) -> list[Tensor]:
    """The tensors to work on, sorted by name: weights that match `query`, the first `limit` of them.

    Candidates contain "weight" and are no `_scale_inv`, or are packed; without any, or with `every`, all are. A query that matches no
    candidate is tried on all names. Integers and booleans stay only where nothing else matches. `SourceError` when
    nothing is left.
    """
    known = sorted(tensors, key=lambda tensor: tensor.name)
    if limit is not None and limit < 1:
        raise UsageError(f"limit {limit}: at least 1 tensor has to stay")
    weights = [t for t in known if _is_weight(t.name.lower()) or _is_packed(t)]
    query = query.strip()
    found: list[Tensor] = []
    for text in dict.fromkeys((query, query.removesuffix(STORED_AS_FLOAT32))):
        for candidates in (known,) if every else (weights or known, known):
            found = found or [t for t in candidates if matches(t.name, text)]
    if not found:
        names = nearest(query, [t.name for t in known])
        raise SourceError(f"no tensor matches {quoted(query)}; {names}" if query else f"no tensors: {names}")
    if not every:
        found = [t for t in found if not holds_integers(t)] or found
    return found[:limit]


def matches(name: str, query: str) -> bool:
    """Any case: a `query` with a dot is the leading segments of `name`, one without a dot occurs in it."""
    name, query = name.lower(), query.lower()
    if "." not in query:
        return query in name
    segments = query.strip(".").split(".")
    return name.split(".")[: len(segments)] == segments


def _is_weight(name: str) -> bool:
    return "weight" in name and not name.endswith("_scale_inv")


def _is_packed(tensor: Tensor) -> bool:
    """Whether it is stored in fewer bits than its values have."""
    dtype = DTYPES.get(tensor.dtype)
    return dtype is not None and 8 * tensor.nbytes < dtype.bits * tensor.size


def holds_integers(tensor: Tensor) -> bool:
    """Whether its values are integers or booleans, as positions and packed codes are."""
    dtype = DTYPES.get(tensor.dtype)
    return dtype is not None and dtype.whole
