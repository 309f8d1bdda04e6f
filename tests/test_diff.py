"""Two checkpoints of one model: pairs across frameworks, the sums of a scan, totals, doubts, and the command."""

from __future__ import annotations

import json
import math
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import ml_dtypes
import numpy as np
import polars
import pytest
import vl_convert

import weights
from checkpoints import safetensors
from fewbits import catalog
from fewbits.diff import Comparison, changed_names, doubts, gap, methods, rows, simulate, total
from fewbits.diff.names import bare, gguf_names, has_gguf_names
from fewbits.diff.pairs import BASE_ONLY, OTHER_ONLY, ROPE, SHAPES, TRANSPOSED, UNREADABLE, Pair, match
from fewbits.diff.rope import unpermute, unpermuted
from fewbits.diff.sums import sum_pair
from fewbits.diff.verdicts import verdicts
from fewbits.errors import SourceError
from fewbits.figures import draw
from fewbits.measurement import measure_tensor
from fewbits.sources import Source, open_source
from fewbits.sources.model_facts import Facts, facts_of, gguf_facts, json_facts
from fewbits.tensor import Tensor
from fewbits.transposed import transposed

Array = np.ndarray[Any, Any]
RNG = np.random.default_rng(7)


class Held:
    """Values in memory, which count how much of them is read at once."""

    def __init__(self, x: Array) -> None:
        self.x, self.most = x.astype(np.float32), 0

    def read(self, start: int, stop: int) -> Array:
        self.most = max(self.most, stop - start)
        return self.x[start:stop].copy()

    def read16(self, start: int, stop: int) -> None:
        return None


def tensor(name: str, x: Array, dtype: str = "float32", **more: Any) -> Tensor:
    rows = x.reshape(math.prod(x.shape[:-1]), x.shape[-1] if x.ndim else 1)
    identity = f"{name} {x.tobytes().hex()[:64]}"
    return Tensor(name, x.shape, dtype, more.pop("nbytes", 4 * x.size), identity, Held(rows), **more)


def normal(*shape: int) -> Array:
    return RNG.normal(0, 1, shape).astype(np.float32)


def source(arrays: dict[str, Array], title: str = "m", **more: Any) -> Source:
    return Source(title, title, [tensor(name, x, **more) for name, x in arrays.items()], [(f"{title}.safetensors", 1)])


def compared(base: dict[str, Array], other: dict[str, Array], *facts: Facts) -> Comparison:
    found = Comparison(source(base, "base"), source(other, "other"), facts=facts or (Facts(), Facts()))  # type: ignore[arg-type]
    assert [d.pair for d in found.measure()] == [d.pair for d in found.differences]
    return found


def pairs(base: dict[str, Array], other: dict[str, Array], *facts: Facts) -> dict[str, Pair]:
    found = match(source(base), source(other), *facts)
    return {pair.base.name: pair for pair in found.pairs}


# -- values in another order -------------------------------------------------------------------------------------------


