"""Transfer curves: a point is what the library makes of it in its block; the MAE is the usual one; files and failures."""

from __future__ import annotations

import csv
import json
from pathlib import Path

import numpy as np
import pytest
import vl_convert

import fewbits as fb
from canned import pictures as canned
from fewbits import catalog, figures
from fewbits.cli import run
from fewbits.cli.tensor_pictures import Slugs
from fewbits.measurement import measure_tensor
from fewbits.pictures.blocks import least_places
from fewbits.pictures.transfer import COLUMNS, context, sweep, transfer
from test_curve import held

RANDOM = np.random.default_rng(5)
W = (0.02 * RANDOM.standard_normal((48, 200))).astype(np.float32)


@pytest.mark.parametrize("name", ["mxfp4", "nvfp4", "bfp4", "bfp2", "bf16", "int4-g128"])
def test_a_point_is_the_tensor_with_that_value_in_its_place(name: str) -> None:
    """Put into the real tensor, in the typical block, a value becomes what the curve says."""
    f, tensor = fb.format(name), held(W)
    rows = transfer(tensor, [(name, f)], points=41)
    block = context(tensor, f)
    if f.block is None:
        assert [r["y"] for r in rows] == fb.quantize(np.array([r["x"] for r in rows], np.float32), f).tolist()
        return
    width = block.shape[2]
    where = next(
        (i, j) for i in range(len(W)) for j in range(0, W.shape[1], width) if np.array_equal(W[i, j : j + width], block[0, 0])
    )  # fmt: skip
    place = where[1] + int(least_places(block)[0])
    for row in rows[::4]:
        changed = W.copy()
        if np.abs(W).argmax() == where[0] * W.shape[1] + place:
            pytest.fail("the extreme itself makes way")
        changed[where[0], place] = row["x"]
        assert fb.quantize(changed, f)[where[0], place] == np.float32(row["y"])


