"""Which combinations of element, block, scale, rule and options make a format, and why the others do not."""

from __future__ import annotations

from typing import TYPE_CHECKING

from fewbits.element import Element
from fewbits.rule import Rule

if TYPE_CHECKING:
    from fewbits.formats import Format

__all__ = ["illegal"]


def illegal(f: Format) -> list[tuple[bool, str]]:
    """(is it so, why it is not allowed, with {f}, {e}, {r}, {s} for format, element, rule and scale); the first that holds is raised."""
    e, r, s = f.element, f.rule, f.scale
    rules: list[tuple[bool, str]] = [
        ((f.block is None) != (s is None), "block and scale go together, as in e2m1@32:e8m0"),
        (f.block is None and r is not None, "a rule needs a block"),
        (f.block is None and bool(f.minimum or f.zero or f.outliers), "min, zero and outliers need a block"),
        (bool(f.minimum and f.zero), "min and zero exclude each other"),
        (
            bool(f.hadamard & (f.hadamard - 1)) or f.hadamard == 1,
            "hadamard{f.hadamard}: a power of two from 2 is allowed",
        ),
        (f.outliers is not None and not 0 < f.outliers.ratio < 1, "outliers: a ratio between 0 and 1 is allowed"),
        (
            f.outliers is not None and f.outliers.element.kind in ("zero", "exponent", "table"),
            "outliers: a float or integer element is allowed",
        ),
    ]
    if r is None or s is None or f.block is None:
        return rules
    ranged = r.statistic == "range"
    inner = [level.rule for level in s.levels if level.rule is not None]
    return [
        *rules,
        (e.kind in ("wide", "zero"), "element {e} takes no block"),
        (s.element.kind == "zero", "a scale of no bits"),
        (bool(s.minimum or s.zero or s.outliers or s.hadamard), "of the options only mean is allowed in a scale"),
        (s.mean and r.outer == "separate", "rule {r} takes no mean off its scales"),
        (s.scale is None and s.mean, "mean in a scale needs blocks of scales"),
        (ranged and not (f.minimum or f.zero), "rule {r} needs +min or +zero"),
        (not ranged and bool(f.minimum or f.zero), "+min and +zero need a rule of the range, such as range, not {r}"),
        (r.tie == "up" and (e.kind != "integer" or e.min_exponent != e.mantissa_bits), "rule {r} needs an integer element"),
        (f.zero and (e.kind != "integer" or bool(r.search) or r.encode_by == "exact"),
         "+zero needs an integer element and the rule range"),
        (ranged and e.is_table, "a range needs an integer or float element"),
        (isinstance(f.minimum, Element) and f.minimum.kind in ("zero", "exponent", "table"), "min: a float or integer element is allowed"),
        (r.target == "largest" and e.highest <= 0, "element {e} has no positive value, which rule {r} needs"),
        (r.statistic == "signed" and s.element.lowest >= 0, "rule {r} gives signed scales, which {s} does not hold"),
        (r.align and not (e.integer == "s" and s.scale is None and s.element.kind == "exponent"), "rule {r} is for sN@…:e8m0"),
        (r.scale_rounding == "half" and e.is_table, "rule {r} needs an element with a mantissa"),
        (r.scale_rounding != "even" and not (s.block is None and s.element.kind == "exponent"), "rule {r} needs an e8m0 scale, not {s}"),
        (any(bool(i.search or i.multipliers or i.align) for i in inner), "searched and aligned rules are for values, not for scales"),
        (any(i.outer != "direct" or i.tie == "up" for i in inner), "scales of scales take the plain arithmetic, such as amax"),
        (any(i.scale_rounding == "half" or i.log2 != "exact" for i in inner),
         "of the rules for powers of two, scales of scales take floor, ceil, rceil and amax"),
        (any(i.statistic not in ("amax", "signed") for i in inner), "scales of scales need amax or signmax"),
        *_illegal_search(f, e, r, s),
    ]  # fmt: skip


def _illegal_search(f: Format, e: Element, r: Rule, s: Format) -> list[tuple[bool, str]]:
    if not r.search:
        return []
    assert f.block is not None
    row_blocks = f.block.kind == "grid" and f.block.rows == 1 and 0 < f.block.columns <= 256
    two_levels = (
        s.scale is not None
        and str(s.scale) == "f16"
        and s.block is not None
        and s.block.rows == 1
        and bool(s.block.columns)
    )
    one_level = str(s) == "f16"
    integer = s.element.integer
    fits = {
        "qkx2": e.integer == "u" and e.bits <= 8 and two_levels and integer == "u" and f.minimum is True,
        "q3k": e.integer == "i" and e.bits <= 8 and two_levels and integer == "i" and s.element.bits <= 8,
        "q6k": e.integer == "i" and e.bits <= 8 and two_levels and integer == "i" and s.element.bits <= 8,
        "iq4": e.is_table and e.bits <= 8 and (one_level or (two_levels and integer == "i" and s.element.bits <= 8)),
    }
    layouts = {
        "qkx2": "uN@B-qkx2:uM@S:f16+min", "q3k": "iN@B-q3k:iM@S:f16", "q6k": "iN@B-q6k:iM@S:f16",
        "iq4": "TABLE@B-iq4:f16 or TABLE@B-iq4:iM@S:f16",
    }  # fmt: skip
    return [(not (row_blocks and fits[r.search]), "rule {r} is for " + layouts[r.search])]
