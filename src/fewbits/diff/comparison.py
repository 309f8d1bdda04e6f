"""BASE against one OTHER: what is compared, the records as they are made, and what is not compared."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from functools import cached_property
from hashlib import sha256
from typing import Any, Protocol

from fewbits import metrics, table
from fewbits.diff.pairs import BASE_ONLY, OTHER_ONLY, SHAPES, TRANSPOSED, Matching, Pair, Unmatched, match
from fewbits.diff.sums import PairSums, sum_pair
from fewbits.errors import SourceError
from fewbits.sources import Source, matches, select
from fewbits.sources.model_facts import Facts
from fewbits.sources.strict_json import quoted
from fewbits.table import Record
from fewbits.transposed import transposed

__all__ = ["COLUMNS", "COMPARED", "Comparison", "Difference", "Store", "rows"]

COMPARED = "compared"
COLUMNS = (*table.COLUMNS, "status", "other", "other_shape", "other_dtype", "layout", "bytes", "how")
BY_VALUES = "transposed, by values"
UNLIKE, ALIKE = 0.5, 0.9  # correlations of the wrong and of the right orientation of a square matrix


class Store(Protocol):
    """Where records are kept: a run directory."""

    def get(self, key: str) -> Record | None:
        """The record of a key, if there is one."""

    def append(self, records: Sequence[Record]) -> None:
        """Keep records."""


@dataclass(frozen=True)
class Difference:
    """A compared tensor: its record (x of BASE, e = OTHER − BASE), and how the two were brought together."""

    record: Record
    pair: Pair
    how: tuple[str, ...]
    broken: int = 0

    @property
    def identical(self) -> bool:
        """Whether every finite value is the same."""
        return self.record.error["err_max"] == 0 and not self.broken

    @property
    def row(self) -> dict[str, Any]:
        """The table's row, and what is stored in OTHER."""
        other = self.pair.other
        found = table.row(self.record) | {"encoder": "stored", "status": COMPARED, "other": self.pair.name}
        flags = [f"nonfinite_in_other:{self.broken}"] if self.broken else []
        found["flags"] = flags + found["flags"]
        shape = other.shape if TRANSPOSED not in self.how else other.shape[::-1]
        return found | {
            "other_shape": list(shape),
            "other_dtype": other.dtype,
            "layout": other.layout,
            "bytes": other.nbytes,
            "how": "; ".join(self.how),
        }


class Comparison:
    """The tensors of `base` that match `query`, each with its counterpart in `other`; raises `SourceError` for another model."""

    def __init__(
        self,
        base: Source,
        other: Source,
        label: str = "",
        query: str = "",
        facts: tuple[Facts, Facts] = (Facts(), Facts()),
    ) -> None:
        self.base, self.other, self.label, self.query, self.facts = base, other, label or other.title, query, facts
        own = [t for t in base if not t.companion_of]
        every = match(own, [t for t in other if not t.companion_of], *facts)
        chosen = {t.name for t in (select(own, query, every=True) if query else own)}
        self.matching = Matching(
            [pair for pair in every.pairs if pair.base.name in chosen],
            [u for u in every.unmatched if _asked(u, chosen, query)],
        )
        self.differences: list[Difference] = []
        _refuse(base, other, self.matching, query)

    @cached_property
    def weights(self) -> int:
        """Values that are compared."""
        return sum(pair.base.size for pair in self.matching.pairs)

    @cached_property
    def weights_in_all(self) -> int:
        """Values of BASE that were asked for."""
        return self.weights + sum(u.tensor.size for u in self.matching.unmatched if u.status != OTHER_ONLY)

    def measure(
        self, *, jobs: int = 1, store: Store | None = None, progress: Callable[[int], None] | None = None
    ) -> Iterator[Difference]:
        """Compare tensor by tensor; every difference handed on is kept in `differences`, and its record in `store`."""
        square = any(TRANSPOSED in pair.how for pair in self.matching.pairs)
        pool = ThreadPoolExecutor(max(jobs, 1))
        try:
            for pair in self.matching.pairs:
                key = _record(self, pair, None).key
                known = store.get(key) if store is not None else None
                if known and progress:
                    progress(pair.base.size)
                found = Difference(known, pair, pair.how) if known else self._measured(pair, square, pool, progress)
                if store is not None and not known and not found.broken and found.how == pair.how:
                    store.append([found.record])
                self.differences.append(found)
                yield found
        finally:
            pool.shutdown(wait=False, cancel_futures=True)

    def _measured(
        self, pair: Pair, square: bool, pool: ThreadPoolExecutor, progress: Callable[[int], None] | None
    ) -> Difference:
        start, shape = time.perf_counter(), pair.base.shape
        how, found = pair.how, sum_pair(pair.base, pair.other, pool.map, progress)
        if square and len(shape) == 2 and shape[0] == shape[1] and _correlation(found) < UNLIKE:
            turned = sum_pair(pair.base, transposed(pair.other), pool.map)
            if _correlation(turned) > ALIKE:
                how, found = (*how, BY_VALUES), turned
        record = _record(self, pair, found)
        return Difference(replace(record, seconds=time.perf_counter() - start), pair, how, found.broken)


