"""Files and folders of every file system that fsspec knows: s3://, gs://, az://, ftp://, memory:// …"""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from functools import cached_property
from typing import Any

from fewbits.errors import SourceError
from fewbits.sources import retry
from fewbits.sources.cache_folder import cache_folder, cache_limit
from fewbits.sources.checkpoint import read_checkpoint
from fewbits.sources.file import shown
from fewbits.sources.header import Header
from fewbits.sources.http_errors import in_one_line
from fewbits.sources.index import INDEX_SUFFIX
from fewbits.sources.marks import mark_tensors
from fewbits.sources.range_cache import RangeCache
from fewbits.sources.remote_file import RemoteFile
from fewbits.sources.remote_headers import read_headers
from fewbits.sources.source import Source
from fewbits.sources.transfers import Transfers

__all__ = ["FsspecFolder", "FsspecRanges", "is_fsspec", "open_fsspec", "version_of"]

EXTRAS = {"s3": "s3", "s3a": "s3", "gs": "gs", "gcs": "gs", "az": "azure", "abfs": "azure", "abfss": "azure"}
OURS = ("http", "https", "hf")  # read by our own means
UNCACHED = ("memory", "local", "file")
VERSION = ("ETag", "etag", "md5Hash", "content_md5", "generation", "LastModified", "last_modified", "mtime", "created")


def is_fsspec(text: str) -> bool:
    """Whether the text is a URL of a protocol that fsspec knows and that is not read otherwise."""
    match = re.match(r"([a-z][a-z0-9+.-]*)://", text.lower())
    if not match or match[1] in OURS:
        return False
    try:
        from fsspec import available_protocols
    except ImportError:
        return match[1] in EXTRAS
    return match[1] in available_protocols()


def open_fsspec(uri: str, cache_dir: str | os.PathLike[str] | None = None) -> Source:
    """The tensors of a file, an index or a folder; raises `SourceError`."""
    protocol = uri.partition("://")[0].lower()
    with _explained(uri):
        system, path = _system(uri, protocol)
        folder, name = (path, "") if system.isdir(path) else path.rstrip("/").rpartition("/")[::2]
    cache = RangeCache(cache_folder(cache_dir), cache_limit()) if protocol not in UNCACHED else None
    transfers = Transfers(cache)
    place = FsspecFolder(system, f"{protocol}://", folder, name, transfers)
    index = name if name.endswith(INDEX_SUFFIX) else ""
    tensors, files = read_checkpoint(place, index, name)
    mark_tensors(tensors)
    title = (name or folder.rstrip("/").rpartition("/")[2]).removesuffix(".safetensors")
    return Source(uri, title, tensors, files, transfers=transfers)


class FsspecRanges:
    """Byte ranges of a file, which stays what `version` says."""

    whole = False

    def __init__(self, system: Any, path: str, where: str, version: str, count: Callable[[int, int], None]) -> None:
        self.system, self.path, self.where, self.version = system, path, where, version
        self._count = count

    def fetch_into(self, begin: int, target: memoryview) -> None:
        """Fill `target` with the bytes from `begin` on; raises `SourceError`."""
        with _explained(self.where):
            content = _persistently(lambda: self._fetch(begin, begin + len(target)))
            self._count(len(content), 1)
            if self._version() != self.version:
                raise SourceError(f"{self.where}: changed since its header was read")
            target[:] = content

    def sweep(self, size: int, put: Callable[[int, bytearray], None]) -> None:
        """Not needed: all have ranges."""

    def _fetch(self, begin: int, end: int) -> bytes:
        content: bytes = self.system.cat_file(self.path, start=begin, end=end)
        if len(content) != end - begin:
            raise retry.Broken(f"{len(content)} of {end - begin} bytes came")
        return content

    def _version(self) -> str:
        self.system.invalidate_cache(self.path)
        return version_of(self.system.info(self.path))


class FsspecFolder:
    """A folder of a file system; where `only` is given, that file is meant."""

    def __init__(self, system: Any, scheme: str, folder: str, only: str, transfers: Transfers) -> None:
        self.system, self.folder, self.only = system, folder, only
        self._scheme, self._transfers = scheme, transfers
        self._files: dict[str, RemoteFile] = {}

    @property
    def where(self) -> str:
        """Protocol and path."""
        return shown(f"{self._scheme}{self.folder.lstrip('/')}")

    @cached_property
    def names(self) -> list[str]:
        """Every file below the folder."""
        with _explained(self.where):
            root = self.folder.rstrip("/")
            return sorted(path[len(root) :].lstrip("/") for path in self.system.find(root))

    def file(self, name: str) -> RemoteFile:
        """The file of that name."""
        if name not in self._files:
            path = f"{self.folder.rstrip('/')}/{name}"
            where = shown(f"{self._scheme}{path.lstrip('/')}")
            with _explained(where):
                self.system.invalidate_cache(path)
                info = _persistently(lambda: self.system.info(path))
            if info.get("type") != "file":
                raise SourceError(f"{where}: not a file")
            size, version = int(info["size"]), version_of(info)
            key = f"{where}:{version}"
            about: dict[str, str | int] = {"model": self.where, "file": name, "version": version, "size": size}
            ranges = FsspecRanges(self.system, path, where, version, self._transfers.count)
            kept = self._transfers.cache.file(key, about) if self._transfers.cache else None
            self._files[name] = RemoteFile(where, size, key, ranges, self._transfers, kept)
        return self._files[name]

    def headers(self, names: list[str]) -> Mapping[str, Header]:
        """The headers of files, several at a time."""
        return read_headers({name: self.file(name) for name in names})


def version_of(info: Mapping[str, Any]) -> str:
    """What tells versions of a file apart, as far as its file system says: size, and checksums or times."""
    return " ".join([str(info.get("size")), *(f"{name}={info[name]}" for name in VERSION if info.get(name))])


def _system(uri: str, protocol: str) -> tuple[Any, str]:
    try:
        from fsspec.core import url_to_fs

        system, path = url_to_fs(uri)
        return system, str(path)
    except ImportError as error:
        extra = EXTRAS.get(protocol)
        how = f"pip install 'fewbits[{extra}]'" if extra else in_one_line(error)
        raise SourceError(f"{shown(uri)}: {protocol}:// needs a package that is not installed: {how}") from error


def _persistently(request: Callable[[], Any]) -> Any:
    """The answer, after as many attempts as a transfer is worth."""
    failures = 0
    while True:
        try:
            return request()
        except Exception as error:
            if not retry.transient(error) or not retry.wait(failures, error):
                raise
            failures += 1


@contextmanager
def _explained(where: str) -> Iterator[None]:
    """Whatever a file system raises becomes a `SourceError` that names the file."""
    try:
        yield
    except SourceError:
        raise
    except FileNotFoundError as error:
        raise SourceError(f"{shown(where)}: no such file or folder") from error
    except PermissionError as error:
        raise SourceError(
            f"{shown(where)}: access denied; are there credentials for it? ({in_one_line(error)})"
        ) from error
    except Exception as error:
        raise SourceError(f"{shown(where)}: {in_one_line(error)}") from error
