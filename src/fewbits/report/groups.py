"""Merged rows for the report: all tensors, layer by layer, role by role. Sums merge first, metrics are made after."""

from __future__ import annotations

import math
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
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
    weights: int = 0
    bits: float = 0.0

    def add(self, record: Record, weights: int, signal: dict[str, float], error: dict[str, float]) -> None:
        """Take in a record whose sums stand for all of its weights."""
        self.signal = metrics.merge([self.signal, signal])
        self.error = metrics.merge([self.error, error])
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
        self._layers: dict[tuple[str, str], Merged] = {}
        self._roles: dict[tuple[str, str], Merged] = {}

    def following(self, records: Iterable[Record]) -> Iterator[Record]:
        """The records, each taken in as it passes."""
        for record in records:
            self.everything.add(record, record.format)
            weights = math.prod(record.shape)
            signal, error = scaled(record, weights)
            for group, name in ((self._layers, layer_name(record.tensor)), (self._roles, role_of(record.tensor))):
                merged = group.setdefault((name, record.spec), Merged(record.format, record.spec))
                merged.add(record, weights, signal, error)
            yield record

    def layers(self) -> list[dict[str, Any]]:
        """One row for each layer and format."""
        return [merged.row(name) for (name, _), merged in self._layers.items()]

    def roles(self) -> list[dict[str, Any]]:
        """One row for each role and format."""
        return [merged.row(name) for (name, _), merged in self._roles.items()]


def layer_name(tensor: str) -> str:
    """The part of a tensor's name that says its layer (`encoder.layer.3`), or its role outside of layers."""
    parts = tensor.split(".")
    numbers = [i for i, part in enumerate(parts) if NUMBER.fullmatch(part)]
    return ".".join(parts[: numbers[0] + 1]) if numbers else role_of(tensor)
