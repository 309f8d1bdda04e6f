"""Models on the hub: of every file only those bytes that are read."""

from __future__ import annotations

import os
import threading
from collections.abc import Mapping, Sequence
from functools import cached_property

from fewbits.errors import SourceError
from fewbits.sources.cache_folder import cache_limit
from fewbits.sources.checkpoint import read_checkpoint
from fewbits.sources.file import LocalFile, shown
from fewbits.sources.header import Header
from fewbits.sources.hub_address import Address
from fewbits.sources.hub_cache import Listed, Listing
from fewbits.sources.hub_client import HubClient, find_token
from fewbits.sources.index import INDEX_SUFFIX
from fewbits.sources.marks import mark_tensors
from fewbits.sources.range_cache import RangeCache
from fewbits.sources.remote_file import RemoteFile
from fewbits.sources.remote_headers import read_headers
from fewbits.sources.source import Source
from fewbits.sources.strict_json import quoted
from fewbits.sources.transfers import Transfers

__all__ = ["HubFile", "HubFolder", "open_hub"]


def open_hub(address: Address, cache_dir: str | os.PathLike[str] | None = None, token: str | None = None) -> Source:
    """The tensors of a model on the hub; raises `SourceError`.

    Files that the hub's client has downloaded are read where they are; of others, ranges are fetched and kept.
    """
    client = HubClient(address, cache_dir, find_token(token))
    transfers = Transfers(RangeCache(client.folder, cache_limit()))
    folder = HubFolder(client, client.listing(), transfers)
    index = folder.only if folder.only.endswith(INDEX_SUFFIX) else ""
    tensors, files = read_checkpoint(folder, index, folder.only)
    mark_tensors(tensors)
    revision = folder.listing.commit
    return Source(f"hf://{address}", address.repository, tensors, files, revision=revision, transfers=transfers)


class HubFile:
    """A file of a commit: the downloaded one where there is one, else ranges of it."""

    def __init__(self, client: HubClient, commit: str, name: str, listed: Listed, transfers: Transfers) -> None:
        self.client, self.commit, self.name, self.listed = client, commit, name, listed
        self._transfers = transfers
        self._lock = threading.Lock()
        self._found: LocalFile | RemoteFile | None = None

    @property
    def where(self) -> str:
        """Model and file name."""
        return f"{self.client.address.repository}: {shown(self.name)}"

    @property
    def size(self) -> int:
        """Length in bytes, as the hub says."""
        return self.listed.size

    @property
    def key(self) -> str:
        """Model, commit, file and etag."""
        return f"{self.client.address.repository}@{self.commit}/{self.name}:{self.listed.etag}"

    def read_into(self, offset: int, buffer: memoryview, what: str) -> None:
        """Fill `buffer` from `offset`."""
        self._file.read_into(offset, buffer, what)

    def start(self, count: int) -> bool:
        """Have the first bytes at hand; whether they had to be fetched."""
        return isinstance(self._file, RemoteFile) and self._file.start(count)

    def prime(self, end: int) -> None:
        """Have the bytes before `end` at hand, by one request."""
        if isinstance(self._file, RemoteFile):
            self._file.prime(end)

    def mark(self, edges: Sequence[int]) -> None:
        """Say where tensors begin and end."""
        if isinstance(self._file, RemoteFile):
            self._file.mark(edges)

    @property
    def _file(self) -> LocalFile | RemoteFile:
        with self._lock:
            if self._found is None:
                path = self.client.cache.downloaded(self.commit, self.name)
                self._found = self._local(path) if path else self._remote()
            return self._found

    def _local(self, path: str) -> LocalFile:
        found = LocalFile.at(path)
        if found.size != self.size:
            raise SourceError(f"{self.where}: {found.where} has {found.size:,} bytes, the hub says {self.size:,}")
        return found

    def _remote(self) -> RemoteFile:
        repository, cache = self.client.address.repository, self._transfers.cache
        about: dict[str, str | int] = {"model": repository, "file": self.name, "version": self.listed.etag}
        about["size"] = self.size
        key = f"hf://{repository}/{self.name}:{self.listed.etag}:{self.size}"  # the same in every commit that has it
        ranges = self.client.ranges(self.commit, self.name, self.listed, self._transfers)
        return RemoteFile(
            self.where, self.size, key, ranges, self._transfers, cache.file(key, about) if cache else None
        )


class HubFolder:
    """The files of a commit, below the address's path where it has one; `only` is the file that it names."""

    def __init__(self, client: HubClient, listing: Listing, transfers: Transfers) -> None:
        self.client, self.listing, self._transfers = client, listing, transfers
        self._files: dict[str, HubFile] = {}
        path = client.address.path
        folder, _, last = path.rpartition("/") if path in listing.files else (path, "", "")
        self.only = last
        self._prefix = f"{folder}/" if folder else ""

    @property
    def where(self) -> str:
        """The model and revision."""
        return f"{self.client.address}"

    @cached_property
    def names(self) -> list[str]:
        """Files below the path, by their names from there."""
        below = [name[len(self._prefix) :] for name in self.listing.files if name.startswith(self._prefix)]
        if self.client.address.path and not below:
            raise SourceError(f"{self.where}: nothing of that name in {self.client.address.repository}")
        return sorted(below)

    def file(self, name: str) -> HubFile:
        """The file of that name; raises `SourceError`."""
        if name not in self._files:
            if self._prefix + name not in self.listing.files:
                raise SourceError(f"{self.where}: {quoted(name)} is missing")
            full, commit = self._prefix + name, self.listing.commit
            self._files[name] = HubFile(self.client, commit, full, self.listing.files[full], self._transfers)
        return self._files[name]

    def headers(self, names: list[str]) -> Mapping[str, Header]:
        """The headers of files, several at a time."""
        return read_headers({name: self.file(name) for name in names})
