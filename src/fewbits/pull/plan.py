"""What is to be written: which tensors, as stored or as float32, into how many files."""

from __future__ import annotations

import json
import math
from collections import defaultdict
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from functools import cached_property, lru_cache
from hashlib import sha256

from fewbits.pull.names import Wanted
from fewbits.sources import Source
from fewbits.sources.raw import Extent, extent_of
from fewbits.tensor import Tensor

__all__ = ["Finder", "Item", "Plan", "make_plan"]

FLOAT32 = "_fp32"
METADATA = {"format": "pt"}  # what libraries expect to find


@dataclass(frozen=True)
class Item:
    """A tensor under the name it is written by: its stored bytes, or where `raw` is None its values as float32."""

    name: str
    tensor: Tensor
    raw: Extent | None = None
    label: str = ""

    @property
    def nbytes(self) -> int:
        """Bytes in the file that is written."""
        return self.raw.nbytes if self.raw else 4 * math.prod(self.tensor.shape)

    @property
    def code(self) -> str:
        """What safetensors calls its type."""
        return self.raw.code if self.raw else "F32"

    @property
    def home(self) -> Extent | None:
        """Where its bytes come from."""
        return self.raw or extent_of(self.tensor)


@dataclass(frozen=True)
class Plan:
    """The items of one file, in the order in which they are written: wide types first, so that all lie aligned."""

    items: Sequence[Item]
    source: str = ""
    facts: dict[str, str] = field(default_factory=dict)

    @property
    def nbytes(self) -> int:
        """Bytes of tensors."""
        return sum(item.nbytes for item in self.items)

    @cached_property
    def header(self) -> bytes:
        """The file up to its tensors; it names their identities, so that equal headers mean equal files."""
        identity = sha256("\n".join(f"{item.name} {item.tensor.identity}" for item in self.items).encode()).hexdigest()
        content: dict[str, object] = {"__metadata__": {**METADATA, "source": self.source, "fewbits": identity}}
        at = 0
        for item in self.items:
            offsets = [at, at + item.nbytes]
            content[item.name] = {"dtype": item.code, "shape": list(item.tensor.shape), "data_offsets": offsets}
            at += item.nbytes
        text = json.dumps(content, ensure_ascii=False, separators=(",", ":")).encode("utf-8")
        text += b" " * (-len(text) % 8)
        return len(text).to_bytes(8, "little") + text

    def sharded(self, size: int) -> list[Plan]:
        """Plans of files with at most `size` bytes of tensors each, where no tensor alone is larger; 0: one file."""
        shards: list[list[Item]] = [[]]
        room = size
        for item in self.items:
            if size and shards[-1] and item.nbytes > room:
                shards.append([])
                room = size
            shards[-1].append(item)
            room -= item.nbytes
        return [Plan(items, self.source) for items in shards]


class Finder:
    """Looks names up in the first source that has them; later ones are opened when they are needed (S-020, S-021)."""

    def __init__(self, *sources: Callable[[], Source]) -> None:
        self._sources = sources
        self._opened: list[Source] = []

    def find(self, name: str) -> Tensor | None:
        """The tensor of that name; for `X_fp32` that is not stored, X."""
        bare = name.removesuffix(FLOAT32)
        for number, open_ in enumerate(self._sources):
            if number == len(self._opened):
                self._opened.append(open_())
            for text in (name, bare):
                if text in self._opened[number]:
                    return self._opened[number][text]
        return None

    def parts(self, tensor: Tensor) -> list[Tensor]:
        """The stored tensors that make a tensor up together with its own bytes: scales and the like."""
        source = next((source for source in self._opened if tensor in self._of(source, tensor.name)), None)
        return self._companions(source).get(tensor.name, []) if source else []

    @staticmethod
    def _of(source: Source, name: str) -> list[Tensor]:
        return [source[name]] if name in source else []

    @lru_cache  # noqa: B019  (as long as the command lasts)
    def _companions(self, source: Source) -> dict[str, list[Tensor]]:
        found: dict[str, list[Tensor]] = defaultdict(list)
        for tensor in source:
            if tensor.companion_of:
                found[tensor.companion_of].append(tensor)
        return found


def make_plan(
    wanted: Iterable[Wanted], finder: Finder, source: str = "", *, float32: bool = False
) -> tuple[Plan, list[str]]:
    """The plan, and the names that no tensor has.

    `X` is written as it is stored, with its scales `X_scale_inv` beside it, and what is packed as the parts that it is
    packed in; where the bytes are not to be had so (GGUF), as float32. So is `X_fp32` that is not stored: X, times its
    scales where it has some (S-019); with `float32` everything is.
    """
    items: dict[str, Item] = {}
    unknown: list[str] = []
    for entry in wanted:
        tensor = finder.find(entry.name)
        if tensor is None:
            unknown.append(entry.name)
            continue
        as_values = float32 or (tensor.name != entry.name and entry.name.endswith(FLOAT32))
        raw = None if as_values and not tensor.unreadable else extent_of(tensor)
        parts = [] if as_values else finder.parts(tensor)
        packed = not raw and bool(parts) and sum(part.nbytes for part in parts) == tensor.nbytes
        if raw or packed:
            items = {part.name: Item(part.name, part, extent_of(part)) for part in parts} | items
        if not packed:
            items[entry.name] = Item(entry.name, tensor, raw, entry.label)
    return Plan(sorted(items.values(), key=_order), source), unknown


def _order(item: Item) -> tuple[int, str, int, str]:
    home = item.home
    bits = item.raw.bits if item.raw else 32
    return -bits, home.file.where if home else "", home.offset if home else 0, item.name
