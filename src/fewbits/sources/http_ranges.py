"""Byte ranges of one file over HTTP (RFC 9110, section 14): redirected, checked, tried again, resumed."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from typing import Any, Protocol
from urllib.parse import urljoin, urlsplit

from fewbits.errors import SourceError
from fewbits.sources import retry
from fewbits.sources.file import shown
from fewbits.sources.http_errors import StatusError
from fewbits.sources.ranges import content_range

__all__ = ["HttpRanges", "Ranges", "Response"]

REDIRECTS = 10
MOVED = (301, 302, 303, 307, 308)
EXPIRED = (400, 401, 403, 404, 410)  # what a signed address answers when its time is over
ENOUGH = 1 << 16  # bytes that a broken transfer must have brought not to count as a failure
LINKED = "x-linked-etag"  # the hub's name for the version of a file that it redirects to


class Ranges(Protocol):
    """Where bytes of one file come from; `whole`: only from the start on, as it has turned out."""

    whole: bool

    def fetch_into(self, begin: int, target: memoryview) -> None:
        """Fill `target` with the bytes from `begin` on; raises `SourceError`; from any thread."""
        ...

    def sweep(self, size: int, put: Callable[[int, bytearray], None]) -> None:
        """Hand all bytes on, in pieces of `size` and where each begins."""
        ...


class Response(Protocol):
    """The part of the HTTP library's responses that is used here."""

    status_code: int
    headers: Any

    def iter_raw(self) -> Iterator[bytes]:
        """The body as it comes."""
        ...

    def read(self) -> bytes:
        """The whole body."""
        ...


