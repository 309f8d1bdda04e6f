"""What a report carries: arrays as bytes, and back."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from canned.pages import unpacked
from fewbits.report.grid import Cells, dictionary
from fewbits.report.payload import pack, rounded, smallest

FLOATS = arrays.arrays(np.float32, st.integers(0, 40), elements=st.floats(width=32))
WHOLE = st.sampled_from([np.uint8, np.uint16, np.uint32]).flatmap(lambda kind: arrays.arrays(kind, st.integers(0, 40)))


@given(st.lists(st.one_of(FLOATS, WHOLE), max_size=5), st.text())
def test_trees_come_back(parts: list[Any], text: str) -> None:
    tree = {"text": text, "list": [1, 2.5, None, {"deep": parts[:1]}], "parts": parts}
    back = unpacked(pack(tree))
    assert back["text"] == text
    assert back["list"][:3] == [1, 2.5, None]
    for given_, found in zip(parts, back["parts"], strict=True):
        wanted = rounded(given_) if given_.dtype.kind == "f" else given_
        assert found.dtype == wanted.dtype
        np.testing.assert_array_equal(found, wanted)


@given(FLOATS)
def test_floats_keep_18_bits(values: np.ndarray[Any, np.dtype[np.float32]]) -> None:
    found = rounded(values)
    finite = np.isfinite(values)
    np.testing.assert_array_equal(found[~finite], values[~finite])
    normal = finite & (np.abs(values) >= np.finfo(np.float32).tiny) & np.isfinite(found)
    wide = values[normal].astype(np.float64)
    assert (np.abs(found[normal] - wide) <= np.abs(wide) * 2.0**-18).all()


def test_the_same_tree_is_the_same_bytes() -> None:
    tree = {"a": np.arange(5, dtype=np.uint16), "b": np.linspace(0, 1, 7)}
    assert pack(tree) == pack(tree)


def test_no_infinities_in_json() -> None:
    with pytest.raises(ValueError, match="JSON"):
        pack({"a": float("inf")})


@pytest.mark.parametrize(("most", "kind"), [(0, np.uint8), (255, np.uint8), (256, np.uint16), (65536, np.uint32)])
def test_smallest(most: int, kind: type) -> None:
    assert smallest(np.array([0, most])).dtype == kind


@given(st.lists(st.text(max_size=3), max_size=30))
def test_dictionaries(texts: list[str]) -> None:
    found = dictionary(texts)
    assert [found["values"][i] for i in found["at"]] == texts
    assert len(set(found["values"])) == len(found["values"])


def test_cells() -> None:
    row = {"tensor": "b", "spec": "y", "bits": 4.0, "seconds": 0.1, "sqnr_db": None, "pcc": 1.0, "flags": ["sqnr_db:inf", "sampled"],
           "mae_se": 0.5}  # fmt: skip
    cells = Cells([row, {**row, "tensor": "a", "spec": "x", "pcc": None, "flags": ["pcc:undefined"]}])
    found = cells.dense({"a": 0, "b": 1}, {"x": 0, "y": 1})
    np.testing.assert_array_equal(found["bits"], [4, np.nan, np.nan, 4])
    np.testing.assert_array_equal(found["metrics"]["sqnr_db"], [np.nan, np.nan, np.nan, np.inf])
    np.testing.assert_array_equal(found["metrics"]["pcc"], [np.nan, np.nan, np.nan, 0])
    np.testing.assert_array_equal(found["errors"]["mae"], [0.5, np.nan, np.nan, 0.5])
    assert list(found["flags"]["cells"]) == [3]
    assert found["flags"]["values"] == ["sampled"]
