"""`fewbits pull`: tensors of a model into files of one's own (S-019 … S-032)."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from safetensors.numpy import load_file

from checkpoints import safetensors
from fewbits.cli import run
from fewbits.errors import FewbitsError, SourceError, UsageError
from fewbits.pull import Finder, make_plan, read_names, write_plan
from fewbits.pull.names import Wanted, parse_names, shipped
from fewbits.sources import open_source
from hub_server import Fault, Hub
from remote import INDEX, a_hub, random

CODES = np.arange(-128, 128, dtype=np.int8).reshape(16, 16).repeat(20, 0)  # 320×16
SCALES = np.array([[2], [3], [0.5]], np.float32)
WIDE = random((3000, 500))  # 6 MB
SHARDS = {
    "model-00001-of-00003.safetensors": {"a.weight": CODES, "other": WIDE},
    "model-00002-of-00003.safetensors": {"a.weight_scale_inv": SCALES, "b.weight": WIDE + 1, "c.weight_fp32": WIDE[:1]},
    "model-00003-of-00003.safetensors": {"ids": np.arange(5), "half.weight": WIDE[:3].astype(np.float16), "d": WIDE},
}
VALUES = CODES.astype(np.float32) * SCALES.repeat(128, 0)[:320]


@pytest.fixture
def hub(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[Hub]:
    monkeypatch.chdir(tmp_path)
    with a_hub(monkeypatch, tmp_path / "cache") as found:
        files = {name: safetensors(arrays) for name, arrays in SHARDS.items()}
        home = {tensor: name for name, arrays in SHARDS.items() for tensor in arrays}
        files[INDEX] = json.dumps({"weight_map": home}).encode()
        found.add("org/name", files)
        yield found


def names(*lines: str) -> str:
    Path("list.txt").write_text("\n".join(lines) + "\n")
    return "list.txt"


def pulled(*arguments: str, code: int = 0) -> dict[str, np.ndarray[Any, Any]]:
    assert run(["pull", "org/name", *arguments, "-o", "out.safetensors"]) == code
    return load_file("out.safetensors") if code == 0 else {}


def same(found: dict[str, np.ndarray[Any, Any]], **expected: np.ndarray[Any, Any]) -> None:
    assert sorted(found) == sorted(expected)
    for name, array in expected.items():
        assert found[name].dtype == array.dtype
        np.testing.assert_array_equal(found[name], array)


def test_as_stored(hub: Hub) -> None:
    """Types and scales stay what they are, so that the file reads as the model does."""
    same(
        pulled("--tensors-file", names("half.weight", "a.weight", "ids", "c.weight_fp32")),
        **{"half.weight": WIDE[:3].astype(np.float16), "ids": np.arange(5), "c.weight_fp32": WIDE[:1]},
        **{"a.weight": CODES, "a.weight_scale_inv": SCALES},
    )
    np.testing.assert_array_equal(open_source("out.safetensors")["a.weight"].read(), VALUES)


def test_fp32_names(hub: Hub) -> None:
    """S-019, S-029: the stored one, else values times scales; under the names asked for."""
    found = pulled("--tensors-file", names("a.weight_fp32 | A", "half.weight_fp32", "c.weight_fp32"))
    same(
        found,
        **{"a.weight_fp32": VALUES, "half.weight_fp32": WIDE[:3].astype("f2").astype("f4"), "c.weight_fp32": WIDE[:1]},
    )


def test_everything_as_float32(hub: Hub) -> None:
    same(pulled("a.weight", "--float32"), **{"a.weight": VALUES})


def test_only_what_is_asked_for_moves(hub: Hub, capsys: pytest.CaptureFixture[str]) -> None:
    """S-028: no shard is fetched for one tensor, and no byte twice."""
    same(pulled("b"), **{"b.weight": WIDE + 1})
    assert hub.sent < 1.02 * WIDE.nbytes + 20_000
    text = capsys.readouterr().out
    assert "  org/name: model-00002-of-00003.safetensors  1 tensor, 6 MB" in text
    assert "wrote    out.safetensors  1 tensor, 6 MB" in text
    assert "moved    6" in text
    assert not list(Path().glob(".out*"))


def test_filter_and_list_together(hub: Hub) -> None:
    assert sorted(pulled("half", "--tensors-file", names("ids"))) == ["half.weight", "ids"]


def test_unknown_names_are_a_warning(hub: Hub, capsys: pytest.CaptureFixture[str]) -> None:
    """S-031."""
    same(pulled("--tensors-file", names("none.weight", "ids", "b.none_fp32")), ids=np.arange(5))
    errors = capsys.readouterr().err.splitlines()
    assert errors == [
        "fewbits: warning: org/name has no tensor 'none.weight'",
        "fewbits: warning: org/name has no tensor 'b.none_fp32'",
    ]
    pulled("--tensors-file", names(*(f"none{i}" for i in range(9))), code=1)
    assert "none of the 9 tensors asked for is there" in capsys.readouterr().err


def test_empty_list(hub: Hub, capsys: pytest.CaptureFixture[str]) -> None:
    """S-032."""
    pulled("--tensors-file", names("# only", "", "   ", "| label"), code=2)
    assert "list.txt: no tensor names in it; one a line is allowed, or 'name | label'" in capsys.readouterr().err
    assert hub.requests == []


def test_list_syntax() -> None:
    """S-025."""
    text = "a | First | one\n\n  # comment\n b\t|\nc\na | again\n"
    assert parse_names(text, "x") == [Wanted("a", "First | one"), Wanted("b"), Wanted("c")]


def test_shipped_list() -> None:
    """S-026."""
    assert shipped() == ["deepseek-r1-layer0"]
    found = read_names("deepseek-r1-layer0")
    assert len(found) == 8
    assert all(f.name.startswith("model.layers.0.") and f.name.endswith(".weight_fp32") for f in found)
    assert all(f.label.startswith("BFP4 DS") for f in found)
    with pytest.raises(
        SourceError, match=r"none\.txt: no such file or directory; shipped lists are deepseek-r1-layer0"
    ):
        read_names("none.txt")


def test_rows(hub: Hub, capsys: pytest.CaptureFixture[str]) -> None:
    pulled("--tensors-file", names("ids | The ids"), "--json")
    assert json.loads(capsys.readouterr().out) == [
        {
            "tensor": "ids",
            "label": "The ids",
            "dtype": "I64",
            "shape": [5],
            "bytes": 40,
            "from": "org/name: model-00003-of-00003.safetensors",
            "file": "out.safetensors",
        }
    ]


def test_shards(hub: Hub) -> None:
    assert run(["pull", "org/name", "--shard-size", "7MB", "-o", "out.safetensors"]) == 0
    assert sorted(path.name for path in Path().glob("out*")) == [
        *(f"out-{i:05}-of-00003.safetensors" for i in (1, 2, 3)),
        "out.safetensors.index.json",
    ]
    source = open_source("out.safetensors.index.json")
    assert len(source) == 8
    np.testing.assert_array_equal(source["a.weight"].read(), VALUES)


def test_local_first(hub: Hub, tmp_path: Path) -> None:
    """S-020, S-021: the network is asked only for what is not here."""
    Path("here.safetensors").write_bytes(
        safetensors({"a.weight": CODES, "a.weight_scale_inv": SCALES, "b.weight": WIDE[:2]})
    )
    same(pulled("--local", "here.safetensors", "--tensors-file", names("a.weight_fp32")), **{"a.weight_fp32": VALUES})
    assert hub.requests == []
    found = pulled("--local", "here.safetensors", "--tensors-file", names("b.weight", "ids"))
    same(found, **{"b.weight": WIDE[:2], "ids": np.arange(5)})


def test_cache_only(hub: Hub) -> None:
    """S-030."""
    assert run(["pull", "org/name", "b", "--cache-only"]) == 0
    hub.sent = 0
    same(pulled("b"), **{"b.weight": WIDE + 1})
    assert hub.sent == 0


def test_what_is_there_is_not_fetched_again(hub: Hub) -> None:
    pulled("b")
    hub.sent = 0
    pulled("b")
    assert hub.sent == 0
    hub.add("org/name", {"model.safetensors": safetensors({"b.weight": WIDE + 2})})
    same(pulled("b"), **{"b.weight": WIDE + 2})


@pytest.mark.parametrize("name", ["b.weight", "b.weight_fp32"])
def test_resumed(hub: Hub, name: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setattr("fewbits.pull.write.BLOCK", 500_000)
    monkeypatch.setattr("fewbits.pull.write.AHEAD", 1)
    plan = "--tensors-file", names(name)
    assert run(["tensors", "org/name"]) == 0
    before = hub.sent
    asked = len(hub.paths("GET"))
    original = type(hub).fault

    def fault(self: Hub, path: str, *kinds: str) -> Fault | None:
        broken = "/cdn/" in path and "status" in kinds and self.sent - before > 2_000_000
        return Fault("status", value=500) if broken else original(self, path, *kinds)

    monkeypatch.setattr(type(hub), "fault", fault)
    pulled(*plan, code=1)
    line = capsys.readouterr().err
    assert "trouble of its own" in line
    kept = re.search(r"([0-9.]+) MB of 6 MB are kept, the same command continues", line)
    assert kept
    assert Path(".out.safetensors.part").exists()
    assert not Path("out.safetensors").exists()
    monkeypatch.setattr(type(hub), "fault", original)
    same(pulled(*plan), **{name: WIDE + 1})
    # What is kept is not moved again, but for a block. The command's own figure: threads of the first run may still be trying.
    moved = re.search(r"moved +([0-9.]+) MB", capsys.readouterr().out)
    assert moved
    assert float(moved[1]) - 0.5 < WIDE.nbytes / 1e6 - (float(kept[1]) - 0.1) + 0.6
    assert len(hub.paths("GET")) > asked
    assert not list(Path().glob(".out*"))


def test_interrupted_where_it_cannot_say_goodbye(hub: Hub) -> None:
    """Killed: what the note says is safe is used, what is behind it is not believed."""
    find = Finder(lambda: open_source("org/name"))
    plan, _ = make_plan([Wanted("b.weight")], find)
    part = Path(".out.safetensors.part")
    part.write_bytes(plan.header + bytes(5_000_000))  # zeros that nobody wrote
    Path(".out.safetensors.part.json").write_text('{"done": 0}')
    write_plan(plan, Path("out.safetensors"))
    same(load_file("out.safetensors"), **{"b.weight": WIDE + 1})
    for note in ("", "[]", '{"done": "x"}', '{"done": 99999999999}'):
        Path("out.safetensors").unlink()
        part.write_bytes(plan.header)
        Path(".out.safetensors.part.json").write_text(note)
        write_plan(plan, Path("out.safetensors"))
        same(load_file("out.safetensors"), **{"b.weight": WIDE + 1})


def test_two_at_once(hub: Hub) -> None:
    plan, _ = make_plan([Wanted("ids")], Finder(lambda: open_source("org/name")))
    code = (
        "import fcntl, sys\nf = open('.out.safetensors.part', 'w')\nfcntl.flock(f, fcntl.LOCK_EX)\n"
        "print('held', flush=True)\nsys.stdin.read()\n"
    )
    with subprocess.Popen(
        [sys.executable, "-c", code], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as other:
        assert other.stdout is not None
        assert other.stdout.readline() == "held\n"
        with pytest.raises(FewbitsError, match="is being written by another process"):
            write_plan(plan, Path("out.safetensors"))


def test_full_disk(hub: Hub, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    def full(_: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("fewbits.pull.write.os.fsync", full)
    pulled("b", code=1)
    assert "cannot write out.safetensors: no space left on device" in capsys.readouterr().err
    assert not Path("out.safetensors").exists()


@pytest.mark.parametrize(
    ("arguments", "code", "line"),
    [
        (["pull", "org/name"], 2, "-o OUT.safetensors says where to write"),
        (["pull", "org/name", "-o", "x.bin"], 2, "what is written is a .safetensors file"),
        (["pull", "org/name", "-o", "x.safetensors", "--shard-size", "x"], 2, "--shard-size 'x': allowed is"),
        (["pull", "org/name", "zzz", "-o", "x.safetensors"], 1, "no tensor matches 'zzz'"),
        (["pull", "org/none", "-o", "x.safetensors"], 1, "no such model on the hub"),
        (["pull", "org/name", "ids", "-o", "/proc/none/x.safetensors"], 1, "cannot write /proc/none/x.safetensors"),
    ],
)
def test_errors(hub: Hub, arguments: list[str], code: int, line: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(arguments) == code
    assert line in capsys.readouterr().err


def test_types_that_are_not_read_as_numbers(hub: Hub) -> None:
    """They are bytes, and bytes can be fetched."""
    header = {"w": {"dtype": "F4", "shape": [4, 4], "data_offsets": [0, 8]}}
    text = json.dumps(header).encode()
    content = len(text).to_bytes(8, "little") + text + bytes(range(8))
    hub.add("org/f4", {"model.safetensors": content})
    assert run(["pull", "org/f4", "-o", "f4.safetensors"]) == 0
    found = Path("f4.safetensors").read_bytes()
    assert found.endswith(bytes(range(8)))
    assert open_source("f4.safetensors")["w"].dtype == "float4_e2m1fn"


def test_packed_weights_stay_packed(hub: Hub) -> None:
    """GPTQ: the weight is no stored tensor, its parts are."""
    rng = np.random.default_rng(0)
    parts = {
        "l.qweight": rng.integers(-(2**31), 2**31, (8, 64), np.int32),
        "l.qzeros": rng.integers(-(2**31), 2**31, (1, 8), np.int32),
        "l.scales": np.ones((1, 64), np.float16),
        "l.g_idx": np.zeros(64, np.int32),
    }
    config = {"quantization_config": {"quant_method": "gptq", "bits": 4, "group_size": 64, "sym": False}}
    hub.add("org/gptq", {"model.safetensors": safetensors(parts), "config.json": json.dumps(config).encode()})
    assert run(["pull", "org/gptq", "l", "-o", "q.safetensors"]) == 0
    same(load_file("q.safetensors"), **parts)
    assert run(["pull", "org/gptq", "l", "--float32", "-o", "f.safetensors"]) == 0
    same(load_file("f.safetensors"), **{"l.weight": open_source("org/gptq")["l.weight"].read()})


def test_a_tensor_of_no_values(hub: Hub) -> None:
    hub.add("org/empty", {"model.safetensors": safetensors({"w": np.zeros((0, 4), np.float32), "s": np.float32(3)})})
    assert run(["pull", "org/empty", "-o", "e.safetensors"]) == 0
    same(load_file("e.safetensors"), w=np.zeros((0, 4), np.float32), s=np.asarray(3, np.float32))


def test_empty_names() -> None:
    with pytest.raises(UsageError, match="no tensor names"):
        parse_names("", "x")