class HttpRanges:
    """A file behind a URL, `size` bytes long (None until `open` has asked).

    The token goes to the URL's own host only. Where redirects led is asked again until it no longer answers. `version` is
    what the server called the content; another one, or another size, is an error. `check` raises for error answers,
    `explained` turns whatever went wrong into a `SourceError`, `count(bytes, requests)` is told what was moved.
    """

    def __init__(
        self,
        url: str,
        where: str,
        *,
        size: int | None = None,
        linked: str = "",
        token: str | None = None,
        timeout: float = 10.0,
        count: Callable[[int, int], None] = lambda moved, requests: None,
        check: Callable[[Any], None] | None = None,
        explained: Callable[[], AbstractContextManager[None]] = nullcontext,
    ) -> None:
        self.url, self.where, self.size = url, where, size
        self.version, self.whole = "", False
        self._linked, self._token, self._timeout = linked, token, timeout
        self._count, self._check, self._explained = count, check or _refuse, explained
        self._location = ""  # where redirects led
        self._versions: dict[str, str] = {}  # by host

    def open(self, first: int) -> bytes:
        """At most `first` bytes from the start; `size` and `version` are known then; raises `SourceError`."""
        with self._explained():
            return retry.retried(lambda: self._first(first))

    def fetch_into(self, begin: int, target: memoryview) -> None:
        """Fill `target` with the bytes from `begin` on; a broken transfer goes on where it broke."""
        done = failures = 0
        with self._explained():
            while done < len(target):
                before = done
                try:
                    for piece in self._pieces(begin + done, begin + len(target)):
                        target[done : done + len(piece)] = piece
                        done += len(piece)
                    if done == before:
                        raise retry.Broken("the answer was empty")
                except Exception as error:
                    self._location = ""  # perhaps it is only that one which fails
                    failures = 0 if done - before >= ENOUGH else failures
                    if not retry.transient(error) or not retry.wait(failures, error):
                        raise
                    failures += 1

    def sweep(self, size: int, put: Callable[[int, bytearray], None]) -> None:
        """Hand all bytes on, in pieces of `size` and where each begins: one transfer, unless it breaks."""
        done = failures = 0
        total = self.size or 0
        with self._explained():
            while done < total:
                before, held = done, bytearray()
                try:
                    for piece in self._pieces(done, total):
                        held += piece
                        if len(held) >= size or done + len(held) == total:
                            put(done, held)
                            done, held = done + len(held), bytearray()
                    if done < total:
                        raise retry.Broken("the transfer ended early")
                except Exception as error:
                    failures = 0 if done > before else failures
                    if not retry.transient(error) or not retry.wait(failures, error):
                        raise
                    failures += 1

    def _first(self, first: int) -> bytes:
        content = bytearray()
        with self._answer(0, first) as (response, host):
            if response.status_code == 416:  # an empty file has no first byte
                self.size = 0
                return b""
            length = response.headers.get("content-length", "")
            found = content_range(response.headers.get("content-range", "")) if response.status_code == 206 else None
            size = found[2] if found else int(length) if length.isdecimal() and response.status_code == 200 else None
            if size is None:
                raise SourceError(f"{self.where}: the server does not say how long the file is")
            self.size = size
            self._begin(response, host, 0, first)
            for piece in self._body(response, 0, min(first, size)):
                content += piece
        if len(content) < min(first, size):
            raise retry.Broken("the transfer ended early")
        return bytes(content)

    def _pieces(self, begin: int, end: int) -> Iterator[bytes]:
        """The bytes begin ≤ b < end, as far as one answer holds them."""
        with self._answer(begin, end) as (response, host):
            if response.status_code == 416:
                raise self._changed("it has become shorter")
            yield from self._body(response, begin - self._begin(response, host, begin, end), end - begin)

    def _begin(self, response: Response, host: str, begin: int, end: int) -> int:
        """The first byte that an answer holds: 0 where the server has no ranges; raises for a wrong answer."""
        headers = response.headers
        if headers.get("content-encoding", "identity").lower() not in ("", "identity"):
            raise SourceError(f"{self.where}: the server sends it compressed, whatever is asked for")
        self._same_version(host, headers.get("etag") or headers.get("last-modified") or "")
        if response.status_code == 206:
            found = content_range(headers.get("content-range", ""))
            if found and found[2] not in (None, self.size):
                raise self._changed(f"from {self.size:,} to {found[2]:,} bytes")
            if not found or found[0] != begin or found[1] > end:
                got = shown(headers.get("content-range", "no range"))
                raise retry.Broken(f"the server sent {got} when asked for bytes {begin}-{end - 1}")
            return begin
        self.whole = self.whole or end - begin < (self.size or 0)
        length = headers.get("content-length", "")
        if length.isdecimal() and int(length) != self.size:
            raise self._changed(f"from {self.size:,} to {int(length):,} bytes")
        return 0

    def _body(self, response: Response, skipped: int, size: int) -> Iterator[bytes]:
        """At most `size` bytes of a body after `skipped` ones, as they come: nothing is held."""
        for piece in response.iter_raw():
            self._count(len(piece), 0)
            if skipped >= len(piece):
                skipped -= len(piece)
                continue
            piece, skipped = piece[skipped : skipped + size], 0
            size -= len(piece)
            yield piece
            if not size:
                return

    @contextmanager
    def _answer(self, begin: int, end: int) -> Iterator[tuple[Response, str]]:
        """The answer to a range request, and whose; redirects followed; an address that no longer answers is found anew."""
        from huggingface_hub import get_session

        url, remembered = self._location or self.url, bool(self._location)
        for _ in range(REDIRECTS):
            headers, session = self._headers(url, begin, end), get_session()
            self._count(0, 1)
            with session.stream("GET", url, headers=headers, timeout=self._timeout, follow_redirects=False) as response:
                if response.status_code in MOVED and response.headers.get("location"):
                    self._same_linked(response.headers.get(LINKED, ""))
                    url = self._next(url, response.headers["location"])
                    continue
                if remembered and response.status_code in EXPIRED:
                    self._location, url, remembered = "", self.url, False
                    continue
                if response.status_code != 416:
                    self._check(response)
                self._location = url if url != self.url else ""
                yield response, _origin(url)
                return
        raise SourceError(f"{self.where}: redirected more than {REDIRECTS} times")

    def _headers(self, url: str, begin: int, end: int) -> dict[str, str]:
        headers = {"Range": f"bytes={begin}-{end - 1}", "Accept-Encoding": "identity"}
        version = self._versions.get(_origin(url), "")
        if version and not version.startswith("W/"):
            headers["If-Range"] = version
        if self._token and _origin(url) == _origin(self.url):
            headers["Authorization"] = f"Bearer {self._token}"
        return headers

    def _next(self, url: str, location: str) -> str:
        found = urljoin(url, location)
        scheme = urlsplit(found).scheme
        if scheme not in ("http", "https") or (scheme == "http" and urlsplit(url).scheme == "https"):
            raise SourceError(f"{self.where}: redirected from {urlsplit(url).scheme} to {shown(scheme, 20)}, refused")
        return found

    def _same_version(self, host: str, version: str) -> None:
        """The version (ETag, else date of change) stays what the host said first."""
        known = self._versions.setdefault(host, version)
        if version and known and version != known:
            raise self._changed("since its header was read")
        self.version = self.version or version

    def _same_linked(self, version: str) -> None:
        """The version that the hub listed is the one it redirects to."""
        if self._linked and version and _bare(version) != _bare(self._linked):
            raise self._changed("since it was listed")

    def _changed(self, how: str) -> SourceError:
        return SourceError(f"{self.where}: changed on the server, {how}")


def _refuse(response: Response) -> None:
    if response.status_code >= 400:
        raise StatusError(response)


def _origin(url: str) -> str:
    split = urlsplit(url)
    return f"{split.scheme}://{split.hostname}:{split.port}"


def _bare(version: str) -> str:
    """An ETag without quotes and without the mark of weak ones."""
    return version.strip().removeprefix("W/").strip('"')
