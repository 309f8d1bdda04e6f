"""What a scan says over all tensors: merged sums per format, and which formats are worth their bits."""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

from fewbits import metrics
from fewbits.table import Record

__all__ = ["Summary", "Total", "scaled"]

RANKED_BY = "sqnr_db"
SAME_BITS = 0.005  # per weight


@dataclass
class Total:
    """One format over all tensors."""

    format: str
    spec: str
    signal: dict[str, float] = field(default_factory=dict)
    error: dict[str, float] = field(default_factory=dict)
    tensors: int = 0
    weights: int = 0
    bits: float = 0.0
    seconds: float = 0.0
    means: dict[str, tuple[float, int]] = field(default_factory=dict)


class Summary:
    """Records are added one by one; sums are merged first, metrics made of the merged sums (S-092)."""

    def __init__(self) -> None:
        self.totals: dict[str, Total] = {}

    def add(self, record: Record, typed: str) -> None:
        """Take a record into the totals of its format; a sample counts as the whole tensor that it stands for."""
        total = self.totals.setdefault(record.spec, Total(typed, record.spec))
        weights = math.prod(record.shape)
        signal, error = scaled(record, weights)
        total.signal = metrics.merge([total.signal, signal])
        total.error = metrics.merge([total.error, error])
        total.tensors += 1
        total.weights += weights
        total.bits += record.bits * weights
        total.seconds += record.seconds
        for name, value in metrics.compute(record.signal, record.error)[0].items():
            if value is not None and record.signal["count"]:  # an empty tensor is neither good nor bad
                sofar, count = total.means.get(name, (0.0, 0))
                total.means[name] = (sofar + value, count + 1)

    def rows(self) -> list[dict[str, Any]]:
        """One row per format, least error first: bits, merged metrics, plain means `mean_<metric>`, `bytes`, `better`.

        Means are over tensors that have values and where the metric is defined; `means_of` says how many those are.
        `better` names a format with less error at as many bits or fewer, or is "": the format is on the Pareto front.
        Bits that differ by less than `SAME_BITS` count as equal: a scale per tensor does not make a format dearer.
        """
        rows = []
        for total in self.totals.values():
            values, flags = metrics.compute(total.signal, total.error)
            means = {f"mean_{name}": value / count for name, (value, count) in total.means.items()}
            means_of = {name: count for name, (_, count) in total.means.items()}
            bits = total.bits / total.weights if total.weights else 0.0
            rows.append(
                {
                    "format": total.format,
                    "spec": total.spec,
                    "bits": bits,
                    "bytes": total.bits / 8,
                    "tensors": total.tensors,
                    "weights": total.weights,
                    **values,
                    **means,
                    "means_of": means_of,
                    "seconds": total.seconds,
                    "flags": flags,
                }
            )
        rows.sort(key=lambda row: (-_rank(row), row["bits"]))
        for row in rows:
            row["better"] = _better(row, rows)
        return rows


def scaled(record: Record, weights: int) -> tuple[dict[str, float], dict[str, float]]:
    """The sums of a record; those of a sample times what share of the weights it is. Maxima stay."""
    seen = record.signal["count"] + record.signal["nan"] + record.signal["inf"]
    factor = weights / seen if record.sampling and seen else 1.0
    extreme = metrics.MAXIMA | metrics.MINIMA
    parts = (record.signal, record.error)
    signal, error = ({k: v if k in extreme else v * factor for k, v in part.items()} for part in parts)
    return signal, error


def _rank(row: dict[str, Any]) -> float:
    """The metric that formats are ranked by; an error of zero is the best, an undefined value the worst."""
    if (value := row[RANKED_BY]) is not None:
        return float(value)
    return math.inf if f"{RANKED_BY}:inf" in row["flags"] else -math.inf


def _better(row: dict[str, Any], rows: Iterable[dict[str, Any]]) -> str:
    for other in rows:
        less = _rank(other) > _rank(row)
        fewer = other["bits"] < row["bits"] - SAME_BITS
        if (less and other["bits"] <= row["bits"] + SAME_BITS) or (fewer and _rank(other) >= _rank(row)):
            return str(other["format"])
    return ""
