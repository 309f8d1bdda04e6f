"""Times that survive a busy machine: pieces of work alternate, and of each piece the best repetition counts."""

from __future__ import annotations

import contextlib
import importlib
import os
import time
from collections.abc import Callable, Iterator, Sequence

__all__ = ["Work", "best", "fastest", "one_thread"]

Work = Callable[[], object]


def best(groups: Sequence[Sequence[Work]], repetitions: int) -> list[float]:
    """Seconds per group of pieces of work: the sum over its pieces of the best time of each.

    Groups take turns, so that what slows the machine down for a while slows all of them.
    """
    times = [[float("inf")] * len(group) for group in groups]
    for group in groups:
        group[0]()  # compile, load
    for _ in range(repetitions):
        for g, group in enumerate(groups):
            for i, work in enumerate(group):
                start = time.perf_counter()
                work()
                times[g][i] = min(times[g][i], time.perf_counter() - start)
    return [sum(each) for each in times]


def fastest(work: Work, repetitions: int) -> float:
    """Seconds of the best of several repetitions."""
    return best([[work]], repetitions)[0]


@contextlib.contextmanager
def one_thread() -> Iterator[str]:
    """numpy's linear algebra on one thread, where threadpoolctl can say so; the value tells how many there are."""
    try:
        limits = importlib.import_module("threadpoolctl").threadpool_limits
    except ImportError:
        asked = os.environ.get("OPENBLAS_NUM_THREADS") == "1"
        yield "one thread" if asked else "threads of numpy.dot not limited (threadpoolctl is not installed)"
        return
    with limits(1):
        yield "one thread"
