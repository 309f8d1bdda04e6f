"""fewbits: how few bits can each tensor take, in which number format, and what does it cost?

A format is an element type, optionally cut into blocks whose scales are themselves an array in some format.
"""

from __future__ import annotations

from importlib import import_module

TYPE_CHECKING = False  # not from typing: the command line is to be ready for Ctrl-C as soon as it can
if TYPE_CHECKING:
    from typing import Any

    from fewbits.catalog import format
    from fewbits.comparison import measure
    from fewbits.encoded import Encoded
    from fewbits.formats import Format
    from fewbits.sources import open_source
    from fewbits.spec import parse
    from fewbits.verbs import bits, decode, encode, quantize

_HOMES = {
    "Encoded": "encoded",
    "Format": "formats",
    "bits": "verbs",
    "decode": "verbs",
    "encode": "verbs",
    "format": "catalog",
    "measure": "comparison",
    "open_source": "sources",
    "parse": "spec",
    "quantize": "verbs",
}

__all__ = ["Encoded", "Format", "bits", "decode", "encode", "format", "measure", "open_source", "parse", "quantize"]


def __getattr__(name: str) -> Any:
    if name == "__version__":
        return import_module("importlib.metadata").version("fewbits")
    if name not in _HOMES:
        raise AttributeError(f"module 'fewbits' has no attribute '{name}'")
    return getattr(import_module(f"fewbits.{_HOMES[name]}"), name)


def __dir__() -> list[str]:
    return [*__all__, "__version__"]
