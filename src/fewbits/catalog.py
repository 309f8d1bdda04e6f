"""The catalogue: names for formats, from `catalog.toml`; a name decides nothing but its spec."""

from __future__ import annotations

import difflib
import tomllib
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cache
from importlib.resources import files

from fewbits.errors import SpecError, UnknownName
from fewbits.format import Format
from fewbits.spec import parse


@dataclass(frozen=True)
class Row:
    """A named format: its spec, title, source, published bits, families, and the golden vectors it must match."""

    name: str
    spec: str
    title: str
    reference: str
    limit_bits: float
    families: tuple[str, ...] = ()
    golden: tuple[str, ...] = ()
    golden_value: tuple[str, ...] = ()
    golden_partial: tuple[str, ...] = ()
    exceptions: str = ""

    @property
    def format(self) -> Format:
        """The format that the spec stands for."""
        return parse(self.spec)


@cache
def rows() -> tuple[Row, ...]:
    """Every row, in catalogue order."""
    data = tomllib.loads(files("fewbits").joinpath("catalog.toml").read_text())
    return tuple(Row(**{k: tuple(v) if isinstance(v, list) else v for k, v in row.items()}) for row in data["row"])


@cache
def groups() -> dict[str, tuple[str, ...]]:
    """Words that stand for several names: the sets of `catalog.toml`, the families, and `catalog` for every row."""
    data = tomllib.loads(files("fewbits").joinpath("catalog.toml").read_text())
    found = {name: tuple(members) for name, members in data["set"].items()}
    for row in rows():
        for family in row.families:
            found[family] = (*found.get(family, ()), row.name)
    return {**found, "catalog": tuple(row.name for row in rows())}


def format(text: str) -> Format:
    """The `Format` of a catalogue name (any case) or a spec; raises `SpecError` or `UnknownName` with the nearest names."""
    word = text.strip()
    row = _by_name().get(word.lower())
    if row is not None:
        return row.format
    if not any(c in word for c in "@:+()"):
        try:
            return parse(word)
        except SpecError:
            raise unknown(word) from None
    return parse(word)


def resolve(texts: Iterable[str]) -> list[tuple[str, Format]]:
    """(text, format) for names, specs and groups such as `all`, `catalog` or `mx`, duplicates removed, order kept."""
    found: dict[Format, str] = {}
    for text in texts:
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
    return UnknownName(f"unknown format '{word}': {hint}names: {', '.join(groups()['all'])}, … (fewbits formats lists all), or a spec such as e2m1@32:e8m0")


@cache
def _by_name() -> dict[str, Row]:
    return {row.name: row for row in rows()}


@cache
def _by_spec() -> dict[str, str]:
    return {str(row.format): row.name for row in rows()}