@pytest.mark.parametrize("shape", [(5, 7), (3, 4, 6), (1, 9), (2, 0, 3), (2, 3, 0)])
def test_a_transpose_is_read_lazily(shape: tuple[int, ...], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("fewbits.transposed.HELD", 8)
    monkeypatch.setattr("fewbits.transposed.PIECE", 5)
    x = normal(*shape)
    turned = transposed(tensor("x", x))
    expected = x.swapaxes(-1, -2)
    assert turned.shape == expected.shape
    expected = expected.reshape(turned.rows, turned.columns)
    assert np.array_equal(turned.read(), expected)
    for start in range(turned.rows):
        assert np.array_equal(turned.read(start, min(start + 2, turned.rows)), expected[start : start + 2])
    assert turned.identity != tensor("x", x).identity
    assert turned.read16() is None


def test_what_has_no_second_axis_is_its_own_transpose() -> None:
    vector = tensor("x", normal(4))
    assert transposed(vector) is vector


def converted(x: Array, heads: int) -> Array:
    """What llama.cpp's converter does to query and key (convert_hf_to_gguf.py, LlamaModel.permute)."""
    return x.reshape(heads, 2, x.shape[0] // heads // 2, *x.shape[1:]).swapaxes(1, 2).reshape(x.shape)


@pytest.mark.parametrize(("heads", "shape"), [(1, (8, 3)), (4, (32, 5)), (3, (18, 2)), (2, (12,))])
def test_rope_order_is_undone(heads: int, shape: tuple[int, ...]) -> None:
    x = normal(*shape)
    stored = converted(x, heads)
    assert not np.array_equal(stored, x)
    assert np.array_equal(unpermute(stored, heads), x)
    lazy = unpermuted(tensor("q", stored), heads)
    assert lazy is not None
    assert np.array_equal(lazy.read().reshape(shape), x)
    if len(shape) == 2:
        for start in range(shape[0]):
            for stop in range(start, min(start + 5, shape[0]) + 1):
                assert np.array_equal(lazy.read(start, stop), x[start:stop])


def test_rope_order_is_read_head_by_head() -> None:
    held = tensor("q", converted(normal(64, 4), 8))
    lazy = unpermuted(held, 8)
    assert lazy is not None
    lazy.read(9, 12)
    assert held.values.most == 8  # type: ignore[attr-defined]


@pytest.mark.parametrize(("heads", "shape"), [(3, (8, 2)), (4, (4, 2)), (0, (8, 2)), (2, (2, 4, 4)), (1, ())])
def test_heads_that_do_not_fit(heads: int, shape: tuple[int, ...]) -> None:
    assert unpermuted(tensor("q", normal(*shape)), heads) is None


# -- names -------------------------------------------------------------------------------------------------------------


def test_wrappers_come_off() -> None:
    assert bare("model.language_model.layers.0.q.weight") == "layers.0.q.weight"
    assert bare("transformer.h.1.attn.bias") == "h.1.attn.bias"
    assert bare("model.weight") == "model.weight"
    assert bare("") == ""


def test_names_of_gguf() -> None:
    llama = [
        *("model.embed_tokens.weight", "model.norm.weight", "lm_head.weight"),
        *(f"model.layers.11.{part}.weight" for part in ("self_attn.q_proj", "mlp.down_proj", "input_layernorm")),
    ]
    there = [
        *("token_embd.weight", "output_norm.weight", "output.weight"),
        *("blk.11.attn_q.weight", "blk.11.ffn_down.weight", "blk.11.attn_norm.weight"),
    ]
    assert dict(gguf_names(llama, there)) == dict(zip(llama, there, strict=True))
    assert dict(gguf_names(llama, there, "llama")) == dict(zip(llama, there, strict=True))
    gpt2 = ["wte.weight", "h.3.attn.c_attn.bias", "transformer.h.3.mlp.c_proj.weight"]
    called = gguf_names(gpt2, ["token_embd.weight", "blk.3.attn_qkv.bias", "blk.3.ffn_down.weight"])
    assert list(called.values()) == ["token_embd.weight", "blk.3.attn_qkv.bias", "blk.3.ffn_down.weight"]
    assert has_gguf_names(there)
    assert not has_gguf_names(llama)
    assert not gguf_names(["a", "", ".", "9" * 40, "\x1b[31m.weight"], there)


def test_pairs_by_name_and_prefix() -> None:
    x = normal(4, 4)
    base = {"model.layers.0.q.weight": x, "model.norm.weight": x, "same": x, "a.qkv_proj.weight": x, "lost": x}
    other = {"language_model.layers.0.q.weight": x, "norm.weight": x, "same": x, "extra": x}
    found = match(source(base), source(other))
    assert {p.base.name: p.name for p in found.pairs} == {
        "model.layers.0.q.weight": "language_model.layers.0.q.weight",
        "model.norm.weight": "norm.weight",
        "same": "same",
    }
    assert {(u.tensor.name, u.status, bool(u.reason)) for u in found.unmatched} == {
        ("a.qkv_proj.weight", BASE_ONLY, True),
        ("lost", BASE_ONLY, False),
        ("extra", OTHER_ONLY, False),
    }


def test_a_name_that_could_mean_two_is_not_guessed() -> None:
    x = normal(2, 2)
    found = match(source({"model.a.weight": x}), source({"transformer.a.weight": x, "module.a.weight": x}))
    assert not found.pairs
    assert found.count(OTHER_ONLY) == 2


# -- shapes ------------------------------------------------------------------------------------------------------------


def test_transposed_and_squeezed_shapes() -> None:
    x, y = normal(6, 4), normal(3, 1, 5)
    found = compared({"c_fc.weight": x, "conv": y}, {"c_fc.weight": x.T.copy(), "conv": y[:, 0]})
    assert all(d.identical for d in found.differences)
    assert [d.how for d in found.differences] == [(TRANSPOSED,), ("axes of length 1",)]
    assert next(r for r in rows(found) if r["tensor"] == "c_fc.weight")["other_shape"] == [4, 6]


def test_a_square_matrix_of_a_transposed_model_is_told_by_its_values() -> None:
    x, y = normal(6, 4), normal(5, 5)
    found = compared({"a": x, "b": y}, {"a": x.T.copy(), "b": y.T.copy()})
    assert found.differences[1].identical
    assert found.differences[1].how == ("transposed, by values",)
    kept = compared({"b": y}, {"b": y.T.copy()})  # nothing says that this model is transposed
    assert not kept.differences[0].identical


def test_shapes_that_differ_are_listed_and_a_majority_is_another_model() -> None:
    base = {name: normal(4, 6) for name in "abc"}
    found = compared(base, {**base, "c": normal(4, 7)})
    assert [(u.tensor.name, u.status, u.reason) for u in found.matching.unmatched] == [("c", SHAPES, "4×6 and 4×7")]
    assert any("shapes differ in 1, first c: 4×6 and 4×7" in doubt for doubt in doubts(found))
    with pytest.raises(SourceError, match=r"other is another model than base: 2 of 3 matrices .* 'a': 4×6 and 2×6"):
        compared(base, {**base, "a": normal(2, 6), "b": normal(2, 6)})


def test_nothing_in_common() -> None:
    with pytest.raises(SourceError, match=r"no tensor of other is one of base.*'b' and 'a'"):
        compared({"a": normal(2, 2)}, {"b": normal(2, 2)})
    base, other = Source("b", "b", [], []), source({"a": normal(2, 2)})
    with pytest.raises(SourceError, match="no tensor"):
        Comparison(base, other)


def test_integers_and_unreadable_tensors_are_not_compared() -> None:
    x = normal(2, 2)
    base = Source("b", "b", [tensor("w", x), tensor("ids", x, "int64"), tensor("c", x)], [])
    other = Source("o", "o", [tensor("w", x), tensor("ids", x, "int32"), tensor("c", x, unreadable="holds c64")], [])
    found = Comparison(base, other)
    assert [p.base.name for p in found.matching.pairs] == ["w"]
    reasons = {u.tensor.name: (u.status, u.reason) for u in found.matching.unmatched}
    assert reasons == {"ids": (UNREADABLE, "integers in both"), "c": (UNREADABLE, "in OTHER, holds c64")}


# -- GGUF --------------------------------------------------------------------------------------------------------------

HEADS = Facts(model_type="llama", sizes={"heads": (4,), "key-value heads": (2,)})


def llama(heads: int = 4, key_values: int = 2) -> tuple[dict[str, Array], dict[str, Array]]:
    """A model as transformers and as GGUF have it."""
    ours, theirs = {}, {}
    for layer in (0, 1):
        q, k, v = normal(32, 16), normal(16, 16), normal(16, 16)
        ours |= {f"model.layers.{layer}.self_attn.{p}_proj.weight": x for p, x in zip("qkv", (q, k, v), strict=True)}
        theirs[f"blk.{layer}.attn_q.weight"] = converted(q, heads)
        theirs[f"blk.{layer}.attn_k.weight"] = converted(k, key_values)
        theirs[f"blk.{layer}.attn_v.weight"] = v
    ours["model.embed_tokens.weight"] = theirs["token_embd.weight"] = normal(10, 16)
    return ours, theirs


def test_gguf_against_transformers_both_ways() -> None:
    ours, theirs = llama()
    gguf = Facts(architecture="llama")
    for found in (compared(ours, theirs, HEADS, gguf), compared(theirs, ours, gguf, HEADS)):
        assert len(found.differences) == 7
        assert all(d.identical for d in found.differences), [d.pair.base.name for d in found.differences]
        assert sum(ROPE in d.how for d in found.differences) == 4


def test_head_counts_of_gguf_metadata_by_layer() -> None:
    metadata = {
        "general.architecture": "llama",
        "llama.attention.head_count": (4, 4),
        "llama.attention.head_count_kv": 2,
        "tokenizer.ggml.tokens": ("a", "b"),
    }
    facts = gguf_facts(metadata)
    assert (facts.heads(1, key_value=False), facts.heads(1, key_value=True)) == (4, 2)
    assert facts.sizes["vocabulary"] == (2,)
    ours, theirs = llama()
    assert all(d.identical for d in compared(ours, theirs, Facts(), facts).differences)


def test_rows_in_rope_order_without_head_counts_are_not_compared() -> None:
    ours, theirs = llama()
    found = match(source(ours), source(theirs), Facts(), Facts(architecture="llama"))
    assert len(found.pairs) == 3
    assert {u.reason for u in found.unmatched} == {
        "rows in GGUF's rope order, and no number of heads that fits is known"
    }


def test_other_architectures_are_not_reordered() -> None:
    ours, theirs = llama(heads=1, key_values=1)
    for layer in (0, 1):
        for part in "qk":
            theirs[f"blk.{layer}.attn_{part}.weight"] = ours[f"model.layers.{layer}.self_attn.{part}_proj.weight"]
    found = compared(ours, theirs, Facts(model_type="qwen2", sizes=HEADS.sizes), Facts(architecture="qwen2"))
    assert all(d.identical and ROPE not in d.how for d in found.differences)


# -- sums, totals, doubts ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("shape", [(), (0,), (5,), (300, 1000), (7, 0, 3), (2, 600, 700)])
def test_the_sums_are_those_of_a_scan(shape: tuple[int, ...]) -> None:
    x = normal(*shape)
    y = x.astype(ml_dtypes.bfloat16).astype(np.float32)
    found = sum_pair(tensor("x", x), tensor("y", y))
    scanned = measure_tensor(tensor("x", x), [catalog.format("bf16")])
    assert (found.signal, found.error) == (scanned.signal, scanned.errors[0])


def test_what_is_not_finite_is_counted_on_its_side() -> None:
    x, y = normal(4, 8), normal(4, 8)
    x[0, 0], y[0, 0] = np.nan, 1.0
    clean = sum_pair(tensor("x", x), tensor("y", y))
    assert (clean.signal["nan"], clean.broken) == (1, 0)
    assert math.isfinite(clean.error["err_sq"])
    y[1, 1:3] = np.inf, np.nan
    assert sum_pair(tensor("x", x), tensor("y", y)).broken == 2
    found = compared({"a": x}, {"a": y})
    assert rows(found)[0]["flags"][0] == "nonfinite_in_other:2"
    assert any("2 values are finite in BASE only" in doubt for doubt in doubts(found))


def test_gap_of_a_uniform_quantizer() -> None:
    """At high rate a uniform quantizer of step Δ has Δ²/12; its gap is what the definition says, to the bit."""
    x = normal(1, 200_000)
    y = np.round(x * 8) / 8
    found = compared({"a": x}, {"a": y.astype(np.float32)})
    (difference,) = found.differences
    value = gap(difference)
    assert value == pytest.approx(32 - 0.5 * math.log2(x.var() / (1 / 8**2 / 12)), abs=0.01)
    assert total(found.differences)["gap"] == value
    assert gap(compared({"a": x}, {"a": x}).differences[0]) is None


def test_total_merges_sums_and_counts_identical() -> None:
    a, b = normal(8, 8), 100 * normal(4, 4)
    found = compared({"a": a, "b": b}, {"a": a + np.float32(0.5), "b": b})
    sums = total(found.differences)
    assert sums["mse"] == pytest.approx(64 * 0.25 / 80)
    assert (sums["tensors"], sums["weights"], sums["identical"], sums["bits"]) == (2, 80, 1, 32.0)
    assert total([])["tensors"] == 0


def test_methods_are_compared_on_the_same_tensors_least_error_first() -> None:
    a, b = normal(8, 8), normal(4, 4)
    base = {"a": a, "b": b, "norm": normal(8)}
    coarse = compared(base, {**base, "a": np.round(a * 4) / 4})
    fine = compared(base, {**base, "a": np.round(a * 64) / 64})
    part = compared(base, {"a": np.round(a * 16) / 16, "norm": base["norm"]})
    found = methods([coarse, fine, part], [("lost", "not there")])
    assert [row["mse"] is not None for row in found] == [True, True, True, False]
    assert [row["mse"] for row in found[:3]] == sorted(row["mse"] for row in found[:3])
    assert {row["tensors"] for row in found[:3]} == {1}  # only `a` is in all and changed somewhere
    assert [row["not_compared"] for row in found[:3]] == [0, 1, 0]
    assert found[3]["reason"] == "not there"


def test_formats_stand_beside_checkpoints() -> None:
    base = {"a": normal(8, 64), "b": normal(4, 64)}
    held = source(base, "base")
    rounded = {"a": base["a"].astype(ml_dtypes.bfloat16).astype(np.float32), "b": base["b"]}
    found = Comparison(held, source(rounded, "other"))
    list(found.measure())
    names = changed_names([found])
    assert names == {"a"}
    simulated = simulate(held, names, catalog.resolve(["bf16", "mxfp4"]))
    table = methods([found, *simulated])
    assert [row["format"] for row in table] == ["bf16", "other", "mxfp4"]  # as little error, in fewer bits
    assert [row["bits"] for row in table] == [16.0, 32.0, 4.25]
    assert table[0]["mse"] == table[1]["mse"] < table[2]["mse"]
    assert table[2]["spec"] == "e2m1@32:e8m0"


def test_weights_that_are_far_apart_are_said() -> None:
    base = {name: normal(32, 32) for name in "abcd"}
    near = {name: x + np.float32(0.01) * normal(32, 32) for name, x in base.items()}
    assert doubts(compared(base, near)) == []
    some = doubts(compared(base, near | {"a": normal(32, 32)}))
    assert len(some) == 1
    assert some[0].startswith("1 of 4 tensors correlate below 0.9")
    assert "HARDLY THE SAME WEIGHTS" in doubts(compared(base, {name: normal(32, 32) for name in base}))[0]


def test_configurations_that_disagree_are_said() -> None:
    one = json_facts({"model_type": "llama", "vocab_size": 100, "num_attention_heads": 4, "hidden_size": "big"})
    two = json_facts({"model_type": "llama", "text_config": {"vocab_size": 128}, "n_head": 4})
    x = {"a": normal(4, 4)}
    assert doubts(compared(x, x, one, two)) == ["the configurations disagree: vocabulary 100 and 128"]
    assert "hidden size" not in one.sizes
    assert doubts(compared(x, x, one, one)) == []


def test_a_base_that_is_quantized_itself_is_said() -> None:
    x = normal(4, 4)
    base = Source("b", "b", [tensor("a", x, layout="Q4_1")], [])
    found = Comparison(base, source({"a": x}))
    list(found.measure())
    assert "BASE is itself stored quantized (Q4_1)" in doubts(found)[0]


def test_hostile_names() -> None:
    names = [
        "",
        ".",
        "a" * 5000,
        "model." * 80 + "w",
        "\x1b[31mred",
        "\ud800",
        "blk.0.attn_q",
        "blk.x.attn_q.weight",
        "9.9",
    ]
    arrays = {name: normal(2, 4) for name in names}
    found = compared(arrays, arrays)
    assert len(found.differences) == len(names)
    assert all(d.identical for d in found.differences)
    reordered = match(source(arrays), source({"model.layers.0.self_attn.q_proj.weight": normal(2, 4)}))
    assert not reordered.pairs


# -- the command -------------------------------------------------------------------------------------------------------


def run(*arguments: str | Path, cwd: Path, check: int = 0, **environment: str) -> subprocess.CompletedProcess[str]:
    clean = {k: v for k, v in os.environ.items() if k not in ("NO_COLOR", "FORCE_COLOR", "CI", "COLUMNS")}
    command = [sys.executable, "-m", "fewbits", "diff", *map(str, arguments)]
    done = subprocess.run(command, cwd=cwd, env=clean | environment, capture_output=True, text=True, timeout=300)
    assert done.returncode == check, f"exit {done.returncode}\n{done.stdout}\n{done.stderr}"
    assert "Traceback" not in done.stderr
    return done


def checkpoint(folder: Path, arrays: dict[str, Array], config: dict[str, Any] | None = None) -> Path:
    folder.mkdir()
    (folder / "model.safetensors").write_bytes(safetensors(arrays))
    if config is not None:
        (folder / "config.json").write_text(json.dumps(config))
    return folder


def block_fp8(x: Array, side: int = 128) -> tuple[Array, Array]:
    """E4M3 values and one scale for each block of side × side."""
    tall, wide = (-(-n // side) for n in x.shape)
    padded = np.zeros((tall * side, wide * side), np.float32)
    padded[: x.shape[0], : x.shape[1]] = x
    blocks = padded.reshape(tall, side, wide, side)
    scale = (abs(blocks).max((1, 3)) / 448).astype(np.float32)
    values = (blocks / scale[:, None, :, None]).reshape(padded.shape)[: x.shape[0], : x.shape[1]]
    return values.astype(ml_dtypes.float8_e4m3fn), scale


@pytest.fixture(scope="module")
def models(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Small checkpoints: base, bf16, renamed and block-scaled FP8, random, of another shape."""
    folder = tmp_path_factory.mktemp("models")
    base = {f"layers.{i}.{part}.weight": 0.02 * normal(160, 256) for i in range(3) for part in ("q", "k")}
    base["norm.weight"] = np.ones(256, np.float32)
    checkpoint(folder / "base", base, {"vocab_size": 100})
    checkpoint(folder / "bf16", {n: x.astype(ml_dtypes.bfloat16) for n, x in base.items()})
    fp8: dict[str, Array] = {"model.norm.weight": base["norm.weight"]}
    for name, x in base.items():
        if x.ndim == 2:
            fp8[f"model.{name}"], fp8[f"model.{name}_scale_inv"] = block_fp8(x)
    checkpoint(folder / "fp8", fp8, {"quantization_config": {"weight_block_size": [128, 128]}, "vocab_size": 128})
    checkpoint(folder / "random", {n: 0.02 * normal(*x.shape) for n, x in base.items()})
    checkpoint(folder / "else", {n: x[..., :100].copy() for n, x in base.items()})
    return folder


def test_diff_shows_what_is_stored_and_what_it_costs(models: Path, tmp_path: Path) -> None:
    done = run(models / "base", models / "fp8", cwd=tmp_path)
    assert "matched  7 of 7 tensors, all of their weights; 7 renamed" in done.stdout
    assert "float8_e4m3fn, 128x128" in done.stdout
    assert "1 tensor is identical" in done.stdout
    assert "the configurations disagree: vocabulary 100 and 128" in done.stderr
    table = json.loads(run(models / "base", models / "fp8", "--json", cwd=tmp_path).stdout)
    assert len(table) == 7
    assert [row["sqnr_db"] for row in table[:6]] == sorted(row["sqnr_db"] for row in table[:6])
    assert table[0]["bits"] == pytest.approx(8 + 32 * 4 / (160 * 256))
    assert table[0]["layout"] == table[0]["spec"] == "float8_e4m3fn, 128x128 blocks of weight_scale_inv"
    assert table[0]["other"] == f"model.{table[0]['tensor']}"
    assert 28 < table[0]["sqnr_db"] < 36
    assert (table[6]["tensor"], table[6]["atol"], table[6]["flags"]) == ("norm.weight", 0.0, ["sqnr_db:inf"])


def test_diff_filters_and_writes(models: Path, tmp_path: Path) -> None:
    done = run(models / "base", models / "fp8", "layers.1", "-o", "d.parquet", "--picture", "d.svg", cwd=tmp_path)
    assert "matched  2 of 2 tensors matching 'layers.1'" in done.stdout
    assert polars.read_parquet(tmp_path / "d.parquet")["tensor"].to_list() != []
    svg = (tmp_path / "d.svg").read_text()
    assert "layers.1.q.weight" in svg
    assert "layers.0" not in svg
    line = run(models / "base", models / "fp8", "nothing", cwd=tmp_path, check=1).stderr
    assert "no tensor matches 'nothing'" in line
    assert line.count("\n") == 1


def test_a_run_directory_continues(models: Path, tmp_path: Path) -> None:
    run(models / "base", models / "bf16", "-o", "r", cwd=tmp_path)
    before = (tmp_path / "r" / "records-0.jsonl").read_bytes()
    run(models / "base", models / "bf16", "-o", "r", cwd=tmp_path)
    assert (tmp_path / "r" / "records-0.jsonl").read_bytes() == before
    assert len(polars.read_parquet(tmp_path / "r" / "differences.parquet")) == 7
    run(models / "base", models / "fp8", "-o", "r", cwd=tmp_path)
    assert len((tmp_path / "r" / "records-0.jsonl").read_bytes()) > len(before)


def test_several_others_are_one_table_and_a_failure_is_a_row(models: Path, tmp_path: Path) -> None:
    others = [models / name for name in ("random", "fp8", "bf16", "else", "gone")]
    done = run(models / "base", *others, "--picture", "m.png", cwd=tmp_path)
    assert (tmp_path / "m.png").stat().st_size > 1000
    lines = [line for line in done.stdout.splitlines() if line.startswith(("bf16", "fp8", "random", str(models)))]
    assert [line.split()[0] for line in lines[:3]] == ["bf16", "fp8", "random"]
    assert "another model than base" in done.stdout
    assert "HARDLY THE SAME WEIGHTS" in done.stderr
    table = json.loads(run(models / "base", *others, "--json", cwd=tmp_path).stdout)
    assert [row["format"] for row in table[:3]] == ["bf16", "fp8", "random"]
    assert [bool(row["reason"]) for row in table] == [False, False, False, True, True]
    assert all(row["tensors"] == 7 for row in table[:3])
    beside = json.loads(run(models / "base", models / "fp8", "-f", "mxfp4", "--json", "-o", "r", cwd=tmp_path).stdout)
    assert [row["format"] for row in beside] == ["fp8", "mxfp4"]
    assert len(polars.read_parquet(tmp_path / "r" / "differences.parquet")) == 7
    assert len(polars.read_parquet(tmp_path / "r" / "methods.parquet")) == 2
    assert run(models / "base", models / "else", models / "gone", cwd=tmp_path, check=1).stdout == ""


@pytest.mark.parametrize(
    ("arguments", "code", "reason"),
    [
        ([], 2, "Missing argument"),
        (["base"], 2, "nothing to compare with"),
        (["base", "else"], 1, "another model than base"),
        (["base", "gone.safetensors"], 1, "no such file"),
        (["gone.safetensors", "base"], 1, "no such file"),
        (["base", "bf16", "-f", "nonsense"], 2, "unknown format"),
        (["base", "bf16", "--picture", "x.txt"], 2, "suffix says the kind"),
        (["base", "bf16", "--json", "--csv", "-"], 2, "both want stdout"),
    ],
)
def test_errors_are_one_line(arguments: list[str], code: int, reason: str, models: Path) -> None:
    done = run(*arguments, cwd=models, check=code)
    assert reason in done.stderr
    assert done.stdout == ""
    assert done.stderr.count("\n") == 1


def test_colour_and_narrow_terminals(models: Path, tmp_path: Path) -> None:
    assert "\x1b[" in run(models / "base", models / "fp8", cwd=tmp_path, FORCE_COLOR="1").stdout
    plain = run(models / "base", models / "fp8", cwd=tmp_path, NO_COLOR="1", COLUMNS="80").stdout
    assert "\x1b" not in plain
    assert max(map(len, plain.splitlines())) <= 80


def test_the_encoder_against_its_own_copies(tmp_path: Path) -> None:
    model = weights.encoder()
    stored = {t.name: t for t in open_source(model)}
    floats = {n: t.read().reshape(t.shape) for n, t in stored.items() if t.dtype == "float32"}
    checkpoint(tmp_path / "bf16", {f"bert.{n}": x.astype(ml_dtypes.bfloat16) for n, x in floats.items()})
    fp8: dict[str, Array] = {}
    for name, x in floats.items():
        fp8[name] = x
        if name.endswith("dense.weight"):
            fp8[name], fp8[f"{name}_scale_inv"] = block_fp8(x)
    checkpoint(tmp_path / "fp8", fp8, {"quantization_config": {"weight_block_size": [128, 128]}})
    base = open_source(model)
    for name, low, high in (("bf16", 50, 60), ("fp8", 30, 40)):
        other = open_source(tmp_path / name)
        found = Comparison(base, other, facts=(facts_of(base), facts_of(other)))
        list(found.measure(jobs=2))
        assert len(found.differences) == len(floats)
        assert doubts(found) == []
        assert low < total(found.differences)["sqnr_db"] < high
    scanned = measure_tensor(base["pooler.dense.weight"], [catalog.format("bf16")])
    bf16 = Comparison(base, open_source(tmp_path / "bf16"), query="pooler.dense.weight")
    (difference,) = bf16.measure()
    assert (difference.record.signal, difference.record.error) == (scanned.signal, scanned.errors[0])


def test_a_real_gguf_against_what_it_was_made_of(tmp_path: Path) -> None:
    """Its tensors under the names of transformers, rows in their order: nothing differs."""
    path = next(weights.causal().glob("*.gguf"))
    gguf = open_source(path)
    facts = facts_of(gguf)
    assert (facts.architecture, facts.heads(0, key_value=False), facts.heads(0, key_value=True)) == ("llama", 9, 3)
    arrays: dict[str, Array] = {}
    for part, name in (("q", "attn_q"), ("k", "attn_k"), ("v", "attn_v"), ("o", "attn_output")):
        stored = gguf[f"blk.7.{name}.weight"]
        x = stored.read()
        if part in "qk":
            x = np.stack(np.split(x, 9 if part == "q" else 3))  # heads, with rows 2i and 2i + 1 from the two halves
            x = np.concatenate([np.concatenate([head[0::2], head[1::2]]) for head in x])
        arrays[f"model.layers.7.self_attn.{part}_proj.weight"] = x
    arrays["model.norm.weight"] = gguf["output_norm.weight"].read().reshape(-1)
    checkpoint(tmp_path / "base", arrays, {"model_type": "llama", "num_attention_heads": 9, "num_key_value_heads": 3})
    base = open_source(tmp_path / "base")
    found = Comparison(base, gguf, facts=(facts_of(base), facts))
    assert {d.pair.name for d in found.measure()} == {
        *(f"blk.7.{name}.weight" for name in ("attn_q", "attn_k", "attn_v", "attn_output")),
        "output_norm.weight",
    }
    assert all(d.identical for d in found.differences)
    assert found.matching.count(OTHER_ONLY) == len(gguf) - 5


def test_formats_alone_and_which_is_better(tmp_path: Path) -> None:
    random = np.random.default_rng(3)
    np.savez(tmp_path / "a.npz", **{"layer.weight": random.standard_normal((64, 256)).astype(np.float32)})
    shown = run("a.npz", "-f", "nf4", "-f", "fp4-bnb", cwd=tmp_path).stdout
    assert "nf4 has " in shown
    assert "less squared error than fp4-bnb at the same bits" in shown
    assert "no tensor matches" in run("a.npz", "nothing-like-it", "-f", "nf4", cwd=tmp_path, check=1).stderr
    assert "nothing to compare with" in run("a.npz", cwd=tmp_path, check=2).stderr


@pytest.mark.parametrize(
    ("mse", "bits", "said"),
    [
        ((1.0, 2.0), (4.5, 4.5), ["a has 50.0 % less squared error than b at the same bits"]),
        ((1.0, 1.04), (4.5, 4.5), ["a and b are alike: 3.8 % of squared error between them"]),
        ((1.0, 2.0), (4.5, 4.25), []),
        ((0.0, 0.0), (4.5, 4.5), []),
    ],
)
def test_verdicts(mse: tuple[float, float], bits: tuple[float, float], said: list[str]) -> None:
    rows = [{"format": name, "mse": m, "bits": b, "reason": ""} for name, m, b in zip("ab", mse, bits, strict=True)]
    assert verdicts(rows) == said


def test_methods_are_drawn_with_the_bound_at_their_bits() -> None:
    table = polars.DataFrame(
        [
            {"format": "b", "mse": 4e-4, "bits": 4.0, "sqnr_db": 20.0, "gap": 1.0},
            {"format": "a", "mse": 1e-4, "bits": 5.0, "sqnr_db": 26.0, "gap": None},
            {"format": "copy", "mse": 0.0, "bits": 16.0, "sqnr_db": None, "gap": None},
        ]
    )
    chart = draw("methods", table)
    exact, first, second = chart["data"]["values"]
    assert [row["method"] for row in (exact, first, second)] == ["copy, 16 bits, exact", "a, 5 bits", "b, 4 bits"]
    assert ">copy, 16 bits, exact<" in vl_convert.vegalite_to_svg(json.dumps(chart))
    assert exact["sqnr_db"] is first["mse_bound"] is None
    assert second["mse_bound"] == pytest.approx(1e-4)
    assert second["sqnr_db_bound"] == pytest.approx(26.0206, abs=1e-4)
