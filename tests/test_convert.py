"""`fewbits convert`: names, values and types survive every way between the kinds of file, in bounded memory."""

from __future__ import annotations

import tracemalloc
import zipfile
from pathlib import Path
from typing import Any

import ml_dtypes
import numpy as np
import pytest
import safetensors as reference

from checkpoints import NAMES, safetensors
from fewbits.cli import run
from fewbits.convert import KINDS, convert
from fewbits.errors import DataError, SourceError, UsageError
from fewbits.sources import Source, open_source
from fewbits.sources.dtypes import DTYPES
from fewbits.sources.raw import raw_bytes, raw_dtype
from fewbits.tensor import Tensor

CANNED = Path(__file__).parent / "canned" / "containers"
RNG = np.random.default_rng(0)


def arrays() -> dict[str, np.ndarray[Any, Any]]:
    """Every type, every bit pattern drawn at random, and shapes that are easily got wrong."""
    found: dict[str, np.ndarray[Any, Any]] = {}
    for kind in NAMES:
        top = 2 if kind == np.bool_ else 256
        found[f"layer.0.{kind.name}"] = RNG.integers(0, top, (3, 4, kind.itemsize), np.uint8).view(kind)[..., 0]
    found |= {"scalar": np.float32(2.5).reshape(()), "empty": np.zeros((0, 4), np.float32), "0": np.ones(5, "f4")}
    return found | {"wéird name": np.ones((1, 1), np.float32)}


def stored(tensor: Tensor) -> tuple[str, tuple[int, ...], bytes]:
    dtype = raw_dtype(tensor)
    assert dtype is not None
    return dtype.name, tensor.shape, raw_bytes(tensor, 0, tensor.size).tobytes()


@pytest.fixture
def source(tmp_path: Path) -> Source:
    path = tmp_path / "all.safetensors"
    path.write_bytes(safetensors(arrays()))
    return open_source(path)


@pytest.mark.parametrize("first", [".safetensors", ".pt", ".pth", ".bin", ".ot"])
@pytest.mark.parametrize("second", [".safetensors", ".pt", ".ot"])
def test_every_bit_survives(tmp_path: Path, source: Source, first: str, second: str) -> None:
    once, twice = tmp_path / f"once{first}", tmp_path / f"twice{second}"
    done = convert(source, once)
    assert done.notes == ()
    assert done.tensors == len(source)
    assert done.nbytes == once.stat().st_size
    convert(open_source(once), twice)
    found = open_source(twice)
    assert {t.name: stored(t) for t in found} == {t.name: stored(t) for t in source}


def test_npz_holds_what_numpy_has_and_says_what_it_has_not(tmp_path: Path, source: Source) -> None:
    done = convert(source, tmp_path / "a.npz")
    assert "1 × bfloat16, which numpy does not hold, written as float32" in done.notes
    assert len(done.notes) == 6
    loaded = np.load(tmp_path / "a.npz")
    expected = arrays()
    assert set(loaded.files) == set(expected)
    for tensor in source:
        array = loaded[tensor.name]
        assert array.shape == tensor.shape
        assert array.dtype == (tensor.dtype if tensor.dtype in KINDS[".npz"].dtypes else "float32")
        with np.errstate(over="ignore"):  # float64 beyond float32
            np.testing.assert_array_equal(array.astype("f4").reshape(tensor.rows, tensor.columns), tensor.read())
    convert(open_source(tmp_path / "a.npz"), tmp_path / "b.ot")
    assert {t.name for t in open_source(tmp_path / "b.ot")} == set(expected)


def test_the_reference_reads_our_safetensors(tmp_path: Path, source: Source) -> None:
    convert(source, tmp_path / "b.safetensors")
    found = dict(reference.deserialize((tmp_path / "b.safetensors").read_bytes()))
    assert {name: bytes(entry["data"]) for name, entry in found.items()} == {t.name: stored(t)[2] for t in source}


