"""What a comparison says over all tensors, and several of them as a table of methods."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from typing import Any, Protocol

from fewbits import metrics
from fewbits.diff.comparison import Difference
from fewbits.diff.pairs import OTHER_ONLY, Matching

__all__ = ["METHOD_COLUMNS", "Method", "changed_names", "gap", "methods", "total"]

METHOD_COLUMNS = (
    *("format", "spec", "mse", "bits", "sqnr_db", "gap", "pcc", "nmse", "tensors", "weights", "identical"),
    *("not_compared", "flags", "reason"),
)


class Method(Protocol):
    """A comparison of BASE with a checkpoint, or with what a format makes of it."""

    @property
    def label(self) -> str:
        """What to call it."""

    @property
    def differences(self) -> list[Difference]:
        """Tensors that are compared."""

    @property
    def matching(self) -> Matching:
        """What is not compared."""


def gap(difference: Difference) -> float | None:
    """Bits a weight above the rate at which a Gaussian source of the same variance has this error: R = ½ log2(σ² / MSE).

    None where the error or the variance is 0. A source that is no Gaussian may need less, so the gap can be negative.
    """
    signal, error = difference.record.signal, difference.record.error
    n = signal["count"]
    variance = signal["sum_sq"] / n - (signal["sum"] / n) ** 2 if n else 0.0
    mse = error["err_sq"] / n if n else 0.0
    if not (variance > 0 and mse > 0 and math.isfinite(mse)):
        return None
    return difference.record.bits - 0.5 * math.log2(variance / mse)


def total(differences: Iterable[Difference]) -> dict[str, Any]:
    """Merged sums as metrics, bits a weight, and the gap: the mean over weights of tensors that have one."""
    listed = list(differences)
    signal = metrics.merge([metrics.empty(metrics.SIGNAL), *(d.record.signal for d in listed)])
    error = metrics.merge([metrics.empty(metrics.ERROR), *(d.record.error for d in listed)])
    values, flags = metrics.compute(signal, error)
    weights = sum(d.pair.base.size for d in listed)
    gaps = [(found, d.pair.base.size) for d in listed if (found := gap(d)) is not None]
    nbytes = sum(d.pair.other.nbytes for d in listed)
    return {
        **values,
        "bits": 8 * nbytes / weights if weights else 0.0,
        "bytes": nbytes,
        "gap": math.fsum(g * n for g, n in gaps) / sum(n for _, n in gaps) if gaps else None,
        "tensors": len(listed),
        "weights": weights,
        "identical": sum(d.identical for d in listed),
        "flags": flags,
    }


def changed_names(comparisons: Sequence[Method]) -> set[str]:
    """Tensors that every comparison has and at least one does not have unchanged: what methods are compared on."""
    if not comparisons:
        return set()
    shared = set.intersection(*({d.pair.base.name for d in c.differences} for c in comparisons))
    return {d.pair.base.name for c in comparisons for d in c.differences if not d.identical} & shared


def methods(comparisons: Sequence[Method], failed: Iterable[tuple[str, str]] = ()) -> list[dict[str, Any]]:
    """One row an OTHER over the same tensors (`changed_names`), least MSE first; then those that failed, with the reason."""
    names, found = changed_names(comparisons), []
    for c in comparisons:
        own = [d for d in c.differences if d.pair.base.name in names]
        sums = total(own)
        row = {
            "format": c.label,
            "spec": _usual([d for d in own if not d.identical] or own),
            **{name: sums.get(name) for name in METHOD_COLUMNS[2:11]},
        }
        skipped = sum(u.status != OTHER_ONLY for u in c.matching.unmatched)
        found.append(row | {"not_compared": skipped, "flags": sums["flags"], "reason": ""})
    found.sort(key=lambda row: (math.inf if row["mse"] is None else row["mse"], row["bits"]))
    empty: dict[str, Any] = dict.fromkeys(METHOD_COLUMNS)
    return found + [empty | {"format": label, "flags": [], "reason": reason} for label, reason in failed]


def _usual(differences: Sequence[Difference]) -> str:
    """How most of the weights are stored."""
    weights: dict[str, int] = {}
    for d in differences:
        weights[d.record.spec] = weights.get(d.record.spec, 0) + d.pair.base.size
    return max(weights, key=lambda spec: weights[spec], default="")
