"""The profiles of a run: which are there, and which count."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path

from fewbits.errors import DataError
from fewbits.profile import Profile
from fewbits.run.records import Place, lines, written

__all__ = ["Covered", "profile_files", "profiles"]


class Covered:
    """Which formats the profiles of a run directory cover, by key."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self._read: dict[Path, int] = {}
        self._specs: dict[str, frozenset[str]] = {}
        self._same: dict[
            frozenset[str], frozenset[str]
        ] = {}  # one copy of each set: most tensors have the same formats

    def refresh(self) -> None:
        """Take note of what has been appended since."""
        for path in profile_files(self.directory):
            start = self._read.get(path, 0)
            for place, data in lines(path, start):
                start = place.start + place.length + 1
                try:
                    self.add(Profile.from_data(data))
                except DataError:
                    continue
            self._read[path] = start

    def add(self, profile: Profile) -> None:
        """Take note of a profile."""
        specs = self.of(profile.key) | frozenset(profile.formats)
        self._specs[profile.key] = self._same.setdefault(specs, specs)

    def of(self, key: str) -> frozenset[str]:
        """The specs that the profile of a key covers."""
        return self._specs.get(key, frozenset())


def profile_files(directory: Path) -> list[Path]:
    """The files of profiles in a run directory, sorted by name."""
    return sorted(directory.glob("profiles-*.jsonl"))


def profiles(directory: Path, identities: Mapping[str, str]) -> Iterator[Profile]:
    """The profile of each tensor of these identities that has one, parts joined, in the order of `identities`.

    Of profiles of different samples of rows the one that was made last counts. Lines that are no profile are ignored.
    """
    found: dict[str, list[tuple[float, str, Place]]] = {}
    for path in profile_files(directory):
        for place, data in lines(path):
            tensor, identity = data.get("tensor"), data.get("identity")
            if isinstance(tensor, str) and identity == identities.get(tensor, ""):
                found.setdefault(tensor, []).append((written(data), str(data["key"]), place))
    for tensor in identities:
        parts = [part for *_, place in sorted(found.get(tensor, ())) if (part := _at(place))]
        joined = None
        for part in parts:
            same = joined is not None and joined.key == part.key
            joined = joined.joined(part) if joined is not None and same else part
        if joined is not None:
            yield joined


def _at(place: Place) -> Profile | None:
    with place.path.open("rb") as file:
        file.seek(place.start)
        try:
            return Profile.from_json(file.read(place.length).decode())
        except (DataError, ValueError):
            return None
