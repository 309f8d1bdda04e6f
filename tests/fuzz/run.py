"""Fuzzes targets with atheris: `python -m fuzz.run --seconds 60 [target …]`, findings into a folder.

A finding does not end a run: each place in the code is reported once and the smallest input kept. What ends the process
itself (a hang, a crash of the interpreter) the fuzzer leaves as `timeout-…` or `crash-…` in the same folder.
"""

from __future__ import annotations

import argparse
import contextlib
import random
import re
import resource
import subprocess
import sys
import time
import traceback
from pathlib import Path

import atheris  # type: ignore[import-not-found, import-untyped, unused-ignore]

with atheris.instrument_imports(include=["fewbits.sources"]):
    from fuzz.targets import TARGETS, Target

from fuzz.outcome import Finding, outcome, watch

MEMORY = 200 << 20  # bytes that a reader may ask for, beyond those of the fuzzer
HANG = 10  # seconds after which the process is ended; `outcome` complains after two
LARGEST = 10_000  # bytes of an input
MARGIN = 1 << 27  # bytes for the fuzzer's own corpus


def main() -> int:
    """Fuzz each target in a process of its own, again where one died; the number of findings."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("targets", nargs="*", default=[target.name for target in TARGETS])
    parser.add_argument("--seconds", type=float, default=60.0, help="for each target")
    parser.add_argument("--folder", type=Path, default=Path(".fuzz"), help="of corpus and findings")
    parser.add_argument("--one", action="store_true", help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.one:
        _fuzz(next(target for target in TARGETS if target.name == given.targets[0]), given.seconds, given.folder)
        return 0
    for name in given.targets:
        end = time.monotonic() + given.seconds
        while (left := end - time.monotonic()) > 1:
            options = ["--one", f"--seconds={left}", f"--folder={given.folder}"]
            with contextlib.suppress(subprocess.TimeoutExpired):  # its own limit is kept but by a process that is stuck
                subprocess.run([sys.executable, "-m", "fuzz.run", name, *options], check=False, timeout=left + 30)
    found = sorted(path for path in given.folder.glob("findings/*/*") if path.suffix != ".txt")
    for path in found:
        print(path)
    return min(len(found), 100)


def _fuzz(target: Target, seconds: float, folder: Path) -> None:
    corpus, findings = folder / "corpus" / target.name, folder / "findings" / target.name
    for place in (corpus, findings):
        place.mkdir(parents=True, exist_ok=True)
    for number, content in enumerate(target.seeds()):
        (corpus / f"seed{number}").write_bytes(content)
    for other in TARGETS:  # compiles and imports what readers use
        for content in other.seeds():
            outcome(other.read, content)
    words = folder / f"{target.name}.dict"
    words.write_text("".join(map(_word, target.words)))
    state = _State(target, findings)
    options = [
        f"-max_total_time={max(int(seconds), 1)}", f"-timeout={HANG}", f"-max_len={LARGEST}", "-rss_limit_mb=3000",
        f"-artifact_prefix={findings}/", "-print_final_stats=1", *([f"-dict={words}"] if target.words else []), str(corpus),
    ]  # fmt: skip
    mutator = {"custom_mutator": state.mutated} if target.mutator else {}
    atheris.Setup([sys.argv[0], *options], state.tried, **mutator)
    watch()
    _limit_memory()
    atheris.Fuzz()


def _word(word: bytes) -> str:
    escaped = "".join(f"\\x{byte:02x}" for byte in word)
    return f'"{escaped}"\n'


class _State:
    """What one process found."""

    def __init__(self, target: Target, findings: Path) -> None:
        self.target, self.findings = target, findings
        self.smallest: dict[str, int] = {}

    def tried(self, content: bytes) -> None:
        """Look at one input; keep it where it is a finding and the smallest of its place."""
        try:
            outcome(self.target.read, content)
        except Exception as error:
            place = _place(error)
            if len(content) < self.smallest.get(place, LARGEST + 1):
                if place not in self.smallest:
                    print(f"FINDING {self.target.name}: {place}: {str(error)[:300]!r}", file=sys.stderr, flush=True)
                self.smallest[place] = len(content)
                (self.findings / place).write_bytes(content)
                (self.findings / f"{place}.txt").write_text(traceback.format_exc()[-20_000:], errors="replace")

    def mutated(self, data: bytes, most: int, seed: int) -> bytes:
        """Half of the changes know the format, half do not."""
        rng = random.Random(seed)
        if self.target.mutator is None or rng.random() < 0.5:
            return bytes(atheris.Mutate(data, most))
        return self.target.mutator(data, most, rng, lambda some, limit: bytes(atheris.Mutate(some, limit)))


def _place(error: BaseException) -> str:
    """What it is, and the line of ours."""
    if isinstance(error, Finding):
        return re.sub(r"[^A-Za-z]+", "-", f"{error}")[:60].strip("-")
    frames = traceback.extract_tb(error.__traceback__)
    ours = [frame for frame in frames if "fewbits" in frame.filename] or list(frames)
    return f"{type(error).__name__}-{Path(ours[-1].filename).stem}-{ours[-1].lineno}"


def _limit_memory() -> None:
    """Make larger allocations fail, which is a finding then."""
    pages = int(Path("/proc/self/statm").read_text().split()[0])
    limit = pages * resource.getpagesize() + MEMORY + MARGIN
    resource.setrlimit(resource.RLIMIT_AS, (limit, limit))


if __name__ == "__main__":
    sys.exit(main())
