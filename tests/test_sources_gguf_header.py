"""Headers of GGUF files by strangers: read right or refused in one clear line, in little time and memory."""

from __future__ import annotations

import contextlib
import struct
import tracemalloc

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fewbits.errors import SourceError
from fewbits.sources.gguf import read_gguf
from fewbits.sources.gguf_header import LONGEST, read_gguf_header
from gguf_files import ARRAY, BOOL, F32, I8, TEXT, U8, U32, U64, Memory, array, gguf_file, info, number, text

Q4_0, REMOVED = 2, 31
TWO = [info("a", [2]), info("b", [2], offset=32)]


def refused(content: bytes | Memory) -> str:
    """The one line about a file that cannot be opened."""
    with pytest.raises(SourceError) as caught:
        read_gguf(content if isinstance(content, Memory) else Memory(content))
    line = str(caught.value)
    assert line.startswith("memory.gguf: ")
    assert line.isprintable()
    assert len(line) < 700
    return line


def keyed(kind: int, value: bytes) -> bytes:
    return gguf_file({"k": (kind, value)})


def shaped(*ne: int, kind: int = 0, offset: int = 0, data: int = 64) -> bytes:
    return gguf_file(infos=[info("w", ne, kind, offset)], data=bytes(data))


def nested(depth: int) -> bytes:
    value = array(U8, [1])
    for _ in range(depth - 1):
        value = array(ARRAY, [value])
    return keyed(ARRAY, value)


