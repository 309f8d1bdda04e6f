"""Rules: the encoder's half of a format; each is a row of `rules.toml`, whose header defines the attributes."""

from __future__ import annotations

import re
import tomllib
from dataclasses import dataclass
from fractions import Fraction
from functools import cache
from pathlib import Path
from typing import Any

from fewbits.errors import UnknownName, UsageError

PATTERNS = {"pP": r"p(\d{1,3}(?:\.\d{1,12})?)", "Krms": r"(\d{1,6}(?:\.\d{1,12})?)rms"}


@dataclass(frozen=True)
class Rule:
    """How scales and codes are chosen for a layout; `parameter` is the number in a name such as p99.9 or 3rms."""

    name: str
    definition: str = ""
    reference: str = ""
    statistic: str = "amax"
    target: str | float = "largest"
    outer_target: float | None = None
    outer: str = "direct"
    scale_rounding: str = "even"
    encode_by: str = "stored"
    divide: str = "divide"
    tie: str = "even"
    least_scale: str | float = "smallest"
    half_range: str = "clamp"
    log2: str = "exact"
    amax_bits: int | None = None
    align: bool = False
    zero_point: str = "after"
    zero_sign: str = "keep"
    multipliers: tuple[float, ...] = ()
    error: str = "squared"
    search: str = ""
    scale_minimum: float = 0.0
    parameter: Fraction = Fraction(0)

    def __str__(self) -> str:
        return self.name


@cache
def rule(name: str) -> Rule:
    """The rule of a name; raises `UnknownName` listing the names, `UsageError` for a number that is not allowed."""
    rows = _rows()
    for row, pattern in PATTERNS.items():
        if m := re.fullmatch(pattern, name):
            _check(name, row, Fraction(m[1]))
            number = f"{float(m[1]):.12f}".rstrip("0").rstrip(".")  # one name for 3rms and 3.0rms
            return Rule(
                **rows[row] | {"name": row.replace("P", number).replace("K", number), "parameter": Fraction(number)}
            )
    if name not in rows or name in PATTERNS:
        raise UnknownName(f"unknown rule '{name}'; rules are {', '.join(rows)} with P a percentage and K a number")
    return Rule(**rows[name])


def names() -> tuple[str, ...]:
    """The names of all rules; pP and Krms stand for their families."""
    return tuple(_rows())


def _check(name: str, row: str, parameter: Fraction) -> None:
    if row == "pP" and not 0 < parameter <= 100:
        raise UsageError(f"rule '{name}': pP needs a percentage 0 < P ≤ 100")
    if not parameter > 0:
        raise UsageError(f"rule '{name}': {row} needs a number K > 0")


@cache
def _rows() -> dict[str, dict[str, Any]]:
    data = tomllib.loads((Path(__file__).parent / "rules.toml").read_text(encoding="utf-8"))
    rows: dict[str, dict[str, Any]] = {}
    for row in data["rule"]:
        if spaced := row.get("multipliers"):
            row = row | {"multipliers": _equally_spaced(**spaced)}
        rows[row["name"]] = row
    return rows


def _equally_spaced(first: float, last: float, count: int) -> tuple[float, ...]:
    a, b = Fraction(str(first)), Fraction(str(last))
    return tuple(float(a + (b - a) * i / (count - 1)) for i in range(count))
