"""Checkpoints of torch (`.pt`, `.pth`, `.bin`) and TorchScript archives (`.ot`, as libtorch and tch write): no torch needed.

A file is a zip archive `<name>/data.pkl` beside `<name>/data/<key>` with the bytes of each storage (torch 1.6 and later,
torch/serialization.py), or the older stream: magic, protocol, system, pickle, keys, then every storage with its length.
"""

from __future__ import annotations

import hashlib
import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from fewbits.errors import SourceError
from fewbits.sources.file import File, read_small
from fewbits.sources.restricted_pickle import LONGEST, Record, unpickle
from fewbits.sources.scanner import Scanner
from fewbits.sources.stored import Missing, digest
from fewbits.sources.strict_json import quoted
from fewbits.sources.strided import Swapped, contiguous, placed
from fewbits.sources.torch_records import Storage, StoredView, found_global, storage
from fewbits.sources.zip_directory import ZipEntry, read_directory
from fewbits.sources.zip_entry import open_entry
from fewbits.tensor import Tensor, Values

__all__ = ["LEGACY", "read_torch"]

PICKLE = "data.pkl"
LEGACY = b"\x80\x02\x8a\x0a\x6c\xfc\x9c\x46\xf9\x20\x6a\xa8\x50\x19."  # the pickle of the older form's magic number
MAGIC, PROTOCOL = 0x1950A86A20F9469CFC6C, 1001
DEEPEST = 64  # dicts, lists and modules in each other
MOST = 1_000_000  # values looked at
MOST_TENSORS = 100_000
LONGEST_NAME, ALL_NAMES = 10_000, 1 << 26  # characters
REPEATED = 1 << 24  # values that a view may have beyond those of its storage


@dataclass(frozen=True)
class _Archive:
    """Where the bytes of storages are: a file, the offset in it and how many, by key."""

    file: File
    version: str
    places: Mapping[str, tuple[File, int, int]]
    big_endian: bool = False


def read_torch(file: File) -> list[Tensor]:
    """The tensors of a checkpoint: nested dicts, lists and modules joined with `.`; raises `SourceError`.

    A tensor alone is called 0. In TorchScript `|` in a name is `.`, as libtorch's C++ and OCaml interfaces store it.
    """
    start = bytearray(min(len(LEGACY), file.size))
    file.read_into(0, memoryview(start), "its first bytes")
    if start.startswith(b"PK"):
        value, archive, script = _read_zip(file)
    elif start == LEGACY:
        value, archive, script = _read_legacy(file)
    else:
        raise SourceError(f"{file.where}: no file of torch, neither a zip archive nor the form before torch 1.6")
    found: dict[str, StoredView] = {}
    for name, view in _Walk(file.where).tensors(value):
        name = name.replace("|", ".") if script else name
        if name in found:
            raise SourceError(f"{file.where}: two tensors are called {quoted(name)}")
        found[name] = view
    return [_tensor(archive, name, view) for name, view in found.items()]


def _read_zip(file: File) -> tuple[Any, _Archive, bool]:
    entries = read_directory(file)
    pickles = [name for name in entries if name.count("/") <= 1 and name.rpartition("/")[2] == PICKLE]
    if len(pickles) != 1:
        raise SourceError(f"{file.where}: no archive of torch, {len(pickles)} files in it are called {PICKLE}")
    root = pickles[0].removesuffix(PICKLE)
    order = _small(file, entries, root + "byteorder") or b"little"
    if order not in (b"little", b"big"):
        raise SourceError(f"{file.where}: byteorder {quoted(order)} is neither little nor big")
    content = open_entry(file, entries[pickles[0]])
    if content.size > LONGEST:
        raise SourceError(f"{content.where}: {content.size:,} bytes, at most {LONGEST:,} of a pickle are read")
    scanner = Scanner(content, "its pickle", block=content.size)
    version = hashlib.sha256(scanner.take(content.size)).hexdigest()
    scanner.position = 0
    value = _load(scanner)
    data = root + "data/"
    parts = {name.removeprefix(data): (file, entry) for name, entry in entries.items() if name.startswith(data)}
    places = {key: (open_entry(*part), 0, part[1].size) for key, part in parts.items()}
    script = root + "constants.pkl" in entries or any(name.startswith(root + "code/") for name in entries)
    return value, _Archive(file, version, places, order == b"big"), script


def _small(file: File, entries: Mapping[str, ZipEntry], name: str) -> bytes:
    """A short text in the archive, empty where it is not there."""
    return read_small(open_entry(file, entries[name]), 100, "a note").strip() if name in entries else b""


