"""All measurements, in the order of the table."""

from __future__ import annotations

import platform
from collections.abc import Iterator
from typing import Any

from fewbits.bench import figures, peers, process, reading, sums
from fewbits.bench.row import Row
from fewbits.run.provenance import machine, versions

__all__ = ["facts", "run"]


def run(quick: bool = False) -> Iterator[Row]:
    """The rows of the table as they are measured; `quick`: small arrays and few repetitions, figures of little weight."""
    x = sums.array(256 if quick else 4096)
    repetitions = 2 if quick else 9
    yield from sums.against_read(x, repetitions)
    few = x[: 64 if quick else 1024]
    yield from peers.peers(few, repetitions)
    yield sums.seven(few, repetitions)
    yield sums.histogram(1 << 20 if quick else 1 << 26, 10 if quick else 300, 1 if quick else 3)
    yield process.memory(1 << 20 if quick else 1 << 28)
    yield from reading.against_plain_read(256 if quick else 8192, repetitions)
    yield from reading.against_gguf(64 if quick else 4096, repetitions)
    yield reading.sparse(1 << 20 if quick else 5 << 30)
    yield from process.start_up(1 if quick else 7)
    yield from figures.rendering()
    if not quick:
        yield from process.compilation()


def facts() -> dict[str, Any]:
    """What the figures belong to: the machine and the versions of what they depend on."""
    return {"machine": machine(), "versions": versions() | {"platform": platform.platform()}}
