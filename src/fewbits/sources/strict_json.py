"""JSON from strangers: one object, no surprises."""

from __future__ import annotations

import json
import reprlib
from typing import NoReturn, TypeAlias

from fewbits.errors import SourceError
from fewbits.sources.file import shown

__all__ = ["Json", "parse_json", "quoted"]

Json: TypeAlias = "bool | int | float | str | list[Json] | dict[str, Json] | None"


def parse_json(text: bytes, where: str) -> dict[str, Json]:
    """The object in `text`: UTF-8, no name twice, no NaN, no depth that overflows; raises `SourceError`."""
    try:
        content = json.loads(text.decode("utf-8"), object_pairs_hook=_unique, parse_constant=_no_constant)
        if b"\\ud" in text.lower():  # the only way to half a character, which no terminal or file could take
            json.dumps(content, ensure_ascii=False).encode("utf-8")
    except UnicodeError as error:
        raise SourceError(f"{where} is not UTF-8: {shown(str(error))}") from error
    except RecursionError as error:
        raise SourceError(f"{where} is nested too deeply") from error
    except ValueError as error:  # JSONDecodeError, and integers of more digits than Python reads
        raise SourceError(f"{where} is not JSON: {shown(str(error))}") from error
    if not isinstance(content, dict):
        raise SourceError(f"{where} is {quoted(content)}, not a JSON object")
    return content


def quoted(value: object) -> str:
    """A value from a file as printable text on one line; never long, whatever the value is."""
    return shown(_BRIEF.repr(value))


class _Brief(reprlib.Repr):
    def repr_int(self, x: int, level: int) -> str:
        """Python itself refuses to write out integers of thousands of digits, which hexadecimal ones may have."""
        return super().repr_int(x, level) if x.bit_length() <= 1 << 10 else f"integer of {x.bit_length():,} bits"


_BRIEF = _Brief()
_BRIEF.maxstring, _BRIEF.maxlong, _BRIEF.maxlist, _BRIEF.maxlevel, _BRIEF.maxother = 120, 40, 6, 2, 120


def _unique(pairs: list[tuple[str, Json]]) -> dict[str, Json]:
    content: dict[str, Json] = {}
    for name, value in pairs:
        if name in content:
            raise ValueError(f"{quoted(name)} stands there twice")
        content[name] = value
    return content


def _no_constant(text: str) -> NoReturn:
    raise ValueError(f"{text} is not a JSON number")
