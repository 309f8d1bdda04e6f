"""`Format`: an element type, optionally cut into blocks whose scales are themselves an array in some format."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from fractions import Fraction
from functools import cached_property

from fewbits.block import Block, Shape, as_matrices
from fewbits.element import Element
from fewbits.errors import UsageError
from fewbits.rule import Rule, rule

MEAN_BITS = 32


@dataclass(frozen=True)
class Outliers:
    """The `ratio` of each block's values that are largest in magnitude, kept in `element` with their index."""

    ratio: Fraction
    element: Element

    def count(self, length: int) -> int:
        """How many values of a block of `length` are kept: ratio · length rounded half up."""
        return math.floor(self.ratio * length + Fraction(1, 2))

    def __str__(self) -> str:
        digits = f"{float(self.ratio):.12f}".rstrip("0")
        return f"outliers{digits}:{self.element}"


@dataclass(frozen=True, repr=False)
class Format:
    """element · block · scale · offset · rule, and options; hashable, checked when it is made.

    The layout (all but the rule) is what a decoder needs and alone fixes the bits. `minimum` True stores each block's minimum
    like the scale, an `Element` stores it in that element; `zero` stores an integer zero point in the element's bits.
    """

    element: Element
    block: Block | None = None
    scale: Format | None = None
    rule: Rule | None = None
    minimum: bool | Element = False
    zero: bool = False
    mean: bool = False
    outliers: Outliers | None = None
    hadamard: int = 0

    def __post_init__(self) -> None:
        if self.block is not None and self.rule is None:
            object.__setattr__(self, "rule", rule(default_rule(self)))
        for wrong, reason in _illegal(self):
            if wrong:
                raise UsageError(f"format '{self}': {reason}")

    def __str__(self) -> str:
        return self.core + "".join(f"+{option}" for option in self.options)

    def __repr__(self) -> str:
        return f"parse('{self}')"

    @property
    def core(self) -> str:
        """The spec without options."""
        if self.block is None or self.scale is None:
            return str(self.element)
        suffix = "" if str(self.rule) == default_rule(self) else f"-{self.rule}"
        scale = f"({self.scale})" if self.scale.options else str(self.scale)
        return f"{self.element}@{self.block}{suffix}:{scale}"

    @property
    def options(self) -> list[str]:
        """Options in canonical order."""
        found = {
            "min": self.minimum is True,
            f"min:{self.minimum}": isinstance(self.minimum, Element),
            "zero": self.zero,
            "mean": self.mean,
            str(self.outliers): self.outliers is not None,
            f"hadamard{self.hadamard}": bool(self.hadamard),
        }
        return [text for text, present in found.items() if present]

    @property
    def slug(self) -> str:
        """The spec as one safe word for file names and URLs."""
        return "".join(c if c.isalnum() or c in ".-_" else {"@": "_", "+": "_"}.get(c, "-") for c in str(self)).strip("-")

    def layout(self) -> Format:
        """The format with default rules: equal for two formats that share decoder and bits."""
        scale = self.scale and self.scale.layout()
        return replace(self, scale=scale, rule=None)

    @cached_property
    def offset(self) -> Format | None:
        """The format of the stored minimum."""
        if isinstance(self.minimum, Element):
            return Format(self.minimum)
        return self.scale if self.minimum else None

    @property
    def levels(self) -> list[Format]:
        """The format, its scale, the scale of its scale …"""
        return [self, *(self.scale.levels if self.scale else [])]

    def bits(self, shape: Shape, padded: bool | tuple[int, int] = False) -> float:
        """Exact average bits per weight for `shape`, short blocks with whole scales; NaN-free: an empty shape gives the limit.

        padded True fills the last block of each axis, a pair pads matrices to whole tiles of (rows, columns).
        """
        count = math.prod(shape)
        return self.total_bits(shape, padded) / count if count else self.limit_bits

    def total_bits(self, shape: Shape, padded: bool | tuple[int, int] = False) -> int:
        """Exact bits that a tensor of `shape` takes."""
        if isinstance(padded, tuple):
            shape = _padded(shape, padded)
        total = MEAN_BITS * self.mean
        if self.block is None or self.scale is None:
            return total + self.element.bits * math.prod(shape)
        grid = self.block.grid(shape)
        if padded is True:
            grid = self.block.grid(_padded(grid.shape, (grid.rows, grid.columns)))
        total += self.element.bits * math.prod(grid.shape)
        total += self.scale.total_bits(grid.counts, padded is True)
        total += self.offset.total_bits(grid.counts, padded is True) if self.offset else 0
        total += self.element.bits * math.prod(grid.counts) * self.zero
        if self.outliers:
            for length, blocks in grid.lengths().items():
                total += blocks * self.outliers.count(length) * self._outlier_bits(grid.rows * grid.columns)
        return total

    @property
    def limit_bits(self) -> float:
        """Bits per weight of large tensors: whole-axis and whole-tensor scales cost nothing."""
        if self.block is None or self.scale is None:
            return float(self.element.bits)
        per_block = self.scale.limit_bits + (self.offset.limit_bits if self.offset else 0) + self.element.bits * self.zero
        bits = self.element.bits + per_block / self.block.size
        if self.outliers:
            size = self.block.size
            kept = self.outliers.count(int(size)) / size if math.isfinite(size) else float(self.outliers.ratio)
            bits += kept * self._outlier_bits(int(size) if math.isfinite(size) else 2**32)
        return bits

    def _outlier_bits(self, length: int) -> int:
        assert self.outliers is not None
        return self.outliers.element.bits + (length - 1).bit_length()