WRONG: dict[str, tuple[bytes, str]] = {
    "empty": (b"", "not a GGUF file, it begins with b'', not with b'GGUF'"),
    "another kind": (b"PK\x03\x04" + bytes(40), r"it begins with b'PK\x03\x04'"),
    "version 0": (gguf_file(version=0), "GGUF version 0, only 2 and 3 are read"),
    "version 1": (gguf_file(version=1), "GGUF version 1, only 2 and 3 are read; llama.cpp can convert it"),
    "version 4": (gguf_file(version=4), "GGUF version 4, only 2 and 3"),
    "big-endian": (b"GGUF" + struct.pack(">IQQ", 3, 0, 0), "a big-endian GGUF file (version 3), only little-endian"),
    "many tensors": (gguf_file(tensors=100_001), "100,001 tensors, at most 100,000 are allowed"),
    "many keys": (gguf_file(keys=2**64 - 1), "18,446,744,073,709,551,615 metadata keys, at most 100,000"),
    "fewer keys than said": (gguf_file(keys=1), "the length of metadata key 1 of 1 takes 8 bytes from byte 24 on, but the file"),
    "fewer tensors than said": (gguf_file(tensors=1), "the length of the name of tensor 1 of 1 takes 8 bytes from"),
    "key twice": (gguf_file([("k", (U8, b"1")), ("k", (U8, b"1"))]), "metadata 'k' stands there twice"),
    "long key": (gguf_file({"k" * 65_536: (U8, b"1")}), "metadata key 1 of 1 has 65,536 bytes, at most 65,535"),
    "key beyond the file": (gguf_file()[:-8] + struct.pack("<QQ", 1, 9), "metadata key 1 of 1 takes 9 bytes from byte 32"),
    "key is not UTF-8": (gguf_file({b"\xff": (U8, b"1")}), r"metadata key 1 of 1, b'\xff', is not UTF-8"),
    "control characters": (gguf_file({"\x1b[2J\n": (99, b"")}), r"metadata '\x1b[2J\n': type 99, allowed are 0 to 12"),
    "no value": (keyed(U64, b"1234567"), "metadata 'k' takes 8 bytes from byte 37 on, but the file of 44 bytes is truncated"),
    "bool of 2": (keyed(BOOL, b"\x02"), "metadata 'k' has a bool that is 2, allowed are 0 and 1"),
    "bools of 255": (keyed(ARRAY, array(BOOL, [0, 255])), "has a bool that is 255"),
    "long text": (keyed(TEXT, struct.pack("<Q", 2**63)), "metadata 'k' has 9,223,372,036,854,775,808 bytes, at most"),
    "text beyond the file": (keyed(TEXT, struct.pack("<Q", 9)), "metadata 'k' takes 9 bytes from byte 45 on"),
    "array of an unknown type": (keyed(ARRAY, array(13, [])), "the items of metadata 'k': type 13, allowed are 0 to 12"),
    "long array": (keyed(ARRAY, array(U64, [], 2**61)), "metadata 'k', 2,305,843,009,213,693,952 items of uint64, takes"),
    "long array of texts": (keyed(ARRAY, array(TEXT, [], 2**64 - 1)), "items of string, takes 147,573,952,589,676,412,920"),
    "long array of arrays": (keyed(ARRAY, array(ARRAY, [], 2**40)), "items of array, takes 13,194,139,533,312 bytes"),
    "deep": (nested(5), "metadata 'k' has arrays nested more than 4 deep"),
    "very deep": (nested(20_000), "nested more than 4 deep"),
    "alignment 0": (gguf_file({"general.alignment": (U32, bytes(4))}), "general.alignment 0 is not a power of two"),
    "alignment 24": (gguf_file({"general.alignment": (U32, number(U32, 24))}), "general.alignment 24 is not"),
    "alignment of 2^32": (gguf_file({"general.alignment": (U64, number(U64, 2**32))}), "general.alignment 4294967296 is"),
    "alignment is 32.0": (gguf_file({"general.alignment": (F32, number(F32, 32))}), "general.alignment 32.0 is not"),
    "alignment is true": (gguf_file({"general.alignment": (BOOL, b"\x01")}), "general.alignment True is not"),
    "tensor twice": (gguf_file(infos=[info("a", [2]), info("a", [2], offset=32)], data=bytes(64)), "'a' stands there twice"),
    "long name": (gguf_file(infos=[info("n" * 1025, [2])]), "the name of tensor 1 of 1 has 1,025 bytes, at most 1,024"),
    "name is not UTF-8": (gguf_file(infos=[info(b"\xc3", [2])]), r"the name of tensor 1 of 1, b'\xc3', is not UTF-8"),
    "five axes": (shaped(1, 1, 1, 1, 2), "tensor 'w' has 5 axes, at most 4 are allowed"),
    "2^32 axes": (gguf_file(infos=[text("w") + b"\xff" * 4]), "tensor 'w' has 4,294,967,295 axes"),
    "shape overflows": (shaped(2**32, 2**32), "tensor 'w' of shape [4294967296, 4294967296] is larger than"),
    "shape overflows to 0": (shaped(2**32, 2**32, 0), "tensor 'w' of shape [0, 4294967296, 4294967296] is larger"),
    "negative length": (shaped(2**64 - 2), "tensor 'w' of shape [18446744073709551614] is larger than"),
    "half a block": (shaped(48, kind=Q4_0), "tensor 'w' has rows of 48 values, not whole blocks of 32 as Q4_0 has"),
    "a block of two rows": (shaped(16, 2, kind=Q4_0), "rows of 16 values, not whole blocks of 32"),
    "a scalar of blocks": (shaped(kind=Q4_0), "tensor 'w' has rows of 1 values, not whole blocks"),
    "unknown type": (shaped(32, kind=99), "tensor 'w' is of ggml's type 99; known are F32, F16, "),
    "removed type": (shaped(32, kind=REMOVED), "tensor 'w' is of ggml's type 31 (Q4_0_4_4, removed); known are"),
    "crooked offset": (shaped(2, offset=8), "tensor 'w' has offset 8, not a multiple of 32"),
    "offset beyond the end": (shaped(2, offset=2**64 - 32), "truncated, tensor 'w' ends at byte"),
    "beyond the end": (shaped(17), "truncated, tensor 'w' ends at byte 132 of 128"),
    "same bytes twice": (gguf_file(infos=[info("a", [2]), info("b", [1])], data=bytes(64)), "tensors 'b' and 'a' overlap"),
    "overlap": (gguf_file(infos=[info("a", [9]), info("b", [2], offset=32)], data=bytes(64)), "tensors 'a' and 'b' overlap"),
}  # fmt: skip


