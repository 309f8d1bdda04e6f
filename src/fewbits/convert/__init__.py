"""From one kind of file to another: every tensor by its name, as it is stored, in little memory.

To add a kind: a module here with a writer and the types it holds, and its suffix in `KINDS`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

from fewbits.convert import npz, safetensors, torch_archive
from fewbits.convert.item import Item, Kind, item_of
from fewbits.errors import DataError, UsageError
from fewbits.sources.raw import as_stored, raw_dtype
from fewbits.sources.strict_json import quoted
from fewbits.table.files import atomic
from fewbits.tensor import Tensor

__all__ = ["KINDS", "Converted", "Item", "convert", "kind_of_file"]

KINDS: Mapping[str, Kind] = {
    ".safetensors": safetensors.KIND,
    ".npz": npz.KIND,
    **dict.fromkeys((".pt", ".pth", ".bin"), torch_archive.STATE_DICT),
    ".ot": torch_archive.SCRIPT,
}


@dataclass(frozen=True)
class Converted:
    """What was written: number of tensors, bytes of the file, and what is not as it was."""

    path: Path
    tensors: int
    nbytes: int
    notes: tuple[str, ...]


def kind_of_file(path: Path) -> Kind:
    """The kind of file by its suffix; raises `UsageError`."""
    kind = KINDS.get(path.suffix.lower())
    if kind is None:
        raise UsageError(f"cannot write '{path}': the suffix says the kind, one of {', '.join(KINDS)}")
    return kind


def convert(tensors: Iterable[Tensor], path: Path, advance: Callable[[int], None] = lambda done: None) -> Converted:
    """Write tensors to a file of the kind that the suffix of `path` says; it takes its place when it is whole.

    A type that the kind does not hold is written as float32, and so are values that are computed from several stored
    tensors, which are then left out; notes say so. `advance` is told of values done. Raises `UsageError` for the suffix,
    `DataError` for names that the kind does not hold, `SourceError` for what cannot be read.
    """
    kind, found = kind_of_file(path), list(tensors)
    computed = {tensor.name for tensor in found if raw_dtype(as_stored(tensor)) is None}
    items = [item_of(tensor, kind, advance) for tensor in found if tensor.companion_of not in computed]
    _check_names(items, kind)
    with atomic(path) as file:
        kind.write(items, file)
        file.flush()
        nbytes = file.tell()
    left = len(found) - len(items)
    out = (f"{left} × part of another tensor's values, left out",) if left else ()
    return Converted(path, len(items), nbytes, _notes(items) + out)


def _check_names(items: list[Item], kind: Kind) -> None:
    seen: set[str] = set()
    for item in items:
        if item.name in seen:
            raise DataError(f"two tensors are called {quoted(item.name)}")
        if problem := kind.refuses(item.name):
            raise DataError(f"tensor {quoted(item.name)} cannot be in a file of {kind.title}: {problem}")
        seen.add(item.name)


def _notes(items: list[Item]) -> tuple[str, ...]:
    """One line for each change of type."""
    changed: dict[tuple[str, str], int] = {}
    for item in items:
        if item.note:
            changed[item.note, item.dtype] = changed.get((item.note, item.dtype), 0) + 1
    return tuple(f"{count} × {note} written as {dtype}" for (note, dtype), count in changed.items())
