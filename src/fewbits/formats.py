"""`Format`: an element type, optionally cut into blocks whose scales are themselves an array in some format."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from fractions import Fraction
from functools import cached_property

from fewbits.block import Block, Shape, as_matrices
from fewbits.element import Element
from fewbits.errors import UsageError
from fewbits.legality import illegal
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
        for wrong, reason in illegal(self):
            if wrong:
                reason = reason.format(f=self, e=self.element, r=self.rule, s=self.scale)
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
        return "".join(c if c.isalnum() or c in ".-_" else {"@": "_", "+": "_"}.get(c, "-") for c in str(self)).strip(
            "-"
        )

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
        per_block = (
            self.scale.limit_bits + (self.offset.limit_bits if self.offset else 0) + self.element.bits * self.zero
        )
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
