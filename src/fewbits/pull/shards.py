"""Several files for one set of tensors: their names, and the index that says which holds what."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path

from fewbits.pull.plan import Plan
from fewbits.table import atomic

__all__ = ["named", "write_index"]


def named(plans: Sequence[Plan], path: Path) -> list[tuple[Path, Plan]]:
    """Each plan with its file: OUT.safetensors, or OUT-00001-of-00002.safetensors …"""
    if len(plans) == 1:
        return [(path, plans[0])]
    return [
        (path.with_name(f"{path.stem}-{number:05}-of-{len(plans):05}{path.suffix}"), plan)
        for number, plan in enumerate(plans, 1)
    ]


def write_index(path: Path, files: Sequence[tuple[Path, Plan]]) -> None:
    """OUT.safetensors.index.json: which file holds which tensor."""
    homes = {item.name: file.name for file, plan in files for item in plan.items}
    total = sum(plan.nbytes for _, plan in files)
    with atomic(path.with_name(f"{path.name}.index.json")) as file:
        file.write(json.dumps({"metadata": {"total_size": total}, "weight_map": homes}, indent=1).encode())
