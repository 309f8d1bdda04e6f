"""What a scan prints fits the terminal and counts right."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from safetensors.numpy import save_file

from fewbits.cli import scan_tables
from fewbits.cli.layout import cropped, fitted
from fewbits.scan import Summary
from fewbits.table import Record
from test_cli import fewbits
from test_scan import entry

ROWS = [
    {"name": (f"{n:<12}", ""), "a": ("  1.5", ""), "b": (" 2.25", ""), "note": (end, "")}
    for n, end in [("x" * 9, ""), ("y", " best")]
]


@pytest.mark.parametrize(
    ("width", "first"),
    [
        (0, "xxxxxxxxx     1.5 2.25"),
        (22, "xxxxxxxxx     1.5 2.25"),
        (19, "xxxxxxxxx  1.5 2.25"),
        (15, "xxxxxxxxx   1.5"),
        (12, "xxxxxx…  1.5"),
    ],
)
def test_tables_fit(width: int, first: str) -> None:
    lines = ["".join(text for text, _ in line).rstrip() for line in fitted(ROWS, width, ("note", "b"))]
    assert lines[0] == first
    assert all(not width or len(line) <= width for line in lines)
    assert lines[0].index("1.5") == lines[1].index("1.5")


def test_lines_are_cropped() -> None:
    line = [("abc", "bold"), ("def", "")]
    assert cropped(line, 0) == cropped(line, 6) == line
    assert "".join(text for text, _ in cropped(line, 5)) == "abcd…"


@pytest.mark.parametrize("tensors", [3, 30])
@pytest.mark.parametrize("sampled", [(), ("--sample-rows", "64")])
def test_nothing_is_wider_than_a_narrow_terminal(tensors: int, sampled: tuple[str, ...], tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    names = [f"a.very.long.name.of.a.module.that.goes.on.{i}.projection.weight" for i in range(tensors)]
    save_file({name: rng.normal(0, 1, (128, 32)).astype("f4") for name in names}, tmp_path / "m.safetensors")
    arguments = ("scan", "m.safetensors", "-o", "r", "-f", "all", "-f", "e2m1@16-mse:e4m3@tensor:f32", *sampled)
    lines = fewbits(*arguments, "--summary", cwd=tmp_path, COLUMNS="60").stdout.splitlines()
    tables = lines[lines.index(next(line for line in lines if line.startswith("Hierarchy"))) :]
    assert max(map(len, tables)) <= 60, max(tables, key=len)
    assert any("SQNR dB" in line for line in tables)
    assert "TIME" in (tmp_path / "r" / "table.txt").read_text()


def test_means_leave_out_tensors_without_values_and_say_of_how_many() -> None:
    summary = Summary()
    good = entry("s", 4.0, 1.0)
    empty = Record(
        **{
            **vars(good),
            "tensor": "e",
            "signal": dict.fromkeys(good.signal, 0.0),
            "error": dict.fromkeys(good.error, 0.0),
        }
    )
    for record in (good, empty):
        summary.add(record, "s")
    (row,) = summary.rows()
    assert row["mean_mae"] == row["mae"]
    assert row["means_of"]["mae"] == 1
    shown = "\n".join("".join(text for text, _ in line) for line in scan_tables.summary([row], 10, 2))
    assert "0.000e+00 of 1" in shown
    only = Summary()
    only.add(empty, "s")
    (row,) = only.rows()
    assert "mean_pcc" not in row
    assert scan_tables._mean(row, "pcc") == "–"


def test_the_header_counts_what_is_there_and_what_is_left_out(tmp_path: Path) -> None:
    arrays = {"a.weight": np.ones((2, 4), "f4"), "a.bias": np.ones(4, "f4"), "b.bias": np.ones(4, "f4")}
    save_file(arrays, tmp_path / "m.safetensors")
    first = fewbits("scan", "m.safetensors", "-o", "r", "-f", "mxfp4", "-f", "bf16", cwd=tmp_path).stdout
    assert "1 of 3 tensors, 8 weights (2 without 'weight' or of integers left out; name them to measure them)" in first
    assert "already" not in first
    again = fewbits("scan", "m.safetensors", "-o", "r", "-f", "mxfp4", "-f", "fp0", cwd=tmp_path).stdout
    assert "(1 of 2 measurements is there already)" in again
    one = fewbits("scan", "m.safetensors", "a.", "-o", "r", "-f", "bf16", cwd=tmp_path).stdout
    assert "(1 of 1 measurement is there already)" in one
    assert "1 tensors" not in first + again + one
    assert "(1 tensor" not in json.dumps(one)
