"""The same job in other packages, as well as each does it: eager torch, torchao, gguf."""

from __future__ import annotations

import importlib
from collections.abc import Callable, Iterator
from importlib import metadata
from typing import Any

from fewbits import catalog
from fewbits.bench.row import Row
from fewbits.bench.sums import sums_of
from fewbits.bench.timing import Work, best
from fewbits.plan import Float32

__all__ = ["peers", "torch_sums"]

CHUNKS = tuple(1 << k for k in range(13, 23))  # values at a time; torch's best is what counts
TRIAL = 1 << 22


def peers(x: Float32, repetitions: int) -> Iterator[Row]:
    """One row a package: its time ÷ ours, one core, for the values of x."""
    yield _row("MXFP4 and its sums in eager torch", "torch", _torch, x, repetitions, "e2m1@32:e8m0", 4.0, 10.0)
    yield _row("MXFP4 quantize and dequantize in torchao", "torchao", _torchao, x, repetitions, "e2m1@32:e8m0")
    yield _row("Q4_0 quantize and dequantize in gguf", "gguf", _gguf, x, repetitions, "i4@32-q40:f16")


def _row(
    what: str,
    package: str,
    make: Callable[[Any, Float32], tuple[list[Work], str]],
    x: Float32,
    repetitions: int,
    spec: str,
    must: float | None = None,
    goal: float | None = None,
) -> Row:
    unit = "times our time"
    try:
        module = importlib.import_module(package)
    except ImportError:
        return Row(what, None, unit, must, goal, "least", f"{package} is not installed")
    work, how = make(module, x)
    theirs, ours = best([work, sums_of(catalog.format(spec), x)], repetitions)
    speed, our_speed = x.size / theirs / 1e6, x.size / ours / 1e6
    detail = f"{package} {metadata.version(package)}, {how}: {speed:.1f} M values/s, ours {our_speed:.0f}"
    return Row(what, theirs / ours, unit, must, goal, "least", detail)


def _torch(torch: Any, x: Float32) -> tuple[list[Work], str]:
    torch.set_num_threads(1)
    flat = torch.from_numpy(x).reshape(-1)

    def pieces(chunk: int, total: int) -> list[Work]:
        return [lambda part=part: torch_sums(torch, part) for part in flat[:total].split(chunk)]  # type: ignore[misc]

    trial = min(TRIAL, x.size)
    times = {chunk: best([pieces(chunk, trial)], 3)[0] for chunk in CHUNKS if chunk <= trial}
    chunk = min(times, key=lambda c: times[c])
    return pieces(chunk, x.size), f"{chunk} values at a time, one thread"


def torch_sums(torch: Any, x: Any) -> tuple[Any, ...]:
    """MXFP4, scale rounded down, of flat x, and the same sums as ours; integer operations on the bits where those are faster.

    An e2m1 value v is rounded by (|v| + M) − M with M = 2^23 steps of its binade; x is finite.
    """
    blocks = x.view(-1, 32)
    size = blocks.abs()
    top = size.amax(1, keepdim=True)
    scale = ((top.view(torch.int32) >> 23) - 2).clamp_(1, 254).bitwise_left_shift_(23).view(torch.float32)
    v = (size / scale).clamp_(max=6.0)
    magic = (v.view(torch.int32) & 0x7F800000).clamp_(min=127 << 23).add_(22 << 23).view(torch.float32)
    y = v.add_(magic).sub_(magic).mul_(scale).copysign_(blocks)
    e = y - blocks
    made = ((y == 0) & (blocks != 0)).sum()
    clipped = (size > 6.0 * scale).sum()
    return e.sum(), (e * e).sum(), (e * blocks).sum(), e.abs_().sum(), e.max(), made, clipped


def _torchao(torchao: Any, x: Float32) -> tuple[list[Work], str]:
    torch = importlib.import_module("torch")
    tensor = importlib.import_module("torchao.prototype.mx_formats.mx_tensor").MXTensor
    torch.set_num_threads(1)
    parts = torch.from_numpy(x).split(64)

    def through(part: Any) -> Any:
        return tensor.to_mx(part, torch.float4_e2m1fn_x2, 32).dequantize(torch.float32)

    return [lambda part=part: through(part) for part in parts], "one thread, without sums"  # type: ignore[misc]


def _gguf(gguf: Any, x: Float32) -> tuple[list[Work], str]:
    kind = gguf.GGMLQuantizationType.Q4_0
    quants = importlib.import_module("gguf.quants")

    def through(part: Float32) -> Any:
        return quants.dequantize(quants.quantize(part, kind), kind)

    return [lambda top=top: through(x[top : top + 64]) for top in range(0, len(x), 64)], "numpy, without sums"  # type: ignore[misc]
