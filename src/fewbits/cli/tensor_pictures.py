"""What the commands that draw tensors share: options, names of files, saving, showing."""

from __future__ import annotations

import re
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

if TYPE_CHECKING:
    from fewbits.sources import Source
    from fewbits.tensor import Tensor

__all__ = [
    "Dark",
    "Formats",
    "Kind",
    "Limit",
    "Names",
    "OutDir",
    "Show",
    "Slugs",
    "check_kind",
    "finish",
    "folder",
    "picture",
    "show_in_browser",
    "slug_of",
    "tensors_of",
    "warn",
]

Formats = Annotated[
    list[str] | None,
    typer.Option(
        "-f",
        "-c",
        "--format",
        metavar="FORMAT",
        help="A name (mxfp4), spec (e2m1@32:e8m0) or group (all, mx, bfp, ggml, catalog); repeatable. "
        "`fewbits formats` lists all.",
        show_default=False,
    ),
]
Show = Annotated[
    bool,
    typer.Option("--show/--no-show", help="Open the picture in the browser as well; without it nothing is opened."),
]
Dark = Annotated[bool, typer.Option("--dark", help="On a dark ground. HTML follows the reader's setting anyway.")]
Kind = Annotated[
    str, typer.Option("--kind", metavar="KIND", help="Of the files: png, svg, pdf, html or json (Vega-Lite).")
]
OutDir = Annotated[
    Path | None,
    typer.Option(
        "--out-dir",
        "-o",
        metavar="DIR",
        help="Where the pictures go. Default: a folder in plots/; with --json or --csv - none are drawn.",
        show_default=False,
    ),
]
Limit = Annotated[
    int | None, typer.Option("--limit", metavar="N", min=1, help="The first N matching tensors.", show_default=False)
]
Names = Annotated[
    str | None,
    typer.Option(
        "--tensors-file",
        metavar="FILE",
        help="Tensors by name instead of FILTER: one a line, or 'name | label'.",
        show_default=False,
    ),
]


class Slugs:
    """File names for tensors (`slug_of`); a name that is taken gets a number."""

    def __init__(self) -> None:
        self._taken: set[str] = set()

    def __call__(self, name: str) -> str:
        """The slug of a tensor's name, another one for every call."""
        base, number = slug_of(name), 2
        slug = base
        while slug.lower() in self._taken:
            slug, number = f"{base}-{number}", number + 1
        self._taken.add(slug.lower())
        return slug


def slug_of(name: str) -> str:
    """A name as that of a file: runs of what is not A-Z a-z 0-9 . _ - become one _, none at the ends; `tensor` if none is left."""
    slug = re.sub(r"[^A-Za-z0-9._-]+", "_", name).strip("_")[:200]
    return slug if slug.strip(".") else "tensor"


def warn(message: str) -> None:
    """One line on stderr; the work goes on."""
    from fewbits.cli.terminal import printable

    typer.echo(f"fewbits: warning: {printable(message)}", err=True)


def folder(out_dir: Path | None, default: Path, *, machine: bool, show: bool) -> Path | None:
    """Where pictures go; None: nowhere, for stdout has rows for programs and no folder is given."""
    from fewbits.errors import UsageError

    found = out_dir or (None if machine else default)
    if show and found is None:
        raise UsageError("--show with --json or --csv -: there is no picture, give --out-dir DIR")
    return found


def check_kind(kind: str) -> str:
    """The suffix of a kind of picture; UsageError for another."""
    from fewbits.errors import UsageError
    from fewbits.figures import KINDS

    suffix = f".{kind.lower().removeprefix('.')}"
    if suffix not in KINDS:
        raise UsageError(f"--kind {kind}: allowed are {', '.join(k[1:] for k in KINDS)}")
    return suffix


def picture(spec: dict[str, Any], path: Path, *, dark: bool = False, show: bool = False, told: bool = True) -> None:
    """Write a picture, print its path (`told`), and open it where that is wanted."""
    from fewbits import figures
    from fewbits.cli.terminal import printable
    from fewbits.figures import style

    figures.save(style.dark(spec) if dark else spec, path)
    if told:
        typer.echo(printable(str(path)))
    if show:
        show_in_browser(spec, path)


def show_in_browser(spec: dict[str, Any], path: Path) -> None:
    """Open the HTML of a picture: the file itself, or a temporary one that stays."""
    import tempfile

    from fewbits import figures
    from fewbits.cli.browser import open_page

    page = path
    if path.suffix.lower() != ".html":
        page = Path(tempfile.mkdtemp(prefix="fewbits-")) / f"{path.stem}.html"
        figures.save(spec, page)
    open_page(page)


def finish(made: int, tensors: int, *, told: bool = True) -> None:
    """The last line (`told`): how many pictures of how many tensors; FewbitsError when none could be made."""
    from fewbits.cli.terminal import counted
    from fewbits.errors import FewbitsError

    if not made:
        raise FewbitsError(f"no picture was made: {counted(tensors, 'tensor')} tried")
    if told:
        typer.echo(f"{counted(made, 'picture')} of {counted(tensors, 'tensor')}")


def tensors_of(source: Source, query: str, names: str | None, limit: int | None = None) -> Iterable[tuple[Tensor, str]]:
    """(tensor, label) of the tensors that a filter or a list names; what a list names and is not there is a warning."""
    from fewbits.errors import SourceError, UsageError
    from fewbits.sources import select

    if names is None:
        own = [tensor for tensor in source if not tensor.companion_of]
        return [(tensor, "") for tensor in select(own, query, limit)]
    if query:
        raise UsageError("--tensors-file and FILTER: only one of them chooses the tensors")
    from fewbits.pull.names import read_names

    found = []
    for wanted in read_names(names)[:limit]:
        try:
            found.append((source[wanted.name], wanted.label))
        except SourceError as error:
            warn(str(error))
    return found
