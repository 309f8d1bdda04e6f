"""Right files give their values; wrong, lying and changing ones give one clear line, never garbage."""

from __future__ import annotations

import json
import os
import random
import threading
import tracemalloc
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import safetensors as reference
from hypothesis import given, settings
from hypothesis import strategies as st

from checkpoints import entry, raw, safetensors
from fewbits.errors import SourceError
from fewbits.sources import open_source

TWO = {"a": entry(), "b": entry(offsets=(8, 16))}


def written(folder: Path, content: bytes, name: str = "model.safetensors") -> Path:
    path = folder / name
    path.write_bytes(content)
    return path


def refused(path: Path) -> str:
    """The one line about a file that cannot be opened."""
    with pytest.raises(SourceError) as caught:
        open_source(path)
    line = str(caught.value)
    assert path.name in line
    assert "\n" not in line
    assert len(line) < 700
    return line


def test_values_slabs_and_order(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    arrays = {
        "model.layers.10.w": rng.standard_normal((7, 5), np.float32),
        "model.layers.2.w": rng.standard_normal((2, 3, 4), np.float32).astype(np.float16),
        "scalar": np.float32(2.5).reshape(()),
        "vector": np.arange(5, dtype=np.float32),
        "empty": np.zeros((0, 4), np.float32),
        "hollow": np.zeros((4, 0), np.float32),
        'wéird "name"\t': np.ones((1, 1), np.float32),
    }
    source = open_source(written(tmp_path, safetensors(arrays, format="pt")))
    assert [t.name for t in source] == sorted(arrays)
    assert len(source) == len(arrays)
    assert source.title == "model"
    assert source.revision == ""
    assert source.files == (("model.safetensors", os.path.getsize(tmp_path / "model.safetensors")),)
    for name, array in arrays.items():
        tensor = source[name]
        assert tensor.shape == array.shape
        expected = array.astype(np.float32).reshape(tensor.rows, tensor.columns)
        found = tensor.read()
        np.testing.assert_array_equal(found, expected)
        assert found.flags.c_contiguous
        assert found.flags.owndata or found.base is not None
        assert found.flags.writeable
        if tensor.rows > 2:
            np.testing.assert_array_equal(tensor.read(1, 3), expected[1:3])
            np.testing.assert_array_equal(np.vstack([tensor.read(r, r + 1) for r in range(tensor.rows)]), expected)
    assert source["vector"].rows == 1


def test_unknown_tensor_names_the_nearest(tmp_path: Path) -> None:
    source = open_source(written(tmp_path, safetensors({"model.embed.weight": np.zeros(2, np.float32)})))
    with pytest.raises(SourceError, match=r"no tensor 'model.embd.weight'.*'model.embed.weight'"):
        source["model.embd.weight"]
    assert "model.embed.weight" in source
    assert "other" not in source


WRONG: dict[str, tuple[bytes, str]] = {
    "empty": (b"", "0 bytes are no safetensors file"),
    "short": (b"\x00" * 7, "7 bytes are no safetensors file"),
    "length of nothing": (raw("", length=0), "does not begin with"),
    "length beyond the file": (raw("{}", length=1000), "truncated, its header is 1,000 bytes of 2"),
    "length beyond reason": (raw("{}", length=2**63), "not a safetensors file, its header would be"),
    "length just beyond the cap": (raw("{}", length=100_000_001), "at most 100,000,000"),
    "no JSON": (raw("{nope}"), "is not JSON"),
    "not an object": (raw("[1, 2]"), "does not begin with '{'"),
    "blank before": (raw(" {}"), "does not begin with '{'"),
    "two objects": (raw("{}{}"), "is not JSON"),
    "NUL after": (raw(b"{}\x00"), "is not JSON"),
    "not UTF-8": (raw(b'{"\xff": 1}'), "is not UTF-8"),
    "half a character": (raw(b'{"\\ud800": {"dtype":"F32","shape":[0],"data_offsets":[0,0]}}'), "is not UTF-8"),
    "deep": (raw('{"a":' + "[" * 100_000 + "]" * 100_000 + "}"), "nested too deeply"),
    "deep objects": (raw('{"a":' * 50_000 + "1" + "}" * 50_000), "nested too deeply"),
    "name twice": (raw('{"a": 1, "a": 2}'), "'a' stands there twice"),
    "key twice": (raw('{"a": {"dtype": "F32", "dtype": "F16"}}'), "'dtype' stands there twice"),
    "NaN": (raw('{"a": NaN}'), "NaN is not a JSON number"),
    "Infinity": (raw('{"a": {"dtype":"F32","shape":[-Infinity],"data_offsets":[0,8]}}'), "-Infinity is not"),
    "huge number": (raw('{"a": ' + "9" * 5000 + "}"), "is not JSON"),
    "entry is a list": (raw({"a": [1]}), "is not an object with dtype"),
    "no dtype": (raw({"a": {"shape": [2], "data_offsets": [0, 8]}}, bytes(8)), "no dtype"),
    "no shape": (raw({"a": {"dtype": "F32", "data_offsets": [0, 8]}}, bytes(8)), "no shape"),
    "no offsets": (raw({"a": {"dtype": "F32", "shape": [2]}}, bytes(8)), "no data_offsets"),
    "dtype is a number": (raw({"a": entry(7)}, bytes(8)), "dtype 7 is not a name"),  # type: ignore[arg-type]
    "shape is a number": (raw({"a": entry(shape=2)}, bytes(8)), "shape 2 is not a list"),
    "negative length": (raw({"a": entry(shape=[-2])}, bytes(8)), r"shape [-2] is not a list"),
    "length is true": (raw({"a": entry(shape=[True, 2])}, bytes(8)), "is not a list"),
    "length is 2.0": (raw({"a": entry(shape=[2.0])}, bytes(8)), "is not a list"),
    "length is text": (raw({"a": entry(shape=["2"])}, bytes(8)), "is not a list"),
    "too many axes": (raw({"a": entry(shape=[1] * 65 + [2])}, bytes(8)), "at most 64 lengths"),
    "negative offset": (raw({"a": entry(offsets=[-8, 0])}, bytes(8)), "data_offsets [-8, 0] are not"),
    "offsets backwards": (raw({"a": entry(offsets=[8, 0])}, bytes(8)), "data_offsets [8, 0] are not"),
    "one offset": (raw({"a": entry(offsets=[0])}, bytes(8)), "are not [begin, end]"),
    "size lies": (raw({"a": entry(shape=[3])}, bytes(8)), "8 bytes, but F32 of shape [3] takes 12"),
    "size overflows": (raw({"a": entry(shape=[2**62, 8], offsets=[0, 0])}), "takes far more"),
    "shape overflows": (raw({"a": entry(shape=[2**63], offsets=[0, 0])}), "is not a list of at most"),
    "half a byte": (raw({"a": entry("F4", [3], [0, 1])}, bytes(1)), "1 bytes, but F4 of shape [3] takes 1.5"),
    "beyond the end": (raw(TWO, bytes(15)), "truncated, tensor 'b' ends at byte"),
    "bytes left": (raw(TWO, bytes(17)), "1 bytes after the last tensor"),
    "hole at the start": (raw({"a": entry(offsets=[4, 12])}, bytes(12)), "a hole before tensor 'a'"),
    "hole between": (raw({"a": entry(), "b": entry(offsets=[9, 17])}, bytes(17)), "a hole before tensor 'b'"),
    "overlap": (raw({"a": entry(), "b": entry(offsets=[4, 12])}, bytes(12)), "another tensor's bytes in tensor 'b'"),
    "same bytes twice": (raw({"a": entry(), "b": entry()}, bytes(8)), "another tensor's bytes in tensor 'b'"),
    "metadata is text": (raw({"__metadata__": "x"}), "__metadata__ is not a map of strings"),
    "metadata of numbers": (raw({"__metadata__": {"a": 1}}), "__metadata__ is not a map of strings"),
    "control characters": (raw({"\x1b[2J\nhidden": 1}), r"'\x1b[2J\nhidden'"),
    "long name": (raw({"x" * 100_000: 1}), "xxx...xxx"),
}  # fmt: skip


@pytest.mark.parametrize("case", WRONG)
def test_wrong_files_are_refused_in_one_line(tmp_path: Path, case: str) -> None:
    content, line = WRONG[case]
    assert line in refused(written(tmp_path, content))


def test_padding_and_other_keys_are_right(tmp_path: Path) -> None:
    content = raw(json.dumps({"a": entry() | {"note": [1]}}) + "   ", np.array([1, 2], "<f4").tobytes())
    np.testing.assert_array_equal(open_source(written(tmp_path, content))["a"].read(), [[1, 2]])
    assert list(open_source(written(tmp_path, raw("{}")))) == []


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=3), inner, max_size=4),
    max_leaves=8,
)
ENTRY = st.fixed_dictionaries(
    {
        "dtype": st.sampled_from(["F32", "F16", "BF16", "U8", "F8_E4M3", "F4", "F6_E2M3", "BOOL", "F64", "X"]) | JSON,
        "shape": st.lists(st.integers(-1, 5), max_size=3) | st.lists(st.integers(), max_size=3) | JSON,
        "data_offsets": st.tuples(st.integers(0, 40), st.integers(0, 40)) | st.lists(st.integers(), max_size=3) | JSON,
    }
)


