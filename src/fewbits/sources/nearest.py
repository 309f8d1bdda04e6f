"""What a misspelt tensor name may have meant."""

from __future__ import annotations

import re
from difflib import SequenceMatcher

from fewbits.sources.strict_json import quoted

__all__ = ["nearest"]

SHOWN = 3


def nearest(query: str, names: list[str]) -> str:
    """A few names most like the query, as a phrase; one of each kind, layers of equal names being one kind."""
    if not names:
        return "it has none"
    kinds: dict[str, str] = {}
    for name in names:
        kinds.setdefault(re.sub(r"\d+", "0", name), name)
    wanted = query.lower()[:200]

    def likeness(name: str) -> float:
        parts = [name.lower()[:200], *([] if "." in wanted else name.lower()[:200].split("."))]
        return max(SequenceMatcher(None, part, wanted, autojunk=False).ratio() for part in parts)

    best = sorted(list(kinds.values())[:2_000], key=likeness, reverse=True)[:SHOWN]
    return f"among {len(names):,} names the nearest are {', '.join(map(quoted, best))}"
