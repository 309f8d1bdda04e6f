"""docs/cli.md, from the typer application itself."""

from __future__ import annotations

import inspect
import re
from collections.abc import Iterator
from typing import Any

import typer

from fewbits.cli import app
from pages.markdown import code, join, table

INTRODUCTION = """\
# Commands

Exit codes: 0 success, 2 the command line was not understood (option, format, spec), 1 everything else with one line on
standard error, 130 interrupted. Progress goes to standard error, results to standard output. `NO_COLOR` and
`FORCE_COLOR` are respected."""


def page() -> str:
    """Every command with its usage line, help text, arguments and options."""
    root: Any = typer.main.get_command(app)
    return join(INTRODUCTION, f"## `fewbits`\n\n{_parameters(root)}", *_commands(root, "fewbits"))


def _commands(group: Any, path: str) -> Iterator[str]:
    for name, command in group.commands.items():
        if command.hidden:
            continue
        here = f"{path} {name}"
        yield "\n\n".join(
            filter(None, (f"## `{here}`", code(_usage(command, here)), _help(command), _parameters(command)))
        )
        if hasattr(command, "commands"):
            yield from _commands(command, here)


def _usage(command: Any, path: str) -> str:
    arguments = [_metavar(p) for p in command.params if p.param_type_name == "argument"]
    return " ".join((path, *arguments, "[OPTIONS]"))


def _metavar(parameter: Any) -> str:
    name = (parameter.metavar or parameter.name.upper()).strip("[]").removesuffix("...").removesuffix("…")
    shown = f"{name}…" if parameter.nargs == -1 else name
    return shown if parameter.required else f"[{shown}]"


def _help(command: Any) -> str:
    """Paragraphs; one that typer must not wrap (it starts with a backspace) holds examples."""
    paragraphs = inspect.cleandoc(command.help or "").replace("\f", "").split("\n\n")
    return "\n\n".join(_plain(f"```\n{p[2:]}\n```" if p.startswith("\b\n") else p) for p in paragraphs)


def _plain(text: str) -> str:
    """Text without rich's [bold] and [/bold]."""
    return re.sub(r"\[/?(bold|dim|italic|cyan|green)\]", "", text)


def _parameters(command: Any) -> str:
    rows = [_row(p) for p in command.params if not getattr(p, "hidden", False) and p.name != "help"]
    return table(("argument or option", "default", "meaning"), rows) if rows else ""


def _row(parameter: Any) -> tuple[str, str, str]:
    argument = parameter.param_type_name == "argument"
    names = _metavar(parameter) if argument else ", ".join((*parameter.opts, *parameter.secondary_opts))
    default = parameter.default
    plain = isinstance(default, str | int | float) and not isinstance(default, bool) and default != ""
    words = parameter.show_default  # text where the default depends on the machine
    shown = words if isinstance(words, str) else code(default) if plain else ""
    return code(names), shown, _plain(parameter.help or "")
