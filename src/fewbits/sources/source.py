"""A model as a collection of lazy tensors."""

from __future__ import annotations

from collections.abc import Iterator
from functools import cached_property
from typing import TypeVar

import numpy as np

from fewbits.errors import SourceError, kind_of
from fewbits.sources.nearest import nearest
from fewbits.sources.strict_json import quoted
from fewbits.sources.transfers import Transfers
from fewbits.tensor import Tensor

__all__ = ["Source"]

STORED_AS_FLOAT32 = "_fp32"

T = TypeVar("T")


class Source:
    """Tensors sorted by name; only headers have been read. `revision` is the resolved commit, "" where there is none.

    `uri` opens the same again, `title` is the model's name, `files` are (name, bytes). `transfers` is what remote files
    share, None where nothing is remote.
    """

    def __init__(
        self,
        uri: str,
        title: str,
        tensors: list[Tensor],
        files: list[tuple[str, int]],
        revision: str = "",
        transfers: Transfers | None = None,
    ) -> None:
        self.uri, self.title, self.revision = uri, title, revision
        self.tensors = tuple(sorted(tensors, key=lambda tensor: tensor.name))
        self.files, self.transfers = tuple(files), transfers

    def __iter__(self) -> Iterator[Tensor]:
        return iter(self.tensors)

    def __len__(self) -> int:
        return len(self.tensors)

    def __contains__(self, name: object) -> bool:
        return name in self._by_name

    def __getitem__(self, name: str | int) -> Tensor:
        """The tensor of that name, or at that position by name; raises `SourceError`.

        `X_fp32` that is not stored is `X`, whose values are float32 (S-019).
        """
        if not isinstance(name, str):
            return self._at(name)
        found = self._by_name.get(name) or self._by_name.get(name.removesuffix(STORED_AS_FLOAT32))
        if found is None:
            raise SourceError(f"{self.title} has no tensor {quoted(name)}; {nearest(name, list(self._by_name))}")
        return found

    @property
    def moved(self) -> int | None:
        """Bytes of files that came over the network so far; None where nothing is remote."""
        return self.transfers.moved if self.transfers else None

    def _at(self, position: object) -> Tensor:
        if not isinstance(position, int | np.integer) or isinstance(position, bool):
            raise SourceError(f"a tensor is asked for by name or position, not by {kind_of(position)}")
        if not -len(self) <= position < len(self):
            raise SourceError(f"{self.title} has {len(self)} tensors, none at position {position}")
        return self.tensors[position]

    def __repr__(self) -> str:
        return f"<Source {self.uri}: {len(self)} tensors>"

    @cached_property
    def _by_name(self) -> dict[str, Tensor]:
        return {tensor.name: tensor for tensor in self.tensors}
