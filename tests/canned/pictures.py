"""Canned tables of the figures that show what a format does to values: formulas, no measurement."""

from __future__ import annotations

import math
from itertools import pairwise
from typing import Any

import polars

Rows = list[dict[str, Any]]


def tables() -> dict[str, polars.DataFrame]:
    """A table for each figure, by its name."""
    found = {
        "staircase": staircase(),
        "transfer": transfer(),
        "value_histogram": value_histogram(),
        "block_amax": block_amax(),
        "error_value": error_value(),
        "reconstruction_density": density(),
        "row_error": row_error(),
        "outliers": outliers(),
        "effects": effects(),
        "row_gain": row_gain(),
        "bit_sweep": bit_sweep(),
        "chain_error": chain_error(),
    }
    return {name: polars.DataFrame(rows, infer_schema_length=None) for name, rows in found.items()}


def rounded(x: float, step: float) -> float:
    return math.floor(x / step + 0.5) * step


def staircase() -> Rows:
    rows: Rows = []
    series = [
        ("IDEAL", "IDEAL", "ideal", 0.0), ("bf16", "bf16", "plain", 2**-8), ("mxfp4 own", "mxfp4", "own", 1 / 8),
        ("mxfp4 shared", "mxfp4", "shared", 1 / 6), ("bfp4 own", "bfp4", "own", 1 / 16),
        ("bfp4 shared", "bfp4", "shared", 1 / 7), ("bfp4 a.weight", "bfp4 a.weight", "tensor", 1 / 5),
    ]  # fmt: skip
    for name, group, variant, step in series:
        for i in range(101):
            x = i / 100
            rows.append(
                {"series": name, "group": group, "variant": variant, "x": x, "y": rounded(x, step) if step else x}
            )
    rows += [{"series": "fp0", "group": "fp0", "variant": "zero", "x": i / 10, "y": 0.0} for i in range(11)]
    return rows


def transfer() -> Rows:
    return [
        {"tensor": "encoder.layer.5.output.dense.weight", "shape": [384, 1536], "format": name, "mae": mae,
         "x": i / 150 - 1, "y": rounded(i / 150 - 1, step)}
        for name, step, mae in (("mxfp4", 0.25, 3.2e-3), ("nvfp4", 0.16, 2.6e-3), ("bfp8", 1 / 64, 2.3e-4), ("fp0", 4, 2.9e-2))
        for i in range(301)
    ]  # fmt: skip


def bell(x: float) -> float:
    return math.exp(-8 * abs(x) ** 1.5)


def value_histogram() -> Rows:
    rows: Rows = []
    for i in range(-80, 80):
        count = int(2e5 * bell(i / 80)) + (i % 7 == 0)
        near = round(i / 4) * 4 == i
        rows.append(
            {"part": "bin", "x": i / 80, "x2": (i + 1) / 80, "original": count, "reconstructed": 4 * count * near}
        )
    levels = [sign * v / 24 for v in (0.5, 1, 1.5, 2, 3, 4, 6) for sign in (-1, 1)] + [0.0]
    rows += [{"part": "level", "x": v, "x2": v, "original": 0, "reconstructed": 0} for v in levels]
    return rows + [{"part": "clip", "x": v, "x2": v, "original": 0, "reconstructed": 0} for v in (-0.25, 0.25)]


def block_amax() -> Rows:
    bins = [
        {"part": "bin", "x": 2 ** (i / 4 - 6), "x2": 2 ** ((i + 1) / 4 - 6), "blocks": int(4000 * bell((i - 9) / 9))}
        for i in range(24)
    ]
    return [*bins, {"part": "typical", "x": 0.083, "x2": 0.083, "blocks": 0}]


def error_value() -> Rows:
    points = [math.sin(12.9 * i) * abs(math.sin(3.7 * i)) ** 2 for i in range(1, 600)]
    rows = [{"part": "sample", "x": x, "x2": x, "error": rounded(x, 0.05 + 0.1 * abs(x)) - x} for x in points]
    return rows + [
        {"part": "bin", "x": i / 20, "x2": (i + 1) / 20, "error": 0.015 + 0.03 * abs(i / 20)} for i in range(-20, 20)
    ]


