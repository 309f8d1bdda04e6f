"""Files behind plain URLs: https://host/model.safetensors, or an index and the shards beside it."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from functools import cached_property
from urllib.parse import quote, unquote, urljoin, urlsplit

from fewbits.errors import SourceError
from fewbits.sources.cache_folder import cache_folder, cache_limit
from fewbits.sources.checkpoint import read_checkpoint
from fewbits.sources.containers import SUFFIXES
from fewbits.sources.file import read_small, shown
from fewbits.sources.header import Header
from fewbits.sources.http_errors import StatusError, in_one_line, network_reason, status_reason
from fewbits.sources.http_ranges import HttpRanges
from fewbits.sources.index import CONFIG, INDEX_SUFFIX, LARGEST, parse_index
from fewbits.sources.marks import mark_tensors
from fewbits.sources.range_cache import RangeCache
from fewbits.sources.remote_file import RemoteFile
from fewbits.sources.remote_headers import FIRST, read_headers
from fewbits.sources.source import Source
from fewbits.sources.transfers import Transfers

__all__ = ["UrlFolder", "is_file_url", "open_url", "public", "remote_url"]

KINDS = (*SUFFIXES, INDEX_SUFFIX)  # what a URL ends in


def is_file_url(text: str) -> bool:
    """Whether the text is an http(s) URL of a file of a kind that may hold tensors."""
    return bool(re.match(r"https?://[^/?#]+/", text.lower())) and urlsplit(text).path.lower().endswith(KINDS)


def open_url(url: str, cache_dir: str | os.PathLike[str] | None = None) -> Source:
    """The tensors of a file, or of the files that an index names; raises `SourceError`.

    What is shown and recorded is the URL without query and password: those of signed links are secrets.
    """
    transfers = Transfers(RangeCache(cache_folder(cache_dir), cache_limit()))
    folder = UrlFolder(url, transfers)
    index = folder.only if folder.only.endswith(INDEX_SUFFIX) else ""
    tensors, files = read_checkpoint(folder, index, folder.only)
    mark_tensors(tensors)
    return Source(public(url), folder.title, tensors, files, transfers=transfers)


class UrlFolder:
    """The file that a URL names and, where it is an index, the files beside it that it names; servers list no folders."""

    def __init__(self, url: str, transfers: Transfers) -> None:
        self.url, self._transfers = url, transfers
        self.only = unquote(urlsplit(url).path.rpartition("/")[2])
        self._files: dict[str, RemoteFile] = {}

    @property
    def where(self) -> str:
        """The URL up to its last part."""
        return shown(public(self.url).rpartition("/")[0])

    @property
    def title(self) -> str:
        """The file's name without its kind."""
        return next((self.only.removesuffix(kind) for kind in KINDS[::-1] if self.only.endswith(kind)), self.only)

    @cached_property
    def names(self) -> list[str]:
        """The file; those that an index names, and the configuration where there is one."""
        if not self.only.endswith(INDEX_SUFFIX):
            return [self.only]
        text = read_small(self.file(self.only), LARGEST, "an index")
        return sorted({self.only, *parse_index(text, f"{self.where}: {self.only}").values(), *self._config()})

    def file(self, name: str) -> RemoteFile:
        """The file of that name, beside the URL's own."""
        if name not in self._files:
            url = self.url if name == self.only else self._beside(name)
            self._files[name] = remote_url(url, self._transfers)
        return self._files[name]

    def headers(self, names: list[str]) -> Mapping[str, Header]:
        """The headers of files, several at a time."""
        return read_headers({name: self.file(name) for name in names})

    def _beside(self, name: str) -> str:
        query = urlsplit(self.url).query  # what opens one opens the others, as far as it goes
        return urljoin(self.url, quote(name)) + (f"?{query}" if query else "")

    def _config(self) -> list[str]:
        try:
            self.file(CONFIG)
        except SourceError:
            return []
        return [CONFIG]


def remote_url(url: str, transfers: Transfers) -> RemoteFile:
    """The file behind a URL, its size and version asked for with its first bytes; raises `SourceError`."""
    from huggingface_hub import constants

    shown_url = public(url)
    ranges = HttpRanges(
        url,
        shown(shown_url),
        timeout=float(constants.HF_HUB_DOWNLOAD_TIMEOUT),
        count=transfers.count,
        explained=lambda: _explained(shown_url),
    )
    first = ranges.open(FIRST)
    size, key = ranges.size or 0, f"{shown_url}:{ranges.size}:{ranges.version}"
    about: dict[str, str | int] = {"model": shown_url, "file": "", "version": ranges.version, "size": size}
    kept = transfers.cache.file(key, about) if transfers.cache and ranges.version else None
    file = RemoteFile(shown(shown_url), size, key, ranges, transfers, kept)
    file.supply(first)
    return file


@contextmanager
def _explained(url: str) -> Iterator[None]:
    """Whatever goes wrong inside becomes a `SourceError` that names the URL."""
    server = urlsplit(url).netloc
    try:
        yield
    except SourceError:
        raise
    except StatusError as error:
        raise SourceError(f"{shown(url)}: {status_reason(error.response, server)}") from error
    except Exception as error:
        reason = network_reason(error, server) or f"the transfer failed: {in_one_line(error)}"
        raise SourceError(f"{shown(url)}: {reason}") from error


def public(url: str) -> str:
    """A URL without query, fragment and password."""
    split = urlsplit(url)
    return split._replace(query="", fragment="", netloc=split.netloc.rpartition("@")[2]).geturl()
