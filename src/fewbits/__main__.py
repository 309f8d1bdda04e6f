"""`python -m fewbits`, and the console script: the command line, and Ctrl-C from the first moment on."""

from __future__ import annotations

from fewbits.interruption import leave_at_once

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import NoReturn

__all__ = ["main"]


def main() -> NoReturn:
    """Run the command line of this process and exit."""
    leave_at_once()
    from fewbits.cli import main as command_line

    command_line()


if __name__ == "__main__":
    main()
