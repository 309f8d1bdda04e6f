"""A run directory that is being written: look a measurement up, or append it."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping, Sequence
from hashlib import sha256
from pathlib import Path
from types import TracebackType
from typing import Any

from fewbits.errors import DataError, FewbitsError
from fewbits.profile import Profile
from fewbits.run import provenance
from fewbits.run.profiles import Covered
from fewbits.run.records import Appender, Place, lines, lock_directory, record_at, record_files, written
from fewbits.table import Record

__all__ = ["RunDirectory", "default_path"]

SAME = ("model", "revision")  # what every measurement of a run has in common


def default_path(model: str, selection: str, facts: Mapping[str, Any], root: Path = Path("results")) -> Path:
    """results/<org>__<name>/<selection>-<hash of the facts>: the same command finds its run again, another does not.

    `facts` name what is measured (place, resolved revision, filter, limit, sampling, seed), not how or in which
    formats: formats asked for later join the run.
    """
    digest = sha256(json.dumps(facts, sort_keys=True, default=str).encode()).hexdigest()[:8]
    return root / (_safe(model.replace("/", "__")) or "model") / f"{_safe(selection)[:40] or 'all'}-{digest}"


class RunDirectory:
    """The records of a run by key, and a file of this process alone to append to. Use it as a context manager."""

    def __init__(self, path: Path, facts: Mapping[str, Any], formats: Iterable[tuple[str, str, float]]) -> None:
        """`facts` go to run.json (`model`, `revision` as in a run that exists); formats: typed, spec, bits."""
        self.path = path
        rows = [{"format": typed, "spec": spec, "bits": bits} for typed, spec, bits in formats]
        try:
            _check(path, facts)
            path.mkdir(parents=True, exist_ok=True)
            provenance.update(path, dict(facts), rows)
            self._appender = Appender(path)
        except OSError as error:
            raise FewbitsError(
                f"cannot write the run directory {path}: {error.strerror or error}; -o names another"
            ) from error
        self._places: dict[str, Place] = {}
        self._read: dict[Path, int] = {}
        self._newest: dict[str, tuple[float, str]] = {}
        self._covered = Covered(path)
        self.refresh()

    def __enter__(self) -> RunDirectory:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._appender.close()

    def __len__(self) -> int:
        return len(self._places)

    def __contains__(self, key: object) -> bool:
        return key in self._places

    @property
    def worker(self) -> str:
        """The name of this process among those at work in the directory: "0" when it is alone."""
        return self._appender.worker

    def refresh(self) -> None:
        """Take note of what other processes have appended since."""
        for path in record_files(self.path):
            start = self._read.get(path, 0)
            for place, data in lines(path, start):
                self._places[str(data["key"])] = place
                self._note(str(data.get("tensor")), written(data), str(data.get("identity")))
                start = place.start + place.length + 1
            self._read[path] = start
        self._covered.refresh()

    def get(self, key: str) -> Record | None:
        """The measurement of that key, or None."""
        place = self._places.get(key)
        try:
            return record_at(place) if place else None
        except (OSError, DataError):
            return None

    def append(self, records: Sequence[Record]) -> None:
        """Keep measurements: on return a kill of the process does not lose them."""
        for record, place in zip(records, self._appender.append(records), strict=True):
            self._places[record.key] = place
            self._note(record.tensor, record.time, record.identity)

    def identity(self, tensor: str) -> str:
        """The identity in the newest record of a tensor of that name, "" when there is none: its bytes that count."""
        return self._newest.get(tensor, (0.0, ""))[1]

    def profiled(self, key: str) -> frozenset[str]:
        """The specs that the profile of a key covers."""
        return self._covered.of(key)

    def append_profile(self, profile: Profile) -> None:
        """Keep a profile."""
        self._appender.append_profile(profile)
        self._covered.add(profile)

    def _note(self, tensor: str, time: float, identity: str) -> None:
        if tensor not in self._newest or self._newest[tensor][0] <= time:
            self._newest[tensor] = (time, identity)


def _check(path: Path, facts: Mapping[str, Any]) -> None:
    if path.exists() and not path.is_dir():
        raise FewbitsError(f"the run directory {path} is a file; -o names a directory")
    if path.is_dir():
        with lock_directory(path):  # another process may be about to write the first file
            _check_content(path, facts)


def _check_content(path: Path, facts: Mapping[str, Any]) -> None:
    if not any(path.iterdir()):
        return
    if not (path / provenance.RUN_FILE).exists() and not record_files(path):
        raise FewbitsError(
            f"{path} holds other files and no fewbits run; -o names a new directory or a run to continue"
        )
    if (path / provenance.RUN_FILE).exists():
        found = provenance.read(path)
        for name in SAME:
            if name in found and found[name] != facts.get(name):
                raise FewbitsError(
                    f"{path} is a run with {name} '{found[name]}', not '{facts.get(name)}'; -o names another directory"
                )


def _safe(text: str) -> str:
    return re.sub(r"[^A-Za-z0-9._-]+", "_", text).strip("._")
