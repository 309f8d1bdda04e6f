"""Lists of tensor names: one a line, `name` or `name | label`; blank lines and those that begin with # do not count (S-025)."""

from __future__ import annotations

from dataclasses import dataclass
from importlib.resources import files
from pathlib import Path

from fewbits.errors import SourceError, UsageError

__all__ = ["Wanted", "parse_names", "read_names", "shipped"]

LARGEST = 100_000_000  # bytes


@dataclass(frozen=True)
class Wanted:
    """A tensor's name, and what to call it in pictures ("" is the name)."""

    name: str
    label: str = ""


def read_names(path: str) -> list[Wanted]:
    """The list in a file, or the shipped list of that name; raises `SourceError`."""
    try:
        if not Path(path).exists() and path in shipped():
            return parse_names(files(__package__).joinpath("lists", f"{path}.txt").read_text("utf-8"), path)
        if Path(path).stat().st_size > LARGEST:
            raise SourceError(f"{path}: too long for a list of names, at most {LARGEST:,} bytes are read")
        return parse_names(Path(path).read_text("utf-8-sig"), path)
    except OSError as error:
        also = f"; shipped lists are {', '.join(shipped())}" if isinstance(error, FileNotFoundError) else ""
        raise SourceError(f"{path}: {(error.strerror or str(error)).lower()}{also}") from error
    except ValueError as error:
        raise SourceError(f"{path}: not a list of names, it is not UTF-8 text") from error


def parse_names(text: str, where: str) -> list[Wanted]:
    """The names of a list, each once, in its order; UsageError where there is none (S-032)."""
    lines = [line.strip() for line in text.splitlines()]
    pairs = [line.partition("|") for line in lines if line and not line.startswith("#")]
    found: dict[str, str] = {}
    for name, _, label in pairs:
        if name.strip():
            found.setdefault(name.strip(), label.strip())
    if not found:
        raise UsageError(f"{where}: no tensor names in it; one a line is allowed, or 'name | label'")
    return [Wanted(name, label) for name, label in found.items()]


def shipped() -> list[str]:
    """The names of the lists that come with fewbits."""
    return sorted(f.name.removesuffix(".txt") for f in files(__package__).joinpath("lists").iterdir())
