"""Ctrl-C: exit code 130 and one line on stderr, never a traceback, whenever it comes."""

from __future__ import annotations

import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from fewbits.run.records import record_files

SCAN = ("scan", "synthetic:normal/4096x4096?seed=1", "-o", "r", "-j", "2", "-f", "all", "-f", "nvfp4-mse")


def interrupted(when: str, folder: Path, *arguments: str) -> tuple[int, list[str]]:
    """Exit code and stderr of a command that gets SIGINT while it imports the module `when`."""
    command = [sys.executable, "-X", "importtime", "-m", "fewbits", *(arguments or SCAN)]
    with subprocess.Popen(command, cwd=folder, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True) as process:
        assert process.stderr is not None
        lines: list[str] = []
        for line in process.stderr:  # importtime writes a line as each module is there
            if line.startswith("import time:") and line.rsplit("|", 1)[-1].strip() == when:
                process.send_signal(signal.SIGINT)
            if not line.startswith("import time:"):
                lines.append(line.rstrip())
        process.wait(timeout=120)
    return process.returncode, lines


@pytest.mark.parametrize(
    "when", ["typer", "fewbits.cli.options", "fewbits.errors", "numpy", "numba", "fewbits.scan.loop"]
)
def test_while_it_starts(when: str, tmp_path: Path) -> None:
    code, lines = interrupted(when, tmp_path)
    assert code == 130
    assert len(lines) == 1, lines
    assert lines[0].startswith("fewbits: interrupted")


@pytest.mark.parametrize("delay", [0.0, 0.3, 1.0])
def test_while_it_measures(delay: float, tmp_path: Path) -> None:
    command = [sys.executable, "-m", "fewbits", *SCAN]
    with subprocess.Popen(command, cwd=tmp_path, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        deadline = time.monotonic() + 120
        while not record_files(tmp_path / "r") and process.poll() is None and time.monotonic() < deadline:
            time.sleep(0.005)
        time.sleep(delay)
        process.send_signal(signal.SIGINT)
        _, errors = process.communicate(timeout=120)
    if process.returncode == 0:
        pytest.skip("this machine was done before it was interrupted")
    told = [line for line in errors.splitlines() if "compiling" not in line]
    assert process.returncode == 130, errors
    assert len(told) == 1, errors
    assert told[0].startswith("fewbits: interrupted")