@pytest.mark.parametrize("case", WRONG)
def test_wrong_files_are_refused_in_one_line(case: str) -> None:
    content, line = WRONG[case]
    assert line in refused(content)


def test_padding_is_right() -> None:
    content = gguf_file(infos=[info("a", [2], offset=64), info("b", [2])], data=bytes(100))
    assert [t.name for t in read_gguf(Memory(content))] == ["a", "b"]
    assert read_gguf(Memory(gguf_file())) == []


def example() -> bytes:
    """A small file with something of everything."""
    metadata = {
        "general.alignment": (U32, number(U32, 32)),
        "t": (TEXT, text("é")),
        "b": (BOOL, b"\x01"),
        "x": (ARRAY, array(ARRAY, [array(I8, [1, 2]), array(TEXT, ["a"])])),
        "f": (ARRAY, array(BOOL, [1, 0])),
    }
    infos = [info("w", [32, 2], Q4_0), info("v", [3], offset=64), info("e", [0, 2], offset=64)]
    return gguf_file(metadata, infos, bytes(range(76)))


def read_or_refused(content: bytes) -> None:
    """Whatever is accepted can be read."""
    try:
        header, tensors = read_gguf_header(Memory(content)), read_gguf(Memory(content))
    except SourceError:
        refused(content)
        return
    assert len(header.entries) == len(tensors)
    for tensor in tensors:
        assert tensor.nbytes <= len(content)
        if tensor.size:
            assert tensor.read().shape == (tensor.rows, tensor.columns)


def test_every_truncation_is_refused() -> None:
    content = example()
    assert len(read_gguf(Memory(content))) == 3
    for length in range(len(content)):
        refused(content[:length])


@pytest.mark.parametrize("width", [1, 4, 8])
def test_every_field_at_its_extremes(width: int) -> None:
    content, top = example(), 1 << 8 * width
    for offset in range(len(content) - width):
        for value in (0, 1, 2, 32, top // 2 - 1, top // 2, top - 32, top - 1):
            read_or_refused(content[:offset] + value.to_bytes(width, "little") + content[offset + width :])


@settings(max_examples=500, deadline=None)
@given(
    changes=st.lists(st.tuples(st.integers(0, 10_000), st.binary(min_size=0, max_size=9)), max_size=4),
    cut=st.integers(0, 600),
)
def test_damaged_files_are_read_or_refused(changes: list[tuple[int, bytes]], cut: int) -> None:
    content = example()
    for at, some in changes:
        at %= len(content)
        content = content[:at] + some + content[at + len(some) :]
    read_or_refused(content[: len(content) - cut] if cut < 40 else content)


HOSTILE = {
    "tensors": gguf_file(tensors=100_000),
    "keys": gguf_file(keys=100_000),
    "texts": keyed(ARRAY, array(TEXT, [], 2**50)),
    "numbers": keyed(ARRAY, array(U8, [], 2**50)),
    "arrays": keyed(ARRAY, array(ARRAY, [array(ARRAY, [], 2**50)])),
    "text": keyed(TEXT, struct.pack("<Q", 2**24)),
    "values": shaped(2**60),
}


@pytest.mark.parametrize("size", ["as it is", "2^62"])
@pytest.mark.parametrize("case", HOSTILE)
def test_claims_cost_no_memory(case: str, size: str) -> None:
    """Of a file that is short, or that is as long as it pleases."""
    file = Memory(HOSTILE[case])
    if size == "2^62":
        file = Memory(file.content + bytes(3 << 20), size=1 << 62)
    tracemalloc.start()
    with contextlib.suppress(SourceError):
        read_gguf(file)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 8 << 20


def test_the_header_has_a_limit() -> None:
    content = keyed(ARRAY, array(U8, [], LONGEST))
    file = Memory(content, size=1 << 40)
    file.content += bytes(1 << 21)
    line = refused(file)
    assert "its header would be more than 67,108,864 bytes, at most so many are read" in line
    assert sum(length for _, length in file.reads) <= 1 << 21
