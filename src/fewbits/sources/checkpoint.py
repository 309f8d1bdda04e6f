"""A checkpoint, wherever its files are: which tensors there are and what they stand for."""

from __future__ import annotations

import posixpath
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any, Protocol

from fewbits.errors import SourceError
from fewbits.sources.block_scaled import SUFFIX
from fewbits.sources.containers import read_container
from fewbits.sources.file import File, read_small
from fewbits.sources.header import Header
from fewbits.sources.index import CONFIG, LARGEST, OLDER_CONFIGS, choose_index, parse_index
from fewbits.sources.packed import recognise
from fewbits.sources.shards import files_of, split_of
from fewbits.sources.stored import stored_tensor
from fewbits.sources.strict_json import parse_json, quoted
from fewbits.tensor import Tensor

__all__ = ["EXTENSION", "Place", "read_checkpoint"]

EXTENSION = ".safetensors"
FILES = 8  # listed at a time
PLAIN = {"float64", "float32", "float16", "bfloat16", "int64", "bool"}  # dtypes that nothing is packed in


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


Listed = Mapping[str, Mapping[str, Tensor]]  # file → tensor name → tensor


def read_checkpoint(place: Place, index: str = "", only: str = "") -> tuple[list[Tensor], list[tuple[str, int]]]:
    """The tensors, and (name, bytes) of the files that hold them: all, those in an index, or `only` one."""
    index = index or ("" if only else choose_index(place.names, place.where))
    if not index:
        files = split_of(only, place.names, place.where) if only else files_of(place.names, place.where)
        listed, metadata, outside = _listed(place, files)
        home_of = _only_home(place, listed)
    else:
        text = read_small(place.file(index), LARGEST, "an index")
        home_of = parse_index(text, f"{place.where}: {index}")
        files = sorted(set(home_of.values()))
        _all_present(place, index, home_of)
        listed, metadata, outside = _listed(place, files)
        _all_listed(place, index, home_of, listed)
    tensors = {tensor: listed[name][tensor] for tensor, name in home_of.items()}
    return _unpacked(place, tensors, metadata), [(name, place.file(name).size) for name in [*files, *outside]]


def _listed(place: Place, files: Sequence[str]) -> tuple[Listed, Mapping[str, str], list[str]]:
    """The tensors of each file, the metadata of the safetensors among them, and the files beside them that hold values."""
    strict = [name for name in files if name.endswith(EXTENSION)]
    headers = place.headers(strict) if strict else {}
    found = {
        name: {tensor: stored_tensor(place.file(name), header, entry) for tensor, entry in header.entries.items()}
        for name, header in headers.items()
    }
    others = [name for name in files if name not in found]
    outside: set[str] = set()

    def read(name: str) -> list[Tensor]:
        def beside(other: str) -> File:
            path = posixpath.join(posixpath.dirname(name), other)
            outside.add(path)
            return place.file(path)

        return read_container(place.file(name), name, beside)

    with ThreadPoolExecutor(FILES) as pool:
        for name, tensors in zip(others, pool.map(read, others), strict=True):
            found[name] = {tensor.name: tensor for tensor in tensors}
    metadata = {key: value for header in headers.values() for key, value in header.metadata.items()}
    return found, metadata, sorted(outside - set(files))


def _only_home(place: Place, listed: Listed) -> Mapping[str, str]:
    """Tensor → file; a name in two files is an error: nothing says which of them is meant."""
    home_of: dict[str, str] = {}
    for name, tensors in listed.items():
        for tensor in tensors:
            first = home_of.setdefault(tensor, name)
            if first != name:
                both, what = f"{quoted(first)} and {quoted(name)}", "folder" if "/" in name else "file"
                raise SourceError(f"{place.where}: {both} both have a tensor {quoted(tensor)}; name the {what} to read")
    return home_of


def _all_present(place: Place, index: str, home_of: Mapping[str, str]) -> None:
    """Raise `SourceError` for a file that an index names and that is not there."""
    present = set(place.names)
    for name in sorted(set(home_of.values())):
        if name not in present:
            count = sum(file == name for file in home_of.values())
            raise SourceError(f"{place.where}: {quoted(name)} is missing; {index} says it holds {count} tensors")


def _all_listed(place: Place, index: str, home_of: Mapping[str, str], listed: Listed) -> None:
    """Raise `SourceError` for a tensor that is not in the file that the index names."""
    for tensor, name in home_of.items():
        if tensor not in listed[name]:
            raise SourceError(f"{place.where}: {quoted(name)} has no tensor {quoted(tensor)}, but {index} says so")


def _unpacked(place: Place, tensors: Mapping[str, Tensor], metadata: Mapping[str, str]) -> list[Tensor]:
    """The tensors, those that are packed as what they stand for; the config is read where some may be."""
    if all((t.dtype in PLAIN or t.layout) and not t.name.endswith(SUFFIX) for t in tensors.values()):
        return list(tensors.values())
    return recognise(tensors, _config(place), f"{place.where}: {CONFIG}", metadata)


def _config(place: Place) -> Mapping[str, Any] | None:
    """config.json with what it, or else a file of its own, says about quantization; None where there is neither."""
    found: dict[str, Any] = {}
    for name, method in {CONFIG: "", **OLDER_CONFIGS}.items():
        if name in place.names and not {"quantization_config", "compression_config"} & set(found):
            content: dict[str, Any] = parse_json(read_small(place.file(name), LARGEST, name), f"{place.where}: {name}")
            found |= {"quantization_config": _settings(method, content)} if method else content
    return found or None


def _settings(method: str, content: Mapping[str, Any]) -> dict[str, Any]:
    nested = content.get("quantization")
    return {"quant_method": method, **(nested if isinstance(nested, dict) else content)}
