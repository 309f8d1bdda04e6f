"""The explorer: a tree whose sizes add up, filters, what formats cost, the commit that is not asked for twice."""

from __future__ import annotations

import json
import os
import time
from pathlib import Path
from typing import Any

import huggingface_hub
import ml_dtypes
import numpy as np
import pytest

from checkpoints import safetensors
from fewbits.cli import run
from fewbits.cli.tensors_view import lines
from fewbits.scan.tree import grow
from fewbits.sources import open_source, recent
from fewbits.sources.cache_folder import cache_folder
from fewbits.sources.hub_cache import HubCache, Listed, Listing
from fewbits.sources.model_facts import facts_of
from fewbits.verbs import quantize
from hub_server import Hub, serve

Array = np.ndarray[Any, Any]
RNG = np.random.default_rng(3)


def normal(*shape: int) -> Array:
    return RNG.normal(0, 1, shape).astype(np.float32)


def model(folder: Path, arrays: dict[str, Array]) -> Path:
    path = folder / "model.safetensors"
    path.write_bytes(safetensors(arrays))
    return path


@pytest.fixture
def mixed(tmp_path: Path) -> Path:
    """Two dense layers, ten with FP8 experts, an embedding and integers."""
    arrays: dict[str, Array] = {"embed.weight": normal(40, 64), "position_ids": np.arange(64, dtype=np.int64)}
    for i in range(12):
        arrays[f"layers.{i}.attn.q.weight"] = normal(64, 64).astype(ml_dtypes.bfloat16)
        if i < 2:
            arrays[f"layers.{i}.mlp.weight"] = normal(96, 64).astype(ml_dtypes.bfloat16)
        else:
            arrays[f"layers.{i}.mlp.weight"] = normal(96, 64).astype(ml_dtypes.float8_e4m3fn)
            arrays[f"layers.{i}.mlp.weight_scale_inv"] = np.full((1, 1), 2.0 ** (i - 6), np.float32)
    return model(tmp_path, arrays)