@settings(max_examples=300)
@given(
    header=st.dictionaries(st.text(max_size=4) | st.just("__metadata__"), ENTRY | JSON, max_size=4),
    size=st.integers(0, 60),
    shift=st.sampled_from([0, 0, 0, 0, -1, 1, 2**40, -(2**70)]),
)
def test_any_header_is_read_or_refused(
    tmp_path_factory: pytest.TempPathFactory, header: dict[str, Any], size: int, shift: int
) -> None:
    text = json.dumps(header).encode()
    content = raw(text, bytes(size), length=(len(text) + shift) % 2**64)
    check_against_reference(tmp_path_factory.getbasetemp() / "any.safetensors", content)


@settings(max_examples=300)
@given(seed=st.integers(0, 2**32), cut=st.integers(0, 400), flips=st.integers(0, 4))
def test_damaged_files_are_read_or_refused(
    tmp_path_factory: pytest.TempPathFactory, seed: int, cut: int, flips: int
) -> None:
    content = bytearray(safetensors({"a": np.ones((2, 3), np.float32), "b": np.ones(5, np.float16)}, k="v"))
    chance = random.Random(seed)
    for _ in range(flips):
        content[chance.randrange(len(content))] = chance.randrange(256)
    check_against_reference(tmp_path_factory.getbasetemp() / "damaged.safetensors", bytes(content[: 400 - cut]))


