"""Checkpoints on this machine: a file, an index file, or a folder."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from functools import cached_property
from pathlib import Path

from fewbits.errors import SourceError
from fewbits.sources.checkpoint import read_checkpoint
from fewbits.sources.containers import SUFFIXES, container_of
from fewbits.sources.file import LocalFile, explain, shown
from fewbits.sources.header import Header, read_header
from fewbits.sources.index import INDEX_SUFFIX, TORCH_INDEX
from fewbits.sources.source import Source
from fewbits.sources.strict_json import quoted

__all__ = ["Folder", "open_local"]

DEPTH = 3  # levels of subfolders that are searched where a folder holds no checkpoint itself


def open_local(path: str) -> Source:
    """The tensors of a file, an index file or a folder; raises `SourceError`."""
    real = os.path.abspath(path)
    if os.path.isdir(real):
        return _source(Folder(real), path=real, title=_title(real))
    LocalFile.at(path)
    parent, name = os.path.split(real)
    if name.endswith((INDEX_SUFFIX, TORCH_INDEX)):
        return _source(Folder(parent), path=real, title=_title(parent), index=name)
    container_of(LocalFile.at(real), name)
    return _source(Folder(parent, only=name), path=real, title=Path(name).stem)


class Folder:
    """A folder as it was when first seen; where `only` is given, that file alone holds tensors."""

    def __init__(self, path: str, only: str = "") -> None:
        self.path, self.only = path, only
        self._files: dict[str, LocalFile] = {}

    @property
    def where(self) -> str:
        """The path."""
        return shown(self.path)

    @cached_property
    def names(self) -> list[str]:
        """Files of the folder; where no checkpoint is among them, those of subfolders too."""
        found = list(_walk(self.path, 0))
        if not self.only and not any(name.lower().endswith((*SUFFIXES, INDEX_SUFFIX)) for name in found):
            found = list(_walk(self.path, DEPTH))
        return sorted(found)

    def file(self, name: str) -> LocalFile:
        """The file of that name, which may not be a link that leads out of the folder; `only` was named by the user and may."""
        if name not in self._files:
            found = LocalFile.at(os.path.join(self.path, name))
            if name != self.only and not any(Path(found.path).is_relative_to(root) for root in self._roots):
                raise SourceError(f"{self.where}: {quoted(name)} is a link out of the folder, to {found.where}")
            self._files[name] = found
        return self._files[name]

    def headers(self, names: list[str]) -> Mapping[str, Header]:
        """The headers of files."""
        return {name: read_header(self.file(name)) for name in names}

    @cached_property
    def _roots(self) -> tuple[Path, ...]:
        """Where files may really be: in the folder, beside `only`, or in the hub's cache where the folder is a snapshot of it."""
        real = Path(self.path).resolve()
        repository = _cached_repository(real)
        beside = Path(self.path, self.only).resolve().parent if self.only else real
        return (real, beside, repository.parent) if repository else (real, beside)


def _source(folder: Folder, path: str, title: str, index: str = "") -> Source:
    tensors, files = read_checkpoint(folder, index, folder.only)
    return Source(uri=path, title=title, tensors=tensors, files=files)


def _title(folder: str) -> str:
    """The name of a folder; a snapshot in the hub's cache is called what the hub calls it."""
    real = Path(folder).resolve()
    repository = _cached_repository(real)
    return repository.name.removeprefix("models--").replace("--", "/") if repository else real.name or str(real)


def _cached_repository(folder: Path) -> Path | None:
    """The hub cache's folder of a model where `folder` is a snapshot in it: models--org--name/snapshots/commit."""
    repository = folder.parent.parent
    return repository if folder.parent.name == "snapshots" and repository.name.startswith("models--") else None


def _walk(folder: str, depth: int, prefix: str = "") -> Iterator[str]:
    """Names of files, `/` between folders; hidden folders, links to folders and unreadable subfolders are left out."""
    try:
        with os.scandir(folder) as found:
            entries = list(found)
    except OSError as error:
        if prefix:
            return
        raise explain(error, folder) from error
    for entry in entries:
        if not entry.is_dir(follow_symlinks=True):
            yield prefix + entry.name
        elif depth and not entry.is_symlink() and not entry.name.startswith("."):
            yield from _walk(entry.path, depth - 1, f"{prefix}{entry.name}/")