@pytest.fixture(autouse=True)
def any_width(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("COLUMNS", raising=False)  # xdist says how wide its terminal is


def shown(capsys: pytest.CaptureFixture[str], *arguments: str | Path, code: int = 0) -> str:
    assert run(["tensors", *map(str, arguments)]) == code
    found = capsys.readouterr()
    return found.out if code == 0 else found.err


def table(capsys: pytest.CaptureFixture[str], *arguments: str | Path) -> list[dict[str, Any]]:
    found = json.loads(shown(capsys, *arguments, "--json"))
    assert isinstance(found, list)
    return found


def test_layers_are_ranges_of_alike_neighbours(mixed: Path, capsys: pytest.CaptureFixture[str]) -> None:
    text = shown(capsys, mixed)
    order = [text.index(label) for label in ("embed", "layers", "0–1 ", "2–11 ", "position_ids")]
    assert order == sorted(order)
    assert "2 alike" in text
    assert "10 alike" in text
    assert "10 × 6.15 kB" in text  # 96·64 of one byte and a scale
    assert "10 × 8.19 kB" in text


def test_sizes_add_up_with_scales(mixed: Path, capsys: pytest.CaptureFixture[str]) -> None:
    rows = table(capsys, mixed)
    stored = 40 * 64 * 4 + 64 * 8 + 12 * 64 * 64 * 2 + 2 * 96 * 64 * 2 + 10 * (96 * 64 + 4)
    assert sum(row["bytes"] for row in rows) == stored
    assert sum(row["share"] for row in rows) == pytest.approx(1)
    assert not [row for row in rows if "scale_inv" in row["tensor"]]
    fp8 = next(row for row in rows if row["tensor"] == "layers.7.mlp.weight")
    assert fp8["bits_per_weight"] == pytest.approx(8 * (96 * 64 + 4) / (96 * 64))
    assert fp8["row"] == "layers.2–11.mlp"
    header = shown(capsys, mixed).splitlines()[:3]
    assert header[0] == "model    model"
    assert header[1].startswith("files    1 file, ")
    assert header[2].startswith("tensors  26 (10 more hold their scales), ")


def test_every_line_counts_its_copies(mixed: Path) -> None:
    source = open_source(mixed)
    own = [t for t in source if not t.companion_of]
    root = grow(own)
    leaves = [node for _, node in lines(root) if node.tensor]
    assert sorted(member.name for node in leaves for member in node.members) == sorted(t.name for t in own)
    assert sum(member.nbytes for node in leaves for member in node.members) == root.nbytes


def test_filters_keep_subtrees(mixed: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert len(table(capsys, mixed, "layers.1")) == 2  # not layers.10 or 11
    assert len(table(capsys, mixed, "LAYERS.10.")) == 2
    rows = table(capsys, mixed, "attn")
    assert len(rows) == 12
    assert sum(row["share_shown"] for row in rows) == pytest.approx(1)
    assert sum(row["share"] for row in rows) < 1
    assert "shown    12 tensors matching 'attn', 98.3 kB" in shown(capsys, mixed, "attn")
    assert "no tensor matches 'nothing'" in shown(capsys, mixed, "nothing", code=1)


def test_exit_codes(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert "Missing argument" in shown(capsys, code=2)
    assert "no such file" in shown(capsys, tmp_path / "gone", code=1)
    assert "unknown format" in shown(capsys, "sample", "-f", "nonsense", code=2)
    assert "unknown format" in shown(capsys, "sample", "-f", "nonsense.T", code=2)


def test_formats_are_measured_once(mixed: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    place = tmp_path / "run"
    text = shown(capsys, mixed, "mlp", "-f", "mxfp4", "-c", "bfp8.T", "--run", place)
    assert text.count("mxfp4") == 2  # one line a range
    assert text.count("bfp8.T") == 2
    before = (place / "records-0.jsonl").read_bytes()
    assert len(before.splitlines()) == 24
    rows = table(capsys, mixed, "mlp", "-f", "mxfp4", "-f", "bfp8.T", "--run", place)
    assert (place / "records-0.jsonl").read_bytes() == before
    assert [(row["tensor"], row["format"]) for row in rows[:2]] == [
        ("layers.0.mlp.weight", "mxfp4"),
        ("layers.0.mlp.weight", "bfp8.T"),
    ]
    worst = min(row["pcc"] for row in rows if row["row"] == "layers.2–11.mlp" and row["format"] == "mxfp4")
    assert f"PCC {worst:.6f} ≤ " in text


def test_formats_see_the_values_that_scales_make(
    mixed: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Block-scaled weights are read before they are measured; `.T` is the other axis."""
    x = open_source(mixed)["layers.11.mlp.weight"].read()
    rows = table(capsys, mixed, "layers.11.mlp", "-f", "mxfp4", "-f", "mxfp4.t", "--run", tmp_path / "r")
    expected = (quantize(x, "mxfp4"), quantize(x.T.copy(), "mxfp4").T)
    for row, y in zip(rows, expected, strict=True):
        assert row["atol"] == abs(y - x).max()
        assert row["maximum"] == x.max()
        assert row["sqnr_db"] == pytest.approx(
            10 * np.log10((x.astype(float) ** 2).sum() / ((y - x) ** 2).sum()), rel=1e-4
        )
    assert [row["format"] for row in rows] == ["mxfp4", "mxfp4.T"]


def test_integers_are_not_measured(mixed: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (row,) = table(capsys, mixed, "position_ids", "-f", "mxfp4", "--run", tmp_path / "r")
    assert (row["format"], row["pcc"], row["flags"]) == (None, None, [])
    assert "not measured" in shown(capsys, mixed, "position_ids", "-f", "mxfp4", "--run", tmp_path / "r")
    assert not (tmp_path / "r").exists()


def test_colour_and_narrow_terminals(
    mixed: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    arguments = (mixed, "-f", "mxfp4", "--run", tmp_path / "r")
    monkeypatch.delenv("NO_COLOR", raising=False)
    monkeypatch.setenv("FORCE_COLOR", "1")
    monkeypatch.setenv("TERM", "xterm-256color")
    assert "\x1b[" in shown(capsys, *arguments)
    monkeypatch.delenv("FORCE_COLOR")
    monkeypatch.setenv("NO_COLOR", "1")
    monkeypatch.setenv("COLUMNS", "72")
    text = shown(capsys, *arguments)
    assert "\x1b" not in text
    assert max(map(len, text.splitlines())) <= 72


def test_hostile_names(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    names = ["\x1b[31mred.weight", "a" * 300, "a.", ".", "..", "0.1.2", "\u202ereversed", "=1+1"]
    path = model(tmp_path, {name: normal(2, 3) for name in names})
    text = shown(capsys, path, "-f", "bf16", "--run", tmp_path / "r")
    assert "\x1b" not in text
    assert "\u202e" not in text
    assert {row["tensor"] for row in table(capsys, path)} == set(names)


def test_an_empty_tensor_and_a_scalar(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = model(tmp_path, {"none": np.empty((0, 4), np.float32), "one": np.float32(3).reshape(())})
    text = shown(capsys, path, "-f", "mxfp4", "-f", "bf16.T", "--run", tmp_path / "r")
    assert "scalar float32" in text
    assert "values none" in text
    assert table(capsys, path)[0]["bits_per_weight"] is None


# -- the commit that the hub named within the hour ---------------------------------------------------------------------

COMMIT = "a" * 40


@pytest.fixture
def remembered(tmp_path: Path) -> HubCache:
    cache = HubCache(cache_folder(tmp_path), "", "org/name")
    cache.remember("main", Listing(COMMIT, {"model.safetensors": Listed(1, "e")}))
    return cache


def test_a_commit_is_asked_for_once_an_hour(remembered: HubCache, tmp_path: Path) -> None:
    found = recent.recent("org/name", None, tmp_path)
    assert found is not None
    assert found.uri == f"hf://org/name@{COMMIT}"
    assert 0 <= found.age < 60
    path = remembered.folder / "refs" / "main"
    old = time.time() - recent.HOUR - 5
    os.utime(path, (old, old))
    assert recent.recent("org/name", None, tmp_path) is None


@pytest.mark.parametrize(
    ("uri", "revision"),
    [
        ("org/name", "other"),
        ("org/other", None),
        ("org/name", COMMIT),
        ("sample", None),
        ("hf://datasets/a/b", None),
        ("org/name@../../x", None),
        ("", None),
    ],
)
def test_everything_else_is_asked(uri: str, revision: str | None, remembered: HubCache, tmp_path: Path) -> None:
    assert recent.recent(uri, revision, tmp_path) is None


def test_a_path_of_that_name_comes_first(remembered: HubCache, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "org" / "name").mkdir(parents=True)
    monkeypatch.chdir(tmp_path)
    assert recent.recent("org/name", None, tmp_path) is None


def test_a_second_look_within_the_hour_asks_nothing(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    with serve(Hub()) as hub:
        monkeypatch.setenv("HF_ENDPOINT", hub.url)
        monkeypatch.setattr("huggingface_hub.get_token", lambda: None)
        hub.add("org/name", {"model.safetensors": safetensors({"w": normal(4, 4)}), "config.json": b"{}"})
        arguments = ("org/name", "--cache-dir", tmp_path / "cache")
        first = shown(capsys, *arguments)
        assert "org/name @ " in first
        assert "revision checked" not in first
        asked = len(hub.requests)
        again = shown(capsys, *arguments)
        assert len(hub.requests) == asked
        assert "revision checked 0 s ago" in again or "revision checked 1 s ago" in again
        assert again.splitlines()[2:] == first.splitlines()[2:]
        shown(capsys, *arguments, "--refresh")
        assert len(hub.requests) > asked
        assert facts_of(open_source("org/name", cache_dir=tmp_path / "cache"), tmp_path / "cache").sizes == {}
        huggingface_hub.close_session()
