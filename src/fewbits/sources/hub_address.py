"""Names and URLs of models on the hub."""

from __future__ import annotations

import os
import re
from dataclasses import dataclass
from urllib.parse import unquote, urlsplit

from fewbits.errors import SourceError
from fewbits.sources.file import shown

__all__ = ["Address", "is_hub_url", "parse_hub_address"]

HOSTS = ("huggingface.co", "hf.co")
MODELS, OTHERS = (
    ("models", "model"),
    ("datasets", "spaces", "buckets", "kernels", "collections", "papers", "docs", "api"),
)
TAILS = ("tree", "blob", "resolve", "raw", "commit", "commits", "discussions")
WITH_PATH = ("tree", "blob", "resolve", "raw")
PART = r"[A-Za-z0-9_](?:[A-Za-z0-9_.-]{0,94}[A-Za-z0-9_])?"


@dataclass(frozen=True)
class Address:
    """A model on the hub: org/name, the revision asked for ("" is the default branch), a file or folder in it or ""."""

    repository: str
    revision: str = ""
    path: str = ""

    def __str__(self) -> str:
        at = f"@{self.revision}" if self.revision else ""
        return f"{self.repository}{at}" + (f"/{self.path}" if self.path else "")


def parse_hub_address(text: str, revision: str | None = None) -> Address | None:
    """The address in `org/name`, `org/name@revision`, `hf://…` or a hub URL; None where the text is none of these.

    `SourceError` for addresses of other things, and where `revision` contradicts the one inside.
    """
    text = text.strip()
    scheme, separator, rest = text.partition("://")
    if not separator:
        head = text.split("/", 1)[0].lower()
        if head.removeprefix("www.") in _hosts() and "/" in text:
            return _checked(_from_url(text, f"https://{text}"), revision, text)
        plain = re.fullmatch(rf"/*({PART}/{PART})/*(?:@(.+))?", text)
        return _checked(Address(plain[1], plain[2] or ""), revision, text) if plain else None
    if scheme.lower() == "hf":
        return _checked(_from_hf(text, rest), revision, text)
    if scheme.lower() in ("http", "https"):
        return _checked(_from_url(text, text), revision, text)
    return None


def is_hub_url(text: str) -> bool:
    """Whether the text is a URL of one of the hub's hosts."""
    try:
        split = urlsplit(text)
        return split.scheme in ("http", "https") and (split.hostname or "").removeprefix("www.") in _hosts()
    except ValueError:
        return False


def _from_hf(text: str, rest: str) -> Address:
    """hf://[models/]org/name[@revision][/path]; a revision with a slash is written %2F, but for refs/pr/N."""
    parts = [part for part in rest.split("/") if part]
    if parts and parts[0] in OTHERS:
        raise SourceError(f"{shown(text)}: {parts[0]} hold no models; allowed is hf://org/name")
    parts = parts[1:] if parts and parts[0] in MODELS else parts
    count = 1 if parts and "@" in parts[0] else 2
    repository, _, first = "/".join(parts[:count]).partition("@")
    revision, path = _split_revision([first, *parts[count:]]) if first else ("", "/".join(parts[count:]))
    return Address(repository, revision, path)


def _from_url(text: str, url: str) -> Address:
    try:
        split = urlsplit(url)
        host = (split.hostname or "").removeprefix("www.")
    except ValueError as error:
        raise SourceError(f"{shown(text)}: not a URL ({error})") from error
    if host not in _hosts():
        raise SourceError(f"{shown(text)}: host '{shown(host)}' is not the hub; allowed are {', '.join(HOSTS)}")
    parts = [part for part in split.path.split("/") if part]
    if parts and parts[0] in OTHERS:
        raise SourceError(f"{shown(text)}: {parts[0]} hold no models; allowed is https://{host}/org/name")
    parts = parts[1:] if parts and parts[0] in MODELS else parts
    cut = next((i for i, part in enumerate(parts) if i and part in TAILS), len(parts))
    repository, tail = "/".join(parts[: min(cut, 2)]), parts[cut:]
    if len(tail) < 2 or tail[0] == "discussions":
        return Address(repository)
    revision, path = _split_revision(tail[1:])
    return Address(repository, revision, path if tail[0] in WITH_PATH else "")


def _split_revision(parts: list[str]) -> tuple[str, str]:
    """(revision, path): one part, or three of refs/pr/N and refs/convert/NAME."""
    count = 3 if parts[0] == "refs" else 1
    return "/".join(map(unquote, parts[:count])), "/".join(map(unquote, parts[count:]))


def _checked(address: Address, revision: str | None, text: str) -> Address:
    if not re.fullmatch(rf"{PART}(/{PART})?", address.repository) or re.search(r"\.\.|--", address.repository):
        name = shown(address.repository)
        raise SourceError(f"{shown(text)}: '{name}' is no name of a model on the hub; allowed is org/name")
    if revision and address.revision and revision != address.revision:
        raise SourceError(f"{shown(text)}: revision '{address.revision}' inside, but '{shown(revision)}' asked for")
    asked = revision or address.revision
    if asked and (
        not re.fullmatch(r"[\w.+-][\w.+/-]{0,249}", asked) or ".." in asked or "//" in asked or asked[0] in "-."
    ):
        raise SourceError(f"{shown(text)}: revision '{shown(asked)}' is no name of a branch, tag or commit")
    return Address(address.repository, asked, address.path)


def _hosts() -> tuple[str, ...]:
    """The hub's hosts, and that of HF_ENDPOINT."""
    try:
        own = urlsplit(os.environ.get("HF_ENDPOINT", "")).hostname
    except ValueError:
        own = None
    return (*HOSTS, own) if own else HOSTS
