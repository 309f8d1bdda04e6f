"""Ctrl-C: one line on stderr and exit code 130, whenever it comes. Imports next to nothing, to be there from the start."""

from __future__ import annotations

import os
import sys

TYPE_CHECKING = False
if TYPE_CHECKING:
    import signal
    from types import FrameType
    from typing import Any, NoReturn
else:
    import _signal as signal  # built in: `signal` imports enum and what enum needs, 10 ms without a handler

__all__ = ["CODE", "Interrupted", "leave", "leave_at_once", "take_over", "told"]

CODE = 130


class Interrupted(BaseException):
    """The user pressed Ctrl-C. Not a KeyboardInterrupt: those are caught, and commented on, by others."""


_told = False


def leave_at_once() -> None:
    """While nothing has begun (imports): Ctrl-C ends the process there and then. No effect where SIGINT is ignored."""
    if signal.getsignal(signal.SIGINT) != signal.SIG_IGN:
        signal.signal(signal.SIGINT, _leave)


def take_over() -> None:
    """From now on the first Ctrl-C raises `Interrupted`, so that what is measured can be kept; another one leaves."""
    if signal.getsignal(signal.SIGINT) in (_leave, signal.default_int_handler):
        signal.signal(signal.SIGINT, _raise)
        sys.unraisablehook = _unraisable


def told() -> None:
    """The line is on stderr: leaving need not write another."""
    global _told
    _told = True


def leave(code: int) -> NoReturn:
    """End the process without waiting for threads (a compiler may be at work) or last words of modules."""
    for stream in (sys.stdout, sys.stderr):
        try:
            stream.flush()
        except (OSError, ValueError):
            continue
    os._exit(code)


def _raise(number: int, frame: FrameType | None) -> None:
    signal.signal(signal.SIGINT, _leave)
    raise Interrupted


def _leave(number: int, frame: FrameType | None) -> None:
    if not _told:
        try:
            os.write(2, b"fewbits: interrupted\n")
        except OSError:
            os._exit(CODE)
    os._exit(CODE)


def _unraisable(found: Any) -> None:
    """An interruption that came where nothing can be raised (a callback, a finalizer) would be lost."""
    if isinstance(found.exc_value, Interrupted | KeyboardInterrupt):
        _leave(signal.SIGINT, None)
    sys.__unraisablehook__(found)