def check_against_reference(path: Path, content: bytes) -> None:
    """Whatever we accept the reference implementation accepts too, with the same names, shapes and bytes."""
    path.write_bytes(content)
    try:
        source = open_source(path)
    except SourceError as error:
        line = str(error)
    else:
        line = ""
    assert "\n" not in line
    if line:
        return
    for tensor in source:
        if not tensor.unreadable:
            assert tensor.read().shape == (tensor.rows, tensor.columns)
    if not any(t.unreadable and t.dtype not in ("float4_e2m1fn", "float6_e2m3fn") for t in source):
        found = dict(reference.deserialize(content))
        assert set(found) == {t.name for t in source}
        assert all(tuple(found[t.name]["shape"]) == t.shape for t in source)
        assert all(len(found[t.name]["data"]) == t.nbytes for t in source)


def test_right_files_of_the_reference_are_read(tmp_path: Path) -> None:
    from safetensors.numpy import save_file

    rng = np.random.default_rng(1)
    arrays = {f"t{i}": rng.standard_normal((i, 3)).astype(kind) for i, kind in enumerate(("f8", "f4", "f2", "i4"))}
    save_file(arrays, tmp_path / "r.safetensors", metadata={"format": "np"})
    for tensor in open_source(tmp_path / "r.safetensors"):
        np.testing.assert_array_equal(tensor.read(), arrays[tensor.name].astype(np.float32))


