"""The command line. Every command is arguments → one library call → table → outputs; each has a file of its own here.

To add one: a file `cli/<name>.py` with a function `<name>`, and its name in `COMMANDS`.
Exit codes: 0 success, 2 the command line was not understood, 1 everything else, 130 interrupted.
"""

from __future__ import annotations

import contextlib
import importlib
import sys
from collections.abc import Sequence
from typing import Annotated, NoReturn

import typer

from fewbits import interruption
from fewbits.errors import FewbitsError

__all__ = ["COMMANDS", "app", "main", "run"]

COMMANDS = (
    "scan",
    "formats",
    "explain",
    "memory",
    "tensors",
    "diff",
    "curve",
    "transfer",
    "histogram",
    "convert",
    "report",
    "conformance",
    "bench",
    "pull",
    "cache",
)

app = typer.Typer(
    name="fewbits",
    help="How few bits can each tensor of this model take, in which number format, and what does it cost?",
    epilog="Start with:  fewbits scan sample",
    context_settings={"help_option_names": ["-h", "--help"]},
    pretty_exceptions_enable=False,
    rich_markup_mode="rich",
)


def _version(shown: bool) -> None:
    if shown:
        from importlib.metadata import version

        typer.echo(f"fewbits {version('fewbits')}")
        raise typer.Exit


@app.callback()
def _root(
    version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Print the version and exit.")
    ] = False,
    debug: Annotated[bool, typer.Option("--debug", help="Show tracebacks of errors. Allowed anywhere.")] = False,
) -> None:
    """How few bits can each tensor of this model take, in which number format, and what does it cost?"""


SETTINGS = {"explain": {"ignore_unknown_options": True}}  # -0.5 is a VALUE

for _name in COMMANDS:
    _command = getattr(importlib.import_module(f"fewbits.cli.{_name}"), _name)
    app.command(_name, context_settings=SETTINGS.get(_name))(_command)


def main() -> NoReturn:
    """Run the command line of this process and exit; after Ctrl-C at once, whatever is still at work."""
    interruption.take_over()
    try:
        code = run(sys.argv[1:])
    except interruption.Interrupted:  # between two lines of `run`
        code = _interrupted()
    if code == interruption.CODE:
        interruption.leave(code)
    sys.exit(code)


def run(arguments: Sequence[str]) -> int:
    """Run a command line; the exit code. Errors are one line on stderr."""
    ours, rest = _split(arguments)
    debug = "--debug" in ours
    for stream in (sys.stdout, sys.stderr):
        if hasattr(stream, "reconfigure"):
            stream.reconfigure(errors="backslashreplace")  # names of tensors are foreign text
    try:
        code = app([argument for argument in ours if argument != "--debug"] + rest or ["--help"], standalone_mode=False)
        sys.stdout.flush()
        return code if isinstance(code, int) else 0
    except (BrokenPipeError, SystemExit) as error:  # typer turns the one into the other
        if isinstance(error, SystemExit) and not isinstance(error.__context__, BrokenPipeError):
            raise
        _forget_stdout()
        return 0
    except (interruption.Interrupted, KeyboardInterrupt, typer.Abort):
        return _interrupted()
    except FewbitsError as error:
        if debug:
            raise
        return _fail(str(error), error.exit_code)
    except typer.TyperException as error:
        return _fail(error.format_message(), error.exit_code)
    except MemoryError:
        if debug:
            raise
        return _fail("not enough memory", 1)
    except OSError as error:
        if debug:
            raise
        return _fail(f"{error.filename or 'cannot write the output'}: {error.strerror or error}", 1)
    except Exception as error:
        if debug:
            raise
        return _fail(f"internal error, {type(error).__name__}: {error} (--debug shows where)", 1)


def _split(arguments: Sequence[str]) -> tuple[list[str], list[str]]:
    """Arguments before and from a bare `--` on."""
    listed = list(arguments)
    end = listed.index("--") if "--" in listed else len(listed)
    return listed[:end], listed[end:]


def _interrupted() -> int:
    code = _fail("interrupted", interruption.CODE)
    interruption.told()
    return code


def _fail(message: str, code: int) -> int:
    from fewbits.cli.terminal import printable

    with contextlib.suppress(OSError):
        lines = [printable(line) for line in f"fewbits: {message}".split("\n")]
        print("\n".join(lines), file=sys.stderr, flush=True)
    return code


def _forget_stdout() -> None:
    """Nobody reads our output any more: let the interpreter's last flush go nowhere, in silence."""
    import os

    sys.stdout = sys.__stdout__
    if sys.stdout is not None:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
