"""`fewbits tensors`: what is in a model, from headers only."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from fewbits.cli.options import CacheDir, Csv, Filters, Json, Model, Output, Revision

if TYPE_CHECKING:
    from rich.console import Console

    from fewbits.scan import Node

__all__ = ["tensors"]

COLUMNS = ("tensor", "layer", "role", "shape", "dtype", "layout", "weights", "bytes", "share")


def tensors(
    model: Model,
    filters: Filters = None,
    revision: Revision = None,
    cache_dir: CacheDir = None,
    json: Json = False,
    csv: Csv = None,
    output: Output = None,
) -> None:
    """Show the tensors of a model as a tree, from file headers: no weights are read. Repeated layers are one line.

    \b
    fewbits tensors openai-community/gpt2
    fewbits tensors model.safetensors layers.0 --json
    """
    from fewbits.cli import outputs
    from fewbits.scan.tree import grow
    from fewbits.sources import open_source, select
    from fewbits.table import layer_of, role_of

    outputs.check(json, csv, output)
    source = open_source(model, revision=revision, cache_dir=cache_dir)
    own = [tensor for tensor in source if not tensor.companion_of]
    chosen = select(own, " ".join(filters or []), every=True)
    whole = sum(tensor.nbytes for tensor in own) or 1
    rows = [
        {
            "tensor": t.name,
            "layer": layer_of(t.name),
            "role": role_of(t.name),
            "shape": list(t.shape),
            "dtype": t.dtype,
            "layout": t.layout,
            "weights": math.prod(t.shape),
            "bytes": t.nbytes,
            "share": t.nbytes / whole,
        }
        for t in chosen
    ]

    def show(console: Console) -> None:
        _show(console, source.title, source.revision, grow(chosen), whole)

    outputs.emit(rows, COLUMNS, json=json, csv=csv, output=output, show=show)


def _show(console: Console, title: str, revision: str, root: Node, whole: int) -> None:
    from fewbits.cli.terminal import counted, printable, shape_text, size, styled

    at = f" @ {revision[:12]}" if revision else ""
    console.print(
        styled((printable(title), "bold"), (f"{at}   {counted(root.tensors, 'tensor')}, {size(root.nbytes)}", "dim"))
    )
    lines = [(depth, node, "  " * (depth + 1) + printable(node.label)) for depth, node in root.walk()]
    width = min(60, max((len(text) for _, _, text in lines), default=0))
    for _, node, text in lines:
        tensor = node.tensor
        what = f"{shape_text(tensor.shape)} {tensor.dtype}" if tensor else counted(node.tensors, "tensor")
        each = f"  {node.copies} × {size(node.nbytes / node.copies)}" if node.copies > 1 else ""
        share = f"{100 * node.nbytes / whole:.1f} %"
        layout = f"  {tensor.layout}" if tensor and tensor.layout else ""
        console.print(
            styled(
                (f"{text:<{width}}  ", "" if tensor else "bold"),
                (f"{what:<28}", "" if tensor else "cyan"),
                (f"{size(node.nbytes):>9} {share:>8}", ""),
                (each + layout, "dim"),
            )
        )
