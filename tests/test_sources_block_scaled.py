"""Tensors with a scale a block read as the values that they stand for, with the right block size (S-017, S-018)."""

from __future__ import annotations

import json
from pathlib import Path

import ml_dtypes
import numpy as np
import pytest
from numpy.typing import NDArray

from checkpoints import safetensors
from fewbits.errors import SourceError
from fewbits.sources import open_source
from fewbits.sources.block_scaled import block_size

GOLDEN = Path(__file__).parent / "golden" / "packed"


def checkpoint(
    folder: Path,
    shape: tuple[int, ...],
    scales: tuple[int, ...],
    block: object = None,
    dtype: type = ml_dtypes.float8_e4m3fn,
    scale_dtype: type = np.float32,
) -> tuple[Path, NDArray[np.float32], NDArray[np.float32]]:
    rng = np.random.default_rng(0)
    stored = rng.integers(-8, 9, shape).astype(np.float32).astype(dtype)
    scale = (2.0 ** rng.integers(-6, 6, scales)).astype(scale_dtype)
    content = safetensors({"x.weight": stored, "x.weight_scale_inv": scale})
    (folder / "model.safetensors").write_bytes(content)
    if block is not None:
        (folder / "config.json").write_text(json.dumps({"quantization_config": {"weight_block_size": block}}))
    return folder, stored.astype(np.float32), scale.astype(np.float32)


def expanded(scale: NDArray[np.float32], shape: tuple[int, ...], block: tuple[int, int]) -> NDArray[np.float32]:
    """The definition: every scale repeated over its block, cropped."""
    wide = scale.repeat(block[0], axis=-2).repeat(block[1], axis=-1)
    return wide[..., : shape[-2], : shape[-1]]


@pytest.mark.parametrize("name", ["deepseek_fp8_block_144x256", "deepseek_fp8_block_256x128"])
def test_golden_vectors(name: str) -> None:
    tensor = open_source(GOLDEN / f"{name}.safetensors")["model.layers.0.mlp.down_proj.weight"]
    expected = np.load(GOLDEN / "deepseek_fp8_block.npz")[name]
    found = tensor.read()
    assert found.shape == expected.shape
    np.testing.assert_array_equal(found.view(np.uint32), expected.view(np.uint32))
    assert tensor.layout == "float8_e4m3fn, 128x128 blocks of weight_scale_inv (inferred)"  # no config.json beside it
    assert tensor.dtype == "float32"
    assert tensor.read16() is None
    slabs = [tensor.read(start, min(start + 37, tensor.rows)) for start in range(0, tensor.rows, 37)]
    np.testing.assert_array_equal(np.vstack(slabs), expected)


@pytest.mark.parametrize(
    ("shape", "scales", "configured", "block"),
    [
        ((576, 7168), (5, 56), None, (128, 128)),  # kv_a_proj_with_mqa: ceil(576 / 5) would be 116
        ((256, 128), (2, 1), None, (128, 128)),
        ((100, 50), (1, 1), None, (128, 128)),
        ((576, 512), (9, 8), None, (64, 64)),
        ((576, 512), (9, 4), None, (64, 128)),
        ((576, 200), (576, 2), None, (1, 128)),  # a scale a row and 128 columns
        ((96, 40), (96, 1), None, (1, 128)),
        ((96, 300), (96, 1), None, (1, 300)),
        ((576, 512), (9, 8), (64, 64), (64, 64)),
        ((600, 512), (10, 8), (64, 64), (64, 64)),
        ((600, 100), (7, 1), (96, 128), (96, 128)),  # the least would be 86
        ((4, 256, 128), (4, 2, 1), None, (128, 128)),
        ((512, 512), (), None, (512, 512)),
        ((512, 512), (1,), (128, 128), (512, 512)),
        ((300,), (3,), None, (128, 128)),
        ((130, 64), (3, 1), None, (64, 128)),  # not 44
        ((96, 90), (2, 4), None, (48, 23)),  # 96 / 2; no power of two cuts 90 into 4
    ],
)
def test_block_size(
    shape: tuple[int, ...], scales: tuple[int, ...], configured: tuple[int, int] | None, block: tuple[int, int]
) -> None:
    assert block_size(shape, scales, configured) == block


@pytest.mark.parametrize(
    ("shape", "scales", "configured"),
    [
        ((576, 512), (577, 4), None),
        ((10, 10), (6, 1), None),  # no block length cuts 10 into 6
        ((576, 512), (9, 8), (128, 128)),
        ((4, 256, 128), (2, 1), None),
        ((4, 256, 128), (3, 2, 1), None),
        ((256, 128), (2,), None),
        ((256, 128), (0, 1), None),
    ],
)
def test_scales_that_do_not_fit(
    shape: tuple[int, ...], scales: tuple[int, ...], configured: tuple[int, int] | None
) -> None:
    with pytest.raises(ValueError, match="do not fit"):
        block_size(shape, scales, configured)


