"""Checkpoints of torch and TorchScript, read without torch; pickles that want more than tensors do nothing at all.

tests/canned/make_containers.py made the files, with torch 2.13.0.
"""

from __future__ import annotations

import io
import os
import pickle
import struct
import time
import tracemalloc
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fewbits.errors import SourceError
from fewbits.sources import open_source
from fewbits.sources.torch_file import LEGACY, read_torch
from held_file import Held, refused, tried

CANNED = Path(__file__).parent / "canned" / "containers"
BASE = np.arange(24, dtype=np.float32).reshape(4, 6)
VIEWS: dict[str, Any] = {
    "base": BASE,
    "transposed": BASE.T,
    "slice": BASE[1:3, 2:5],
    "step": BASE[::2, ::3],
    "permuted": np.arange(24).reshape(2, 3, 4).transpose(2, 0, 1),
    "half": np.arange(6).reshape(2, 3).T,
    "expanded": np.broadcast_to(np.arange(3), (4, 3)),
    "parameter": np.ones(2),
    "nested.list.0": np.zeros(2),
    "nested.list.1.deep": np.full(1, 7),
    "nested.3": np.ones(1),
    "scalar": np.array(2.5),
    "empty": np.zeros((0, 4)),
}


def canned(name: str) -> bytes:
    return (CANNED / name).read_bytes()


def archive(pickled: bytes, **storages: bytes) -> bytes:
    """A zip archive as torch writes, with that pickle."""
    held = io.BytesIO()
    with zipfile.ZipFile(held, "w") as file:
        file.writestr("x/data.pkl", pickled)
        for key, content in storages.items():
            file.writestr(f"x/data/{key.strip('_')}", content)
    return held.getvalue()


def text(value: str) -> bytes:
    return b"X" + struct.pack("<I", len(value.encode())) + value.encode()


def tensor(
    key: str = "0", count: int = 4, shape: tuple[int, ...] = (2, 2), strides: tuple[int, ...] = (2, 1), offset: int = 0
) -> bytes:
    """The pickle of a float32 tensor."""
    storage = b"(" + text("storage") + b"ctorch\nFloatStorage\n" + text(key) + text("cpu") + long(count) + b"tQ"
    numbers = [b"(" + b"".join(map(long, values)) + b"t" for values in (shape, strides)]
    made = storage + long(offset) + numbers[0] + numbers[1] + b"\x89ccollections\nOrderedDict\n)R"
    return b"ctorch._utils\n_rebuild_tensor_v2\n(" + made + b"tR"


