"""What was fetched is kept: bounded, shared, never stale, never in the way; and `fewbits cache` shows and removes it."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from checkpoints import safetensors
from fewbits.cli import run
from fewbits.errors import SourceError, UsageError
from fewbits.sources import open_source
from fewbits.sources.cache_folder import cache_folder, cache_limit, parse_bytes
from fewbits.sources.range_cache import RangeCache, evict
from hub_server import Hub
from remote import a_hub, random

BIG = random((1000, 1000))  # 4 MB


@pytest.fixture
def cache(tmp_path: Path) -> Path:
    return tmp_path / "cache"


@pytest.fixture
def hub(monkeypatch: pytest.MonkeyPatch, cache: Path) -> Iterator[Hub]:
    with a_hub(monkeypatch, cache) as found:
        yield found


def add(hub: Hub, name: str = "org/name", **arrays: np.ndarray[Any, Any]) -> None:
    hub.add(name, {"model.safetensors": safetensors(arrays or {"w": BIG, "v": BIG + 1})})


def kept(folder: Path) -> int:
    return sum(path.stat().st_size for path in folder.rglob("*-*") if path.is_file())


def test_nothing_is_fetched_twice(hub: Hub, cache: Path) -> None:
    add(hub)
    open_source("org/name")["w"].read()
    hub.sent = 0
    again = open_source("org/name")
    np.testing.assert_array_equal(again["w"].read(10, 700), BIG[10:700])
    assert hub.sent == again.moved == 0
    assert 4_000_000 < kept(cache) < 4_100_000


def test_a_new_commit_with_the_same_file_uses_it(hub: Hub) -> None:
    add(hub)
    open_source("org/name")["w"].read()
    files = {"model.safetensors": safetensors({"w": BIG, "v": BIG + 1}), "README.md": b"new"}
    hub.add("org/name", files)
    hub.sent = 0
    open_source("org/name")["w"].read()
    assert hub.sent == 0


def test_a_new_version_is_fetched(hub: Hub) -> None:
    """A-B24: what is kept names the content, not the branch."""
    add(hub)
    open_source("org/name")["w"].read()
    add(hub, w=BIG + 5)
    np.testing.assert_array_equal(open_source("org/name")["w"].read(), BIG + 5)


def test_offline(hub: Hub, monkeypatch: pytest.MonkeyPatch) -> None:
    add(hub)
    open_source("org/name")["w"].read()
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", True)
    source = open_source("org/name")
    np.testing.assert_array_equal(source["w"].read(), BIG)
    line = r"org/name: model.safetensors: not in the cache .*, and offline mode is on \(HF_HUB_OFFLINE\), while reading"
    with pytest.raises(SourceError, match=line):
        source["v"].read()


def test_plain_urls_are_kept_too(hub: Hub) -> None:
    hub.files["m.safetensors"] = safetensors({"w": BIG})
    url = hub.url.replace("127.0.0.1", "localhost") + "/files/m.safetensors"
    open_source(url)["w"].read()
    hub.sent = 0
    np.testing.assert_array_equal(open_source(url)["w"].read(), BIG)
    assert hub.sent <= 16384  # size and version are asked for


def test_the_least_recently_used_goes(tmp_path: Path) -> None:
    cache = RangeCache(tmp_path, 100_000)
    files = [cache.file(f"key{i}", {"model": "m", "file": f"{i}", "version": "v", "size": 9000}) for i in range(30)]
    for i, file in enumerate(files):
        file.put(0, bytes([i]) * 9000)
        assert kept(tmp_path) <= 100_000
        for name in os.listdir(file.folder):
            os.utime(file.folder / name, (i + 1, i + 1))
        if file is not files[0] and files[0].at(5):  # used now
            continue
    assert files[0].at(5) == (0, bytes([0]) * 9000)
    assert files[29].at(8999) is not None
    assert files[15].at(0) is None
    assert not files[15].folder.exists()
    assert evict(tmp_path / "ranges", 0) == 0


def test_nothing_is_kept_with_a_limit_of_zero(hub: Hub, cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FEWBITS_CACHE_SIZE", "0")
    add(hub)
    np.testing.assert_array_equal(open_source("org/name")["w"].read(), BIG)
    assert kept(cache) == 0


@pytest.mark.parametrize("damage", ["flip", "cut", "gone", "garbage"])
def test_damage_is_noticed(tmp_path: Path, damage: str) -> None:
    file = RangeCache(tmp_path, 10**9).file("key", {})
    file.put(100, b"abcdef")
    path = file.folder / "100-106"
    if damage == "gone":
        path.unlink()
    else:
        content = path.read_bytes()
        path.write_bytes({"flip": b"x" + content[1:], "cut": content[:-1], "garbage": b""}[damage])
    assert file.at(102) is None
    assert RangeCache(tmp_path, 10**9).file("key", {}).at(102) is None


@pytest.mark.skipif(os.geteuid() == 0 if hasattr(os, "geteuid") else True, reason="root may write everywhere")
def test_read_only_cache(hub: Hub, cache: Path) -> None:
    add(hub)
    open_source("org/name")["w"].read()
    for path in (*cache.rglob("*"), cache):
        path.chmod(0o500 if path.is_dir() else 0o400)
    source = open_source("org/name")
    np.testing.assert_array_equal(source["w"].read(), BIG)
    np.testing.assert_array_equal(source["v"].read(), BIG + 1)


def test_several_processes(tmp_path: Path) -> None:
    """Writers, readers and eviction side by side: what is found is always right."""
    code = (
        "import sys, random\nfrom pathlib import Path\nfrom fewbits.sources.range_cache import RangeCache\n"
        "cache = RangeCache(Path(sys.argv[1]), 300_000)\nrng = random.Random(int(sys.argv[2]))\n"
        "hits = 0\n"
        "for _ in range(400):\n"
        "    i, at = rng.randrange(8), rng.randrange(10) * 5000\n"
        "    file = cache.file(f'key{i}', {'model': f'm{i}'})\n"
        "    found = file.at(at)\n"
        "    if found: hits += 1; assert found[1] == bytes([i]) * 5000, found\n"
        "    else: file.put(at, bytes([i]) * 5000)\n"
        "assert cache.writable\nprint(hits)\n"
    )
    processes = [
        subprocess.Popen(
            [sys.executable, "-c", code, str(tmp_path), str(i)],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        for i in range(3)
    ]
    for process in processes:
        output, errors = process.communicate(timeout=120)
        assert process.returncode == 0, errors
        assert int(output) > 20
    assert kept(tmp_path) < 3 * 300_000
    assert not list(tmp_path.rglob("*.tmp"))


def test_where_it_is(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.delenv("FEWBITS_CACHE", raising=False)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    assert cache_folder() == tmp_path / "fewbits"
    monkeypatch.setenv("FEWBITS_CACHE", str(tmp_path / "x"))
    assert cache_folder() == tmp_path / "x"
    assert cache_folder(tmp_path / "y") == tmp_path / "y" / "fewbits"


def test_sizes(monkeypatch: pytest.MonkeyPatch) -> None:
    for text, count in {"0": 0, "20GB": 20 * 10**9, "1.5 MiB": 1572864, "1e9": 10**9, "7k": 7000, "12": 12}.items():
        assert parse_bytes(text, "x") == count
    for text in ("", "-1", "GB", "1 XB", "1e999", "nan"):
        with pytest.raises(UsageError, match="allowed is a number of bytes, as 20GB, 500MB or 0"):
            parse_bytes(text, "x")
    monkeypatch.delenv("FEWBITS_CACHE_SIZE", raising=False)
    assert cache_limit() == 20 * 10**9


# -- the command -------------------------------------------------------------------------------------------------------


def shown(capsys: pytest.CaptureFixture[str], *arguments: str) -> str:
    assert run(["cache", *arguments]) == 0
    return capsys.readouterr().out


def test_command(hub: Hub, cache: Path, capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    assert "0 B of at most 20 GB" in shown(capsys)
    assert json.loads(shown(capsys, "--json")) == []
    for name in ("org/name", "org/other"):
        add(hub, name)
        open_source(name)["w"].read()
    text = shown(capsys)
    assert str(cache) in text
    assert "org/name" in text
    assert re.search(r"org/name +1 +4 MB +8 MB  20", text)
    rows = json.loads(shown(capsys, "--json"))
    size = len(safetensors({"w": BIG, "v": BIG + 1}))
    found = [(row["model"], row["file"], row["size"]) for row in rows]
    assert found == [("org/name", "model.safetensors", size), ("org/other", "model.safetensors", size)]
    assert all(4_000_000 < row["bytes"] < 4_020_000 for row in rows)
    assert shown(capsys, "hf://org/other@main", "--csv", "-").splitlines()[1].startswith("org/other,model.safetensors,")
    assert json.loads(shown(capsys, "org/name", "--clear", "--json")) == []
    assert [row["model"] for row in json.loads(shown(capsys, "--json"))] == ["org/other"]
    shown(capsys, "--limit", "1MB")
    assert sum(row["bytes"] for row in json.loads(shown(capsys, "--json"))) <= 1_000_000
    shown(capsys, "--clear")
    assert json.loads(shown(capsys, "--json")) == []
    assert kept(cache) == 0


def test_command_errors(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    assert run(["cache", "--limit", "much", "--cache-dir", str(tmp_path)]) == 2
    assert "--limit 'much': allowed is a number of bytes" in capsys.readouterr().err


def test_moved_bytes_are_shown(hub: Hub, capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    add(hub)
    assert run(["tensors", "org/name"]) == 0
    assert "moved 16.4 kB of 8 MB" in capsys.readouterr().out
    assert run(["scan", "org/name", "w", "-f", "mxfp4", "-o", str(tmp_path / "run")]) == 0
    assert "moved   3.98 MB of 8 MB" in capsys.readouterr().out
    assert run(["tensors", "sample"]) == 0
    assert "moved" not in capsys.readouterr().out
