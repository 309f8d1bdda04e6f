"""Requests to the hub, through its own client: which files a revision has, and ranges of their bytes."""

from __future__ import annotations

import logging
import os
from typing import TYPE_CHECKING, Any

from fewbits.errors import SourceError
from fewbits.sources.cache_folder import cache_folder
from fewbits.sources.file import shown
from fewbits.sources.http_ranges import HttpRanges
from fewbits.sources.hub_address import Address
from fewbits.sources.hub_cache import COMMIT, HubCache, Listed, Listing
from fewbits.sources.hub_errors import explained, unreachable
from fewbits.sources.retry import retried

if TYPE_CHECKING:
    from contextlib import AbstractContextManager

    from fewbits.sources.transfers import Transfers

__all__ = ["HubClient", "find_token"]

DEFAULT_REVISION = "main"
READABLE = 1_000_000  # bytes of an error answer that are read

log = logging.getLogger("fewbits")


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

    def __init__(self, address: Address, cache_dir: str | os.PathLike[str] | None, token: str | None) -> None:
        from huggingface_hub import HfApi, constants

        self.address, self.token, self.folder = address, token, cache_folder(cache_dir)
        downloads = os.path.abspath(os.path.expanduser(cache_dir or constants.HF_HUB_CACHE))
        self.cache = HubCache(self.folder, downloads, address.repository)
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
                listing = retried(lambda: self._ask(self.address.repository, revision))
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

    def ranges(self, commit: str, name: str, file: Listed, transfers: Transfers) -> HttpRanges:
        """The bytes of a file of a commit; what is moved is counted in `transfers`."""
        from huggingface_hub import hf_hub_url

        return HttpRanges(
            hf_hub_url(self.address.repository, name, revision=commit, endpoint=self.endpoint),
            f"{self.address.repository}: {shown(name)}",
            size=file.size,
            linked=file.etag if len(file.etag) == 64 else "",  # the SHA-256 of a large file
            token=self.token,
            timeout=self.timeout,
            count=transfers.count,
            check=_raise_for_status,
            explained=lambda: self._explained(name),
        )

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

    def _explained(self, file: str = "") -> AbstractContextManager[None]:
        return explained(self.address, self.endpoint, file=file, cache=shown(self.folder), token=bool(self.token))


def _raise_for_status(response: Any) -> None:
    """The hub's own errors, for an answer of which nothing has been read."""
    from huggingface_hub import hf_raise_for_status

    if response.status_code >= 400:
        length = response.headers.get("content-length", "0")
        if length.isdecimal() and int(length) <= READABLE:
            response.read()
        hf_raise_for_status(response)