def long(value: int) -> bytes:
    raw = value.to_bytes(value.bit_length() // 8 + 1, "little", signed=True)
    return b"\x8a" + bytes([len(raw)]) + raw


def one(content: bytes) -> bytes:
    """An archive of a dict with one tensor, and its 16 bytes."""
    return archive(b"\x80\x02}" + text("w") + content + b"s.", _0=np.arange(4, dtype="<f4").tobytes())


@pytest.mark.parametrize("name", ["views.pt", "views_protocol4.pt", "views_legacy.pt"])
def test_views_strides_and_nesting(name: str) -> None:
    source = open_source(CANNED / name)
    assert {tensor.name for tensor in source} == set(VIEWS)
    assert len({tensor.identity for tensor in source}) == len(VIEWS)
    for tensor in source:
        expected = VIEWS[tensor.name].astype(np.float32)
        assert tensor.shape == expected.shape
        expected = expected.reshape(tensor.rows, tensor.columns)
        np.testing.assert_array_equal(tensor.read(), expected)
        for row in range(tensor.rows):
            np.testing.assert_array_equal(tensor.read(row, row + 1), expected[row : row + 1])
    assert source["transposed"].layout == "strides [1, 6]"
    assert source["base"].layout == ""
    assert source["half"].dtype == "bfloat16"
    assert source["permuted"].dtype == "int16"
    np.testing.assert_array_equal(source["half"].read16(), source["half"].read().view(np.uint32) >> 16)


@pytest.mark.parametrize("name", ["dtypes.pt", "dtypes_legacy.pt"])
def test_all_types(name: str) -> None:
    source = open_source(CANNED / name)
    assert len(source) == 18
    for tensor in source:
        assert tensor.dtype == tensor.name
        expected = np.ones((2, 3)) if tensor.name == "bool" else [[1, 2, 4], [8, 16, 1]]
        np.testing.assert_array_equal(tensor.read(), expected)


def test_torchscript() -> None:
    source = open_source(CANNED / "module.ot")
    assert [t.name for t in source] == ["inner.count", "linear.bias", "linear.weight", "pair.0", "pair.1", "w"]
    np.testing.assert_array_equal(source["w"].read(), np.arange(6).reshape(2, 3).T)
    np.testing.assert_array_equal(source["inner.count"].read(), [[0, 1, 2, 3]])
    named = open_source(CANNED / "named.ot")
    assert [t.name for t in named] == ["0", "layer.bias", "layer.weight"]  # stored as layer|bias, layer|weight
    np.testing.assert_array_equal(named["layer.weight"].read(), np.ones((2, 2)))


def test_tuples_single_tensors_and_training_checkpoints() -> None:
    assert [(t.name, t.shape) for t in open_source(CANNED / "tuple.pt")] == [("0", (2,)), ("1", (3,))]
    single = open_source(CANNED / "single.pt")
    np.testing.assert_array_equal(single["0"].read(), [[0, 1, 2]])
    names = {t.name for t in open_source(CANNED / "training.pt")}
    assert {"model.weight", "model.bias", "optimizer.state.0.exp_avg", "optimizer.state.1.step"} <= names


def test_what_is_not_numbers_is_listed_and_not_read() -> None:
    source = open_source(CANNED / "complex.pt")
    np.testing.assert_array_equal(source["ok"].read(), [[1, 1]])
    with pytest.raises(SourceError, match=r"tensor 'c' holds complex64, which fewbits does not read as numbers"):
        source["c"].read()
    with pytest.raises(SourceError, match="negated or conjugated"):
        open_source(CANNED / "negated.pt")["neg"].read()


@pytest.mark.parametrize(
    ("name", "line"),
    [
        ("whole_module.pt", "names 'torch.nn.modules.linear.Linear', which is not part of tensors"),
        ("quantized.pt", "names 'torch._utils._rebuild_qtensor'"),
    ],
)
def test_other_classes_are_named_and_refused(name: str, line: str) -> None:
    assert line in refused(read_torch, canned(name))


def test_rows_are_read_by_themselves() -> None:
    rows = np.arange(100_000, dtype="<f4").reshape(1000, 100)
    file = Held(
        archive(b"\x80\x02}" + text("w") + tensor("0", rows.size, rows.shape, (100, 1)) + b"s.", _0=rows.tobytes())
    )
    (found,) = read_torch(file)
    opened = sum(end - begin for begin, end in file.reads)
    assert opened < 70_000  # of 400,000: the end, where a directory is looked for, and the pickle
    file.reads.clear()
    np.testing.assert_array_equal(found.read(500, 510), rows[500:510])
    assert sum(end - begin for begin, end in file.reads) < 4_000 + 200


def test_a_transposed_matrix_takes_little_memory() -> None:
    matrix = np.arange(2_000 * 1_500, dtype="<f4").reshape(2_000, 1_500)
    (found,) = read_torch(
        Held(archive(b"\x80\x02" + tensor("0", matrix.size, (1_500, 2_000), (1, 1_500)) + b".", _0=matrix.tobytes()))
    )
    np.testing.assert_array_equal(found.read(700, 800), matrix.T[700:800])
    tracemalloc.start()
    try:
        found.read(100, 900)
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert peak < 800 * 2_000 * 4 + 14_000_000


class Hostile:
    def __init__(self, function: Any, *arguments: Any) -> None:
        self.call = function, arguments

    def __reduce__(self) -> Any:
        return self.call


def hostile(marker: Path) -> dict[str, tuple[bytes, str]]:
    touch, line = f"touch {marker}", f"open({str(marker)!r}, 'w')"
    calls = {
        "system": (Hostile(os.system, touch), "posix.system'"),
        "eval": (Hostile(eval, line), ".eval'"),
        "exec": (Hostile(exec, line), ".exec'"),
        "open": (Hostile(open, str(marker), "w"), ".open'"),
        "getattr": (Hostile(getattr, "", "upper"), ".getattr'"),
        "import": (Hostile(__import__, "antigravity"), ".__import__'"),
    }
    made = {
        f"{name} {protocol}": (pickle.dumps({"a": value}, protocol), wanted)
        for name, (value, wanted) in calls.items()
        for protocol in (0, 2, 4, 5)
    }
    shell = text(touch)
    return made | {
        "os.system by name": (b"\x80\x02cos\nsystem\n(" + shell + b"tR.", "os.system"),
        "nt": (b"\x80\x02cnt\nsystem\n(" + shell + b"tR.", "nt.system"),
        "subprocess": (b"\x80\x02csubprocess\nPopen\n(" + shell + b"tR.", "subprocess.Popen"),
        "inst": (b"(" + shell + b"ios\nsystem\n.", "opcode 105"),
        "obj": (b"(cos\nsystem\n" + shell + b"o.", "os.system"),
        "extension": (b"\x80\x02\x82\x01.", "opcode 130"),
        "stack global": (b"\x80\x04\x8c\x02os\x8c\x06system\x93" + shell + b"\x85R.", "os.system"),
        "dotted": (b"\x80\x04" + text("torch") + text("storage.os.system") + b"\x93" + shell + b"\x85R.", "storage.os"),
        "torch's own": (b"\x80\x02ctorch.hub\nload\n(" + shell + b"tR.", "torch.hub.load"),
        "a storage's name": (b"\x80\x02ctorch\nsystemStorage\n(" + shell + b"tR.", "torch.systemStorage"),
        "call of a type": (b"\x80\x02ctorch\nFloatStorage\n(" + shell + b"tR.", "cannot be called"),
        "call of text": (b"\x80\x02" + shell + b")R.", "cannot be called"),
        "by persistent id": (b"\x80\x02(" + shell + b"tQ.", "not to a storage"),
        "build": (b"\x80\x02cos\nsystem\n}" + text("__setstate__") + shell + b"sb.", "os.system"),
    }


HOSTILE = hostile(Path("marker"))


@pytest.mark.parametrize("case", HOSTILE)
@pytest.mark.parametrize("form", ["zip", "legacy"])
def test_hostile_pickles_do_nothing(tmp_path: Path, case: str, form: str) -> None:
    marker = tmp_path / "marker"
    content, wanted = hostile(marker)[case]
    whole = archive(content) if form == "zip" else LEGACY + pickle.dumps(1001, 2) + pickle.dumps({}, 2) + content
    assert wanted in refused(read_torch, whole)
    assert not marker.exists()


def bombs() -> dict[str, tuple[bytes, str]]:
    double = b"".join(b"](h%ch%ceq%c0" % (i, i, i + 1) for i in range(60)) + b"h\x3c."
    doubled = b"\x80\x02]q\x000" + double
    tensors = b"\x80\x02" + tensor() + b"q\x000" + double
    deep = {"lists": b"]" * 100_000 + b"a" * 99_999, "tuples": b")" + b"\x85" * 100_000, "dicts": b"(" * 5_000}
    named = b"".join(b"}" + text("k" * 3_000) for _ in range(10)) + tensor() + b"s" * 10
    return {
        "lists that double": (doubled, ""),
        "tensors that double": (tensors, "more than 100,000 tensors"),
        "a list in itself": (b"\x80\x02]q\x00h\x00a.", "nested more than 64 deep"),
        "two lists in themselves": (b"\x80\x02]q\x00(h\x00h\x00e.", "nested more than 64 deep"),
        "deep lists": (deep["lists"] + b".", "nested more than 64 deep"),
        "deep tuples": (deep["tuples"] + b".", "nested more than 64 deep"),
        "open marks": (deep["dicts"] + b".", "5000 open marks"),
        "a key of deep tuples": (b"}" + deep["tuples"] + b"Ns.", "a key that is no plain value"),
        "long text": (b"\x8d" + struct.pack("<Q", 1 << 60) + b".", "ends at byte"),
        "long bytes": (b"B" + struct.pack("<I", (1 << 32) - 1) + b".", "ends at byte"),
        "long integer": (b"\x8b" + struct.pack("<I", 1 << 30) + b".", "an integer of 1,073,741,824 bytes"),
        "long digits": (b"I" + b"9" * 5_000 + b"\n.", "no end of a line"),
        "long name": (b"c" + b"a" * 5_000 + b"\nb\n.", "no end of a line"),
        "names that grow": (b"\x80\x02" + named + b".", "a name of more than 10,000 characters"),
        "negative memo": (b"Np-5\n.", ""),
        "memo of nothing": (b"h\x05.", "what it needs is not there"),
        "empty": (b"", "ends at byte 0"),
        "no value": (b".", "ends with 0 values"),
        "no stop": (b"N", "ends at byte 1"),
        "half a character": (b"X\x01\x00\x00\x00\xff.", "damaged at byte 0"),
        "protocol 9": (b"\x80\x09N.", "protocol 9"),
        "frame": (b"\x80\x04\x95" + struct.pack("<Q", 1 << 62) + b"N.", "a frame beyond the end"),
        "infinite float": (b"}FinfN" + b"\nNs.", ""),
    }


SLOW = ("tensors that double",)


@pytest.mark.parametrize("case", [pytest.param(c, marks=[pytest.mark.slow] * (c in SLOW)) for c in bombs()])
def test_bombs_are_refused_soon(case: str) -> None:
    content, wanted = bombs()[case]
    begin = time.monotonic()
    tracemalloc.start()
    try:
        tensors, line = tried(read_torch, archive(content))
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert wanted in line
    assert not tensors
    assert peak < 100_000_000
    assert time.monotonic() - begin < 60  # seconds here, with memory traced


@pytest.mark.slow
def test_too_many_opcodes() -> None:
    assert "more than 2,000,000 opcodes" in refused(read_torch, archive(b"N0" * 1_000_001 + b"N."))


VIEWS_WRONG = {
    "beyond the end": (tensor(shape=(2, 3)), "reaches beyond its storage"),
    "offset beyond": (tensor(offset=1), "reaches beyond its storage"),
    "stride beyond": (tensor(strides=(3, 1)), "reaches beyond its storage"),
    "offset overflows": (tensor(offset=2**62), "reaches beyond its storage"),
    "negative stride": (tensor(strides=(-1, 1)), "without shape, strides"),
    "negative length": (tensor(shape=(-2, 2)), "without shape, strides"),
    "negative offset": (tensor(offset=-1), "without shape, strides"),
    "huge shape": (tensor(shape=(2**62, 2**62)), "reaches beyond its storage"),
    "one value, many times": (tensor(shape=(2**40, 2**20), strides=(0, 0)), "repeats 4 stored values"),
    "other ranks": (tensor(shape=(2,)), "without shape, strides"),
    "many axes": (tensor(shape=(1,) * 65, strides=(1,) * 65), "without shape, strides"),
    "count lies": (tensor(count=5), "its storage has 16 bytes, but the pickle says 20"),
    "count is negative": (tensor(count=-4), "without type, key or count"),
    "no such storage": (tensor(key="7"), "is not in the file"),
    "key leads out": (tensor(key="../version"), "is not in the file"),
    "long key": (tensor(key="7" * 101), "without type, key or count"),
}


@pytest.mark.parametrize("case", VIEWS_WRONG)
def test_views_beyond_their_storage_are_refused(case: str) -> None:
    content, line = VIEWS_WRONG[case]
    assert line in refused(read_torch, one(content))


def test_the_tensors_of_these_tests_are_right() -> None:
    (found,) = tried(read_torch, one(tensor()))[0]
    np.testing.assert_array_equal(found.read(), [[0, 1], [2, 3]])


def test_big_endian() -> None:
    held = io.BytesIO(one(tensor()))
    with zipfile.ZipFile(held, "a") as file:
        file.writestr("x/byteorder", b"big")
    (found,) = tried(read_torch, held.getvalue())[0]
    np.testing.assert_array_equal(found.read(), np.arange(4, dtype="<f4").reshape(2, 2).byteswap())
    assert found.layout == "big-endian"


def test_one_name_twice() -> None:
    both = b"\x80\x02}(" + text("a") + b"}" + text("b") + tensor() + b"s" + text("a.b") + tensor() + b"u."
    assert "two tensors are called 'a.b'" in refused(read_torch, archive(both, _0=bytes(16)))


@pytest.mark.parametrize("name", ["single.pt", "named.ot", "views_legacy.pt"])
def test_truncated_at_every_byte(name: str) -> None:
    content = canned(name)
    for length in range(len(content)):
        refused(read_torch, content[:length])
    refused(read_torch, content + b"\0")


@settings(max_examples=300)
@given(
    name=st.sampled_from(["views.pt", "views_legacy.pt", "module.ot", "dtypes.pt"]),
    changes=st.lists(st.tuples(st.integers(0, 10_000), st.integers(0, 255)), min_size=1, max_size=5),
)
def test_damaged_files_are_read_or_refused(name: str, changes: list[tuple[int, int]]) -> None:
    content = bytearray(canned(name))
    for at, value in changes:
        content[at % len(content)] = value
    tried(read_torch, bytes(content))


PICKLED = zipfile.ZipFile(io.BytesIO(canned("views.pt"))).read("views/data.pkl")


@settings(max_examples=500)
@given(
    changes=st.lists(st.tuples(st.integers(0, len(PICKLED) - 1), st.binary(max_size=3), st.integers(0, 3)), max_size=4)
)
def test_damaged_pickles_are_read_or_refused(changes: list[tuple[int, bytes, int]]) -> None:
    content = PICKLED
    for at, added, taken in changes:
        content = content[:at] + added + content[at + taken :]
    tried(read_torch, archive(content, **{f"_{key}": bytes(96) for key in range(3)}))


@settings(max_examples=500)
@given(content=st.lists(st.sampled_from([bytes([code]) for code in range(256)]) | st.binary(max_size=4), max_size=40))
def test_any_pickle_is_read_or_refused(content: list[bytes]) -> None:
    tried(read_torch, archive(b"".join(content) + b"."))


def test_other_files_are_told() -> None:
    assert "no file of torch" in refused(read_torch, b"")
    assert "no file of torch" in refused(read_torch, b"not a checkpoint")
    assert "no file of torch" in refused(read_torch, pickle.dumps({"a": 1}))
    held = io.BytesIO()
    with zipfile.ZipFile(held, "w") as file:
        file.writestr("a.txt", "x")
    assert "no archive of torch, 0 files in it are called data.pkl" in refused(read_torch, held.getvalue())
