"""`fewbits cache`: what was fetched and is kept."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Annotated

import typer

from fewbits.cli.options import CacheDir, Csv, Json, Output

if TYPE_CHECKING:
    from pathlib import Path

    from rich.console import Console

    from fewbits.sources.cache_contents import Kept

__all__ = ["cache"]

COLUMNS = ("model", "file", "version", "bytes", "size", "ranges", "used")


def cache(
    model: Annotated[
        str | None, typer.Argument(metavar="MODEL", help="Of this model only: org/name or a URL.", show_default=False)
    ] = None,
    clear: Annotated[bool, typer.Option("--clear", help="Remove it.")] = False,
    limit: Annotated[
        str | None,
        typer.Option(
            "--limit",
            metavar="SIZE",
            help="Remove what was least recently used until so much is left, as 5GB. FEWBITS_CACHE_SIZE is what is never passed.",
            show_default=False,
        ),
    ] = None,
    cache_dir: CacheDir = None,
    json: Json = False,
    csv: Csv = None,
    output: Output = None,
) -> None:
    """Show which parts of remote files are kept on this machine, or remove them.

    They are in FEWBITS_CACHE (~/.cache/fewbits), at most FEWBITS_CACHE_SIZE bytes (20GB; 0 keeps nothing).

    \b
    fewbits cache
    fewbits cache --clear deepseek-ai/DeepSeek-R1
    """
    from fewbits.cli import outputs
    from fewbits.cli.terminal import size
    from fewbits.sources.cache_contents import clear as remove
    from fewbits.sources.cache_contents import contents
    from fewbits.sources.cache_folder import cache_folder, cache_limit, parse_bytes
    from fewbits.sources.range_cache import evict

    outputs.check(json, csv, output)
    folder, most, name = cache_folder(cache_dir), cache_limit(), _name(model)
    left = None if limit is None else parse_bytes(limit, "--limit")
    if clear:
        files, count = remove(folder, name)
        typer.echo(f"removed {size(count)} of {files} {'file' if files == 1 else 'files'} from {folder}", err=True)
    if left is not None:
        evict(folder / "ranges", left)
    found = [kept for kept in contents(folder) if name in ("", kept.model)]
    rows = [{column: getattr(kept, column) for column in COLUMNS} | {"used": _time(kept.used)} for kept in found]
    outputs.emit(
        rows, COLUMNS, json=json, csv=csv, output=output, show=lambda console: _show(console, found, folder, most)
    )


def _name(model: str | None) -> str:
    """What the cache calls a model: without revision, query and password."""
    from fewbits.sources.hub_address import is_hub_url, parse_hub_address
    from fewbits.sources.url import is_file_url, public

    text = (model or "").strip()
    if is_file_url(text) and not is_hub_url(text):
        return public(text)
    address = parse_hub_address(text) if text else None
    return address.repository if address else text


def _time(seconds: float) -> str:
    return datetime.fromtimestamp(seconds, UTC).isoformat(timespec="seconds")


def _show(console: Console, found: list[Kept], folder: Path, most: int) -> None:
    from fewbits.cli.terminal import printable, size, styled

    held = sum(kept.bytes for kept in found)
    console.print(styled((f"{folder}", "bold"), (f"   {size(held)} of at most {size(most)}", "dim")))
    models = sorted({kept.model for kept in found})
    if not models:
        return
    width = max(len("MODEL"), *(len(printable(model)) for model in models))
    console.print(styled((f"{'MODEL':<{width}}  {'FILES':>6} {'KEPT':>9} {'OF':>9}  LAST USED", "bold")))
    for model in models:
        own = [kept for kept in found if kept.model == model]
        sizes = f"{len(own):>6} {size(sum(k.bytes for k in own)):>9} {size(sum(k.size for k in own)):>9}"
        used = _time(max(kept.used for kept in own))[:16].replace("T", " ")
        console.print(styled((f"{printable(model):<{width}}  ", ""), (f"{sizes}  {used}", "dim")))
