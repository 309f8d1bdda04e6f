"""How the scale of a block came about: each number on the way, where it is from, and the code that is stored for it."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction
from typing import Any

from fewbits.formats import Format
from fewbits.plan import Plan, plan

__all__ = ["Fact", "walk"]

STATISTICS = {
    "amax": "largest magnitude",
    "signed": "value of largest magnitude",
    "range": "maximum − minimum",
    "sides": "larger side over its end",
    "rms": "root mean square",
    "percentile": "percentile of magnitudes",
}
CLOSE = 1e-6  # a derivation is shown where it gives the number to float32's precision


@dataclass(frozen=True)
class Fact:
    """A number: what it is, its value, how it follows from others ("" where that is not one formula), and its stored code."""

    what: str
    value: float
    how: str = ""
    code: str = ""

    def __str__(self) -> str:
        code = f" ({self.code})" if self.code else ""
        return f"{self.what} {_text(self.value)}{f' {self.how}' if self.how else ''}{code}"


def walk(rows: Sequence[Mapping[str, Any]], block: float, f: Format) -> list[Fact]:
    """From the statistic of a block to what is stored for it, in order; `rows` are all of `steps`, which number the blocks."""
    row, p = next(row for row in rows if row["block"] == block), plan(f)
    found: list[Fact] = []
    if row["statistic"] is not None:
        found.append(_statistic(row, p))
        found.append(Fact("ideal scale", row["ideal_scale"], _ideal(row, p)))
    how = ""
    if row["outer_scale"] is not None:
        inner = p.levels[2].rounding.element
        code = f"{inner} {row['outer_bits']}" if len(p.levels) == 3 else ""
        found.append(Fact("scale of scales", row["outer_scale"], _outer(row, rows, p), code))
        how = f"= {_text(row['scale_element'])} × {_text(row['outer_scale'])}"
        how += f" + {_text(row['scale_mean'])}" if row["scale_mean"] else ""
    found.append(Fact("stored scale", row["scale"], how, f"{p.levels[1].rounding.element} {row['scale_bits']}"))
    if row["offset"] is not None:
        found.append(_zero_point(row, p) if p.zero_point else _minimum(row, p))
    return found


def _statistic(row: Mapping[str, Any], p: Plan) -> Fact:
    level, value = p.levels[0], row["statistic"]
    name = STATISTICS.get(level.statistic, level.statistic)
    if level.statistic == "rms":
        name = f"{_number(level.parameter)} × {name}"
    elif level.statistic == "percentile":
        name = f"{_number(level.parameter)} % {name}"
    if level.statistic == "range":
        low = row["minimum"]
        return Fact(name, value, _if(low + value - low, value, f"= {_text(low + value)} − {_signed(low)}"))
    return Fact(name, value)


def _ideal(row: Mapping[str, Any], p: Plan) -> str:
    statistic, ideal, target = row["statistic"], row["ideal_scale"], p.levels[0].target
    if p.power and ideal > 0 and statistic > 0:
        power, emax = math.frexp(ideal)[1] - 1, math.frexp(p.format.element.highest)[1] - 1
        floored = f"(floor(log2 {_text(statistic)}) − {emax})"
        return f"= 2^{floored if math.frexp(statistic)[1] - 1 - emax == power else _signed(power)}"
    if len(p.multipliers):
        return f"the best of {len(p.multipliers)} candidates"
    return _if(statistic / target if target else math.nan, ideal, f"= {_text(statistic)} / {_text(target)}")


def _outer(row: Mapping[str, Any], rows: Sequence[Mapping[str, Any]], p: Plan) -> str:
    """Of a scale of the whole tensor, the largest of its blocks' statistics over both targets, where that gives it."""
    level = p.levels[1]
    if level.block is None or level.block.kind != "tensor":
        return ""
    largest = max((abs(r["statistic"]) for r in rows if r["statistic"] is not None), default=0.0)
    ends = p.levels[0].target, level.target
    made = largest / (ends[0] * ends[1]) if ends[0] * ends[1] else math.nan
    how = _if(made, row["outer_scale"], f"= {_text(largest)} / ({_text(ends[0])} × {_text(ends[1])}), ")
    return f"{how}of the whole tensor"


def _zero_point(row: Mapping[str, Any], p: Plan) -> Fact:
    how = f"= round({_text(-row['minimum'])} / {_text(row['scale'])})" if row["minimum"] is not None else ""
    made = float(row["offset"])
    near = (
        row["minimum"] is not None and abs(-row["minimum"] / row["scale"] - made) <= 0.5 + CLOSE
        if row["scale"]
        else False
    )
    return Fact("zero point", made, how if near else "", f"{p.levels[0].rounding.element} {row['offset_bits']}")


def _minimum(row: Mapping[str, Any], p: Plan) -> Fact:
    outer = row["offset_outer"]
    how = "" if outer is None else f"= −{_text(row['offset_element'])} × {_text(outer)}"
    return Fact("stored minimum", row["offset"], how, f"{p.offset[0].rounding.element} {row['offset_bits']}")


def _if(made: float, value: float, how: str) -> str:
    return how if math.isclose(made, value, rel_tol=CLOSE) else ""


def _signed(value: float) -> str:
    return f"({_text(value)})" if value < 0 else _text(value)


def _text(value: float) -> str:
    return f"{value:.7g}".replace("-", "−") if value < 0 else f"{value:.7g}"


def _number(value: Fraction) -> str:
    return f"{float(value):g}"
