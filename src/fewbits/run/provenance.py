"""Where the numbers of a run come from: run.json."""

from __future__ import annotations

import json
import os
import platform
import sys
from datetime import UTC, datetime
from hashlib import sha256
from importlib.metadata import PackageNotFoundError, version
from importlib.resources import files
from pathlib import Path
from typing import Any

from fewbits.errors import FewbitsError
from fewbits.metrics import ARITHMETIC_VERSION
from fewbits.run.records import lock_directory
from fewbits.table import atomic

__all__ = ["RUN_FILE", "hashes", "machine", "now", "read", "update", "versions"]

RUN_FILE = "run.json"
PACKAGES = ("fewbits", "numpy", "numba", "polars")
DATA = ("catalog.toml", "rules.toml", "codebooks.toml")


def now() -> str:
    """The time in UTC, ISO 8601, to the second."""
    return datetime.now(UTC).isoformat(timespec="seconds")


def versions() -> dict[str, str]:
    """Versions of Python and of the packages that numbers may depend on."""
    found = {"python": platform.python_version()}
    for package in PACKAGES:
        try:
            found[package] = version(package)
        except PackageNotFoundError:
            continue
    return found


def machine() -> dict[str, Any]:
    """The kind of machine: system, processor, cores, memory in bytes. Not its name."""
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    return {
        "system": platform.system(),
        "release": platform.release(),
        "processor": _processor(),
        "cores": cores,
        "memory": _memory(),
    }


def hashes() -> dict[str, str]:
    """SHA-256 of the data that gives specs their meaning."""
    return {name: sha256(files("fewbits").joinpath(name).read_bytes()).hexdigest() for name in DATA}


def read(directory: Path) -> dict[str, Any]:
    """The provenance of a run directory; FewbitsError when it is none."""
    path = directory / RUN_FILE
    try:
        data = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise FewbitsError(f"{directory} is not a run directory: it has no {RUN_FILE}") from None
    except (OSError, ValueError) as error:
        raise FewbitsError(f"cannot read {path}: {error}") from error
    if not isinstance(data, dict):
        raise FewbitsError(f"cannot read {path}: not a JSON object")
    return data


def update(directory: Path, facts: dict[str, Any], formats: list[dict[str, Any]]) -> None:
    """Write run.json, or add this command and its formats to it."""
    here = {"versions": versions(), "machine": machine()}
    program = Path(sys.argv[0]).name.replace("__main__.py", "fewbits")
    command = {"command": [program, *sys.argv[1:]], "time": now(), **here}
    with lock_directory(directory):
        exists = (directory / RUN_FILE).exists()
        found = read(directory) if exists else {"created": now(), "formats": [], "commands": []}
        known = {row["spec"]: row for row in [*found.get("formats", []), *formats]}
        data = {**found, **facts, "updated": now(), "arithmetic": ARITHMETIC_VERSION, "formats": list(known.values())}
        data |= {**here, "hashes": hashes(), "commands": [*found.get("commands", []), command]}
        with atomic(directory / RUN_FILE) as file:
            file.write(json.dumps(data, indent=2, ensure_ascii=False).encode("utf-8", "backslashreplace") + b"\n")


def _processor() -> str:
    try:
        for line in Path("/proc/cpuinfo").read_text().splitlines():
            if line.startswith("model name"):
                return line.split(":", 1)[1].strip()
    except OSError:
        pass
    return platform.processor() or platform.machine()


def _memory() -> int:
    try:
        return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    except (AttributeError, ValueError, OSError):
        return 0
