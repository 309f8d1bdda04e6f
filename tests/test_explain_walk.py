"""The walk through a block on the terminal: scale, codes, reconstruction and error, spelled out and as `encode` stores them."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import fewbits as fb
from fewbits import catalog
from fewbits.cli import run
from fewbits.encoded import Encoded
from fewbits.explain import steps, walk

X = np.random.default_rng(4).normal(0, 1, 70).astype(np.float32)
VALUES = ("0.3", "1.1", "6", "-2")

GOLDEN = {
    "mxfp4": """
        block 0  4 values
          largest magnitude                        6
          ideal scale                              1  = 2^(floor(log2 6) − 2)
          stored scale                             1  e8m0 01111111

                 VALUE       ÷ SCALE         BELOW         ABOVE        CHOSEN          CODE        RESULT         ERROR
                   0.3           0.3             0           0.5           0.5          0001           0.5           0.2
                   1.1           1.1             1           1.5             1          0010             1          -0.1
                     6             6             6             6             6          0111             6             0
                    -2            -2            -2            -2            -2          1100            -2             0
    """,
    "nvfp4": """
        block 0  4 values
          largest magnitude                        6
          ideal scale                              1  = 6 / 6
          scale of scales                0.002232143  f32 00111011000100100100100100100101  = 6 / (6 × 448), of the whole tensor
          stored scale                             1  e4m3 01111110  = 448 × 0.002232143

                 VALUE       ÷ SCALE         BELOW         ABOVE        CHOSEN          CODE        RESULT         ERROR
                   0.3           0.3             0           0.5           0.5          0001           0.5           0.2
                   1.1           1.1             1           1.5             1          0010             1          -0.1
                     6             6             6             6             6          0111             6             0
                    -2            -2            -2            -2            -2          1100            -2             0
    """,
    "u4@32:f16+zero": """
        block 0  4 values
          maximum − minimum                        8  = 6 − (−2)
          ideal scale                      0.5333334  = 8 / 15
          stored scale                     0.5332031  f16 0011100001000100
          zero point                               4  u4 0100  = round(2 / 0.5332031)

                 VALUE       ÷ SCALE         BELOW         ABOVE        CHOSEN          CODE        RESULT         ERROR
                   0.3      4.562637             4             5             5          0101     0.5332031     0.2332031
                   1.1      6.063004             6             7             6          0110      1.066406   -0.03359377
                     6      15.25275            15             –            15          1111      5.865234    -0.1347656
                    -2     0.2490842             0             1             0          0000     -2.132812    -0.1328125
    """,
    "nf4": """
        block 0  4 values
          largest magnitude                        6
          ideal scale                              6  = 6 / 1
          stored scale                             6  f32 01000000110000000000000000000000

                 VALUE       ÷ SCALE         BELOW         ABOVE        CHOSEN          CODE        RESULT         ERROR
                   0.3          0.05             0     0.0795803     0.0795803          1000     0.4774818     0.1774818
                   1.1     0.1833333     0.1609302     0.2461123     0.1609302          1001     0.9655812    -0.1344188
                     6             1             1             1             1          1111             6             0
                    -2    -0.3333333    -0.3949175    -0.2844414    -0.2844414          0100     -1.706648     0.2933517
    """,
    "q4_k": """
        block 0  4 values
          scale of scales                 0.00843811  f16 0010000001010010
          stored scale                      0.531601  u6 111111  = 63 × 0.00843811
          stored minimum                   -1.978363  u6 111111  = −63 × 0.03140259

                 VALUE       ÷ SCALE         BELOW         ABOVE        CHOSEN          CODE        RESULT         ERROR
                   0.3      4.285852             4             5             4          0100     0.1480408    -0.1519592
                   1.1       5.79074             5             6             6          0110      1.211243     0.1112427
                     6      15.00818            15             –            15          1111      5.995651  -0.004348755
                    -2   -0.04070151             –             0             0          0000     -1.978363    0.02163696
    """,
}  # fmt: skip


@pytest.mark.parametrize("name", GOLDEN)
def test_the_terminal_walks_through_the_block(
    name: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Every number is what pencil and paper give; for a searched scale what ggml's encoder finds."""
    monkeypatch.setenv("NO_COLOR", "1")
    monkeypatch.setenv("COLUMNS", "140")
    assert run(["explain", name, *VALUES]) == 0
    printed = [line.rstrip() for line in capsys.readouterr().out.splitlines()]
    start = printed.index("block 0  4 values")
    assert printed[start:] == [line[8:] for line in GOLDEN[name].splitlines()[1:-1]]


def test_several_blocks_are_told_apart(capsys: pytest.CaptureFixture[str]) -> None:
    """The scale of the whole tensor is that of the largest block; rows say which block they belong to."""
    assert run(["explain", "nvfp4", *["0.5"] * 16, "20"]) == 0
    out = capsys.readouterr().out
    assert out.count("= 20 / (6 × 448), of the whole tensor") == 2
    assert "block 0  16 values" in out
    assert "block 1  1 value\n" in out
    last = [line.split() for line in out.splitlines() if line.strip()]
    assert last[-17][0] == "0"
    assert last[-1][:2] == ["1", "20"]


@pytest.mark.parametrize("name", [row.name for row in catalog.rows() if row.format.block and not row.format.hadamard])
def test_codes_are_those_that_encode_stores(name: str) -> None:
    """Of scales, of the scales of these, and of offsets."""
    f = catalog.format(name)
    if f.outliers or f.mean:
        pytest.skip("options that mix values have no steps")
    rows, stored = steps(X.tolist(), f), fb.encode(X[None], f)
    blocks = list(dict.fromkeys(row["block"] for row in rows))
    first = [next(row for row in rows if row["block"] == block) for block in blocks]
    assert [int(row["scale_bits"], 2) for row in first] == codes(stored.scale)[: len(first)]
    if isinstance(stored.scale, Encoded) and stored.scale.scale is not None:
        assert {int(row["outer_bits"], 2) for row in first} <= set(codes(stored.scale.scale))
        made = [row["scale_element"] * row["outer_scale"] + row["scale_mean"] for row in first]
        assert [row["scale"] for row in first] == pytest.approx(made, rel=1e-6)
    if stored.offset is not None:
        assert [int(row["offset_bits"], 2) for row in first] == codes(stored.offset)[: len(first)]
    for block in blocks:
        facts = walk(rows, block, f)
        assert [fact.value for fact in facts if fact.what == "stored scale"] == [first[blocks.index(block)]["scale"]]
        assert not any("nan" in str(fact) for fact in facts)


@pytest.mark.parametrize("values", [[0.0, -0.0], [1e-45], [3e38, -3e38], [float("nan"), 1.0], [float("inf")]], ids=str)
def test_odd_blocks_have_a_walk_too(values: list[float]) -> None:
    for row in catalog.rows():
        f = row.format
        if not f.block or f.hadamard or f.outliers or f.mean:
            continue
        rows = steps(values, f)
        for block in {found["block"] for found in rows} - {None}:
            assert all(str(fact).startswith(fact.what) for fact in walk(rows, block, f)), row.name


def codes(stored: Any) -> list[int]:
    """The codes of scales in the order of their blocks; of float32 their bits."""
    if isinstance(stored, Encoded):
        return [int(code) for code in stored.codes.ravel()]
    return [int(code) for code in (stored.view(np.uint32) if stored.dtype == np.float32 else stored).ravel()]
