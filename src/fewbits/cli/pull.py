"""`fewbits pull`: some tensors of a model, into files of one's own."""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from fewbits.cli.options import CacheDir, Csv, Filters, Json, Model, Revision
from fewbits.errors import FewbitsError, SourceError, UsageError
from fewbits.interruption import CODE, Interrupted, told

if TYPE_CHECKING:
    from fewbits.pull import Plan, Wanted
    from fewbits.sources import Source

__all__ = ["pull"]

COLUMNS = ("tensor", "label", "dtype", "shape", "bytes", "from", "file")
SHOWN = 5  # unknown names that are listed


def pull(
    model: Model,
    filters: Filters = None,
    tensors_file: Annotated[
        str | None,
        typer.Option(
            "--tensors-file",
            metavar="FILE",
            help="Names of tensors, one a line, 'name' or 'name | label'; or a list that comes along: deepseek-r1-layer0.",
            show_default=False,
        ),
    ] = None,
    output: Annotated[
        Path | None,
        typer.Option("-o", "--output", metavar="OUT", help="The .safetensors file to write.", show_default=False),
    ] = None,
    float32: Annotated[bool, typer.Option("--float32", help="Write values as float32, scales multiplied in.")] = False,
    shard_size: Annotated[
        str, typer.Option("--shard-size", metavar="SIZE", help="Beyond it several files and an index; 0: one file.")
    ] = "50GB",
    cache_only: Annotated[
        bool, typer.Option("--cache-only", help="Write no file, only have the bytes on this machine.")
    ] = False,
    local: Annotated[
        str | None,
        typer.Option(
            "--local",
            metavar="PATH",
            help="Tensors that are in this file or folder are taken from there; MODEL is asked for others only.",
            show_default=False,
        ),
    ] = None,
    revision: Revision = None,
    cache_dir: CacheDir = None,
    json: Json = False,
    csv: Csv = None,
    quiet: Annotated[bool, typer.Option("--quiet", "-q", help="Nothing but errors and the rows asked for.")] = False,
) -> None:
    """Fetch tensors of a model into a safetensors file: those that FILTER or the list names, and no other byte.

    They are written as they are stored; X_fp32 is X as float32, times its scales X_scale_inv. The same command again
    continues where it stopped.

    \b
    fewbits pull openai-community/gpt2 h.0 -o h0.safetensors
    fewbits pull deepseek-ai/DeepSeek-R1 --tensors-file deepseek-r1-layer0 -o layer0.safetensors
    """
    from fewbits.cli import outputs
    from fewbits.pull import Finder, make_plan, read_names
    from fewbits.sources import open_source
    from fewbits.sources.cache_folder import parse_bytes

    outputs.check(json, csv)
    if output is None and not cache_only:
        raise UsageError("-o OUT.safetensors says where to write (or --cache-only: write nothing)")
    if output is not None and output.suffix != ".safetensors":
        raise UsageError(f"-o '{output}': what is written is a .safetensors file")
    most = parse_bytes(shard_size, "--shard-size")
    wanted = read_names(tensors_file) if tensors_file is not None else []
    remote: list[Source] = []

    def open_remote() -> Source:
        if not remote:
            remote.append(open_source(model, revision=revision, cache_dir=cache_dir))
        return remote[0]

    if filters or tensors_file is None:
        wanted = [*wanted, *_matching(open_remote(), " ".join(filters or []))]
    places = [open_remote] if local is None else [lambda: open_source(local), open_remote]
    plan, unknown = make_plan(wanted, Finder(*places), _origin(model, remote), float32=float32)
    plan.facts["source"] = _origin(model, remote)
    _complain(unknown, model)
    if not plan.items:
        raise SourceError(f"{model}: none of the {len(wanted)} tensors asked for is there")
    machine = outputs.machine_readable(json, csv)
    talk = not (quiet or machine)
    if talk:
        _announce(plan, remote)
    files = _transfer(plan, None if cache_only else output, most, remote, shown=not quiet)
    if talk:
        _conclude(plan, files, remote)
    if json or csv is not None:
        outputs.emit(_rows(plan, files), COLUMNS, json=json, csv=csv)


def _matching(source: Source, query: str) -> list[Wanted]:
    from fewbits.pull import Wanted
    from fewbits.sources import select

    own = [tensor for tensor in source if not tensor.companion_of]
    return [Wanted(tensor.name) for tensor in select(own, query, every=True)]


