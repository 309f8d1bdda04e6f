"""Errors a user can cause; `str(error)` is the one line that is shown.

FewbitsError            exit code 1
├── UsageError          exit code 2: the command line (option, format, spec) was not understood
│   ├── SpecError       a spec string with the place of the mistake
│   └── UnknownName     a name that no catalogue, rule or element has
├── SourceError         files, hubs and networks: missing, denied, truncated, hostile
└── DataError           values that an operation does not allow
"""

from __future__ import annotations


def kind_of(value: object) -> str:
    """What a value is, for a message: its type and, where it is short, itself."""
    kind, text = type(value).__name__, ascii(value)
    return kind if value is None or len(text) > 60 or "\\n" in text or "object at" in text else f"{kind} {text}"


class FewbitsError(Exception):
    """Something the user can understand and change; never shown with a traceback unless asked for."""

    exit_code = 1


class UsageError(FewbitsError):
    """The command line was not understood."""

    exit_code = 2


class UnknownName(UsageError):
    """A name that is not known here; the message lists the nearest ones."""


class SpecError(UsageError):
    """A spec string that does not follow the grammar; the message has a caret under the first wrong character."""

    def __init__(self, text: str, position: int, reason: str) -> None:
        self.text, self.position, self.reason = text, position, reason
        super().__init__(f"{reason}\n  {text}\n  {' ' * position}^")


class SourceError(FewbitsError):
    """A file, hub or network that did not give what was asked."""


class DataError(FewbitsError):
    """Values that the operation does not allow."""
