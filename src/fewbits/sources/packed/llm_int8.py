"""LLM.int8 of bitsandbytes: int8 codes and `SCB`, the largest magnitude of each row: x̂ = code × SCB / 127.

As bitsandbytes 0.50.2 dequantizes it (int8_vectorwise_dequant); `weight_format` other than 0 is an order of tiles.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from functools import partial

from fewbits.errors import SourceError
from fewbits.sources.packed.scaled import Grid, Scaled, table
from fewbits.sources.packed.spec_text import layout_text
from fewbits.sources.packed.view import Checkpoint, Decoded, Layout, Misfit, Packed, expect, packed, stored_of
from fewbits.sources.strict_json import quoted
from fewbits.tensor import Tensor

__all__ = ["LLM_INT8"]

FACTOR = 7.874015718698502e-3  # 1 / 127 in float32
ORDERS = ("row", "col32", "col_turing", "col_ampere")  # of weight_format


def _find(checkpoint: Checkpoint) -> Iterator[Packed]:
    for stem, _ in checkpoint.ending(".SCB"):
        parts = checkpoint.parts(stem, ".weight", ".SCB", ".weight_format")
        if ".weight" in parts:
            yield packed(f"{stem}.weight", "LLM.int8", parts, partial(_decode, parts))


def _decode(parts: Mapping[str, Tensor]) -> Decoded:
    weight = expect(parts[".weight"], "weight", ("int8",))
    if len(weight.shape) != 2:
        raise Misfit(f"{quoted(weight.name)} has shape {quoted(list(weight.shape))}, not rows and columns")
    rows, columns = weight.shape
    statistics = expect(parts[".SCB"], "SCB", ("float32",), (rows,), (1, rows), (rows, 1))
    kind = parts.get(".weight_format")
    values = Scaled(
        grid=Grid(rows, columns, 1, max(columns, 1)),
        codes=table(weight, columns),
        scales=table(statistics, 1),
        check=_rows_in_order(expect(kind, "weight_format", ("uint8", "int8", "int64"), (), (1,))) if kind else None,
        factor=FACTOR,
    )
    return Decoded(weight.shape, "float32", layout_text("LLM.int8", "s8@row:f32"), values)


def _rows_in_order(kind: Tensor) -> Callable[[], None]:
    stored = stored_of(kind)

    def check() -> None:
        number = int.from_bytes(stored.raw(0, 1).tobytes(), "little")
        if number:
            order = ORDERS[number] if number < len(ORDERS) else "unknown"
            what = f"is {number}: codes in the order {order}, only row (0) is read"
            raise SourceError(f"{stored.file.where}: tensor {quoted(kind.name)} {what}")

    return check


LLM_INT8 = Layout(_find, frozenset({"bitsandbytes"}))