def _origin(model: str, remote: list[Source]) -> str:
    """What the file says about where it is from."""
    if not remote:
        return model
    return f"{remote[0].uri.partition('@')[0]}@{remote[0].revision}" if remote[0].revision else remote[0].uri


def _transfer(
    plan: Plan, output: Path | None, most: int, remote: list[Source], *, shown: bool
) -> list[tuple[Path, Plan]]:
    """Write or fetch; the files with what is in each."""
    from fewbits.cli.progress import progress
    from fewbits.cli.terminal import size
    from fewbits.pull import fetch, write_plan
    from fewbits.pull.shards import named, write_index

    files = named(plan.sharded(most), output) if output else []
    done = 0
    for source in remote:
        if source.transfers and output:
            source.transfers.keep = False  # what is written here is not kept twice

    try:
        with progress(plan.nbytes, shown=shown, rate=lambda speed: f"{size(speed)}/s") as bar:

            def advance(count: int) -> None:
                nonlocal done
                done += count
                bar.advance(count)
                bar.describe(f"{size(done)} of {size(plan.nbytes)}")

            if output is None:
                fetch(plan, advance)
            for path, part in files:
                write_plan(part, path, advance)
        if output is not None and len(files) > 1:
            write_index(output, files)
    except (Interrupted, KeyboardInterrupt):
        typer.echo(f"fewbits: interrupted; {_kept(done, plan)}", err=True)
        told()
        raise typer.Exit(CODE) from None
    except FewbitsError as error:
        raise FewbitsError(f"{error}; {_kept(done, plan)}" if done else str(error)) from error
    return files


def _kept(done: int, plan: Plan) -> str:
    from fewbits.cli.terminal import size

    return f"{size(done)} of {size(plan.nbytes)} are kept, the same command continues"


def _complain(unknown: list[str], model: str) -> None:
    """Names that are not there are a warning (S-031)."""
    from fewbits.cli.terminal import printable

    for name in unknown[:SHOWN]:
        typer.echo(f"fewbits: warning: {printable(model)} has no tensor '{printable(name)}'", err=True)
    if len(unknown) > SHOWN:
        typer.echo(f"fewbits: warning: nor {len(unknown) - SHOWN} others that are asked for", err=True)


def _announce(plan: Plan, remote: list[Source]) -> None:
    """What is fetched, file by file (S-028)."""
    from fewbits.cli.terminal import console, counted, printable, size, styled

    terminal = console()
    for source in remote:
        at = f" @ {source.revision[:12]}" if source.revision else ""
        terminal.print(styled(("model    ", "bold"), (f"{printable(source.title)}{at}", "")))
    terminal.print(styled(("tensors  ", "bold"), (f"{counted(len(plan.items), 'tensor')}, {size(plan.nbytes)}", "")))
    counts, sizes = Counter[str](), Counter[str]()
    for item in plan.items:
        where = item.home.file.where if item.home else "elsewhere"
        counts[where] += 1
        sizes[where] += item.nbytes
    for where in sorted(counts):
        terminal.print(
            styled((f"  {where}", ""), (f"  {counted(counts[where], 'tensor')}, {size(sizes[where])}", "dim"))
        )


def _conclude(plan: Plan, files: list[tuple[Path, Plan]], remote: list[Source]) -> None:
    """Where everything is (S-029), and what it took."""
    from fewbits.cli.terminal import console, counted, moved, size, styled

    terminal = console()
    for path, part in files:
        terminal.print(
            styled(
                ("wrote    ", "bold"),
                (str(path), "cyan"),
                (f"  {counted(len(part.items), 'tensor')}, {size(part.nbytes)}", "dim"),
            )
        )
    for text in filter(None, map(moved, remote)):
        terminal.print(styled(("moved    ", "bold"), (text, "")))


def _rows(plan: Plan, files: list[tuple[Path, Plan]]) -> list[dict[str, object]]:
    home = {item.name: str(path) for path, part in files for item in part.items}
    return [
        {
            "tensor": item.name,
            "label": item.label,
            "dtype": item.code,
            "shape": list(item.tensor.shape),
            "bytes": item.nbytes,
            "from": item.home.file.where if item.home else "",
            "file": home.get(item.name, ""),
        }
        for item in plan.items
    ]
