"""What only a fresh process can tell: start-up, first compilation, peak memory."""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

from fewbits.bench.row import Row

__all__ = ["compilation", "memory", "peak_of", "start_up"]

EMPTY = """
import typer
app = typer.Typer()
@app.command()
def empty(): "nothing"
@app.command()
def other(): "nothing"
app()
"""
MEASURE = """
import json, resource, sys, time
from fewbits import catalog
from fewbits.bench.synthetic import endless
from fewbits.compilation import compile_for
from fewbits.measurement import measure_tensor
from fewbits.plan import plan
from fewbits.sources import open_source
start = time.perf_counter()
t = endless(int(sys.argv[1])) if sys.argv[1].isdigit() else open_source(sys.argv[1])["w"]
formats = [f for _, f in catalog.resolve(sys.argv[2:])]
compile_for([plan(f) for f in formats])
measure_tensor(t, formats, jobs=2)
peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * (1 if sys.platform == "darwin" else 1024)
print(json.dumps([time.perf_counter() - start, peak]))
"""
SLABS = 4 << 20  # bytes of four slabs
LIMIT = 1e9


def start_up(repetitions: int) -> Iterator[Row]:
    """Seconds of two commands over those of an empty typer application."""
    commands = {
        "empty": ["-c", EMPTY, "--help"],
        "--help": ["-m", "fewbits", "--help"],
        "formats": ["-m", "fewbits", "formats"],
    }
    times = dict.fromkeys(commands, float("inf"))
    for _ in range(repetitions):
        for name, arguments in commands.items():
            times[name] = min(times[name], _seconds(arguments))
    for name in ("--help", "formats"):
        detail = f"{times[name]:.3f} s, an empty typer application {times['empty']:.3f} s"
        yield Row(
            f"start of fewbits {name}",
            times[name] - times["empty"],
            "s over an empty application",
            0.15,
            None,
            "most",
            detail,
        )


def compilation() -> Iterator[Row]:
    """Seconds of a first run with an empty cache of compiled kernels, and of a second one."""
    for formats, what in (("all", "all seven formats"), ("catalog", "the whole catalogue")):
        with tempfile.TemporaryDirectory(prefix="fewbits-bench-") as cache:
            environment = {"NUMBA_CACHE_DIR": cache}
            first, second = (float(_measure(1 << 16, formats, environment)[0]) for _ in range(2))
        detail = f"first run {first:.1f} s, second {second:.2f} s"
        yield Row(f"compilation in a first run, {what}", first - second, "s", 20.0, None, "most", detail)


def memory(values: int) -> Row:
    """Peak resident memory of measuring a tensor that is not kept in memory."""
    seconds, peak = _measure(values, "all", {})
    detail = f"{values * 4 / 1e9:.1f} GB of float32, all seven formats, two threads, {seconds:.1f} s"
    return Row("peak memory of a large tensor", peak / 1e9, "GB", (LIMIT + SLABS) / 1e9, None, "most", detail)


def peak_of(path: Path) -> tuple[float, float]:
    """Seconds and peak bytes of a process that measures tensor `w` of a file in bf16."""
    seconds, peak = _measure(str(path), "bf16", {})
    return seconds, peak


def _measure(what: int | str, formats: str, environment: dict[str, str]) -> list[float]:
    """Seconds and peak bytes of a process that measures so many values, or tensor `w` of a file."""
    import json

    arguments = ["-c", MEASURE, str(what), formats]
    done = subprocess.run(
        [sys.executable, *arguments], env=os.environ | environment, capture_output=True, text=True, check=True
    )
    found: list[float] = json.loads(done.stdout)
    return found


def _seconds(arguments: list[str]) -> float:
    start = time.perf_counter()
    subprocess.run([sys.executable, *arguments], stdout=subprocess.DEVNULL, check=True)
    return time.perf_counter() - start