def test_files_are_the_same_each_time(tmp_path: Path, source: Source) -> None:
    for suffix in KINDS:
        convert(source, tmp_path / f"a{suffix}")
        convert(source, tmp_path / f"b{suffix}")
        assert (tmp_path / f"a{suffix}").read_bytes() == (tmp_path / f"b{suffix}").read_bytes()


def test_views_are_written_in_order(tmp_path: Path) -> None:
    source = open_source(CANNED / "views.pt")
    convert(source, tmp_path / "v.npz")
    loaded = np.load(tmp_path / "v.npz")
    for tensor in source:
        np.testing.assert_array_equal(
            loaded[tensor.name].astype("f4").reshape(tensor.rows, -1 if tensor.size else 4), tensor.read()
        )


def test_torchscript_is_what_libtorch_reads(tmp_path: Path) -> None:
    """Byte for byte what `torch.jit.load` 2.13.0 was seen to read: the class, and | for . in names."""
    path = tmp_path / "a.safetensors"
    path.write_bytes(safetensors({"layer.weight": np.ones((2, 3), np.float32), "0": np.ones(1, ml_dtypes.bfloat16)}))
    convert(open_source(path), tmp_path / "a.ot")
    with zipfile.ZipFile(tmp_path / "a.ot") as archive:
        names = {"data.pkl", "code/__torch__.py", "constants.pkl", "version", "byteorder", "data/0", "data/1"}
        assert {name.removeprefix("archive/") for name in archive.namelist()} == names
        assert archive.read("archive/code/__torch__.py").decode() == (
            'class Tensors(Module):\n  __parameters__ = ["0", "layer|weight", ]\n  __buffers__ = []\n'
            '  __annotations__ = []\n  __annotations__["0"] = Tensor\n  __annotations__["layer|weight"] = Tensor\n'
        )
        for info in archive.infolist():
            start = info.header_offset + 30 + len(info.filename) + len(info.extra)
            assert start % 64 == 0  # as torch aligns storages, for mmap


@pytest.mark.parametrize(
    ("name", "suffix", "line"),
    [
        ("a|b", ".ot", "it has a |"),
        ('a"b', ".ot", "cannot spell it"),
        ("a\\b", ".ot", "cannot spell it"),
        ("a\nb", ".ot", "cannot spell it"),
        ("../b", ".npz", "no name of a file inside"),
        ("/b", ".npz", "no name of a file inside"),
        ("a\tb", ".npz", "no name of a file inside"),
    ],
)
def test_names_that_a_kind_cannot_hold(tmp_path: Path, name: str, suffix: str, line: str) -> None:
    path = tmp_path / "a.safetensors"
    path.write_bytes(safetensors({name: np.ones(1, np.float32)}))
    with pytest.raises(DataError, match=line.replace("|", r"\|")):
        convert(open_source(path), tmp_path / f"b{suffix}")
    assert not (tmp_path / f"b{suffix}").exists()
    convert(open_source(path), tmp_path / "b.pt")
    assert [t.name for t in open_source(tmp_path / "b.pt")] == [name]


def test_a_failure_leaves_what_was_there(tmp_path: Path) -> None:
    out = tmp_path / "out.npz"
    out.write_bytes(b"before")
    with pytest.raises(SourceError, match=r"tensor 'c' holds complex64"):
        convert(open_source(CANNED / "complex.pt"), out)
    path = tmp_path / "a.safetensors"
    path.write_bytes(safetensors({"w": np.ones((100, 10), np.float32)}))
    changing = open_source(path)
    path.write_bytes(path.read_bytes()[:-8])
    for suffix in KINDS:
        with pytest.raises(SourceError, match="changed"):
            convert(changing, tmp_path / f"out{suffix}")
    assert out.read_bytes() == b"before"
    assert sorted(p.name for p in tmp_path.iterdir()) == ["a.safetensors", "out.npz"]


