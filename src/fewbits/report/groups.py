"""Merged rows for the report: all tensors, layer by layer, role by role. Sums merge first, metrics are made after."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

from fewbits.scan import Summary
from fewbits.table import Record, role_of

__all__ = ["ALL", "Groups", "layer_name", "rows"]

ALL = "(all)"
NUMBER = re.compile(r"[0-9]{1,9}")


@dataclass
class Groups:
    """Summaries of everything, of each layer and of each role."""

    everything: Summary = field(default_factory=Summary)
    layers: dict[str, Summary] = field(default_factory=dict)
    roles: dict[str, Summary] = field(default_factory=dict)

    @classmethod
    def of(cls, records: Iterable[Record]) -> Groups:
        """The groups of records; each is looked at once."""
        groups = cls()
        for record in records:
            groups.everything.add(record, record.format)
            groups.layers.setdefault(layer_name(record.tensor), Summary()).add(record, record.format)
            groups.roles.setdefault(role_of(record.tensor), Summary()).add(record, record.format)
        return groups


def layer_name(tensor: str) -> str:
    """The part of a tensor's name that says its layer (`encoder.layer.3`), or its role outside of layers."""
    parts = tensor.split(".")
    numbers = [i for i, part in enumerate(parts) if NUMBER.fullmatch(part)]
    return ".".join(parts[: numbers[0] + 1]) if numbers else role_of(tensor)


def rows(groups: dict[str, Summary]) -> list[dict[str, Any]]:
    """The merged rows of several groups as rows of the table: `tensor` is the group's name, `shape` its size."""
    return [
        {**row, "tensor": name, "shape": [int(row["weights"])]}
        for name, group in groups.items()
        for row in group.rows()
    ]