def _read_legacy(file: File) -> tuple[Any, _Archive, bool]:
    scanner = Scanner(file, "its pickles")
    magic, protocol, system, value, keys = (_load(scanner) for _ in range(5))
    if (magic, protocol) != (MAGIC, PROTOCOL) or not isinstance(system, dict) or not isinstance(keys, list):
        raise SourceError(f"{file.where}: not the older form of torch's files, protocol {quoted(protocol)}")
    if system.get("little_endian") is not True:
        raise SourceError(
            f"{file.where}: written on a big-endian machine, which the older form of torch does not share"
        )
    begin, at = scanner.position, scanner.position
    sizes = {view.storage.key: view.storage for _, view in _Walk(file.where).tensors(value)}
    places: dict[str, tuple[File, int, int]] = {}
    for key in keys:
        if not isinstance(key, str) or key not in sizes or key in places:
            raise SourceError(f"{file.where}: storage {quoted(key)} is not one of its tensors, or there twice")
        places[key] = (file, at + 8, sizes[key].nbytes)
        at += 8 + sizes[key].nbytes
    if at != file.size:
        what = "truncated" if at > file.size else "longer than its storages"
        raise SourceError(f"{file.where}: {what}, they take {at - begin:,} bytes of {file.size - begin:,}")
    header = bytearray(begin)
    file.read_into(0, memoryview(header), "its pickles")
    return value, _Archive(file, hashlib.sha256(header).hexdigest(), places), False


def _load(scanner: Scanner) -> Any:
    where = scanner.file.where
    return unpickle(scanner, lambda name: found_global(name, where), storage)


class _Walk:
    """Finds the tensors in what was unpickled, however often parts of it stand in it."""

    def __init__(self, where: str) -> None:
        self.where = where
        self.seen = self.found = self.characters = 0
        self.barren: set[int] = set()  # what holds no tensor, however often it stands somewhere

    def tensors(self, value: Any, name: str = "", depth: int = 0) -> Iterator[tuple[str, StoredView]]:
        """Names and tensors."""
        if isinstance(value, StoredView):
            self.found += 1
            self.characters += len(name)
            if self.found > MOST_TENSORS or self.characters > ALL_NAMES:
                raise SourceError(
                    f"{self.where}: more than {MOST_TENSORS:,} tensors or {ALL_NAMES:,} characters of names"
                )
            yield name or "0", value
            return
        if depth > DEEPEST:
            raise SourceError(f"{self.where}: nested more than {DEEPEST} deep, at {quoted(name)}")
        before = self.found
        for key, inner in _items(value):
            self.seen += 1
            if self.seen > MOST:
                raise SourceError(f"{self.where}: more than {MOST:,} values")
            if isinstance(inner, StoredView | dict | list | tuple | Record) and id(inner) not in self.barren:
                yield from self.tensors(inner, self._joined(name, key), depth + 1)
        if self.found == before:
            self.barren.add(id(value))

    def _joined(self, name: str, key: Any) -> str:
        text = key if isinstance(key, str) else str(key) if type(key) is int else quoted(key)
        if len(name) + len(text) > LONGEST_NAME:
            raise SourceError(
                f"{self.where}: a name of more than {LONGEST_NAME:,} characters, {quoted(name + text[:100])}"
            )
        return f"{name}.{text}" if name else text


def _items(value: Any) -> Iterator[tuple[Any, Any]]:
    if isinstance(value, Record):
        value = value.state
    if isinstance(value, dict):
        yield from value.items()
    elif isinstance(value, list | tuple):
        yield from enumerate(value)


def _tensor(archive: _Archive, name: str, view: StoredView) -> Tensor:
    count, width, problem = math.prod(view.shape), view.dtype.bits // 8, view.problem
    file, offset, nbytes = _place(archive, name, view.storage)
    _check_view(archive.file.where, name, view, nbytes // width)
    if problem:
        values: Values = Missing(f"{archive.file.where}: tensor {quoted(name)} {problem}")
    else:
        ordered = Swapped(file, width) if archive.big_endian and width > 1 else file
        values = placed(ordered, name, view.dtype, offset + view.offset * width, view.shape, view.strides)
    layout = "" if contiguous(view.shape, view.strides) else f"strides {quoted(list(view.strides))}"
    return Tensor(
        name=name,
        shape=view.shape,
        dtype=view.dtype.name,
        nbytes=count * width,
        identity=digest(
            "torch", archive.file.key, archive.version, name, view.dtype.name, view.storage.key, view.offset,
            *(f"{length}/{stride}" for length, stride in zip(view.shape, view.strides, strict=True)),
        ),
        values=values,
        layout=", ".join(["big-endian"] * archive.big_endian + [layout] * bool(layout)),
        unreadable=problem,
    )  # fmt: skip


def _place(archive: _Archive, name: str, wanted: Storage) -> tuple[File, int, int]:
    """File, offset and length of a storage's bytes, which are as many as the pickle says."""
    where = f"{archive.file.where}: tensor {quoted(name)}"
    if wanted.key not in archive.places:
        raise SourceError(f"{where} is in storage {quoted(wanted.key)}, which is not in the file")
    file, offset, nbytes = archive.places[wanted.key]
    if nbytes != wanted.nbytes:
        raise SourceError(f"{where}: its storage has {nbytes:,} bytes, but the pickle says {wanted.nbytes:,}")
    return file, offset, nbytes


def _check_view(where: str, name: str, view: StoredView, available: int) -> None:
    count = math.prod(view.shape)
    reach = view.offset + sum((n - 1) * s for n, s in zip(view.shape, view.strides, strict=True)) + 1 if count else 0
    if reach > available:
        raise SourceError(
            f"{where}: tensor {quoted(name)} of shape {quoted(list(view.shape))} reaches beyond its storage"
        )
    if count > max(available, REPEATED):
        raise SourceError(f"{where}: tensor {quoted(name)} repeats {available:,} stored values into {count:,}")
