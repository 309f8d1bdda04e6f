"""Which tensor of OTHER stands for which of BASE: by name, across frameworks, with shapes and row orders made the same."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace

from fewbits.diff.names import bare, fused, gguf_names, has_gguf_names
from fewbits.diff.rope import INTERLEAVED, unpermuted
from fewbits.sources.model_facts import Facts
from fewbits.sources.select import holds_integers
from fewbits.tensor import Tensor
from fewbits.transposed import transposed

__all__ = ["BASE_ONLY", "OTHER_ONLY", "SHAPES", "UNREADABLE", "Matching", "Pair", "Unmatched", "match"]

BASE_ONLY, OTHER_ONLY, SHAPES, UNREADABLE = "base only", "other only", "shapes differ", "not readable"
RENAMED, TRANSPOSED, ROPE, RESHAPED = "renamed", "transposed", "rope order undone", "axes of length 1"

ATTENTION = re.compile(r"blk\.(\d+)\.attn_(q|k)\.(weight|bias)")


@dataclass(frozen=True)
class Pair:
    """A tensor of BASE and its counterpart with the same rows and columns.

    `name` is what OTHER calls it, `how` says what was done to bring them together.
    """

    base: Tensor
    other: Tensor
    name: str
    how: tuple[str, ...] = ()


@dataclass(frozen=True)
class Unmatched:
    """A tensor that is not compared: `status` is one of the constants here, `reason` says more."""

    tensor: Tensor
    status: str
    reason: str
    partner: str = ""


@dataclass
class Matching:
    """All tensors of both sides, each in a pair or unmatched."""

    pairs: list[Pair] = field(default_factory=list)
    unmatched: list[Unmatched] = field(default_factory=list)

    def count(self, status: str) -> int:
        """How many tensors are unmatched for that reason."""
        return sum(found.status == status for found in self.unmatched)


def match(
    base: Iterable[Tensor], other: Iterable[Tensor], base_facts: Facts | None = None, other_facts: Facts | None = None
) -> Matching:
    """Pairs of tensors in the order of `base`: same name, else the same once wrappers are off, else the same in GGUF."""
    left, right = {t.name: t for t in base}, {t.name: t for t in other}
    partner = _partners(left, right, base_facts or Facts(), other_facts or Facts())
    order = _row_order(left, right, base_facts or Facts(), other_facts or Facts())
    found = Matching()
    for name, tensor in left.items():
        if name not in partner:
            found.unmatched.append(Unmatched(tensor, BASE_ONLY, _reason(name)))
        else:
            result = _pair(tensor, right[partner[name]], order)
            (found.pairs if isinstance(result, Pair) else found.unmatched).append(result)  # type: ignore[arg-type]
    taken = set(partner.values())
    found.unmatched += [Unmatched(t, OTHER_ONLY, _reason(n)) for n, t in right.items() if n not in taken]
    return found


def _reason(name: str) -> str:
    return "fused: it stands for several tensors of the other" if fused(name) else ""


def _partners(
    left: Mapping[str, Tensor], right: Mapping[str, Tensor], base_facts: Facts, other_facts: Facts
) -> dict[str, str]:
    """Name in BASE → name in OTHER."""
    partner = {name: name for name in left if name in right}

    def join(here: Mapping[str, str], there: Mapping[str, str]) -> None:
        """Pair names that mean the same and are alone in meaning it."""
        back = _alone(there)
        partner.update({name: back[meaning] for meaning, name in _alone(here).items() if meaning in back})

    def rest() -> tuple[list[str], list[str]]:
        taken = set(partner.values())
        return [name for name in left if name not in partner], [name for name in right if name not in taken]

    mine, theirs = rest()
    join({name: bare(name) for name in mine}, {name: bare(name) for name in theirs})
    mine, theirs = rest()
    ours, other_is = has_gguf_names(left), has_gguf_names(right)
    if mine and theirs and ours != other_is:
        if ours:
            join({name: name for name in mine}, gguf_names(theirs, mine, base_facts.architecture))
        else:
            join(gguf_names(mine, theirs, other_facts.architecture), {name: name for name in theirs})
    return partner


def _alone(meaning_of: Mapping[str, str]) -> dict[str, str]:
    """Meaning → name, where only one name has it."""
    counts = Counter(meaning_of.values())
    return {meaning: name for name, meaning in meaning_of.items() if counts[meaning] == 1}


Order = Callable[[Tensor], Tensor | None]


def _row_order(
    left: Mapping[str, Tensor], right: Mapping[str, Tensor], base_facts: Facts, other_facts: Facts
) -> Order | None:
    """What undoes GGUF's order of rows, where only one side has it; it gives None where heads are not known or do not fit."""
    ours, theirs = has_gguf_names(left), has_gguf_names(right)
    if ours == theirs:
        return None
    stored, other = (base_facts, other_facts) if ours else (other_facts, base_facts)
    if stored.architecture and stored.architecture not in INTERLEAVED:
        return None
    if not stored.architecture and other.model_type not in ("", "mistral", "mixtral", *INTERLEAVED):
        return None

    def undo(tensor: Tensor) -> Tensor | None:
        found = ATTENTION.fullmatch(tensor.name)
        assert found is not None
        layer, key_value = int(found[1]), found[2] == "k"
        heads = stored.heads(layer, key_value=key_value) or other.heads(layer, key_value=key_value)
        return unpermuted(tensor, heads) if heads else None

    return undo


def _pair(base: Tensor, other: Tensor, order: Order | None) -> Pair | Unmatched:
    name, how = other.name, () if base.name == other.name else (RENAMED,)
    for tensor, side in ((base, "BASE"), (other, "OTHER")):
        if tensor.unreadable:
            return Unmatched(base, UNREADABLE, f"in {side}, {tensor.unreadable}", name)
    whole = [holds_integers(t) for t in (base, other)]
    if any(whole):
        return Unmatched(
            base, UNREADABLE, f"integers in {'both' if all(whole) else 'BASE' if whole[0] else 'OTHER'}", name
        )
    if order and (ATTENTION.fullmatch(base.name) or ATTENTION.fullmatch(name)):
        ordered = order(base if ATTENTION.fullmatch(base.name) else other)
        if ordered is None:
            return Unmatched(
                base, UNREADABLE, "rows in GGUF's rope order, and no number of heads that fits is known", name
            )
        base, other = (ordered, other) if ATTENTION.fullmatch(base.name) else (base, ordered)
        how = (*how, ROPE)
    fitted = _fitted(base, other)
    if fitted is None:
        shapes = " and ".join("×".join(map(str, t.shape)) or "scalar" for t in (base, other))
        return Unmatched(base, SHAPES, shapes, name)
    return Pair(base, fitted[0], name, (*how, *fitted[1]))


def _fitted(base: Tensor, other: Tensor) -> tuple[Tensor, Sequence[str]] | None:
    """`other` with the rows and columns of `base`; None where it has other values."""
    if base.shape == other.shape:
        return other, ()
    squeezed = [tuple(n for n in t.shape if n != 1) for t in (base, other)]
    if squeezed[0] == squeezed[1] and base.columns == other.columns:
        return replace(other, shape=base.shape), (RESHAPED,)
    if len(base.shape) == 2 and base.shape == other.shape[::-1]:
        return transposed(other), (TRANSPOSED,)
    return None
