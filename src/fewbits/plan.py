"""`Plan`: a `Format` lowered to numbers and arrays, all that kernels see; cached by format.

A plan is a list of levels: level 0 rounds values, level 1 their scales, level 2 the scales of the scales, and so on.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from fractions import Fraction
from functools import cached_property, lru_cache

import numpy as np
from numpy.typing import NDArray

from fewbits.block import Block
from fewbits.element import Element
from fewbits.formats import Format
from fewbits.rule import Rule

Float32 = NDArray[np.float32]

# How an element rounds.
EXACT, BINADE, TABLE, BRAIN, NOTHING = range(5)
# Ties, and directed rounding of scales.
EVEN, AWAY, ZERO, LOW, UP, DOWN, CEILING, HALF = range(8)

TIES = {"even": EVEN, "away": AWAY, "zero": ZERO, "low": LOW, "up": UP}
SCALE_ROUNDINGS = {"even": EVEN, "down": DOWN, "up": CEILING, "half": HALF}


@dataclass(frozen=True, eq=False)
class Rounding:
    """Rounding to one element: `form` picks the arithmetic, `mode` the ties or direction. Values are in the element's own units."""

    form: int
    mode: int
    lowest: float
    highest: float
    min_exponent: int
    mantissa_bits: int
    negative_zero: bool
    overflow: float  # magnitudes from here on become infinite (wide floats); inf where values saturate
    smallest: float
    element: Element

    @cached_property
    def values(self) -> Float32:
        """All values, ascending."""
        return np.array(self.element.values, np.float32)

    @cached_property
    def cuts(self) -> Float32:
        """cuts[i] is the least float32 that rounds to values[i + 1] or above: index = number of cuts ≤ x."""
        return _cuts(self.element, self.mode)

    @cached_property
    def codes(self) -> NDArray[np.uint16]:
        """The code of each of `values`."""
        decoded = np.array(self.element.decoded)
        order = {float(v) + 0.0: c for c, v in reversed(list(enumerate(decoded))) if math.isfinite(v)}
        return np.array([order[v] for v in self.element.values], np.uint16)


@dataclass(frozen=True, eq=False)
class Level:
    """One array of numbers: how it is rounded, and how its blocks get their scale (`block` None: no scale)."""

    rounding: Rounding
    block: Block | None
    statistic: str
    parameter: Fraction
    target: float
    reciprocal: bool
    scale_minimum: float
    mean: bool
    least: float  # a non-zero value is stored with at least this magnitude; 0 for any
    clamp: bool  # kept finite and off zero
    outer: str  # how a scale of this scale enters: direct, separate, inverted; see `reference.scaler`


@dataclass(frozen=True, eq=False)
class Plan:
    """A lowered format: levels, the rule of level 0, and its options."""

    format: Format
    levels: tuple[Level, ...]
    rule: Rule | None
    offset: tuple[Level, ...]  # how a minimum is stored: () for none
    zero_point: bool
    power: bool  # level 1 is a bare power of two, found from the bits
    multipliers: Float32

    @property
    def scaled(self) -> bool:
        return len(self.levels) > 1

    @property
    def exact(self) -> bool:
        """Values are divided by the scale before it was stored."""
        return self.rule is not None and self.rule.encode_by == "exact"


@lru_cache(maxsize=1024)
def plan(f: Format) -> Plan:
    """The plan of a format."""
    tie = TIES[f.rule.tie] if f.rule else EVEN
    levels = tuple(_levels(f, tie, None))
    offset: tuple[Level, ...] = ()
    if f.offset is not None and f.rule is not None:
        first, *outer = _levels(f.offset, EVEN, f.rule)
        offset = (replace(first, least=0.0), *outer)
    rule = f.rule
    return Plan(
        f, levels, rule, offset, f.zero,
        power=len(levels) == 2 and levels[1].rounding.element.kind == "exponent" and rule is not None and rule.scale_rounding != "even",
        multipliers=np.array(rule.multipliers if rule else (), np.float32),
    )  # fmt: skip