@pytest.mark.parametrize(
    ("shape", "scales", "block"),
    [
        ((576, 300), (5, 3), (128, 128)),
        ((3, 200, 130), (3, 2, 2), (128, 128)),  # a stack of experts: blocks do not cross from one to the next
        ((5, 130, 64), (5, 3, 1), (64, 64)),
        ((130, 64), (3, 1), (64, 64)),
    ],
)
@pytest.mark.parametrize("scale_dtype", [np.float32, ml_dtypes.bfloat16, ml_dtypes.float8_e8m0fnu])
def test_values_and_slabs(
    tmp_path: Path, shape: tuple[int, ...], scales: tuple[int, ...], block: tuple[int, int], scale_dtype: type
) -> None:
    folder, stored, scale = checkpoint(tmp_path, shape, scales, list(block), scale_dtype=scale_dtype)
    tensor = open_source(folder)["x.weight"]
    expected = (stored * expanded(scale, shape, block)).reshape(tensor.rows, tensor.columns)
    np.testing.assert_array_equal(tensor.read(), expected)
    for start, stop in [(0, 0), (0, 1), (127, 129), (63, 65), (tensor.rows - 1, tensor.rows), (1, tensor.rows - 1)]:
        np.testing.assert_array_equal(tensor.read(start, stop), expected[start:stop])


def test_one_scale_for_the_whole(tmp_path: Path) -> None:
    folder, stored, scale = checkpoint(tmp_path, (3, 200, 130), (1,), [128, 128])
    np.testing.assert_array_equal(open_source(folder)["x.weight"].read(), (stored * scale).reshape(600, 130))


def test_empty_tensor(tmp_path: Path) -> None:
    folder, _, _ = checkpoint(tmp_path, (0, 64), (0, 1))
    assert open_source(folder)["x.weight"].read().shape == (0, 64)


def test_what_is_listed(tmp_path: Path) -> None:
    folder, _, _ = checkpoint(tmp_path, (130, 64), (3, 1), [64, 64])
    source = open_source(folder)
    weight, scale = source["x.weight"], source["x.weight_scale_inv"]
    assert (weight.companion_of, scale.companion_of) == ("", "x.weight")
    assert weight.nbytes == 130 * 64 + 12
    assert weight.layout == "float8_e4m3fn, 64x64 blocks of weight_scale_inv"
    assert scale.read().shape == (3, 1)
    assert source["x.weight_fp32"] is weight
    (folder / "config.json").write_text("{}")
    assert open_source(folder)["x.weight"].identity != weight.identity  # 64x128 could be other values than 64x64


def test_other_stored_types(tmp_path: Path) -> None:
    folder, stored, scale = checkpoint(tmp_path, (130, 64), (2, 1), dtype=np.int8)
    tensor = open_source(folder)["x.weight"]
    np.testing.assert_array_equal(tensor.read(), stored * expanded(scale, (130, 64), (128, 128)))
    assert tensor.layout.startswith("int8, 128x128")


def test_misfits_are_listed_but_not_read(tmp_path: Path) -> None:
    folder, _, _ = checkpoint(tmp_path, (576, 64), (9, 1), [128, 128])
    tensor = open_source(folder)["x.weight"]
    assert "do not fit blocks of 128x128 (weight_block_size of config.json)" in tensor.unreadable
    with pytest.raises(SourceError, match=r"tensor 'x.weight' of shape \[576, 64\]: scales of shape \[9, 1\]"):
        tensor.read()


@pytest.mark.parametrize("size", [[128], [128, 0], [128, -1], [128.0, 128], [True, 128], "128", {"a": 1}, [1, 2, 3]])
def test_wrong_config_is_refused(tmp_path: Path, size: object) -> None:
    folder, _, _ = checkpoint(tmp_path, (576, 64), (5, 1), size)
    with pytest.raises(SourceError, match=r"config.json: weight_block_size .* is not \[rows, columns\]"):
        open_source(folder)


def test_config_that_is_no_json_matters_only_where_it_is_needed(tmp_path: Path) -> None:
    folder, _, _ = checkpoint(tmp_path, (576, 64), (5, 1))
    (folder / "config.json").write_text("{")
    with pytest.raises(SourceError, match=r"config.json is not JSON"):
        open_source(folder)
    (folder / "model.safetensors").write_bytes(safetensors({"x.weight": np.zeros(3, np.float32)}))
    assert len(open_source(folder)) == 1


@pytest.mark.parametrize("quantization", [None, [], {}, {"weight_block_size": None}, "fp8"])
def test_config_that_says_nothing(tmp_path: Path, quantization: object) -> None:
    folder, _, _ = checkpoint(tmp_path, (576, 64), (5, 1))
    (folder / "config.json").write_text(json.dumps({"quantization_config": quantization}))
    assert open_source(folder)["x.weight"].layout.startswith("float8_e4m3fn, 128x128")


def test_a_scale_alone_and_a_scale_of_a_scale_are_ordinary(tmp_path: Path) -> None:
    arrays = {name: np.ones((2, 2), np.float32) for name in ("a_scale_inv", "a_scale_inv_scale_inv", "b")}
    (tmp_path / "m.safetensors").write_bytes(safetensors(arrays))
    assert all(not t.layout and not t.companion_of for t in open_source(tmp_path))


def test_overflow_is_left_to_be_counted(tmp_path: Path) -> None:
    arrays = {"w": np.full((1, 2), 3e38, np.float32), "w_scale_inv": np.full((1, 1), 10, np.float32)}
    (tmp_path / "m.safetensors").write_bytes(safetensors(arrays))
    assert np.isposinf(open_source(tmp_path)["w"].read()).all()
