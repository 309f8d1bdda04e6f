"""The bundled sample: a few real tensors that need no network (see data/sample/NOTICE)."""

from __future__ import annotations

from importlib.resources import files

from fewbits.sources.local import open_local
from fewbits.sources.source import Source

__all__ = ["NAME", "open_sample"]

NAME = "sample"
FILE = "data/sample/all-minilm-l6-v2-part.safetensors"


def open_sample() -> Source:
    """The tensors of the sample."""
    found = open_local(str(files("fewbits").joinpath(FILE)))
    return Source(uri=NAME, title=NAME, tensors=list(found.tensors), files=list(found.files))
