"""The catalogue: names for formats, from `catalog.toml`; a name decides nothing but its spec."""

from __future__ import annotations

import difflib
import tomllib
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

from fewbits.element import element
from fewbits.errors import SpecError, UnknownName, UsageError, kind_of
from fewbits.formats import Format
from fewbits.spec import parse


@dataclass(frozen=True)
class Partial:
    """A golden entry that holds but for some rows, and why; `compare` says how the other rows compare, as a list of `Row` does."""

    entry: str
    except_rows: tuple[int, ...]
    reason: str
    compare: str = "golden"


@dataclass(frozen=True)
class Golden:
    """The golden entries that a row must match.

    `golden` in every bit, `golden_value` up to the sign of zero, `golden_codes` in every stored code and scale (the package
    decodes in another order of multiplications, up to four units in the last place away), `golden_mean` once the mean of the
    package is used, `golden_partial` but for some rows; `stored_partial` lists entries whose values hold while stored codes or
    scales differ in some rows.
    """

    name: str
    golden: tuple[str, ...] = ()
    golden_value: tuple[str, ...] = ()
    golden_codes: tuple[str, ...] = ()
    golden_mean: tuple[str, ...] = ()
    golden_partial: tuple[Partial, ...] = ()
    stored_partial: tuple[Partial, ...] = ()

    @property
    def exceptions(self) -> str:
        """Why some rows of some golden entries differ, each reason once."""
        return "; ".join(dict.fromkeys(p.reason for p in self.golden_partial + self.stored_partial))


@dataclass(frozen=True)
class Row:
    """A named format: its spec, title, source, published bits for large tensors, and families."""

    name: str
    spec: str
    title: str
    reference: str
    limit_bits: float
    families: tuple[str, ...] = ()

    @property
    def format(self) -> Format:
        """The format that the spec stands for."""
        return parse(self.spec)

    @property
    def golden(self) -> Golden:
        """What independent software says of the format; read when asked for."""
        return _golden().get(self.name, Golden(self.name))


@cache
def rows() -> tuple[Row, ...]:
    """Every row, in catalogue order."""
    return tuple(Row(**row | {"families": tuple(row["families"])}) for row in _read("catalog.toml")["row"])


@cache
def _read(file: str) -> dict[str, Any]:
    return tomllib.loads((Path(__file__).parent / file).read_text(encoding="utf-8"))


@cache
def _golden() -> dict[str, Golden]:
    found = {}
    for row in _read("golden.toml")["row"]:
        fields: dict[str, Any] = {k: tuple(v) if isinstance(v, list) else v for k, v in row.items()}
        for key in ("golden_partial", "stored_partial"):
            parts = row.get(key, ())
            fields[key] = tuple(Partial(**p | {"except_rows": tuple(p["except_rows"])}) for p in parts)
        found[row["name"]] = Golden(**fields)
    return found


@cache
def groups() -> dict[str, tuple[str, ...]]:
    """Words that stand for several names: the sets of `catalog.toml`, the families, and `catalog` for every row."""
    found = {name: tuple(members) for name, members in _read("catalog.toml")["set"].items()}
    for row in rows():
        for family in row.families:
            found[family] = (*found.get(family, ()), row.name)
    return {**found, "catalog": tuple(row.name for row in rows())}


def format(text: str | Format) -> Format:
    """The `Format` of a catalogue name or a spec, any case, or of itself.

    Raises `SpecError`, `UnknownName` with the nearest names, and `UsageError` for what is no text.
    """
    if isinstance(text, Format):
        return text
    if not isinstance(text, str):
        raise UsageError(f"a format is a catalogue name, a spec or a Format, not {kind_of(text)}")
    word = text.strip()
    row = _by_name().get(word.lower())
    if row is not None:
        return row.format
    if not any(c in word for c in "@:+()"):
        try:
            return parse(word)
        except SpecError:
            raise _reason(word) from None
    return parse(word)


def resolve(texts: Iterable[str | Format]) -> list[tuple[str, Format]]:
    """(text, format) for names, specs, `Format`s and groups such as `all`, `catalog` or `mx`, duplicates removed, order kept."""
    found: dict[Format, str] = {}
    for text in texts:
        if not isinstance(text, str):
            f = format(text)
            found.setdefault(f, name_of(f) or str(f))
            continue
        word = text.strip()
        for name in groups().get(word.lower(), (word,)):
            found.setdefault(format(name), name)
    return [(name, f) for f, name in found.items()]


def name_of(f: Format) -> str | None:
    """The catalogue name of a format, or None."""
    return _by_spec().get(str(f))


def unknown(word: str) -> UnknownName:
    """The error for a word that is neither a name nor a spec."""
    known = [*_by_name(), *groups()]
    near = difflib.get_close_matches(word.lower(), known, n=4, cutoff=0.5)
    hint = f"did you mean {', '.join(near)}? " if near else ""
    return UnknownName(
        f"unknown format '{word}': {hint}names: {', '.join(groups()['all'])}, … (fewbits formats lists all), or a spec such as e2m1@32:e8m0"
    )


def _reason(word: str) -> UsageError:
    """Why one word is no format: an element of a size that is not allowed, else an unknown name."""
    try:
        element(word.lower())
    except UnknownName:
        pass
    except UsageError as error:
        return error
    return unknown(word)


@cache
def _by_name() -> dict[str, Row]:
    return {row.name: row for row in rows()}


@cache
def _by_spec() -> dict[str, str]:
    return {str(row.format): row.name for row in rows()}
