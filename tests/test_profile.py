"""Profiles: every number is what the library says of the whole tensor, however little of it was looked at."""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import fewbits
from fewbits import catalog, run
from fewbits.block import as_matrices
from fewbits.encoded import Encoded
from fewbits.errors import DataError
from fewbits.formats import Format
from fewbits.measurement import measure_tensor
from fewbits.profile import BINS, Profile, make
from fewbits.profile.histogram import count, edges
from fewbits.profile.make import Wanted, profile
from fewbits.profile.pieces import block_text, levels, pieces
from fewbits.profile.record import AMAX_BLOCKS, PERCENT
from fewbits.report.content import collect
from fewbits.report.payload import pack
from fewbits.report.profiles import arrays as arrays_of
from fewbits.report.profiles import importance
from fewbits.run import RunDirectory
from fewbits.run.profiles import profile_files
from fewbits.scan import Options, scan
from fewbits.scan.job import measure_cpu, profile_cpu
from fewbits.spec import parse
from fewbits.tensor import Tensor
from strategies import Float32, array, arrays, formats


@dataclass
class Array:
    x: Float32

    def read(self, start: int, stop: int) -> Float32:
        return self.x[start:stop].copy()

    def read16(self, start: int, stop: int) -> None:
        return None


def tensor(x: Float32, name: str = "t", identity: str = "i") -> Tensor:
    matrices, rows, columns = as_matrices(x.shape)
    return Tensor(name, x.shape, "float32", x.nbytes, identity, Array(x.reshape(matrices * rows, columns)))


def profiled(x: Float32, asked: Sequence[Format]) -> tuple[Profile, list[float]]:
    """The profile, and the squared errors that the scan measures."""
    measured = measure_tensor(tensor(x), asked)
    amax = measured.signal["max_abs"]
    errors = [error["err_sq"] for error in measured.errors]
    wanted = [Wanted(f, amax, error) for f, error in zip(asked, errors, strict=True)]
    return profile(tensor(x), wanted), errors


def scales_of(x: Float32, f: Format) -> Float32 | None:
    """The final scales of all blocks, as the library's own decoder has them."""
    stored = fewbits.encode(x, f).scale
    return fewbits.decode(stored) if isinstance(stored, Encoded) else stored


def block_errors(x: Float32, f: Format) -> dict[tuple[int, int], tuple[float, float, float]]:
    """By (row, column) of every compared block: squared error, Σx², largest magnitude."""
    y = fewbits.quantize(x, f)
    grid, columns = pieces(f).grid(x.shape), as_matrices(x.shape)[2]
    a = x.reshape(grid.shape)
    with np.errstate(all="ignore"):
        e = (y.reshape(grid.shape) - a).astype(np.float64)
    found = {}
    for m, i, j in np.ndindex(*grid.counts):
        place = m, slice(i * grid.rows, (i + 1) * grid.rows), slice(j * grid.columns, (j + 1) * grid.columns)
        at = divmod((m * grid.shape[1] + i * grid.rows) * grid.shape[2] + j * grid.columns, columns)
        finite = np.isfinite(a[place])
        part = a[place][finite].astype(np.float64)
        error = float((e[place][finite] ** 2).sum())
        found[at] = math.inf if math.isnan(error) else error, float(part @ part), float(abs(part).max(initial=0))
    return found


def check_worst(x: Float32, f: Format, p: Profile, error: float, *, whole: bool = True) -> None:
    """The worst blocks are blocks of the tensor, told truly; where all was looked at, no block is worse."""
    found = p.formats[str(f)]
    assert found is not None
    expected = block_errors(x, f)
    told = [expected[block.row, block.column] for block in found.worst]
    sizes = [size for size, *_ in told]
    assert all(size > 0 for size in sizes)
    assert sizes == pytest.approx(sorted(sizes, reverse=True), rel=1e-9)
    if whole:
        largest = sorted((size for size, *_ in expected.values() if size > 0), reverse=True)[: make.WORST]
        assert sizes == pytest.approx(largest, rel=1e-9)
    for block, (size, signal, amax) in zip(found.worst, told, strict=True):
        if size < math.inf:
            share = pytest.approx(min(size / error, 1), rel=1e-5) if math.isfinite(error) else None
            assert block.share == share
            assert (
                block.sqnr is None
                if not signal
                else block.sqnr == pytest.approx(10 * math.log10(signal / size), 1e-5, 1e-5)
            )
        assert block.amax == pytest.approx(amax, rel=1e-7)


