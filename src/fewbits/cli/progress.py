"""Progress on stderr: how far, how fast, how long still; nothing at all where stderr is no terminal."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from fewbits.cli.terminal import amount, console, interactive

if TYPE_CHECKING:
    from rich.progress import Progress, Task
    from rich.text import Text

__all__ = ["Bar", "progress"]

WIDE = 96  # columns of a terminal where bar and rate have room beside the rest on one line


class Bar:
    """Counts what is done; `aside` clears the line while something else is printed to the same terminal."""

    def __init__(self, bar: Progress | None, total: int) -> None:
        self._bar = bar
        self._task = bar.add_task("", total=max(total, 1)) if bar else None

    def advance(self, done: int) -> None:
        """So many more are done."""
        if self._bar and self._task is not None:
            self._bar.advance(self._task, done)

    def describe(self, text: str) -> None:
        """What is being worked on."""
        if self._bar and self._task is not None:
            self._bar.update(self._task, description=text)

    @contextmanager
    def aside(self) -> Iterator[None]:
        """Printing here does not tear the bar."""
        shared = self._bar if self._bar and sys.stdout.isatty() else None
        if shared:
            shared.stop()
        yield
        if shared:
            shared.start()


@contextmanager
def progress(
    total: int, *, shown: bool = True, rate: Callable[[float], str] = lambda speed: f"{amount(speed)} weights·formats/s"
) -> Iterator[Bar]:
    """A bar for `total` weights × formats, or of whatever `rate` shows so many a second."""
    if not (shown and interactive(sys.stderr)):
        yield Bar(None, total)
        return
    from rich.progress import BarColumn, Progress, ProgressColumn, TextColumn, TimeRemainingColumn

    class Rate(ProgressColumn):
        """How fast it goes."""

        def render(self, task: Task) -> Text:
            from rich.text import Text

            speed = task.finished_speed or task.speed
            return Text(rate(speed) if speed else "", style="cyan")

    terminal = console(sys.stderr)
    wide = terminal.width >= WIDE
    columns = (
        TextColumn("{task.description}", style="bold", markup=False),
        *((BarColumn(bar_width=30),) if wide else ()),
        TextColumn("{task.percentage:>3.0f} %"),
        *((Rate(),) if wide else ()),
        TimeRemainingColumn(compact=True),
        TextColumn("left"),
    )
    with Progress(*columns, console=terminal, transient=True, redirect_stdout=False, redirect_stderr=False) as bar:
        yield Bar(bar, total)
