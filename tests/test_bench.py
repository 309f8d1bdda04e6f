"""`fewbits bench`: the table is there and its verdicts follow from its figures. No time is asserted."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from fewbits.bench import Row, append, facts
from fewbits.bench.figures import tables
from fewbits.bench.peers import torch_sums
from fewbits.bench.sums import array, sums_of
from fewbits.bench.synthetic import bfloat16, endless
from fewbits.bench.timing import best
from fewbits.catalog import format
from fewbits.cli import run
from fewbits.figures import FIGURES
from fewbits.measurement import measure_tensor
from packages import package

ASKED = (
    "sums of mxfp4",
    "sums of bfp4",
    "sums of int4-g128",
    "sums of nvfp4",
    "all seven",
    "histogram",
    "memory of a large tensor",
    "memory of a large file",
    "reading float32",
    "reading bfloat16 safetensors into 16-bit",
    "reading bfloat16 safetensors into float32",
    "decoding Q4_K",
    "--help",
    "formats",
    "first figure of a process",
    "figure heat_map",
)


def test_quick(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    history = tmp_path / "history.jsonl"
    assert run(["bench", "--quick", "--json", "--history", str(history)]) == 0
    rows = json.loads(capsys.readouterr().out)
    for words in ASKED:
        assert any(words in row["what"] for row in rows), words
    assert all(row["figure"] is None or np.isfinite(row["figure"]) for row in rows)
    (line,) = history.read_text().splitlines()
    entry = json.loads(line)
    assert entry["rows"] == rows
    assert entry["versions"]["numpy"] == np.__version__
    assert entry["machine"]["cores"] >= 1


@pytest.mark.parametrize(
    ("figure", "at", "verdict"),
    [
        (0.3, "least", "goal"),
        (0.2, "least", "reached"),
        (0.1, "least", "not reached"),
        (0.1, "most", "reached"),
        (None, "least", "not installed"),
    ],
)
def test_verdict(figure: float | None, at: str, verdict: str) -> None:
    goal = 0.3 if at == "least" else None
    assert Row("a", figure, "", 0.12, goal, at).verdict == verdict


def test_measured_where_nothing_is_asked() -> None:
    assert Row("a", 3.0, "").verdict == "measured"


def test_best_counts_the_best_of_each_piece() -> None:
    calls = []
    times = best([[lambda: calls.append(0), lambda: calls.append(1)], [lambda: calls.append(2)]], 3)
    assert calls.count(1) == 3
    assert len(times) == 2
    assert all(0 < t < 1 for t in times)


def test_work_covers_the_array() -> None:
    """The pieces together give the sums of the whole."""
    x = array(200)
    parts = [work() for work in sums_of(format("nvfp4"), x)]
    total = sum(part[0, 0, 0, 1] for part in parts if part is not None)
    assert total == pytest.approx(measure_tensor(x, [format("nvfp4")]).errors[0]["err_sq"], rel=1e-6)


def test_every_figure_is_measured() -> None:
    """Each has a table of its own here, with what it needs and something to draw."""
    drawn = tables()
    assert set(drawn) == set(FIGURES)
    for name, found in drawn.items():
        assert len(found)
        assert set(FIGURES[name].needs) <= set(found.columns)
    assert len(drawn["staircase"]) == 400 * 13
    assert len(drawn["heat_map"]) == 9 * 7


def test_synthetic_tensors() -> None:
    t, b = endless(1 << 20), bfloat16(1 << 20)
    assert t.read(63, 65).shape == (2, 4096)
    assert np.array_equal(t.read(0, 1), t.read(64, 65))
    assert b.read16(0, 1).dtype == np.uint16
    assert np.array_equal(b.read(3, 4).view(np.uint32) >> 16, b.read16(3, 4))


def test_torch_does_the_same_job() -> None:
    torch = package("torch")
    x = array(16)
    theirs = [float(v) for v in torch_sums(torch, torch.from_numpy(x).reshape(-1))]
    ours = measure_tensor(x, [format("mxfp4")]).errors[0]
    assert theirs[1] == pytest.approx(ours["err_sq"], rel=1e-4)
    assert theirs[5:] == [ours["zeros_made"], ours["clipped"]]


def test_history_outside_a_checkout(tmp_path: Path) -> None:
    append(tmp_path / "h.jsonl", [Row("a", 1.0, "s")], facts(), tmp_path)
    append(tmp_path / "h.jsonl", [Row("a", 2.0, "s")], facts(), tmp_path)
    entries = [json.loads(line) for line in (tmp_path / "h.jsonl").read_text().splitlines()]
    assert [e["rows"][0]["figure"] for e in entries] == [1.0, 2.0]
    assert entries[0]["commit"] == ""