def test_block_scaled_weights_are_copied_with_their_scales(tmp_path: Path) -> None:
    weight = RNG.standard_normal((256, 128)).astype(ml_dtypes.float8_e4m3fn)
    path = tmp_path / "a.safetensors"
    path.write_bytes(safetensors({"w": weight, "w_scale_inv": np.full((2, 1), 0.5, np.float32)}))
    source = open_source(path)
    convert(source, tmp_path / "b.safetensors")
    again = open_source(tmp_path / "b.safetensors")
    np.testing.assert_array_equal(again["w"].read(), source["w"].read())
    assert again["w"].layout == source["w"].layout


def test_synthetic_values_are_written_as_float32(tmp_path: Path) -> None:
    source = open_source("synthetic:normal/64x32?seed=1")
    convert(source, tmp_path / "s.npz")
    (array,) = np.load(tmp_path / "s.npz").values()
    np.testing.assert_array_equal(array, source[0].read())


@pytest.mark.parametrize("suffix", list(KINDS))
def test_memory_does_not_grow_with_the_tensor(tmp_path: Path, suffix: str) -> None:
    path = tmp_path / "a.safetensors"
    path.write_bytes(safetensors({"w": np.ones(12_000_000, ml_dtypes.bfloat16)}))
    source = open_source(path)
    tracemalloc.start()
    try:
        convert(source, tmp_path / f"b{suffix}")
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert peak < 16_000_000


def test_progress_counts_every_value(tmp_path: Path, source: Source) -> None:
    done: list[int] = []
    convert(source, tmp_path / "a.pt", done.append)
    assert sum(done) == sum(tensor.size for tensor in source)


def test_command(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """S-148 and S-149: tuple (numbered), dict (named), single tensor; names kept; failures are one line and exit code 1."""
    for name, names in {"tuple": ["0", "1"], "single": ["0"]}.items():
        assert run(["convert", str(CANNED / f"{name}.pt"), str(tmp_path / f"{name}.npz")]) == 0
        assert np.load(tmp_path / f"{name}.npz").files == names
        assert run(["convert", str(tmp_path / f"{name}.npz"), str(tmp_path / f"{name}.ot")]) == 0
        assert [t.name for t in open_source(tmp_path / f"{name}.ot")] == names
    assert f"{tmp_path / 'tuple.npz'}   2 tensors" in capsys.readouterr().out
    assert run(["convert", str(CANNED / "dtypes.pt"), str(tmp_path / "d.npz"), "--quiet"]) == 0
    out, err = capsys.readouterr()
    assert out == ""
    assert "note: 1 × bfloat16, which numpy does not hold, written as float32" in err
    assert run(["convert", "sample", str(tmp_path / "sample.pt")]) == 0
    for arguments, code, line in (
        ([str(CANNED / "whole_module.pt"), str(tmp_path / "x.npz")], 1, "torch.nn.modules.linear.Linear"),
        ([str(CANNED / "tuple.pt"), str(tmp_path / "x.txt")], 2, "the suffix says the kind"),
        ([str(tmp_path / "missing.pt"), str(tmp_path / "x.npz")], 1, "missing.pt"),
        ([str(CANNED / "tuple.pt"), "/proc/none/x.npz"], 1, "cannot write"),
    ):
        capsys.readouterr()
        assert run(["convert", *arguments]) == code
        err = capsys.readouterr().err
        assert line in err
        assert err.startswith("fewbits: ")
        assert err.count("\n") == 1
    assert not (tmp_path / "x.npz").exists()


def test_kinds_hold_known_types(tmp_path: Path) -> None:
    for kind in KINDS.values():
        assert kind.dtypes <= set(DTYPES)
    with pytest.raises(UsageError, match=r"cannot write 'a.gguf': the suffix says the kind, one of .safetensors"):
        convert([], Path("a.gguf"))
