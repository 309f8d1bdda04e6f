"""The README's sessions are what the commands print: check them, or write them again.

A session is a fenced block marked `console`: a line `$ fewbits …` and below it the output. In the README `…` stands for
anything within a line, and a line that is only `…` for any number of lines (times, rates, rows left out).
A picture of the README that has the name of a file that a session writes is that file.

    python tools/readme.py --check    differences, exit code 1
    python tools/readme.py            writes the output and pictures of sessions that differ; put `…` where it varies
"""

from __future__ import annotations

import difflib
import os
import re
import shlex
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

README = Path(__file__).parents[1] / "README.md"
WIDTH = 100
SHIFT = (
    3.0  # pixels that something in a picture may be moved by: texts are as wide as the fonts of the machine make them
)
SESSION = re.compile(r"^```console\n(.*?)^```$", re.MULTILINE | re.DOTALL)
COMMAND = re.compile(r"^\$ (.+)\n", re.MULTILINE)
PICTURE = re.compile(r"!\[[^]]*\]\((docs/images/[^)]+\.svg)\)")
NUMBER = re.compile(r"-?[0-9]+(?:\.[0-9]+)?")


@dataclass(frozen=True)
class Step:
    """One command of a session and the output that the README shows for it."""

    command: str
    shown: str


def steps(text: str) -> Iterator[Step]:
    """Every command in the `console` blocks of a page, in order."""
    for block in SESSION.finditer(text):
        parts = COMMAND.split(block[1])
        for command, shown in zip(parts[1::2], parts[2::2], strict=True):
            yield Step(command, shown)


def run(command: str, folder: Path) -> str:
    """Standard output of a `fewbits` command line in `folder`, without colour, 100 columns wide; raises on failure."""
    program, *arguments = shlex.split(command, comments=True)
    if program != "fewbits":
        raise SystemExit(f"README: only fewbits commands can be shown, not {program!r}")
    environment = os.environ | {"NO_COLOR": "1", "COLUMNS": str(WIDTH), "TERM": "dumb", "PYTHONUTF8": "1"}
    executable = Path(sys.executable).with_name("fewbits")
    done = subprocess.run(
        [executable, *arguments], cwd=folder, env=environment, capture_output=True, text=True, check=False
    )
    if done.returncode:
        raise SystemExit(f"$ {command}\nexit code {done.returncode}\n{done.stderr}")
    return "\n".join(line.rstrip() for line in done.stdout.strip("\n").splitlines()) + "\n"


def matches(shown: str, printed: str) -> bool:
    """Whether the output is what is shown, `…` standing for anything."""
    pattern = "".join(
        r"(?:.*\n)*?" if line.strip() == "…" else re.escape(line.rstrip()).replace("…", ".*") + r"[ ]*\n"
        for line in shown.strip("\n").splitlines()
    )
    return re.fullmatch(pattern, printed) is not None


def pictures(text: str, folder: Path) -> Iterator[tuple[Path, Path]]:
    """(picture of the README, the file of the same name that a session wrote into `folder`)."""
    for name in PICTURE.findall(text):
        shown = README.parent / name
        if (folder / shown.name).exists():
            yield shown, folder / shown.name


def same(shown: Path, made: Path) -> bool:
    """Whether two SVG files are one picture: the same but for positions, and those not moved by more than `SHIFT`."""
    if not shown.exists():
        return False
    old, new = shown.read_text(), made.read_text()
    if NUMBER.split(old) != NUMBER.split(new):
        return False
    return all(abs(float(a) - float(b)) <= SHIFT for a, b in zip(NUMBER.findall(old), NUMBER.findall(new), strict=True))


def main(arguments: list[str]) -> int:
    """Exit code: 0 when every session is current or was written, 1 when --check found a difference."""
    check = "--check" in arguments
    page = README.read_text()
    stale = 0
    with tempfile.TemporaryDirectory() as folder:
        for step in steps(page):
            printed = run(step.command, Path(folder))
            if matches(step.shown, printed):
                continue
            stale += 1
            if check:
                shown, new = step.shown.splitlines(), printed.splitlines()
                print(*difflib.unified_diff(shown, new, "README.md", step.command, lineterm=""), sep="\n")
            page = page.replace(f"$ {step.command}\n{step.shown}", f"$ {step.command}\n{printed}")
        for picture, made in pictures(page, Path(folder)):
            if not same(picture, made):
                stale += 1
                print(f"{picture.name} is not what the README's command draws")
                if not check:
                    picture.write_bytes(made.read_bytes())
    if check:
        print(f"README.md: {stale} sessions or pictures differ" if stale else "README.md is current")
        return 1 if stale else 0
    README.write_text(page)
    print(f"README.md: {stale} sessions or pictures written")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
