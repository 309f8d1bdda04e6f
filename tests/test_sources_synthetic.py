"""Seeded tensors: the same values whatever rows are asked for, of the law that was asked for."""

from __future__ import annotations

import hashlib

import ml_dtypes
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from fewbits.errors import SourceError
from fewbits.sources import open_source
from fewbits.tensor import Tensor

LAWS = ("normal", "laplace", "uniform", "outliers", "student3", "student5")


def tensor(uri: str) -> Tensor:
    (only,) = open_source(uri)
    return only


@pytest.mark.parametrize("law", LAWS)
def test_values_do_not_depend_on_slabs(law: str) -> None:
    t = tensor(f"synthetic:{law}/3x50x1997?seed=7")
    assert (t.name, t.shape, t.rows, t.dtype) == (f"{law}.weight", (3, 50, 1997), 150, "float32")
    whole = t.read()
    for height in (1, 64, 149):
        slabs = [t.read(start, min(start + height, 150)) for start in range(0, 150, height)]
        np.testing.assert_array_equal(np.vstack(slabs), whole)
    np.testing.assert_array_equal(t.read(31, 34), whole[31:34])  # crosses the first chunk's end
    assert t.read(5, 5).shape == (0, 1997)


@given(data=st.data())
def test_any_rows(data: st.DataObject) -> None:
    t = tensor("synthetic:normal/700x200")
    start = data.draw(st.integers(0, 700))
    stop = data.draw(st.integers(start, 700))
    np.testing.assert_array_equal(t.read(start, stop), WHOLE[start:stop])


WHOLE = tensor("synthetic:normal/700x200").read()

STANDARD = {"normal": 3.0, "laplace": 6.0, "uniform": 1.8, "student9": 4.2}  # fourth moments at variance 1


@pytest.mark.parametrize("law", STANDARD)
def test_moments(law: str) -> None:
    x = tensor(f"synthetic:{law}/1000x1000?seed=1").read().astype(np.float64)
    assert abs(x.mean()) < 0.004
    assert abs(x.var() - 1) < 0.01
    assert abs((x**4).mean() / STANDARD[law] - 1) < 0.05


def test_outliers() -> None:
    x = tensor("synthetic:outliers/1000x1000").read()
    large = np.abs(x) > 6
    assert 0.0006 < large.mean() < 0.001
    assert abs(x[~large].std() - 1) < 0.01


def test_sigma_seed_and_dtype() -> None:
    one = tensor("synthetic:normal/300x300").read()
    np.testing.assert_array_equal(tensor("synthetic:NORMAL/300x300?seed=0&sigma=1.0").read(), one)
    np.testing.assert_array_equal(tensor("synthetic:normal/300x300?sigma=0.5").read(), one / 2)
    assert not np.array_equal(tensor("synthetic:normal/300x300?seed=1").read(), one)
    for name, kind in (("bfloat16", ml_dtypes.bfloat16), ("float16", np.float16)):
        t = tensor(f"synthetic:normal/300x300?dtype={name}")
        assert (t.dtype, t.nbytes) == (name, 180_000)
        np.testing.assert_array_equal(t.read(), one.astype(kind).astype(np.float32))
        bits = t.read16(10, 20)
        assert bits is not None
        np.testing.assert_array_equal(bits.view(kind).astype(np.float32), t.read(10, 20))
    assert tensor("synthetic:normal/4x4").read16() is None


def test_uri_opens_the_same_again_and_identity_tells_apart() -> None:
    source = open_source("synthetic:student5/8x8?seed=3&sigma=0.02&dtype=bfloat16")
    again = open_source(source.uri)
    assert again.uri == source.uri
    assert again.tensors[0].identity == source.tensors[0].identity
    texts = [f"synthetic:{law}/8x8?{o}" for law in LAWS for o in ("", "seed=1", "sigma=2", "dtype=float16")]
    assert len({tensor(text).identity for text in [*texts, "synthetic:normal/4x16"]}) == len(texts) + 1


@pytest.mark.parametrize(
    ("law", "digest"),
    [
        ("normal", "e5b9bcdd3658cd7a"),
        ("laplace", "7d837faa0c601977"),
        ("uniform", "e231c1734dce45c4"),
        ("outliers", "b9849168ba9d6413"),
        ("student5", "a24cd0c7576bfa1b"),
    ],
)
def test_values_stay_the_same_for_ever(law: str, digest: str) -> None:
    """A failure after an update of numpy means that its streams changed: VERSION of sources/synthetic.py must too."""
    content = tensor(f"synthetic:{law}/64x2000?seed=42&dtype=float16").read().tobytes()
    assert hashlib.sha256(content).hexdigest()[:16] == digest


@pytest.mark.parametrize(("shape", "rows", "columns"), [("7", 1, 7), ("0x5", 0, 5), ("5x0", 5, 0), ("1x1x1", 1, 1)])
def test_shapes(shape: str, rows: int, columns: int) -> None:
    assert tensor(f"synthetic:normal/{shape}").read().shape == (rows, columns)


def test_large_ones_are_free_until_they_are_read() -> None:
    t = tensor("synthetic:normal/100000000x100000")
    assert t.rows == 100_000_000
    assert t.read(99_999_999).shape == (1, 100_000)


@pytest.mark.parametrize(
    ("rest", "line"),
    [
        ("", "not synthetic:LAW/SHAPE"),
        ("normal", "as in synthetic:normal/1024x4096"),
        ("normal/", "not synthetic:LAW/SHAPE"),
        ("normal/4x", "not synthetic:LAW/SHAPE"),
        ("normal/4x-4", "not synthetic:LAW/SHAPE"),
        ("cauchy/4", "no law 'cauchy'; laws are normal, laplace, uniform, outliers and studentN"),
        ("student2/4", "no law 'student2'"),
        ("student/4", "no law 'student'"),
        ("normal/4?speed=1", "unknown option 'speed'; allowed are seed, sigma, dtype"),
        ("normal/4?seed=1&seed=2", "option 'seed' is given twice"),
        ("normal/4?seed=-1", "seed '-1' is not an integer"),
        ("normal/4?seed=", "seed '' is not an integer"),
        ("normal/4?seed=" + "9" * 50, "is not an integer from 0"),
        ("normal/4?sigma=nan", "sigma 'nan' is not a finite number"),
        ("normal/4?sigma=-1", "sigma '-1' is not a finite number"),
        ("normal/4?sigma=1e999", "is not a finite number"),
        ("normal/4?dtype=float8", "dtype 'float8' is none of float32, bfloat16, float16"),
        ("normal/99999999999x99999999999", r"more than 2\^48 values"),
        ("normal/" + "9" * 5000, r"more than 2\^48 values"),
    ],
)
def test_wrong_ones(rest: str, line: str) -> None:
    with pytest.raises(SourceError, match=line) as caught:
        open_source(f"synthetic:{rest}")
    assert "\n" not in str(caught.value)
