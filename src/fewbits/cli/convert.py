"""`fewbits convert`: the tensors of a model in another kind of file."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from fewbits.cli.options import CacheDir, Model, Revision

__all__ = ["convert"]


def convert(
    model: Model,
    output: Annotated[
        Path,
        typer.Argument(
            metavar="OUT", help="The file to write: .safetensors, .npz, .pt (.pth, .bin) or .ot.", show_default=False
        ),
    ],
    revision: Revision = None,
    cache_dir: CacheDir = None,
    quiet: Annotated[bool, typer.Option("--quiet", "-q", help="Only errors and what is not as it was.")] = False,
) -> None:
    """Write the tensors of a model to another kind of file: names and values kept, in little memory, without torch.

    A type that the kind of file does not hold (bfloat16 in .npz) is written as float32, and that is said. A tensor alone
    is called 0, those of a list 0, 1, …; in .ot files (TorchScript, for libtorch) a . in names is stored as |.

    \b
    fewbits convert pytorch_model.bin model.safetensors
    fewbits convert activations.pt activations.npz
    fewbits convert activations.npz activations.ot
    """
    from fewbits.cli.progress import progress
    from fewbits.cli.terminal import console, counted, printable, size, styled
    from fewbits.convert import convert as write
    from fewbits.convert import kind_of_file
    from fewbits.sources import open_source

    kind_of_file(output)
    source = open_source(model, revision=revision, cache_dir=cache_dir)
    with progress(sum(tensor.size for tensor in source), shown=not quiet) as bar:
        bar.describe(printable(output.name))
        done = write(source, output, bar.advance)
    for note in done.notes:
        typer.echo(f"note: {printable(note)}", err=True)
    if not quiet:
        what = f"   {counted(done.tensors, 'tensor')}, {size(done.nbytes)}"
        console().print(styled((printable(str(done.path)), "bold"), (what, "dim")))
