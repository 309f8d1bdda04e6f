"""How templates write values: numbers, metrics, sizes, commands."""

from __future__ import annotations

import shlex
from collections.abc import Mapping
from typing import Any

from fewbits import metrics

__all__ = ["command", "count", "metric", "number", "size"]


def number(value: object, form: str = ".4g") -> str:
    """A number by a format specification, an en dash for None."""
    return "–" if value is None else format(value, form)


def metric(row: Mapping[str, Any], name: str) -> str:
    """A metric of a merged row as text: `exact` for an infinite one, an en dash for one that is undefined."""
    if f"{name}:inf" in row["flags"]:
        return "exact"
    return number(row[name], metrics.metric(name).digits)


def count(value: object) -> str:
    """A whole number with thin spaces between thousands; other things as text."""
    return f"{value:,}".replace(",", "\u202f") if isinstance(value, int) else str(value)


def size(value: object) -> str:
    """Bytes as a reader says them."""
    if not isinstance(value, int | float):
        return str(value)
    amount = float(value)
    for unit in ("B", "kB", "MB", "GB"):
        if amount < 1000:
            return f"{amount:.0f} {unit}" if unit == "B" else f"{amount:.3g} {unit}"
        amount /= 1000
    return f"{amount:.3g} TB"


def command(words: object) -> str:
    """A command as it would be typed."""
    return shlex.join(str(word) for word in words) if isinstance(words, list) else str(words)