def rows(comparison: Comparison) -> list[dict[str, Any]]:
    """Rows of what was compared, worst first, then of what was not and why."""
    found = [difference.row for difference in comparison.differences]
    found.sort(key=lambda row: _goodness(row))
    model, label = comparison.base.title, comparison.label
    return found + [_unmatched_row(u, model, label) for u in comparison.matching.unmatched]


def _goodness(row: dict[str, Any]) -> tuple[float, str]:
    value = row["sqnr_db"]
    if value is None:
        value = float("inf") if "sqnr_db:inf" in row["flags"] or row["atol"] == 0 else float("-inf")
    return float(value), str(row["tensor"])


def _unmatched_row(found: Unmatched, model: str, label: str) -> dict[str, Any]:
    tensor, of_base = found.tensor, found.status != OTHER_ONLY
    values: dict[str, Any] = dict.fromkeys(COLUMNS)
    values |= {"model": model, "format": label, "flags": [], "status": found.status, "how": found.reason}
    if of_base:
        values |= {"tensor": tensor.name, "layer": table.layer_of(tensor.name), "role": table.role_of(tensor.name)}
        return values | {"shape": list(tensor.shape), "dtype": tensor.dtype, "other": found.partner or None}
    return values | {
        "other": tensor.name,
        "other_shape": list(tensor.shape),
        "other_dtype": tensor.dtype,
        "layout": tensor.layout,
        "bytes": tensor.nbytes,
    }


def _record(comparison: Comparison, pair: Pair, found: PairSums | None) -> Record:
    """The record of a pair; without sums it has the same key."""
    stored = sha256(f"{pair.other.identity} {pair.how}".encode("utf-8", "backslashreplace")).hexdigest()[:16]
    return Record(
        model=comparison.base.title,
        tensor=pair.base.name,
        identity=pair.base.identity,
        shape=pair.base.shape,
        dtype=pair.base.dtype,
        layout=pair.base.layout,
        format=comparison.label,
        spec=pair.other.layout or pair.other.dtype,
        bits=8 * pair.other.nbytes / pair.other.size if pair.other.size else 0.0,
        signal=found.signal if found else {},
        error=found.error if found else {},
        seconds=0.0,
        encoder=f"stored:{stored}",
        time=time.time(),
    )


def _correlation(found: PairSums) -> float:
    value = metrics.compute(found.signal, found.error)[0]["pcc"]
    return 1.0 if value is None else value


def _asked(found: Unmatched, chosen: set[str], query: str) -> bool:
    if found.status == OTHER_ONLY:
        return not query or matches(found.tensor.name, query)
    return found.tensor.name in chosen


def _refuse(base: Source, other: Source, matching: Matching, query: str) -> None:
    """Nothing to compare, or shapes of another model."""
    differing = [u for u in matching.unmatched if u.status == SHAPES and len(u.tensor.shape) > 1]
    comparable = sum(len(pair.base.shape) > 1 for pair in matching.pairs) + len(differing)
    if len(differing) > comparable / 2:
        first = differing[0]
        raise SourceError(
            f"{other.title} is another model than {base.title}: {len(differing)} of {comparable} matrices of the same name "
            f"differ in shape, first {quoted(first.tensor.name)}: {first.reason}"
        )
    if matching.pairs:
        return
    if found := next((u for u in matching.unmatched if u.status not in (BASE_ONLY, OTHER_ONLY)), None):
        raise SourceError(f"{other.title}: nothing can be compared; {quoted(found.tensor.name)}: {found.reason}")
    names = [next((quoted(t.name) for t in source if not t.companion_of), "nothing") for source in (base, other)]
    where = f" among those matching {quoted(query)}" if query else ""
    raise SourceError(
        f"no tensor of {other.title} is one of {base.title}{where}: they are called as {names[1]} and {names[0]}"
    )
