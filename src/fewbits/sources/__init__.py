"""Where tensors come from: files of this machine, the hub, URLs, object stores, seeded generators, the bundled sample."""

from __future__ import annotations

import os
from urllib.parse import urlsplit

from fewbits.errors import SourceError, kind_of
from fewbits.sources.array import tensor_of
from fewbits.sources.containers import SUFFIXES
from fewbits.sources.file import shown
from fewbits.sources.fsspec_file import is_fsspec, open_fsspec
from fewbits.sources.hub_address import is_hub_url, parse_hub_address
from fewbits.sources.index import INDEX_SUFFIX, TORCH_INDEX
from fewbits.sources.local import open_local
from fewbits.sources.sample import NAME, open_sample
from fewbits.sources.select import matches, select
from fewbits.sources.source import Source
from fewbits.sources.synthetic import SCHEME, open_synthetic
from fewbits.sources.url import is_file_url, open_url

__all__ = ["Source", "matches", "open_source", "select", "tensor_of"]

ALLOWED = (
    "a file or folder of tensors (safetensors, GGUF, torch, numpy, ONNX), org/name, hf://org/name@revision, "
    "https://huggingface.co/org/name, "
    "https://host/file.safetensors, s3://bucket/folder, "
    f"{SCHEME}normal/1024x4096?seed=0, or {NAME}"
)


def open_source(
    uri: str | os.PathLike[str],
    *,
    revision: str | None = None,
    cache_dir: str | os.PathLike[str] | None = None,
    token: str | None = None,
) -> Source:
    """The tensors of a model by its headers; nothing else is read before `Tensor.read`; raises `SourceError`.

    `uri`: a path that exists wins; else `sample`, `synthetic:…`, a hub id or URL, the URL of a file, or one of fsspec's.
    What is fetched is kept below `cache_dir`. `revision` (branch, tag, commit) and `token` are for the hub; the token is by
    default HF_TOKEN, else that of the stored login.
    """
    text = _text(uri)
    if path := _path(text):
        return _without_revision(open_local(path), revision)
    text = text.strip()
    if text == NAME:
        return _without_revision(open_sample(), revision)
    if text.startswith(SCHEME):
        return _without_revision(open_synthetic(text), revision)
    if text.lower().startswith("file://"):
        return _without_revision(open_local(_local_path(text)), revision)
    if not is_hub_url(text) and is_file_url(text):
        return _without_revision(open_url(text, cache_dir), revision)
    if "://" in text and is_fsspec(text):
        return _without_revision(open_fsspec(text, cache_dir), revision)
    address = parse_hub_address(text, revision)
    if address is None:
        what = f"{shown(text)}: no such file or folder, nor a model elsewhere" if text else "no model given"
        raise SourceError(f"{what}; allowed are {ALLOWED}")
    from fewbits.sources.hub import open_hub  # the hub's client is slow to import

    return open_hub(address, cache_dir, token)


def _local_path(url: str) -> str:
    """The path in a file:// URL."""
    from urllib.request import url2pathname

    split = urlsplit(url)
    if split.netloc not in ("", "localhost"):
        raise SourceError(f"{shown(url)}: a file of another machine; allowed is file:///path")
    return url2pathname(split.path)


def _text(uri: object) -> str:
    """A text or path as text; raises `SourceError` for what is neither."""
    text = os.fspath(uri) if isinstance(uri, str | os.PathLike) else None
    if not isinstance(text, str):
        raise SourceError(f"a model is named by a text or a path, not by {kind_of(uri)}; allowed are {ALLOWED}")
    return text


def _path(text: str) -> str | None:
    """The text as a path where there is something of that name, or where it can be nothing else."""
    path = os.path.expanduser(text)
    try:
        exists = os.path.lexists(path)
    except ValueError:  # a NUL in the text
        exists = False
    local = text.startswith(("/", "./", "../", "~")) or (
        text.lower().endswith((*SUFFIXES, INDEX_SUFFIX, TORCH_INDEX)) and "://" not in text
    )
    return path if text and (exists or local) else None


def _without_revision(source: Source, revision: str | None) -> Source:
    """A local or made source; `main`, a repository's default, means what is there."""
    if revision not in (None, "main"):
        raise SourceError(f"revision '{shown(revision)}': {shown(source.uri)} has none, only models on the hub do")
    return source
