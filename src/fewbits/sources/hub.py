"""Models on the hub: headers by range requests, and only those files downloaded whose tensors are read."""

from __future__ import annotations

import os
import threading
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from functools import cached_property

from fewbits.errors import SourceError
from fewbits.sources.checkpoint import read_checkpoint
from fewbits.sources.file import LocalFile, shown
from fewbits.sources.header import PREFIX, Header, parse_header, read_header
from fewbits.sources.hub_address import Address
from fewbits.sources.hub_cache import Listed, Listing
from fewbits.sources.hub_client import HubClient, find_token
from fewbits.sources.index import INDEX_SUFFIX
from fewbits.sources.source import Source

__all__ = ["HubFile", "HubFolder", "open_hub"]

REQUESTS = 8  # at a time


def open_hub(address: Address, cache_dir: str | os.PathLike[str] | None = None, token: str | None = None) -> Source:
    """The tensors of a model on the hub; raises `SourceError`. The cache is by default the one of the hub's client."""
    from huggingface_hub import constants

    cache = os.path.abspath(os.path.expanduser(cache_dir or constants.HF_HUB_CACHE))
    client = HubClient(address, cache, find_token(token))
    folder = HubFolder(client, client.listing())
    index = folder.only if folder.only.endswith(INDEX_SUFFIX) else ""
    tensors, files = read_checkpoint(folder, index, folder.only)
    return Source(f"hf://{address}", address.repository, tensors, files, revision=folder.listing.commit)


class HubFile:
    """A file of a commit, downloaded when it is first read."""

    def __init__(self, client: HubClient, commit: str, name: str, listed: Listed) -> None:
        self.client, self.commit, self.name, self.listed = client, commit, name, listed
        self._lock = threading.Lock()
        self._local: LocalFile | None = None
        self._header: Header | None = None

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
        """Fill `buffer` from `offset`; the first caller downloads, others wait."""
        self._file().read_into(offset, buffer, what)

    def header(self) -> Header:
        """The header: of the downloaded file, else as kept, else by range requests."""
        if self.client.downloaded(self.commit, self.name):
            return read_header(self._file())
        cache = self.client.cache
        kept = cache.header(self.commit, self.name, self.listed)
        if kept is not None:
            with suppress(SourceError):  # damaged: ask for it again
                return self._parsed(kept)
        content = self.client.first_bytes(self.commit, self.name, self.listed)
        cache.keep_header(self.commit, self.name, self.listed, content)
        return self._parsed(content)

    def _parsed(self, content: bytes) -> Header:
        self._header = parse_header(content[PREFIX:], self.size, self.where)
        return self._header

    def _file(self) -> LocalFile:
        with self._lock:
            if self._local is None:
                found = LocalFile.at(self.client.download(self.commit, self.name))
                if found.size != self.size:
                    raise SourceError(
                        f"{self.where}: {found.where} has {found.size:,} bytes, the hub says {self.size:,}"
                    )
                if self._header and read_header(found).digest != self._header.digest:
                    raise SourceError(f"{self.where}: {found.where} is not the file whose header the hub sent")
                self._local = found
            return self._local


class HubFolder:
    """The files of a commit, below the address's path where it has one; `only` is the file that it names."""

    def __init__(self, client: HubClient, listing: Listing) -> None:
        self.client, self.listing = client, listing
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
        """The file of that name."""
        if name not in self._files:
            full = self._prefix + name
            self._files[name] = HubFile(self.client, self.listing.commit, full, self.listing.files[full])
        return self._files[name]

    def headers(self, names: list[str]) -> Mapping[str, Header]:
        """The headers of files, several at a time."""
        with ThreadPoolExecutor(min(REQUESTS, len(names))) as pool:
            return dict(zip(names, pool.map(lambda name: self.file(name).header(), names), strict=True))
