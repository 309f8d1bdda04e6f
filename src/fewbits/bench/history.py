"""The figures of earlier versions: one line of JSON a run."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from fewbits.bench.row import Row
from fewbits.run.provenance import now

__all__ = ["append"]


def append(path: Path, rows: Sequence[Row], facts: dict[str, Any], folder: Path) -> None:
    """Add a run to a history file: date, commit of the checkout in `folder` ("" outside one), machine, versions, every figure."""
    line = {"date": now(), "commit": _commit(folder)} | facts | {"rows": [row.record() for row in rows]}
    with path.open("a", encoding="utf-8") as file:
        file.write(json.dumps(line) + "\n")


def _commit(folder: Path) -> str:
    """The commit, with + where files differ from it."""
    try:
        commit = _git(folder, "rev-parse", "--short=12", "HEAD")
        return commit + ("+" if _git(folder, "status", "--porcelain", "--untracked-files=no") else "")
    except (OSError, subprocess.CalledProcessError):
        return ""


def _git(folder: Path, *arguments: str) -> str:
    return subprocess.run(["git", *arguments], cwd=folder, capture_output=True, text=True, check=True).stdout.strip()