def default_rule(f: Format) -> str:
    """The rule that a spec without one means."""
    if f.minimum or f.zero:
        return "range"
    if f.scale is not None and f.scale.block is None and f.scale.element.kind == "exponent":
        return "floor"
    if f.element.highest <= 0:
        return "signmax"
    return "bnb" if f.element.is_table else "amax"


def _padded(shape: Shape, tile: tuple[int, int]) -> Shape:
    matrices, rows, columns = as_matrices(shape)
    return matrices, -(-rows // tile[0]) * tile[0], -(-columns // tile[1]) * tile[1]


def _illegal(f: Format) -> list[tuple[bool, str]]:
    """(is it so, why it is not allowed); the first that holds is raised."""
    e, r, s = f.element, f.rule, f.scale
    rules: list[tuple[bool, str]] = [
        ((f.block is None) != (s is None), "block and scale go together, as in e2m1@32:e8m0"),
        (f.block is None and r is not None, "a rule needs a block"),
        (f.block is None and bool(f.minimum or f.zero or f.outliers), "min, zero and outliers need a block"),
        (bool(f.minimum and f.zero), "min and zero exclude each other"),
        (bool(f.hadamard & (f.hadamard - 1)) or f.hadamard == 1, f"hadamard{f.hadamard}: a power of two from 2 is allowed"),
        (f.outliers is not None and not 0 < f.outliers.ratio < 1, "outliers: a ratio between 0 and 1 is allowed"),
        (f.outliers is not None and f.outliers.element.kind in ("zero", "exponent", "table"), "outliers: a float or integer element is allowed"),
    ]
    if r is None or s is None or f.block is None:
        return rules
    ranged = r.statistic == "range"
    inner_signed = all(level.element.lowest < 0 for level in s.levels[:1])
    return rules + [
        (e.kind in ("wide", "zero"), f"element {e} takes no block"),
        (s.element.kind == "zero", "a scale of no bits"),
        (bool(s.minimum or s.zero or s.outliers or s.hadamard), "of the options only mean is allowed in a scale"),
        (s.mean and r.outer == "separate", f"rule {r} takes no mean off its scales"),
        (s.scale is None and s.mean, "mean in a scale needs blocks of scales"),
        (ranged and not (f.minimum or f.zero), f"rule {r} needs +min or +zero"),
        (not ranged and bool(f.minimum or f.zero), f"+min and +zero need a rule of the range, such as range, not {r}"),
        (r.tie == "up" and (e.kind != "integer" or e.min_exponent != e.mantissa_bits), f"rule {r} needs an integer element"),
        (f.zero and (e.kind != "integer" or bool(r.search) or r.encode_by == "exact"),
         "+zero needs an integer element and the rule range"),
        (ranged and e.is_table, "a range needs an integer or float element"),
        (isinstance(f.minimum, Element) and f.minimum.kind in ("zero", "exponent", "table"), "min: a float or integer element is allowed"),
        (r.target == "largest" and e.highest <= 0, f"element {e} has no positive value, which rule {r} needs"),
        (r.statistic == "signed" and not inner_signed, f"rule {r} gives signed scales, which {s} does not hold"),
        (r.align and not (e.integer == "s" and s.scale is None and s.element.kind == "exponent"), f"rule {r} is for sN@…:e8m0"),
        (r.scale_rounding == "half" and e.is_table, f"rule {r} needs an element with a mantissa"),
        (r.scale_rounding != "even" and not (s.block is None and s.element.kind == "exponent"), f"rule {r} needs an e8m0 scale, not {s}"),
        (any(level.rule is not None and bool(level.rule.search or level.rule.multipliers or level.rule.align) for level in s.levels),
         "searched and aligned rules are for values, not for scales"),
        (any(level.rule is not None and (level.rule.scale_rounding == "half" or level.rule.log2 != "exact") for level in s.levels),
         "of the rules for powers of two, scales of scales take floor, ceil, rceil and amax"),
        (any(level.rule is not None and level.rule.statistic not in ("amax", "signed") for level in s.levels), "scales of scales need amax or signmax"),
        *_illegal_search(f, e, r, s),
    ]  # fmt: skip


def _illegal_search(f: Format, e: Element, r: Rule, s: Format) -> list[tuple[bool, str]]:
    if not r.search:
        return []
    assert f.block is not None
    row_blocks = f.block.kind == "grid" and f.block.rows == 1 and 0 < f.block.columns <= 256
    two_levels = s.scale is not None and str(s.scale) == "f16" and s.block is not None and s.block.rows == 1 and bool(s.block.columns)
    one_level = str(s) == "f16"
    integer = s.element.integer
    fits = {
        "qkx2": e.integer == "u" and e.bits <= 8 and two_levels and integer == "u" and f.minimum is True,
        "q3k": e.integer == "i" and e.bits <= 8 and two_levels and integer == "i" and s.element.bits <= 8,
        "q6k": e.integer == "i" and e.bits <= 8 and two_levels and integer == "i" and s.element.bits <= 8,
        "iq4": e.is_table and e.bits <= 8 and (one_level or (two_levels and integer == "i" and s.element.bits <= 8)),
    }
    layouts = {
        "qkx2": "uN@B-qkx2:uM@S:f16+min", "q3k": "iN@B-q3k:iM@S:f16", "q6k": "iN@B-q6k:iM@S:f16", "iq4": "TABLE@B-iq4:f16 or TABLE@B-iq4:iM@S:f16",
    }  # fmt: skip
    return [(not (row_blocks and fits[r.search]), f"rule {r} is for {layouts[r.search]}")]
