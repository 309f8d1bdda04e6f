"""What a FILTER means (S-010 … S-016, S-019)."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray

from fewbits.errors import SourceError, UsageError
from fewbits.sources import matches, select
from fewbits.tensor import Tensor


class Nothing:
    def read(self, start: int, stop: int) -> NDArray[np.float32]:
        raise AssertionError("selection reads no values")

    read16 = read  # type: ignore[assignment]


def tensors(*names: str, **dtypes: str) -> list[Tensor]:
    return [Tensor(name, (2, 2), dtypes.get(name, "float32"), 16, name, Nothing()) for name in (*names, *dtypes)]


MODEL = tensors(
    "model.layers.10.mlp.up_proj.weight",
    "model.layers.1.mlp.up_proj.weight",
    "model.layers.1.mlp.up_proj.weight_scale_inv",
    "model.layers.1.mlp.up_proj.bias",
    "Model.Layers.1.input_LAYERNORM.Weight",
    "model.embed_tokens.weight",
    "lm_head.bias",
)


def names(query: str = "", limit: int | None = None, model: list[Tensor] = MODEL) -> list[str]:
    return [t.name for t in select(model, query, limit)]


def test_default_candidates_are_weights_without_scales() -> None:
    assert names() == sorted(t.name for t in MODEL if t.name.lower().endswith("weight"))


def test_all_where_there_are_no_weights() -> None:
    assert names(model=tensors("b", "a")) == ["a", "b"]


@pytest.mark.parametrize(
    ("query", "name", "expected"),
    [
        ("model.layers.1", "model.layers.1.weight", True),
        ("model.layers.1", "model.layers.10.weight", False),
        ("MODEL.layers.1.", "Model.Layers.1.weight", True),
        ("layers.1", "model.layers.1.weight", False),
        ("model.layers.1.mlp.up_proj.weight", "model.layers.1.mlp.up_proj.weight", True),
        ("model.layers.1.mlp.up_proj.weight.x", "model.layers.1.mlp.up_proj.weight", False),
        ("model.lay", "model.layers.1.weight", False),
        ("UP_proj", "model.layers.1.mlp.up_proj.weight", True),
        ("layers", "model.layers.1.weight", True),
        ("down", "model.layers.1.mlp.up_proj.weight", False),
        ("", "anything", True),
    ],
)
def test_dotted_and_plain_queries(query: str, name: str, expected: bool) -> None:
    assert matches(name, query) == expected


def test_sorted_and_limited() -> None:
    assert names("up_proj") == ["model.layers.1.mlp.up_proj.weight", "model.layers.10.mlp.up_proj.weight"]
    assert names("up_proj", 1) == ["model.layers.1.mlp.up_proj.weight"]
    assert names("up_proj", 99) == names("  up_proj ")
    with pytest.raises(UsageError, match="limit 0"):
        names(limit=0)


def test_a_query_without_candidates_is_tried_on_all_names() -> None:
    assert names("bias") == ["lm_head.bias", "model.layers.1.mlp.up_proj.bias"]
    assert names("scale_inv") == ["model.layers.1.mlp.up_proj.weight_scale_inv"]


def test_every_name() -> None:
    found = select(MODEL, "model.layers.1.mlp", every=True)
    assert [t.name.rpartition(".")[2] for t in found] == ["bias", "weight", "weight_scale_inv"]


def test_no_match_names_the_nearest() -> None:
    with pytest.raises(SourceError, match=r"no tensor matches 'dwon_proj'; among 7 names the nearest are .*up_proj"):
        names("dwon_proj")
    with pytest.raises(SourceError, match=r"no tensor matches 'model.layers.2'"):
        names("model.layers.2")
    with pytest.raises(SourceError, match="no tensors"):
        names(model=[])
    with pytest.raises(SourceError, match=r"'x\\ny'"):
        names("x\ny")


def test_integers_only_where_there_is_nothing_else() -> None:
    mixed = tensors("a.weight", **{"b.qweight": "int32", "c.weight_mask": "bool"})
    assert names(model=mixed) == ["a.weight"]
    assert names("qweight", model=mixed) == ["b.qweight"]
    assert names(model=tensors(**{"b.qweight": "int32"})) == ["b.qweight"]
    assert names(model=tensors("norm.bias", **{"b.qweight": "int32"})) == ["b.qweight"]
    assert len(select(mixed, every=True)) == 3


def test_fp32_is_the_tensor_itself() -> None:
    """S-019: prior commands named the dequantized tensor so."""
    assert names("model.layers.1.mlp.up_proj.weight_fp32") == ["model.layers.1.mlp.up_proj.weight"]
    stored = tensors("a.weight", "a.weight_fp32")
    assert names("a.weight_fp32", model=stored) == ["a.weight_fp32"]


def test_a_hundred_thousand_names_are_searched_quickly() -> None:
    many = tensors(*(f"model.layers.{i}.mlp.experts.{j}.up_proj.weight" for i in range(100) for j in range(1000)))
    with pytest.raises(SourceError, match="among 100,000 names"):
        names("dwon", model=many)
