"""Merged rows for the report: all tensors, layer by layer, role by role. Sums merge first, metrics are made after."""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any

from fewbits import metrics
from fewbits.scan import Summary
from fewbits.scan.summary import scaled
from fewbits.table import Record, role_of

__all__ = ["ALL", "Groups", "Merged", "layer_name"]

ALL = "(all)"
NUMBER = re.compile(r"[0-9]{1,9}")


@dataclass
class Merged:
    """The sums of one format over some tensors."""

    format: str
    spec: str
    signal: dict[str, float] = field(default_factory=dict)
    error: dict[str, float] = field(default_factory=dict)
    tensors: int = 0
    weights: int = 0
    bits: float = 0.0

    def add(self, record: Record, weights: int, signal: dict[str, float], error: dict[str, float]) -> None:
        """Take in a record whose sums stand for all of its weights."""
        self.signal = metrics.merge([self.signal, signal]) if self.tensors else signal
        self.error = metrics.merge([self.error, error]) if self.tensors else error
        self.tensors += 1
        self.weights += weights
        self.bits += record.bits * weights

    def row(self, name: str) -> dict[str, Any]:
        """A row of the table whose tensor is the group."""
        values, flags = metrics.compute(self.signal, self.error)
        bits = self.bits / self.weights if self.weights else 0.0
        return {"tensor": name, "shape": [self.weights], "format": self.format, "spec": self.spec, "bits": bits,
                **values, "flags": flags}  # fmt: skip


class Groups:
    """The summary of everything, and what each layer and each role comes to."""

    def __init__(self) -> None:
        self.everything = Summary()
        self._groups: dict[str, dict[tuple[str, str], Merged]] = {name: {} for name in GROUPS}

    def following(self, records: Iterable[Record]) -> Iterator[Record]:
        """The records, each taken in as it passes."""
        for record in records:
            self.everything.add(record, record.format)
            weights = math.prod(record.shape)
            signal, error = scaled(record, weights)
            for group, name in _groups_of(record.tensor):
                merged = self._groups[group].setdefault((name, record.spec), Merged(record.format, record.spec))
                merged.add(record, weights, signal, error)
            yield record

    def merged(self) -> dict[str, list[dict[str, Any]]]:
        """For each kind of group, one row for each group and format."""
        return {
            group: [merged.row(name) for (name, _), merged in found.items()] for group, found in self._groups.items()
        }


@lru_cache(maxsize=1 << 16)
def _groups_of(tensor: str) -> tuple[tuple[str, str], ...]:
    return tuple((group, name_of(tensor)) for group, name_of in GROUPS.items())


def layer_name(tensor: str) -> str:
    """The part of a tensor's name that says its layer (`encoder.layer.3`), or its role outside of layers."""
    parts = tensor.split(".")
    numbers = [i for i, part in enumerate(parts) if NUMBER.fullmatch(part)]
    return ".".join(parts[: numbers[0] + 1]) if numbers else role_of(tensor)


GROUPS: dict[str, Callable[[str], str]] = {"layers": layer_name, "roles": role_of}
