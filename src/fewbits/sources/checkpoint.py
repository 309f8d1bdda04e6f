"""A checkpoint of safetensors files, wherever the files are: which tensors there are and what they stand for."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Protocol

from fewbits.errors import SourceError
from fewbits.sources.block_scaled import SUFFIX, block_scaled_tensor, configured_block
from fewbits.sources.file import File, read_small
from fewbits.sources.header import Header
from fewbits.sources.index import CONFIG, LARGEST, choose_index, parse_index
from fewbits.sources.stored import stored_tensor
from fewbits.sources.strict_json import parse_json, quoted
from fewbits.tensor import Tensor

__all__ = ["EXTENSION", "Place", "read_checkpoint"]

EXTENSION = ".safetensors"


class Place(Protocol):
    """A folder somewhere: the names of its files, with `/` between folders, and access to them."""

    @property
    def where(self) -> str:
        """What to call the place in a message."""
        ...

    @property
    def names(self) -> list[str]:
        """Every file, sorted."""
        ...

    def file(self, name: str) -> File:
        """The file of that name; raises `SourceError`."""
        ...

    def headers(self, names: list[str]) -> Mapping[str, Header]:
        """The headers of safetensors files; raises `SourceError`."""
        ...


def read_checkpoint(place: Place, index: str = "", only: str = "") -> tuple[list[Tensor], list[tuple[str, int]]]:
    """The tensors, and (name, bytes) of the files that hold them: all, those in an index, or `only` one."""
    index = index or ("" if only else choose_index(place.names, place.where))
    if not index:
        files = [only] if only else _without_index(place)
        headers = place.headers(files)
        home_of = _only_home(place, files, headers)
    else:
        text = read_small(place.file(index), LARGEST, "an index")
        home_of = parse_index(text, f"{place.where}: {index}")
        files = sorted(set(home_of.values()))
        headers = _indexed(place, index, home_of)
    stored = {
        tensor: stored_tensor(place.file(name), headers[name], headers[name].entries[tensor])
        for tensor, name in home_of.items()
    }
    return _scaled(place, stored), [(name, place.file(name).size) for name in files]


def _without_index(place: Place) -> list[str]:
    """Every safetensors file, of subfolders where there is no other."""
    found = [name for name in place.names if name.endswith(EXTENSION)]
    found = [name for name in found if "/" not in name] or found
    if not found:
        others = [quoted(name) for name in place.names[:5]]
        raise SourceError(f"{place.where}: no {EXTENSION} files" + (f", only {', '.join(others)} …" if others else ""))
    return sorted(found, key=lambda name: (name != f"model{EXTENSION}", name))


def _only_home(place: Place, files: list[str], headers: Mapping[str, Header]) -> Mapping[str, str]:
    """Tensor → file; a name in two files is an error: nothing says which of them is meant."""
    home_of: dict[str, str] = {}
    for name in files:
        for tensor in headers[name].entries:
            first = home_of.setdefault(tensor, name)
            if first != name:
                both, what = f"{quoted(first)} and {quoted(name)}", "folder" if "/" in name else "file"
                raise SourceError(f"{place.where}: {both} both have a tensor {quoted(tensor)}; name the {what} to read")
    return home_of


def _indexed(place: Place, index: str, home_of: Mapping[str, str]) -> Mapping[str, Header]:
    """The headers of the files that an index names; each holds what the index says."""
    home, present = sorted(set(home_of.values())), set(place.names)
    for name in home:
        if name not in present:
            count = sum(file == name for file in home_of.values())
            raise SourceError(f"{place.where}: {quoted(name)} is missing; {index} says it holds {count} tensors")
    headers = place.headers(home)
    for tensor, name in home_of.items():
        if tensor not in headers[name].entries:
            raise SourceError(f"{place.where}: {quoted(name)} has no tensor {quoted(tensor)}, but {index} says so")
    return headers


def _scaled(place: Place, stored: Mapping[str, Tensor]) -> list[Tensor]:
    """The tensors with those that have scales beside them replaced by what they stand for."""
    scale_of = {name: name + SUFFIX for name in stored if name + SUFFIX in stored and not name.endswith(SUFFIX)}
    if not scale_of:
        return list(stored.values())
    configured = None
    if CONFIG in place.names:
        where = f"{place.where}: {CONFIG}"
        configured = configured_block(parse_json(read_small(place.file(CONFIG), LARGEST, CONFIG), where), where)
    tensors = dict(stored)
    for name, scale in scale_of.items():
        tensors[name] = block_scaled_tensor(stored[name], stored[scale], configured)
        tensors[scale] = replace(stored[scale], companion_of=name)
    return list(tensors.values())
