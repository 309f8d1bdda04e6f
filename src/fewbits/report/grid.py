"""Measurements as arrays: one number for each name and format, NaN where a metric is undefined."""

from __future__ import annotations

from array import array
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from fewbits import metrics
from fewbits.figures.axes import axis_of
from fewbits.report.payload import smallest

__all__ = ["Cells", "dictionary"]

NAMES = tuple(metric.name for metric in metrics.METRICS)
NINES = frozenset(name for name in NAMES if axis_of(name).kind == "nines")
KEPT = ("bits", "seconds", *NAMES)


class Cells:
    """Rows of the table, taken in one by one and kept as numbers; `dense` puts them into their places."""

    def __init__(self, rows: Iterable[Mapping[str, Any]] = ()) -> None:
        self.names: dict[str, int] = {}
        self.specs: dict[str, int] = {}
        self._at = array("q")
        self._values = {name: array("d") for name in KEPT}
        self._errors: dict[str, dict[int, float]] = {}
        self._noted: dict[int, str] = {}
        for row in rows:
            self.add(row)

    def add(self, row: Mapping[str, Any]) -> None:
        """Take in a row: +∞ is exact, NaN undefined; correlations are kept as 1 − value, in which their digits are."""
        number, flags = len(self._at) // 2, row["flags"] or ()
        self._at.append(self.names.setdefault(row["tensor"], len(self.names)))
        self._at.append(self.specs.setdefault(row["spec"], len(self.specs)))
        for name, values in self._values.items():
            value = row.get(name)
            if value is None:
                value = np.inf if f"{name}:inf" in flags else np.nan
            values.append(1 - value if name in NINES else value)
            if (error := row.get(f"{name}_se")) is not None:
                self._errors.setdefault(name, {})[number] = error
        if other := [flag for flag in flags if flag.partition(":")[0] not in self._values]:
            self._noted[number] = "\n".join(other)

    def dense(self, names: Mapping[str, int], specs: Mapping[str, int]) -> dict[str, Any]:
        """Arrays over names × specs, name by name. `bits` are NaN where nothing was measured; `flags` are those that say more
        than a value does, with the cells that have them; `errors` are standard errors, where rows were sampled."""
        pairs = np.frombuffer(self._at, np.int64).reshape(-1, 2)
        rows = np.array([names[name] for name in self.names], np.int64)
        columns = np.array([specs[spec] for spec in self.specs], np.int64)
        cells = rows[pairs[:, 0]] * len(specs) + columns[pairs[:, 1]] if len(pairs) else np.empty(0, np.int64)
        size = len(names) * len(specs)
        found = {name: _spread(np.frombuffer(values), cells, size) for name, values in self._values.items()}
        errors = {
            name: _spread(np.array(list(values.values())), cells[list(values)], size)
            for name, values in self._errors.items()
        }
        noted = cells[list(self._noted)] if self._noted else cells[:0]
        return {
            "bits": found.pop("bits"),
            "seconds": found.pop("seconds"),
            "metrics": found,
            "errors": errors,
            "flags": {"cells": noted.astype(np.uint32), **dictionary(list(self._noted.values()))},
        }


def dictionary(texts: Sequence[str]) -> dict[str, Any]:
    """Repeated texts once each: `values`, and `at` for each of them."""
    places: dict[str, int] = {}
    at = [places.setdefault(text, len(places)) for text in texts]
    return {"values": list(places), "at": smallest(np.array(at, np.int64))}


def _spread(values: NDArray[np.float64], cells: NDArray[np.int64], size: int) -> NDArray[np.float64]:
    found = np.full(size, np.nan)
    found[cells] = values
    return found
