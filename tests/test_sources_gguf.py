"""GGUF files: every type is decoded as the gguf package does it, from the bytes of the rows alone."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import gguf
import numpy as np
import pytest

from fewbits.errors import SourceError
from fewbits.packing.ggml import dequantize_bytes
from fewbits.sources.file import LocalFile
from fewbits.sources.ggml_types import GGML_TYPES
from fewbits.sources.gguf import gguf_metadata, read_gguf
from gguf_files import ARRAY, BOOL, F64, I8, I64, TEXT, U8, U32, Memory, array, gguf_file, info, number, text
from weights import causal

GOLDEN = Path(__file__).parent / "golden" / "packed"
KINDS = {kind.name: kind for kind in gguf.GGMLQuantizationType}
PLAIN = {"F32": "f4", "F16": "f2", "F64": "f8", "I8": "i1", "I16": "i2", "I32": "i4", "I64": "i8"}
PASSING = {"Q8_1", "Q8_K"}
BLOCKY = [name for name in KINDS if name not in {*PLAIN, *PASSING, "BF16"}]


def same(found: np.ndarray, expected: np.ndarray) -> None:
    """Bit for bit, but for what a NaN holds."""
    found, expected = found.reshape(-1), np.ascontiguousarray(expected, np.float32).reshape(-1)
    there = ~np.isnan(expected)
    np.testing.assert_array_equal(np.isnan(found), ~there)
    np.testing.assert_array_equal(found[there].view(np.uint32), expected[there].view(np.uint32))


def decoded(name: str, raw: np.ndarray) -> np.ndarray:
    """What the gguf package makes of rows of bytes."""
    with np.errstate(all="ignore"):
        if name == "Q1_0":  # which it knows by size alone
            return dequantize_bytes(name, raw)
        return gguf.dequantize(raw, KINDS[name])


def random_rows(name: str, rows: int, blocks: int, seed: int = 0) -> np.ndarray:
    size = gguf.GGML_QUANT_SIZES[KINDS[name]][1]
    return np.random.default_rng(seed).integers(0, 256, (rows, blocks * size), dtype=np.uint8)


def written(path: Path, tensors: dict[str, tuple[str, np.ndarray]], alignment: int = 32) -> LocalFile:
    """A file by the gguf package: name → (type, array or rows of bytes)."""
    writer = gguf.GGUFWriter(path, "test")
    writer.add_custom_alignment(alignment)
    for name, (kind, content) in tensors.items():
        writer.add_tensor(name, content, raw_dtype=KINDS[kind])
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    return LocalFile.at(path)


def test_golden_values() -> None:
    answers = np.load(GOLDEN / "tiny_gguf.npz")
    tensors = {t.name: t for t in read_gguf(LocalFile.at(GOLDEN / "tiny.gguf"))}
    assert set(tensors) >= set(answers)
    for name, expected in answers.items():
        tensor = tensors[name]
        assert tensor.shape == expected.shape
        np.testing.assert_array_equal(tensor.read().view(np.uint32), expected.view(np.uint32))
        kind = name.split(".")[2].upper()
        assert tensor.layout == ("" if kind in ("F32", "F16", "BF16") else kind)
    assert tensors["blk.0.f16.weight"].dtype == "float16"
    assert tensors["blk.0.q4_0.weight"].dtype == "float32"
    assert tensors["blk.0.q4_0.weight"].nbytes == 4 * 512 // 32 * 18


def test_types_are_those_of_the_gguf_package() -> None:
    assert {number: kind.name for number, kind in GGML_TYPES.items()} == {k.value: k.name for k in KINDS.values()}
    for kind in GGML_TYPES.values():
        if kind.name != "Q8_1":  # 36 bytes in ggml since 2024
            assert (kind.values, kind.bytes) == gguf.GGML_QUANT_SIZES[KINDS[kind.name]]


@pytest.mark.parametrize("name", BLOCKY)
def test_every_block_type(tmp_path: Path, name: str) -> None:
    raw = random_rows(name, rows=9, blocks=3)
    file = written(
        tmp_path / "x.gguf", {"w": (name, raw), "one": (name, raw[0]), "cube": (name, raw.reshape(3, 3, -1))}
    )
    tensors = {t.name: t for t in read_gguf(file)}
    tensor, expected = tensors["w"], decoded(name, raw)
    assert (tensor.shape, tensor.dtype, tensor.layout) == (expected.shape, "float32", name)
    assert tensor.nbytes == raw.nbytes
    assert tensor.read16() is None
    same(tensor.read(), expected)
    same(tensors["one"].read(), expected[0])
    assert tensors["cube"].shape == (3, 3, expected.shape[1])
    same(tensors["cube"].read(), expected)
    for start, stop in ((0, 0), (0, 1), (3, 8), (8, 9), (9, 9)):
        same(tensor.read(start, stop), expected[start:stop])


@pytest.mark.parametrize("name", ["Q4_K", "Q8_0", "IQ2_XS"])
def test_slabs_larger_than_what_is_decoded_at_a_time(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, name: str
) -> None:
    monkeypatch.setattr("fewbits.sources.gguf.FETCHED", 5000)
    monkeypatch.setattr("fewbits.sources.gguf.PIECE", 1000)
    raw = random_rows(name, rows=37, blocks=4)
    (tensor,) = read_gguf(written(tmp_path / "x.gguf", {"w": (name, raw)}))
    same(tensor.read(), decoded(name, raw))
    same(tensor.read(11, 30), decoded(name, raw)[11:30])


@pytest.mark.parametrize("name", PLAIN)
def test_plain_types(tmp_path: Path, name: str) -> None:
    values = (np.random.default_rng(1).standard_normal((6, 5)) * 50).astype(PLAIN[name])
    (tensor,) = read_gguf(written(tmp_path / "x.gguf", {"w": (name, values)}))
    assert (tensor.shape, tensor.dtype, tensor.layout, tensor.nbytes) == ((6, 5), values.dtype.name, "", values.nbytes)
    np.testing.assert_array_equal(tensor.read(1, 4), values[1:4].astype(np.float32))
    patterns = tensor.read16(2, 5)
    if name == "F16":
        np.testing.assert_array_equal(patterns, values[2:5].view(np.uint16))
    else:
        assert patterns is None


def test_bfloat16(tmp_path: Path) -> None:
    patterns = np.random.default_rng(2).integers(0, 0x7F80, (4, 6)).astype(np.uint16)
    (tensor,) = read_gguf(written(tmp_path / "x.gguf", {"w": ("BF16", patterns.view(np.uint8))}))
    assert (tensor.shape, tensor.dtype) == ((4, 6), "bfloat16")
    np.testing.assert_array_equal(tensor.read16(), patterns)
    same(tensor.read(), (patterns.astype(np.uint32) << 16).view(np.float32))


def test_only_the_bytes_of_the_rows_are_read() -> None:
    raw = random_rows("Q4_K", rows=8, blocks=2)
    file = Memory(gguf_file(infos=[info("w", [512, 8], KINDS["Q4_K"])], data=raw.tobytes()))
    (tensor,) = read_gguf(file)
    file.reads.clear()
    tensor.read(3, 5)
    begin = len(file.content) - raw.nbytes
    assert file.reads == [(begin + 3 * 288, 2 * 288)]


def test_the_header_is_read_in_pieces() -> None:
    tokens = array(TEXT, [f"token {i}" for i in range(200_000)])
    content = gguf_file({"tokens": (ARRAY, tokens)}, [info("w", [2])], bytes(8)) + bytes(1 << 20)
    file = Memory(content, size=1 << 60)  # what is not there fails when it is read
    assert [t.name for t in read_gguf(file)] == ["w"]
    assert file.reads == [(0, 1 << 20), (1 << 20, 1 << 20), (1 << 21, 1 << 21)][: len(file.reads)]
    assert sum(length for _, length in file.reads) <= len(content)


def test_reads_from_threads(tmp_path: Path) -> None:
    raw = random_rows("Q6_K", rows=64, blocks=2)
    (tensor,) = read_gguf(written(tmp_path / "x.gguf", {"w": ("Q6_K", raw)}))
    expected, together = decoded("Q6_K", raw), threading.Barrier(4)

    def read(part: int) -> None:
        together.wait()
        same(tensor.read(16 * part, 16 * part + 16), expected[16 * part : 16 * part + 16])

    with ThreadPoolExecutor(4) as pool:
        list(pool.map(read, range(4)))


def test_metadata() -> None:
    tokens = [f"token {i}" for i in range(5000)]
    nested = array(ARRAY, [array(I8, [1, -2]), array(TEXT, ["a", "é"]), array(ARRAY, [array(BOOL, [1, 0])])])
    content = gguf_file(
        {
            "general.architecture": (TEXT, text("llama")),
            "flag": (BOOL, b"\x01"),
            "heads": (ARRAY, array(U32, [8, 8, 4])),
            "least": (I64, number(I64, -(2**63))),
            "wide": (F64, number(F64, 0.1)),
            "nested": (ARRAY, nested),
            "nothing": (ARRAY, array(TEXT, [])),
            "broken": (TEXT, text(b"\xff")),
            "tokens": (ARRAY, array(TEXT, tokens)),
        }
    )
    found = gguf_metadata(Memory(content))
    assert found["general.architecture"] == "llama"
    assert found["flag"] is True
    assert found["heads"] == (8, 8, 4)
    assert (found["least"], found["wide"]) == (-(2**63), 0.1)
    assert found["nested"] == ((1, -2), ("a", "é"), ((True, False),))
    assert (found["nothing"], found["broken"]) == ((), "\ufffd")
    long = found["tokens"]
    assert (long.kind, long.count) == ("string", 5000)
    other = gguf_metadata(Memory(gguf_file({"tokens": (ARRAY, array(TEXT, [*tokens[:-1], "else"]))})))["tokens"]
    assert (other.kind, other.count) == (long.kind, long.count)
    assert other.digest != long.digest


def test_metadata_of_the_gguf_package(tmp_path: Path) -> None:
    writer = gguf.GGUFWriter(tmp_path / "x.gguf", "llama")
    writer.add_block_count(30)
    writer.add_rope_freq_base(1e4)
    writer.add_token_list(["a", "b"])
    writer.add_token_scores([0.5, -1.0])
    writer.add_add_bos_token(True)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.close()
    found = gguf_metadata(LocalFile.at(tmp_path / "x.gguf"))
    assert found["llama.block_count"] == 30
    assert found["llama.rope.freq_base"] == 1e4
    assert found["tokenizer.ggml.tokens"] == ("a", "b")
    assert found["tokenizer.ggml.scores"] == (0.5, -1.0)
    assert found["tokenizer.ggml.add_bos_token"] is True


@pytest.mark.parametrize("alignment", [8, 64, 4096])
def test_alignment(tmp_path: Path, alignment: int) -> None:
    values = np.arange(10, dtype=np.float32).reshape(2, 5)
    file = written(tmp_path / "x.gguf", {"a": ("F32", values), "b": ("F32", -values)}, alignment)
    a, b = read_gguf(file)
    np.testing.assert_array_equal(a.read(), values)
    np.testing.assert_array_equal(b.read(), -values)
    assert a.identity != b.identity


def test_shapes_without_values_and_without_axes() -> None:
    infos = [info("empty", [32, 0], KINDS["Q4_0"]), info("hollow", [0, 4], KINDS["Q4_0"]), info("scalar", [])]
    empty, hollow, scalar = read_gguf(Memory(gguf_file(infos=infos, data=number(6, 2.5))))
    assert (empty.shape, empty.read().shape) == ((0, 32), (0, 32))
    assert (hollow.shape, hollow.read().shape) == ((4, 0), (4, 0))
    assert (scalar.shape, scalar.read().tolist()) == ((), [[2.5]])


@pytest.mark.parametrize("name", sorted(PASSING))
def test_types_of_activations_are_listed_but_not_read(name: str) -> None:
    kind = next(kind for kind in GGML_TYPES.values() if kind.name == name)
    content = gguf_file(infos=[info("w", [kind.values], KINDS[name])], data=bytes(kind.bytes))
    (tensor,) = read_gguf(Memory(content))
    assert tensor.layout == name
    assert tensor.unreadable.startswith(f"holds {name}")
    with pytest.raises(SourceError, match=rf"memory.gguf: tensor 'w' holds {name}"):
        tensor.read()


def test_a_file_that_changes(tmp_path: Path) -> None:
    file = written(tmp_path / "x.gguf", {"w": ("Q4_0", random_rows("Q4_0", 4, 2))})
    (tensor,) = read_gguf(file)
    with (tmp_path / "x.gguf").open("ab") as grown:
        grown.write(b"more")
    with pytest.raises(SourceError, match=r"changed from .* noticed while reading tensor 'w'"):
        tensor.read()


def test_versions_2_and_3() -> None:
    content = gguf_file({"a": (U8, b"\x07")}, [info("w", [2])], bytes(8), version=2)
    (tensor,) = read_gguf(Memory(content))
    assert tensor.shape == (2,)


@pytest.mark.slow
def test_a_real_model() -> None:
    """Every tensor of a language model, whole and in part."""
    (path,) = causal().glob("*.gguf")
    file, reference = LocalFile.at(path), gguf.GGUFReader(path)
    tensors = {t.name: t for t in read_gguf(file)}
    assert set(tensors) == {t.name for t in reference.tensors}
    for told in reference.tensors:
        tensor, expected = tensors[told.name], gguf.dequantize(told.data, told.tensor_type)
        assert tensor.shape == tuple(int(side) for side in reversed(told.shape))
        assert tensor.nbytes == told.n_bytes
        same(tensor.read(), expected)
        middle = tensor.rows // 2
        same(tensor.read(middle, middle + 1), expected.reshape(tensor.rows, -1)[middle])
    metadata = gguf_metadata(file)
    assert metadata["general.architecture"] == "llama"
    assert metadata["tokenizer.ggml.tokens"].count == 49_152
    assert metadata["llama.attention.head_count"] == 9