def density() -> Rows:
    return [
        {"x": i / 40, "x2": (i + 1) / 40, "y": j / 40, "y2": (j + 1) / 40, "count": int(3e4 * bell(i / 40)) // (1 + 9 * abs(i - j))}
        for i in range(-40, 40)
        for j in range(max(i - 2, -40), min(i + 3, 40))
        if j % 3 == 0
    ]  # fmt: skip


def row_error() -> Rows:
    found = []
    for i in range(400):
        amax = 0.1 * math.exp(0.4 * math.sin(7.1 * i) + 0.9 * (i % 97 == 0))
        found.append(
            {"row": i, "amax": amax, "rms_error": 0.0 if i == 7 else 0.03 * amax ** (0.8 + 0.05 * math.sin(i))}
        )
    return found


def outliers() -> Rows:
    steps = [i * 12 / 160 for i in range(161)]
    return [
        {"deviations": t, "share": max(0.998 * math.erfc(t / math.sqrt(2)), 2e-3 * math.exp(-t / 2)) if t else 1.0,
         "normal": math.erfc(t / math.sqrt(2))}
        for t in steps
    ]  # fmt: skip


def effects() -> Rows:
    ranks = [i / 60 for i in range(61)]
    values = [math.tan(2.6 * (rank - 0.5)) / 3.6 for rank in ranks]
    steps = {"original": 0.0, "int8": 1 / 127, "int4": 1 / 7}
    made = {name: [rounded(x, step) if step else x for x in values] for name, step in steps.items()}
    rows: Rows = [
        {"part": "sorted", "format": name, "x": rank, "x2": rank, "y": y}
        for name, found in made.items()
        for rank, y in zip(ranks, found, strict=True)
    ]
    for name, step in list(steps.items())[1:]:
        edges = [step * (i / 10 - 0.5) for i in range(11)]
        rows += [
            {"part": "error", "format": name, "x": a, "x2": b, "y": 0.1 + 0.03 * math.sin(9 * i)}
            for i, (a, b) in enumerate(pairwise(edges))
        ]
        rows += [
            {"part": "pair", "format": name, "x": x, "x2": x, "y": y} for x, y in zip(values, made[name], strict=True)
        ]
    rows += [
        {"part": "value", "format": "original", "x": i / 25, "x2": (i + 1) / 25, "y": 0.06 * bell(i / 25)}
        for i in range(-25, 25)
    ]
    return rows + [{"part": "level", "format": "int4", "x": i / 7, "x2": i / 7, "y": 0.0} for i in range(-7, 8)]


def row_gain() -> Rows:
    rows: Rows = []
    for i in range(48):
        amax = 6 * math.exp(1.3 * math.sin(3.7 * i) - 1)
        gain = (16.5 / amax) ** 2 * (1 + 0.2 * math.sin(i))
        rows.append({"row": i, "amax": amax, "format": "int8", "mse": 1.6e-3, "gain": 1.0})
        rows.append(
            {
                "row": i,
                "amax": amax,
                "format": "int8-row",
                "mse": 0.0 if i == 5 else 1.6e-3 / gain,
                "gain": None if i == 5 else gain,
            }
        )
    return rows


def bit_sweep() -> Rows:
    rows: Rows = []
    for bits in (2, 3, 4, 6, 8, 12, 16):
        theory = 20 * math.log10(2 ** (bits - 1) - 1) - 1.7
        sqnr = theory + (2 if bits == 2 else 0)
        rows.append(
            {"bits": bits, "mse": 10 ** (-sqnr / 10), "sqnr_db": sqnr, "theory_db": theory, "compression": 32 / bits}
        )
    return rows


def chain_error() -> Rows:
    chains = [
        [("fp16", 73.7, 73.7), ("fp8-e4m3", 31.5, 31.5), ("int8", 31.3, 41.4), ("fp32", 31.3, None)],
        [("fp16", 73.7, 73.7), ("fp8-e5m2", 25.6, 25.6), ("int8", 25.6, 41.9), ("fp32", 25.6, None)],
        [("fp32", None, None), ("int8", 40.3, 40.3)],
    ]
    return [
        {
            "chain": " → ".join(name for name, _, _ in steps),
            "step": i,
            "format": name,
            "sqnr_db": sqnr,
            "previous_sqnr_db": alone,
        }
        for steps in chains
        for i, (name, sqnr, alone) in enumerate(steps, 1)
    ]