@given(arrays(), st.lists(st.sampled_from([np.nan, np.inf, -np.inf, 0.0]), max_size=4), st.integers(0, 9))
def test_histogram_counts_every_finite_value_once(x: Float32, special: list[float], smaller: int) -> None:
    x = np.concatenate([x.reshape(-1), np.array(special, np.float32), x.reshape(-1) * np.float32(2.0**-smaller)])
    finite = x[np.isfinite(x)]
    amax = float(abs(finite).max(initial=0))
    found = count([x, x[:3]], amax)
    ends, total = edges(amax), np.concatenate([finite, x[:3][np.isfinite(x[:3])]])
    assert (len(found), found.sum()) == (BINS, len(total))
    assert found[81] == (total == 0).sum()
    assert found[82] == ((total > 0) & (total <= ends[0])).sum()
    assert found[80] == ((total < 0) & (total >= -ends[0])).sum()
    for k in range(80):
        assert found[83 + k] == ((total > ends[k]) & (total <= ends[k + 1])).sum()
        assert found[79 - k] == ((total < -ends[k]) & (total >= -ends[k + 1])).sum()


def test_many_values_are_counted_as_few_are() -> None:
    x = array("wide", (600,)).reshape(-1)
    x = np.concatenate([np.tile(array("gauss", (2, 1100)).reshape(-1), 40), x, edges(4.5), -edges(4.5)])
    x = np.concatenate([x[abs(x) <= 4.5], [np.nan, np.inf, -np.inf, -0.0]]).astype(np.float32)
    amax = float(abs(x[np.isfinite(x)]).max())
    assert count([x], amax).tolist() == sum(count([part], amax) for part in np.array_split(x, 9)).tolist()


def test_bins_are_a_quarter_of_an_octave() -> None:
    ends = edges(3.0)
    assert (len(ends), ends[-1]) == (81, 3.0)
    assert ends[1:] / ends[:-1] == pytest.approx(2**0.25, rel=1e-6)
    assert ends[0] == pytest.approx(3 * 2.0**-20, rel=1e-6)


