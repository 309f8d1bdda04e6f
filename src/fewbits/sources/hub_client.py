"""Requests to the hub, through its own client: listings, first bytes of files, whole files."""

from __future__ import annotations

import logging
import os
import time
from collections.abc import Callable
from typing import TYPE_CHECKING, TypeVar

from fewbits.errors import SourceError
from fewbits.sources.file import shown
from fewbits.sources.header import PREFIX, header_length
from fewbits.sources.hub_address import Address
from fewbits.sources.hub_cache import COMMIT, HubCache, Listed, Listing
from fewbits.sources.hub_errors import explained, unreachable

if TYPE_CHECKING:
    from contextlib import AbstractContextManager

__all__ = ["HubClient", "find_token"]

DEFAULT_REVISION = "main"
FIRST = 100_000  # bytes: most headers are in them
PAUSES = (0.5, 2.0)  # seconds before a request is tried again

log = logging.getLogger("fewbits")
T = TypeVar("T")


def find_token(token: str | None = None) -> str | None:
    """The token given, else HF_TOKEN, else the hub's other variables, else that of the stored login, else None."""
    from huggingface_hub import get_token

    names = ("HF_TOKEN", "HUGGING_FACE_HUB_TOKEN", "HUGGINGFACE_HUB_TOKEN")
    given = (token, *(os.environ.get(name) for name in names))
    try:
        return next((text.strip() for text in given if text and text.strip()), None) or get_token()
    except Exception as error:  # the client may ask a server for it (OpenID), or read a file
        raise SourceError(f"no token for the hub: {shown(' '.join(str(error).split()))}") from error


class HubClient:
    """One model on the hub; all that is fetched belongs to one commit."""

    def __init__(self, address: Address, cache_dir: str, token: str | None) -> None:
        from huggingface_hub import HfApi, constants

        self.address, self.token = address, token
        self.cache = HubCache(cache_dir, address.repository)
        self.endpoint = (os.environ.get("HF_ENDPOINT") or constants.ENDPOINT).rstrip("/")
        self.timeout = float(constants.HF_HUB_DOWNLOAD_TIMEOUT)
        self.api = HfApi(endpoint=self.endpoint, token=token or False)

    def listing(self) -> Listing:
        """The files of the revision; from the cache where the hub cannot be reached or would say the same."""
        revision = self.address.revision or DEFAULT_REVISION
        known = self.cache.commit(revision)
        if known == revision and (listing := self.cache.listing(known)):
            return listing
        with self._explained():
            try:
                listing = self._retried(lambda: self._ask(self.address.repository, revision))
            except Exception as error:
                cached = self._cached(known) if known and unreachable(error) else None
                if cached is None:
                    raise
                log.warning("%s: no answer from the hub, taken from the cache as of commit %s", self.address, known)
                return cached
        self.cache.remember(revision, listing)
        return listing

    def _cached(self, commit: str) -> Listing | None:
        return self.cache.listing(commit) or self.cache.downloads(commit)

    def downloaded(self, commit: str, name: str) -> str | None:
        """The path of a file that is in the cache; None where it is not."""
        from huggingface_hub import try_to_load_from_cache

        found = try_to_load_from_cache(self.address.repository, name, self.cache.cache_dir, commit)
        return found if isinstance(found, str) else None

    def download(self, commit: str, name: str) -> str:
        """The path of a whole file, fetched unless it is in the cache."""
        with self._explained(name):
            return self.api.hf_hub_download(
                self.address.repository, name, revision=commit, cache_dir=self.cache.cache_dir
            )

    def first_bytes(self, commit: str, name: str, file: Listed) -> bytes:
        """A safetensors file up to the end of its header, by range requests."""
        where = f"{self.address.repository}: {shown(name)}"
        with self._explained(name):
            start = self._retried(lambda: self._range(commit, name, 0, min(FIRST, file.size)))
            needed = PREFIX + header_length(start[:PREFIX], file.size, where)
            if needed > len(start):
                start += self._retried(lambda: self._range(commit, name, len(start), needed))
        if len(start) < needed:
            raise SourceError(
                f"{where}: the hub sent {len(start):,} of the {needed:,} bytes up to the end of its header"
            )
        return start[:needed]

    def _ask(self, repository: str, revision: str) -> Listing:
        info = self.api.model_info(repository, revision=revision, files_metadata=True, timeout=self.timeout)
        if info.id != repository:  # a model that was renamed: on the way there the question may lose its details
            info = self.api.model_info(info.id, revision=revision, files_metadata=True, timeout=self.timeout)
        commit = info.sha or ""
        if not COMMIT.fullmatch(commit):
            raise SourceError(f"{self.address}: what answers at {self.endpoint} is no hub, it names no commit")
        files = {}
        for file in info.siblings or []:
            if file.size is None:
                raise SourceError(
                    f"{self.address}: the hub at {self.endpoint} does not say how long {shown(file.rfilename)} is"
                )
            files[file.rfilename] = Listed(file.size, (file.lfs and file.lfs.sha256) or file.blob_id or commit)
        return Listing(commit, files)

    def _range(self, commit: str, name: str, begin: int, end: int) -> bytes:
        """Bytes begin ≤ b < end; streamed: a server that ignores ranges must not fill the memory with a shard."""
        from huggingface_hub import get_session, hf_hub_url, hf_raise_for_status

        if begin >= end:
            return b""
        url = hf_hub_url(self.address.repository, name, revision=commit, endpoint=self.endpoint)
        headers = {"Range": f"bytes={begin}-{end - 1}", "Accept-Encoding": "identity"}
        if self.token:
            headers["Authorization"] = f"Bearer {self.token}"  # not passed on when another host is redirected to
        content = bytearray()
        with get_session().stream("GET", url, headers=headers, timeout=self.timeout) as response:
            if response.status_code >= 400:
                response.read()
            hf_raise_for_status(response)
            skipped = begin if response.status_code == 200 else 0
            for piece in response.iter_bytes(1 << 16):
                content += piece
                if len(content) >= skipped + end - begin:
                    break
        return bytes(content[skipped : skipped + end - begin])

    def _retried(self, request: Callable[[], T]) -> T:
        """The answer; asked again after a pause where the hub did not answer, unless offline mode is on."""
        from huggingface_hub.errors import OfflineModeIsEnabled

        for pause in PAUSES:
            try:
                return request()
            except OfflineModeIsEnabled:
                raise
            except Exception as error:
                if not unreachable(error):
                    raise
                time.sleep(pause)
        return request()

    def _explained(self, file: str = "") -> AbstractContextManager[None]:
        return explained(
            self.address, self.endpoint, file=file, cache=shown(self.cache.cache_dir), token=bool(self.token)
        )
