"""Remote files are told where their tensors lie, whatever kind of file it is."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence
from typing import Protocol, runtime_checkable

from fewbits.tensor import Tensor

__all__ = ["Marked", "mark_tensors"]


@runtime_checkable
class Marked(Protocol):
    """A file that fetches ahead as far as tensors reach."""

    def mark(self, edges: Sequence[int]) -> None:
        """Say where tensors begin and end."""
        ...


def mark_tensors(tensors: Iterable[Tensor]) -> None:
    """Mark the files of tensors whose values say in which file they lie and from which byte on."""
    files: dict[int, Marked] = {}
    edges: dict[int, list[int]] = defaultdict(list)
    for tensor in tensors:
        file, offset = getattr(tensor.values, "file", None), getattr(tensor.values, "offset", None)
        if isinstance(file, Marked) and isinstance(offset, int):
            files[id(file)] = file
            edges[id(file)] += [offset, offset + tensor.nbytes]
    for number, file in files.items():
        file.mark(edges[number])