@given(arrays(), st.lists(formats(), min_size=1, max_size=3))
def test_a_tensor_that_is_looked_at_whole(x: Float32, asked: list[Format]) -> None:
    p, errors = profiled(x, asked)
    assert p.looked_at == (1.0 if x.size else 0.0)
    assert p.amax == float(abs(x).max(initial=0))
    assert sum(p.histogram) == x.size
    assert Profile.from_json(p.to_json()) == p
    for f, error in zip(asked, errors, strict=True):
        found = p.formats[str(f)]
        assert found is not None
        scales = scales_of(x, f) if x.size else None
        if scales is not None and np.isfinite(scales).all():
            ranked = np.sort(abs(scales.reshape(-1)))
            middle = ranked[max(-(-ranked.size // 2) - 1, 0)]
            assert found.scale == (float(str(ranked[0])), float(str(middle)), float(str(ranked[-1])))
        elif scales is None:
            assert not f.block or not x.size
        check_worst(x, f, p, error)


@pytest.mark.parametrize("shape", [(3, 200), (2, 3, 50), (130,)])
def test_block_amax_is_along_rows(shape: tuple[int, ...]) -> None:
    x = array("gauss", shape)
    p = profiled(x, [parse("bf16")])[0]
    rows = x.reshape(-1, shape[-1])
    for n, found in zip(AMAX_BLOCKS, p.block_amax, strict=True):
        tops = np.sort([abs(r[i : i + n]).max() for r in rows for i in range(0, len(r), n)])
        wanted = [tops[max(math.ceil(len(tops) * q / 100) - 1, 0)] for q in PERCENT]
        assert [np.float32(v) for v in found] == wanted


SPECS = ["mxfp4", "nvfp4", "nf4", "q4_k", "q4_0", "int4-g128-zero", "fp8-e4m3-128x128", "int8-row", "bf16", "int8", "e2m1@16x1:e8m0",
         "s4@col:f32", "s4@matrix:f32", "nf4-dq", "nvfp4-hadamard", "s4@32:f16+outliers0.05:f16", "e4m3@tensor-mse:f32"]  # fmt: skip


@pytest.fixture
def small(monkeypatch: pytest.MonkeyPatch) -> None:
    """Tensors of a few thousand values are large."""
    for name, value in (("LOOKED_AT", 1 << 11), ("WINDOW", 1 << 8), ("MOST", 1 << 14)):
        monkeypatch.setattr(make, name, value)


@pytest.mark.usefixtures("small")
@pytest.mark.parametrize("shape", [(160, 96), (3, 90, 100), (400, 5, 3, 3), (5000, 3), (1, 9000), (7, 1, 700)])
@pytest.mark.parametrize("name", SPECS)
def test_what_is_seen_of_a_large_tensor_is_true_of_all_of_it(name: str, shape: tuple[int, ...]) -> None:
    x, f = array("gauss", shape, 5), catalog.format(name)
    p, (error,) = profiled(x, [f])
    assert 0 < p.looked_at < 1 or shape[-1] == 9000
    found = p.formats[str(f)]
    assert sum(p.histogram) == round(p.looked_at * x.size)
    if found is None:
        assert name in (
            "nf4-dq",
            "nvfp4-hadamard",
            "e4m3@tensor-mse:f32",
            "fp8-e4m3-128x128",
            "s4@col:f32",
            "s4@matrix:f32",
            "int8-row",
            "nf4",
        )
        return
    check_worst(x, f, p, error, whole=False)
    scales = scales_of(x, f)
    if found.scale is not None:
        assert scales is not None
        assert {np.float32(v) for v in found.scale} <= set(abs(scales.reshape(-1)).tolist())
    if f.block is not None and f.block is pieces(f):
        grid = f.block.grid(x.shape)
        for block in found.worst:
            at = block.row * as_matrices(x.shape)[2] + block.column
            m, rest = divmod(at, grid.shape[1] * grid.shape[2])
            row, column = divmod(rest, grid.shape[2])
            assert scales is not None
            assert np.float32(block.scale) == scales.reshape(grid.counts)[m, row // grid.rows, column // grid.columns]


@pytest.mark.usefixtures("small")
def test_the_first_and_the_last_rows_are_among_those_looked_at() -> None:
    x = np.full((2000, 16), 0.01, np.float32)
    x[0, 0], x[-1, -1] = 3.0, -2.0
    p = profiled(x, [parse("e2m1@16:f32")])[0]
    assert (p.histogram[-1], sum(p.histogram[:5])) == (1, 1)
    assert p.looked_at == pytest.approx(2**11 / x.size, rel=0.2)


@pytest.mark.usefixtures("small")
def test_a_row_that_is_longer_than_any_window_is_counted_but_not_cut() -> None:
    x = array("gauss", (2, 1100)).reshape(-1)
    p, _ = profiled(np.tile(x, 10), [parse("e2m1@16:e8m0"), parse("bf16")])
    assert p.looked_at == 1
    assert sum(p.histogram) == 22_000
    assert list(p.formats.values()) == [None, None]


@pytest.mark.usefixtures("small")
def test_a_sample_looks_at_the_rows_that_were_measured() -> None:
    x = array("gauss", (1000, 16))
    read: list[tuple[int, int]] = []

    class Noted(Array):
        def read(self, start: int, stop: int) -> Float32:
            read.append((start, stop))
            return super().read(start, stop)

    rows = [(32, 64), (320, 352), (640, 672)]
    t = replace(tensor(x), values=Noted(x))
    p = profile(t, [Wanted(parse("e2m1@16:e8m0"), float(abs(x).max()), 1.0, rows)], sampling="96 rows")
    assert p.looked_at == pytest.approx(96 / 1000)
    assert all(any(a <= start and stop <= b for a, b in rows) for start, stop in read)


def test_threads_change_nothing() -> None:
    x, asked = array("wide", (300, 200)), [f for _, f in catalog.resolve(["all", "nf4", "q4_k"])]
    wanted = [Wanted(f, float(abs(x).max()), 1.0) for f in asked]
    assert profile(tensor(x), wanted, jobs=3) == profile(tensor(x), wanted)
    alone = profile(tensor(x), wanted[:1])
    assert alone.formats[str(asked[0])] == profile(tensor(x), wanted).formats[str(asked[0])]


def test_values_that_are_not_finite_are_left_out() -> None:
    x = array("gauss", (4, 64))
    x[1, 3], x[2, 5], x[3] = np.nan, np.inf, -np.inf
    p, (error,) = profiled(x, [parse("s4@32:f16")])
    assert sum(p.histogram) == np.isfinite(x).sum()
    check_worst(x, parse("s4@32:f16"), p, error)


@pytest.mark.parametrize(
    ("spec", "text", "count"),
    [("e2m1@32:e8m0", "blocks of 32", 15), ("s4@row:f32", "rows", 15), ("s4@col:f32", "columns", 15),
     ("e4m3@128x128:f32", "128 × 128 tiles", 253), ("e2m1@16x1:e8m0", "16 × 1 tiles", 15),
     ("nf4lut@flat64:f32", "runs of 64 in the flattened tensor", 16), ("bf16", "pieces of 32, no scale", 0),
     ("e4m3", "pieces of 32, no scale", 253), ("s8@tensor:f32", "pieces of 32, one scale for the tensor", 255),
     ("s4@matrix:f32", "pieces of 32, one scale for a matrix", 15), ("u4@32-q41:f16+min", "blocks of 32", 0),
     ("u4@128:f16+zero", "blocks of 128", 0), ("zero", "pieces of 32, no scale", 1), ("f32", "pieces of 32, no scale", 0)],
)  # fmt: skip
def test_block_and_levels_in_words_and_numbers(spec: str, text: str, count: int) -> None:
    f = parse(spec)
    assert block_text(f) == text
    assert len(levels(f)) == count
    assert levels(f) == sorted(levels(f))


FORMATS = catalog.resolve(["mxfp4", "bf16"])


def scanned(
    path: Path, tensors: Sequence[Tensor], asked: Sequence[tuple[str, Format]], **options: Any
) -> list[Profile]:
    """Scan, and what profiles were made."""
    made: list[Profile] = []

    def profiler(*args: Any, **keywords: Any) -> Profile:
        made.append(profile_cpu(*args, **keywords))
        return made[-1]

    with RunDirectory(path, {"model": "m", "revision": ""}, []) as store:
        each = scan(
            tensors,
            asked,
            store,
            model="m",
            backends={"cpu": measure_cpu},
            options=Options(**options),
            profiler=profiler,
        )
        list(each)
    return made


def kept(path: Path) -> dict[str, Profile]:
    identities = {r.tensor: r.identity for r in run.current(path)}
    return {p.tensor: p for p in run.profiles(path, identities)}


def two() -> list[Tensor]:
    return [tensor(array("gauss", (3, 70)), "a", "ia"), tensor(array("gauss", (4, 65)), "b", "ib")]


def test_a_profile_is_made_once_and_formats_are_added(tmp_path: Path) -> None:
    assert [p.tensor for p in scanned(tmp_path, two(), FORMATS)] == ["a", "b"]
    assert scanned(tmp_path, two(), FORMATS) == []
    more = catalog.resolve(["mxfp4", "nf4"])
    assert [list(p.formats) for p in scanned(tmp_path, two(), more)] == [["nf4lut@flat64:f32"]] * 2
    found = kept(tmp_path)
    assert list(found) == ["a", "b"]
    assert set(found["a"].formats) == {"e2m1@32:e8m0", "bf16", "nf4lut@flat64:f32"}
    assert len(scanned(tmp_path, two(), FORMATS, recompute=True)) == 2
    assert [path.name for path in profile_files(tmp_path)] == ["profiles-0.jsonl"]


def test_without_profiles(tmp_path: Path) -> None:
    assert scanned(tmp_path, two(), FORMATS, profile=False) == []
    assert profile_files(tmp_path) == []
    assert len(scanned(tmp_path, two(), FORMATS)) == 2, "an old run gets what it lacks"


def test_profiles_change_no_measurement(tmp_path: Path) -> None:
    scanned(tmp_path / "with", two(), FORMATS)
    scanned(tmp_path / "without", two(), FORMATS, profile=False)
    a, b = ([replace(r, seconds=0.0, time=0.0) for r in run.current(tmp_path / name)] for name in ("with", "without"))
    assert a == b


def test_profiles_of_bytes_that_are_gone_do_not_count(tmp_path: Path) -> None:
    scanned(tmp_path, two(), FORMATS)
    new = [replace(two()[0], identity="new", values=Array(array("gauss", (3, 70), 9)))]
    assert len(scanned(tmp_path, new, FORMATS)) == 1
    assert [p.identity for p in kept(tmp_path).values()] == ["new", "ib"]
    assert scanned(tmp_path, two(), FORMATS) == []
    assert [p.identity for p in kept(tmp_path).values()] == ["ia", "ib"]


def test_what_another_backend_measured_has_no_pictures(tmp_path: Path) -> None:
    (t,) = two()[:1]
    f = FORMATS[0][1]
    with RunDirectory(tmp_path, {"model": "m", "revision": ""}, []) as store:
        (done,) = scan([t], FORMATS, store, model="m", backends={"cpu": measure_cpu})
    records = [replace(done.records[0], backend="other"), done.records[1]]
    measured = [(g, record, None) for (_, g), record in zip(FORMATS, records, strict=True)]
    made = profile_cpu(t, measured, sampling="", jobs=1)
    assert made.formats[str(f)] is None
    assert made.formats["bf16"] is not None


def test_several_processes_have_a_file_each(tmp_path: Path) -> None:
    p = replace(profiled(array("gauss", (3, 70)), [parse("bf16")])[0], time=1.0)
    with RunDirectory(tmp_path, {"model": "m", "revision": ""}, []) as first:
        with RunDirectory(tmp_path, {"model": "m", "revision": ""}, []) as second:
            second.append_profile(replace(p, tensor="b"))
            first.append_profile(p)
        first.refresh()
        assert first.profiled(p.key) == {"bf16"}
    assert [path.name for path in profile_files(tmp_path)] == ["profiles-0.jsonl", "profiles-1.jsonl"]
    assert [q.tensor for q in run.profiles(tmp_path, {"b": "i", "t": "i"})] == ["b", "t"]


def test_a_torn_line_is_ignored_and_stays_alone(tmp_path: Path) -> None:
    scanned(tmp_path, two(), FORMATS)
    path = profile_files(tmp_path)[0]
    path.write_bytes(path.read_bytes()[:-30])
    assert list(kept(tmp_path)) == ["a"]
    assert [p.tensor for p in scanned(tmp_path, two(), FORMATS)] == ["b"]
    assert list(kept(tmp_path)) == ["a", "b"]


def _set(*path: Any) -> Callable[[dict[str, Any]], None]:
    def change(data: dict[str, Any]) -> None:
        *way, last, value = path
        for step in way:
            data = data[step]
        data[last] = value

    return change


DAMAGE = {
    "a histogram that is too short": _set("histogram", [1] * 162),
    "a count that is negative": _set("histogram", 3, -1),
    "a count that is no integer": _set("histogram", 3, 1.5),
    "a count that is true": _set("histogram", 3, True),
    "a count that no array holds": _set("histogram", 3, 2**32),
    "no histogram": _set("histogram", None),
    "NaN": _set("amax", math.nan),
    "infinity": _set("amax", math.inf),
    "a number that is too large": _set("amax", 1e300),
    "an integer of a thousand digits": _set("amax", 10**999),
    "more than everything was looked at": _set("looked_at", 1.5),
    "a row of quantiles too few": _set("block_amax", [[0.0] * 9] * 2),
    "a quantile too many": _set("block_amax", [[0.0] * 10] * 3),
    "text for a number": _set("block_amax", 0, 0, "1"),
    "formats as a list": _set("formats", []),
    "a format as a number": _set("formats", "bf16", 3),
    "two quantiles of scales": _set("formats", "e2m1@32:e8m0", "scale", [1.0, 2.0]),
    "nine worst blocks": _set("formats", "e2m1@32:e8m0", "worst", [[0, 0, 0.1, 1.0, 1.0, 1.0]] * 9),
    "a worst block without a scale": _set("formats", "e2m1@32:e8m0", "worst", 0, [0, 0, 0.1, 1.0, 1.0]),
    "a row that is negative": _set("formats", "e2m1@32:e8m0", "worst", 0, 0, -1),
    "a share above one": _set("formats", "e2m1@32:e8m0", "worst", 0, 2, 1.01),
    "a tensor that is a number": _set("tensor", 3),
    "another key": _set("key", "0" * 24),
    "another identity": _set("identity", "x"),
}


@pytest.mark.parametrize("damage", DAMAGE)
def test_damaged_lines_are_ignored(damage: str, tmp_path: Path) -> None:
    scanned(tmp_path, two(), FORMATS)
    path = profile_files(tmp_path)[0]
    first, second = path.read_text().splitlines()
    data = json.loads(first)
    DAMAGE[damage](data)
    path.write_text(f"{json.dumps(data)}\n{second}\n")
    assert list(kept(tmp_path)) == ["b"]
    with pytest.raises(DataError, match="not a profile"):
        Profile.from_json(json.dumps(data))
    assert [p.tensor for p in scanned(tmp_path, two(), FORMATS)] == ["a"]
    assert list(kept(tmp_path)) == ["a", "b"]


def test_lines_of_something_else_are_ignored(tmp_path: Path) -> None:
    scanned(tmp_path, two(), FORMATS)
    with profile_files(tmp_path)[0].open("ab") as file:
        file.write(
            b'\n\xff\xfe\n[]\nnull\n{"key":3}\n{"key":"x","tensor":"a"}\n{"key":"x","tensor":[],"time":"late"}\n'
            + b"[" * 99999
            + b"\n"
        )
    assert list(kept(tmp_path)) == ["a", "b"]
    assert scanned(tmp_path, two(), FORMATS) == []


def test_a_report_carries_what_was_profiled(tmp_path: Path) -> None:
    scanned(tmp_path / "r", two(), FORMATS)
    scanned(tmp_path / "s", [*two(), tensor(array("gauss", (5, 33)), "c", "ic")], catalog.resolve(["nf4"]))
    (tmp_path / "r" / "run.json").write_text(json.dumps({"model": "m"}))
    data = collect([tmp_path / "r", tmp_path / "s"]).data
    specs, names, found = [f["spec"] for f in data["formats"]], data["tensors"]["name"], data["profiles"]
    first, second = kept(tmp_path / "r"), kept(tmp_path / "s")
    assert sorted(names[at] for at in found["tensor"]) == ["a", "b", "c"]
    wide = len(specs)
    for at, name in enumerate(names[i] for i in found["tensor"]):
        p = first.get(name) or second[name]
        assert found["amax"][at] == pytest.approx(p.amax, rel=1e-5)
        assert found["looked_at"][at] == 1
        assert found["histogram"][at * BINS : (at + 1) * BINS] == pytest.approx(p.histogram, rel=2**-5)
        flat = [v for quantiles in p.block_amax for v in quantiles]
        assert found["block_amax"][at * 27 : (at + 1) * 27] == pytest.approx(flat, rel=2**-9)
        for f, spec in enumerate(specs):
            scales = found["scales"][(at * wide + f) * 3 :][:3]
            worst = slice(*found["worst"]["start"][at * wide + f :][:2])
            part = p.formats.get(spec)
            if part is None or part.scale is None:
                assert np.isnan(scales).all()
            else:
                assert scales == pytest.approx(part.scale, rel=2**-10)
            blocks = part.worst if part else ()
            assert found["worst"]["row"][worst].tolist() == [block.row for block in blocks]
            assert found["worst"]["column"][worst].tolist() == [block.column for block in blocks]
            assert found["worst"]["sqnr"][worst] == pytest.approx([block.sqnr for block in blocks], rel=2**-9)
    assert {f["spec"]: (len(f["levels"]), f["block"]) for f in data["formats"]} == {
        "e2m1@32:e8m0": (15, "blocks of 32"),
        "bf16": (0, "pieces of 32, no scale"),
        "nf4lut@flat64:f32": (16, "runs of 64 in the flattened tensor"),
    }
    assert len(pack(data)) > 1000


def test_a_report_without_profiles(tmp_path: Path) -> None:
    scanned(tmp_path, two(), FORMATS, profile=False)
    assert collect([tmp_path]).data["profiles"] is None


def test_a_page_carries_the_tensors_that_hold_most_of_the_error(monkeypatch: pytest.MonkeyPatch) -> None:
    errors = np.array([[1.0, np.nan], [5.0, 3.0], [0.0, np.inf], [2.0, 90.0]])
    assert importance(errors).tolist() == [3, 1, 0, 2]
    p, _ = profiled(array("gauss", (9, 64)), [f for _, f in FORMATS])
    some = [replace(p, tensor=name) for name in "abcd"]
    specs, places = list(p.formats), {name: at for at, name in enumerate("dcba")}
    blocks = sum(len(part.worst) for part in p.formats.values() if part)
    monkeypatch.setattr("fewbits.report.profiles.BLOCKS", 2 * blocks + 1)
    monkeypatch.setattr("fewbits.report.profiles.NUMBERS", 3 * (BINS + 27 + 6) + 5)
    found = arrays_of(some, places, specs)
    assert found is not None
    assert found["tensor"].tolist() == [3, 2, 1]
    assert found["worst"]["start"].tolist()[::2] == [0, blocks, 2 * blocks, 2 * blocks]
    assert arrays_of([], places, specs) is None
