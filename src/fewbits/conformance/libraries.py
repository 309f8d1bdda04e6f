"""Shared libraries that installed packages bring along."""

from __future__ import annotations

import re
from collections.abc import Iterator
from importlib import metadata

__all__ = ["bundled"]


def bundled(name: str) -> Iterator[tuple[str, str]]:
    """(path, package and version) of every library of a name, whatever its version and ending, in the installed packages."""
    line = re.compile(
        rf"^((?:[^,\n]*/)?(?:lib)?{re.escape(name)}(?:[-.][^,/\n]*)?\.(?:so[.\d]*|dylib|dll)),", re.MULTILINE
    )
    for package in metadata.distributions():
        for path in line.findall(package.read_text("RECORD") or ""):
            yield str(package.locate_file(path)), f"{package.metadata['Name']} {package.version}"
