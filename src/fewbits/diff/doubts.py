"""Reasons to doubt that OTHER is made of BASE."""

from __future__ import annotations

from fewbits import metrics
from fewbits.diff.comparison import Comparison
from fewbits.diff.pairs import BASE_ONLY, SHAPES
from fewbits.sources.model_facts import Facts

__all__ = ["FAR", "config_doubts", "doubts"]

FAR = 0.9  # correlation below which a tensor hardly stands for the other
HALF = 0.5


def doubts(comparison: Comparison) -> list[str]:
    """One line each, gravest first; empty where nothing is odd."""
    found = [*_far(comparison), *config_doubts(*comparison.facts)]
    if broken := [d for d in comparison.differences if d.broken]:
        count = sum(d.broken for d in broken)
        found.append(f"{count:,} values are finite in BASE only, first in {broken[0].pair.base.name}")
    whole, compared = comparison.weights_in_all, comparison.weights
    if whole and compared < HALF * whole:
        found.append(f"only {100 * compared / whole:.1f} % of the weights of BASE are compared")
    if shapes := [u for u in comparison.matching.unmatched if u.status == SHAPES]:
        found.append(f"shapes differ in {len(shapes)}, first {shapes[0].tensor.name}: {shapes[0].reason}")
    if fused := [u for u in comparison.matching.unmatched if u.status == BASE_ONLY and u.reason]:
        found.append(f"{len(fused)} fused tensors of BASE are not compared, first {fused[0].tensor.name}")
    packed = sum(d.pair.base.size for d in comparison.differences if d.pair.base.layout)
    if packed > HALF * compared:
        first = next(d.pair.base for d in comparison.differences if d.pair.base.layout)
        found.append(f"BASE is itself stored quantized ({first.layout}): errors are against that")
    return found


def config_doubts(base: Facts, other: Facts) -> list[str]:
    """Sizes on which the configurations disagree."""
    differing = []
    for name in base.sizes.keys() & other.sizes.keys():
        pair = base.sizes[name], other.sizes[name]
        if pair[0] != pair[1] and len(set(pair[0] + pair[1])) != 1:
            differing.append(f"{name} {pair[0][0]} and {pair[1][0]}")
    if base.model_type and other.model_type and base.model_type != other.model_type:
        differing.append(f"model type {base.model_type} and {other.model_type}")
    return [f"the configurations disagree: {', '.join(sorted(differing))}"] if differing else []


def _far(comparison: Comparison) -> list[str]:
    """Tensors that do not correlate with their counterparts."""
    known = []
    for difference in comparison.differences:
        value = metrics.compute(difference.record.signal, difference.record.error)[0]["pcc"]
        if value is not None:
            known.append((value, difference.pair.base.name))
    far = sorted(found for found in known if found[0] < FAR)
    if not far:
        return []
    what = f"{len(far)} of {len(known)} tensors correlate below {FAR} with BASE, worst {far[0][1]} at {far[0][0]:.4f}"
    if len(far) > HALF * len(known):
        return [f"THESE ARE HARDLY THE SAME WEIGHTS: {what}"]
    return [f"{what}: another training, another order of rows, or very few bits"]
