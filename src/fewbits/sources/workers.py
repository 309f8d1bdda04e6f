"""Threads for transfers, which nobody waits for when the program ends."""

from __future__ import annotations

import queue
import threading
from collections.abc import Callable
from concurrent.futures import Future
from typing import Any, TypeVar

__all__ = ["Workers"]

T = TypeVar("T")


class Workers:
    """At most `count` daemon threads, started as there is work; an executor would be waited for at exit."""

    def __init__(self, count: int) -> None:
        self._count, self._started = count, 0
        self._lock = threading.Lock()
        self._tasks: queue.SimpleQueue[tuple[Future[Any], Callable[[], Any]]] = queue.SimpleQueue()

    def submit(self, task: Callable[[], T]) -> Future[T]:
        """Have the task done by some thread."""
        future: Future[T] = Future()
        self._tasks.put((future, task))
        with self._lock:
            if self._started < self._count:
                self._started += 1
                threading.Thread(target=self._work, daemon=True, name="fewbits transfer").start()
        return future

    def _work(self) -> None:
        while True:
            future, task = self._tasks.get()
            try:
                future.set_result(task())
            except BaseException as error:
                future.set_exception(error)
            del future, task