def test_typical_is_the_median_block() -> None:
    block = context(held(W), fb.format("mxfp4"))
    amax = np.sort(np.abs(W[:, :192].reshape(-1, 32)).max(axis=1))
    assert np.abs(block).max() == amax[(len(amax) - 1) // 2]


def test_mae_is_that_of_the_true_layout() -> None:
    """A width that is no multiple of the block (A-B22): the flattened tensor has another error."""
    f = fb.format("bfp4")
    assert 200 % 16
    row = transfer(held(W), [("bfp4", f)], points=2)[0]
    assert row["mae"] == pytest.approx(float(np.abs(fb.quantize(W, f).astype(np.float64) - W).mean()), rel=1e-7)
    flat = float(np.abs(fb.quantize(W.reshape(-1), f).astype(np.float64) - W.reshape(-1)).mean())
    assert row["mae"] != pytest.approx(flat, rel=1e-6)
    assert row["mae"] == measure_tensor(W, [f]).errors[0]["err_abs"] / W.size


def test_points_do_not_depend_on_their_neighbours() -> None:
    names = catalog.resolve(["mxfp4", "nvfp4", "bfp4", "q4_k"])
    fine = transfer(held(W), names, points=401)
    coarse = transfer(held(W), names, points=5)
    assert [(r["format"], r["y"]) for r in coarse] == [(r["format"], r["y"]) for r in fine if _fifth(r, fine)]


def _fifth(row: dict[str, object], fine: list[dict[str, object]]) -> bool:
    xs = [r["x"] for r in fine[:401]]
    return row["x"] in xs[::100]


def test_every_format_of_the_catalogue() -> None:
    chosen = [(row.name, row.format) for row in catalog.rows()]
    rows = transfer(held(W), chosen, points=3)
    assert len(rows) == 3 * len(chosen)
    assert all(np.isfinite(row["y"]) for row in rows)


def test_constant_and_empty_tensors() -> None:
    assert sweep(2.0, 2.0, 3).tolist() == pytest.approx([2 - 2e-6, 2, 2 + 2e-6], abs=3e-7)
    assert sweep(0.0, 0.0, 3).tolist() == pytest.approx([-1e-6, 0, 1e-6])
    for value in (0.0, 2.0):
        rows = transfer(held(np.full((4, 64), value, np.float32)), catalog.resolve(["all"]), points=4)
        assert all(np.isfinite(row["y"]) for row in rows)
    for bad in (np.zeros((0, 8), np.float32), np.full((2, 8), np.nan, np.float32)):
        with pytest.raises(fb.errors.DataError, match=r"a\.weight"):
            transfer(held(bad), catalog.resolve(["mxfp4"]))


def test_the_legend_has_the_mae_and_names_are_text() -> None:
    table = canned.tables()["transfer"]
    svg = vl_convert.vegalite_to_svg(json.dumps(figures.draw("transfer", table, label="BFP4 output")))
    assert ">mxfp4: MAE 3.20e-03<" in svg
    assert ">BFP4 output: encoder.layer.5.output.dense.weight<" in svg


def test_slugs() -> None:
    slug = Slugs()
    assert [slug(name) for name in ("a/b c.w", "a b/c.w", "…", "A_b_c.W", "..")] == [
        "a_b_c.w",
        "a_b_c.w-2",
        "tensor",
        "A_b_c.W-3",
        "tensor-2",
    ]


def test_command(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.chdir(tmp_path)
    assert run(["transfer", "sample", "encoder.layer.5.output", "-f", "mxfp4", "--points", "20"]) == 0
    path = "plots/visualize_quantization_error/encoder.layer.5.output.dense.weight.png"
    assert capsys.readouterr().out == f"{path}\n1 picture of 1 tensor\n"
    assert (tmp_path / path).read_bytes().startswith(b"\x89PNG")


def test_rows_of_the_command(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """The points of all tensors as they come; the same whatever --jobs is; without a picture where stdout is for programs."""
    monkeypatch.chdir(tmp_path)
    np.savez("m.npz", **{"a.weight": W, "b.weight": np.zeros((0, 8), np.float32), "c.weight": 2 * W})
    common = ["transfer", "m.npz", "-f", "mxfp4", "-f", "bfp4", "--points", "5"]
    assert run([*common, "--json", "--jobs", "2"]) == 0
    done = capsys.readouterr()
    rows = json.loads(done.out)
    assert "b.weight: empty" in done.err
    assert [list(row) for row in rows] == [list(COLUMNS)] * 20
    wanted = [
        transfer(held(w, name), catalog.resolve(["mxfp4", "bfp4"]), points=5)
        for name, w in (("a.weight", W), ("c.weight", 2 * W))
    ]
    assert rows == [row for own in wanted for row in own]
    assert not (tmp_path / "plots").exists()
    assert run([*common, "--csv", "a.csv", "--kind", "svg", "-o", "p"]) == 0
    assert capsys.readouterr().out.endswith("2 pictures of 3 tensors\n")
    found = list(csv.DictReader((tmp_path / "a.csv").read_text().splitlines()))
    assert [(row["tensor"], float(row["y"])) for row in found] == [(row["tensor"], row["y"]) for row in rows]
    assert run(["transfer", "m.npz", "b.weight", "--csv", "b.csv"]) == 1
    assert not (tmp_path / "b.csv").exists()
    capsys.readouterr()
    assert run(["transfer", "m.npz", "b.weight", "--json"]) == 1
    assert capsys.readouterr().out == ""
    assert run([*common, "--json", "--show"]) == 2


def test_failing_tensors(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """One that fails is a warning; an error when nothing was made."""
    np.savez(tmp_path / "m.npz", **{"a.weight": np.zeros((0, 32), np.float32), "b.weight": W})
    common = ["-f", "bfp2", "--points", "5", "--kind", "svg", "--out-dir", str(tmp_path / "o")]
    assert run(["transfer", str(tmp_path / "m.npz"), *common]) == 0
    done = capsys.readouterr()
    assert done.out.endswith("1 picture of 2 tensors\n")
    assert done.err.startswith("fewbits: warning: a.weight: empty")
    assert run(["transfer", str(tmp_path / "m.npz"), "a.weight", *common]) == 1
    assert "no picture was made" in capsys.readouterr().err
    assert run(["transfer", "sample", "--kind", "gif"]) == 2