def test_a_file_that_shrinks_after_it_was_opened(tmp_path: Path) -> None:
    path = written(tmp_path, safetensors({"w": np.ones((100, 10), np.float32)}))
    tensor = open_source(path)["w"]
    size = path.stat().st_size
    os.truncate(path, size - 100)
    with pytest.raises(SourceError, match=rf"changed from {size:,} to .* bytes, noticed while reading tensor 'w' at"):
        tensor.read(50)


def test_a_file_that_shrinks_during_a_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = written(tmp_path, safetensors({"w": np.ones((100, 10), np.float32)}))
    tensor = open_source(path)["w"]
    honest = path.stat()
    os.truncate(path, 500)
    monkeypatch.setattr("fewbits.sources.file.os.fstat", lambda descriptor: honest)
    with pytest.raises(SourceError, match=r"model.safetensors: ends at byte 500, while reading tensor 'w' at "):
        tensor.read()


def test_a_file_that_changes_during_a_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Same length, other bytes: noticed by the check after the read."""
    path = written(tmp_path, safetensors({"w": np.ones((100, 10), np.float32)}))
    tensor = open_source(path)["w"]
    before, checks = os.fstat, []

    def change_then_tell(descriptor: int) -> os.stat_result:
        checks.append(descriptor)
        if len(checks) == 2:
            with path.open("r+b") as file:
                file.seek(-8, os.SEEK_END)
                file.write(bytes(8))
            os.utime(path, ns=(1, 1))
        return before(descriptor)

    monkeypatch.setattr("fewbits.sources.file.os.fstat", change_then_tell)
    with pytest.raises(SourceError, match=r"changed since its header was read, noticed while reading tensor 'w'"):
        tensor.read()


def test_a_file_that_is_replaced_or_removed(tmp_path: Path) -> None:
    content = safetensors({"w": np.ones((4, 4), np.float32)})
    path = written(tmp_path, content)
    tensor = open_source(path)["w"]
    stamp = path.stat().st_mtime_ns
    other = written(tmp_path, content, "other")
    os.utime(other, ns=(stamp, stamp))
    other.replace(path)
    with pytest.raises(SourceError, match="changed since its header was read"):
        tensor.read()
    path.unlink()
    with pytest.raises(SourceError, match=r"model.safetensors: no such file or directory, while reading tensor 'w'"):
        tensor.read()


def test_a_pipe_in_the_files_place_does_not_hang(tmp_path: Path) -> None:
    path = written(tmp_path, safetensors({"w": np.ones((4, 4), np.float32)}))
    tensor = open_source(path)["w"]
    path.unlink()
    os.mkfifo(path)
    with pytest.raises(SourceError, match=r"model\.safetensors"):
        tensor.read()
    assert "not a regular file" in refused(path)


def test_reads_while_the_file_is_rewritten_are_right_or_refused(tmp_path: Path) -> None:
    """A writer that changes and shrinks the file all the time: every slab is the old one, or an error."""
    path = written(tmp_path, safetensors({"w": np.ones((2000, 100), np.float32)}))
    content = path.read_bytes()
    os.utime(path, ns=(1, 1))  # clocks of file systems tick in milliseconds: two writes may have the same time
    stop, rewritten = threading.Event(), threading.Event()

    def rewrite() -> None:
        while not stop.is_set():
            path.write_bytes(content[: len(content) // 2])
            path.write_bytes(bytes(len(content)))
            rewritten.set()

    def read(start: int) -> float:
        try:
            return float(tensor.read(start, start + 20).min())
        except SourceError:
            return -1.0

    tensor = open_source(path)["w"]
    writer = threading.Thread(target=rewrite)
    writer.start()
    try:
        outcomes = {read(start) for start in range(0, 2000, 20)}
        assert rewritten.wait(60)
        assert read(0) == -1.0
    finally:
        stop.set()
        writer.join()
    assert outcomes <= {1.0, -1.0}


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read everything")
def test_permission_denied(tmp_path: Path) -> None:
    path = written(tmp_path, safetensors({"w": np.ones(4, np.float32)}))
    tensor = open_source(path)["w"]
    path.chmod(0)
    assert "permission denied" in refused(path)
    with pytest.raises(SourceError, match="permission denied, while reading tensor 'w'"):
        tensor.read()


def test_errors_of_the_system_are_one_line(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = written(tmp_path, safetensors({"w": np.ones(4, np.float32)}))
    tensor = open_source(path)["w"]

    def fail(*_: object, **__: object) -> None:
        raise OSError(13, "Permission denied")

    monkeypatch.setattr("builtins.open", fail)
    with pytest.raises(SourceError, match=r"model.safetensors: permission denied, while reading tensor 'w' at byte"):
        tensor.read()


def test_identity_changes_with_the_bytes(tmp_path: Path) -> None:
    arrays = {"a": np.ones(4, np.float32), "b": np.ones(4, np.float32)}
    path = written(tmp_path, safetensors(arrays))
    first = {t.name: t.identity for t in open_source(path)}
    assert {t.name: t.identity for t in open_source(path)} == first
    assert {t.name: t.identity for t in open_source(os.path.relpath(path))} == first
    assert first["a"] != first["b"]
    os.utime(path, ns=(5, 5))
    touched = {t.name: t.identity for t in open_source(path)}
    assert not set(touched.values()) & set(first.values())
    os.utime(written(tmp_path, safetensors(arrays, note="x")), ns=(5, 5))
    assert not {t.identity for t in open_source(path)} & set(touched.values())


def test_slabs_from_many_threads(tmp_path: Path) -> None:
    array = np.arange(4000 * 64, dtype=np.float32).reshape(4000, 64).astype(np.float64)
    tensor = open_source(written(tmp_path, safetensors({"w": array})))["w"]
    with ThreadPoolExecutor(8) as pool:
        slabs = list(pool.map(lambda start: tensor.read(start, start + 50), range(0, 4000, 50)))
    np.testing.assert_array_equal(np.vstack(slabs), array)


@pytest.mark.parametrize("dtype", [np.float32, np.float16, np.int64], ids=lambda d: d.__name__)
def test_memory_is_the_slab_and_little_more(tmp_path: Path, dtype: type) -> None:
    array = np.ones((4_000, 1_000), dtype)
    tensor = open_source(written(tmp_path, safetensors({"w": array})))["w"]
    tensor.read(0, 1)
    tracemalloc.start()
    try:
        slab = tensor.read(1_000, 3_500)
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert slab.nbytes == 10_000_000
    assert peak < slab.nbytes + 6_000_000


def test_identity_tells_empty_tensors_apart(tmp_path: Path) -> None:
    """They share a byte range, the one of no bytes."""
    arrays = {"a": np.ones((0, 16), np.float32), "b": np.ones((16, 0), np.float32), "c": np.ones((0, 16), np.float16)}
    arrays |= {"d": np.ones((0, 16), np.float32)}
    source = open_source(written(tmp_path, safetensors(arrays)))
    assert {t.nbytes for t in source} == {0}
    assert len({t.identity for t in source}) == 4


def test_an_unreadable_tensor_is_named_once(tmp_path: Path) -> None:
    header = {"x": {"dtype": "F4", "shape": [4], "data_offsets": [0, 2]}}
    tensor = open_source(written(tmp_path, raw(header, bytes(2))))["x"]
    assert tensor.unreadable.startswith("holds ")
    with pytest.raises(SourceError, match=r"tensor 'x' holds .*, which fewbits does not read as numbers"):
        tensor.read()