def rounding(e: Element, mode: int, clear_zero: bool = False) -> Rounding:
    """How values round to an element."""
    form = {"wide": BINADE, "zero": NOTHING, "table": TABLE}.get(e.kind, BINADE)
    form = TABLE if mode in (DOWN, CEILING) else {"f32": EXACT, "bf16": BRAIN}.get(e.name, form)
    step = 2.0 ** (e.min_exponent - e.mantissa_bits)
    overflow = (
        e.highest + math.ldexp(1, e.emax - e.mantissa_bits - 1) if e.kind == "wide" and form == BINADE else math.inf
    )
    return Rounding(
        form, mode, e.lowest, e.highest, e.min_exponent, e.mantissa_bits, e.negative_zero and not clear_zero, overflow,
        step if e.kind != "table" else (e.smallest if e.highest > 0 else 0.0), e,
    )  # fmt: skip


def significant_bits(r: Rounding) -> int:
    """Mantissa bits of the element's largest binade."""
    return r.mantissa_bits if r.element.kind == "float" else r.element.emax - (r.min_exponent - r.mantissa_bits)


def _levels(f: Format, mode: int, parent: Rule | None) -> list[Level]:
    r = f.rule
    levels = [
        Level(
            rounding(f.element, mode, clear_zero=r is not None and r.zero_sign == "clear"),
            f.block,
            r.statistic if r else "",
            r.parameter if r else Fraction(0),
            _target(f, r) if r else 1.0,
            r is not None and r.divide == "reciprocal",
            r.scale_minimum if r else 0.0,
            f.mean,
            _least(f.element, parent) if parent else 0.0,
            parent is not None and parent.half_range == "clamp",
            parent.outer if parent else "direct",
        )
    ]
    if f.scale is not None and r is not None:
        inner = _levels(f.scale, SCALE_ROUNDINGS[r.scale_rounding], r)
        if r.outer_target is not None and len(inner) > 1:
            inner[0] = replace(inner[0], target=r.outer_target)
        levels += inner
    return levels


def _target(f: Format, r: Rule) -> float:
    e = f.element
    if isinstance(r.target, float):
        return r.target
    return {
        "largest": e.highest,
        "extreme": e.extreme,
        "half": (e.highest - e.lowest) / 2,
        "power": 2.0**e.emax,
        "span": (e.highest - e.lowest) if e.kind == "integer" else e.highest,
    }[r.target]


def _least(e: Element, parent: Rule) -> float:
    if isinstance(parent.least_scale, float):
        return max(parent.least_scale, e.smallest)
    return {"smallest": e.smallest, "normal": e.smallest_normal, "none": 0.0}[parent.least_scale]


def _cuts(e: Element, mode: int) -> Float32:
    """Least float32 from which on a value rounds to the next one, for every adjacent pair."""
    return np.array(
        [_cut(e, a, b, i, mode) for i, (a, b) in enumerate(zip(e.values, e.values[1:], strict=False))], np.float32
    )


def _cut(e: Element, a: float, b: float, index: int, mode: int) -> np.float32:
    if mode in (DOWN, CEILING):
        return np.float32(b) if mode == DOWN else np.nextafter(np.float32(a), np.float32(np.inf))
    middle = float(np.float32((np.float32(a) + np.float32(b)) * np.float32(0.5))) if e.is_table else (a + b) / 2
    cut = np.float32(middle)
    if float(cut) != middle:
        return cut if float(cut) > middle else np.nextafter(cut, np.float32(np.inf))
    upward = {
        EVEN: _even_upward(e, a, b),
        AWAY: middle > 0,
        ZERO: middle < 0,
        LOW: False,
    }[mode]
    return cut if upward else np.nextafter(cut, np.float32(np.inf))


def _even_upward(e: Element, a: float, b: float) -> bool:
    """Whether a tie between neighbours goes to the upper one: the even mantissa; away from zero where there is none."""
    if e.is_table:
        return e.values.index(b) % 2 == 0
    lower = min(abs(a), abs(b))
    odd = round(lower / (b - a)) % 2 == 1
    return odd == (abs(b) > abs(a))
