"""Packed checkpoints read as the values that they stand for: golden files of other people's software, bit for bit."""

from __future__ import annotations

import threading
from pathlib import Path
from typing import Any

import ml_dtypes
import numpy as np
import pytest
from numpy.typing import NDArray

import fewbits as fb
from fewbits.sources import stored
from fewbits.sources.packed import LAYOUTS, columns
from fewbits.tensor import Tensor
from packed_files import GOLDEN, WEIGHT, answer, entries, read, written

GROUP = {"gate_up_proj": "model.layers.0.mlp.experts.gate_up_proj"}
NAMES = sorted(entries())


def expected(name: str) -> NDArray[np.float32]:
    """The answer as (…, out, in)."""
    found = answer(name)
    return found.swapaxes(-1, -2) if name.startswith(("gptq", "awq", "gptoss")) else found


def golden(name: str, quantization: Any = "as stored") -> tuple[dict[str, Tensor], Tensor]:
    config = entries()[name]["config"] if quantization == "as stored" else quantization
    tensors = read(GOLDEN / f"{name}.safetensors", config)
    return tensors, tensors[GROUP["gate_up_proj"] if name.startswith("gptoss") else WEIGHT]


def same(found: NDArray[np.float32], wanted: NDArray[np.float32]) -> None:
    assert found.dtype == np.float32
    assert found.flags.c_contiguous
    np.testing.assert_array_equal(found.view(np.uint32), np.ascontiguousarray(wanted).view(np.uint32))


def spec_of(tensor: Tensor) -> str:
    """What stands between the first bracket and the last, as long as that is all."""
    return tensor.layout.partition("(")[2].removesuffix(")")


@pytest.mark.parametrize("name", NAMES)
def test_golden_files_bit_for_bit(name: str) -> None:
    _, tensor = golden(name)
    wanted = expected(name)
    assert tensor.shape == wanted.shape
    assert not tensor.unreadable
    same(tensor.read().reshape(tensor.shape), wanted)
    assert tensor.read16() is None


@pytest.mark.parametrize("name", [name for name in NAMES if "gptq_v2" not in name])
def test_without_a_config(name: str) -> None:
    """All but which version of GPTQ it is can be told from names, dtypes and shapes."""
    _, tensor = golden(name, None)
    same(tensor.read().reshape(tensor.shape), expected(name))
    assert ("assumed" in tensor.layout) == name.startswith("gptq")


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("step", [1, 7])
def test_slabs(name: str, step: int) -> None:
    _, tensor = golden(name)
    whole = tensor.read()
    rows = range(0, tensor.rows, step)
    same(np.vstack([tensor.read(start, min(start + step, tensor.rows)) for start in rows]), whole)
    assert tensor.read(3, 3).shape == (0, tensor.columns)


@pytest.mark.parametrize("name", NAMES)
def test_bits_and_companions(name: str) -> None:
    tensors, tensor = golden(name)
    parts = [t for t in tensors.values() if t.companion_of]
    assert {t.companion_of for t in parts} == {tensor.name}
    if tensor.name in (t.name for t in parts) or f"{tensor.name}_packed" in tensors or "gptq" in name:
        assert tensor.nbytes == sum(t.nbytes for t in parts)
    else:  # the weight may stand in for the codes of its own name
        assert tensor.nbytes >= sum(t.nbytes for t in parts)
    spec = spec_of(tensor)
    assert spec or "act-order" in tensor.layout
    if spec:
        assert str(fb.parse(spec)) == spec
        per_weight, by_spec = 8 * tensor.nbytes / tensor.size, fb.bits(spec, tensor.shape)
        extra = 8 * sum(t.nbytes for t in parts if t.name.endswith(("g_idx", "_map", "weight_shape", "__nf4", "__fp4")))
        assert by_spec <= per_weight + 32 / tensor.size <= by_spec + (extra + 64) / tensor.size


def test_layouts_as_they_are_shown() -> None:
    shown = {name: golden(name)[1].layout for name in NAMES}
    assert shown["gptq_v1_int4_g128_sym"] == "GPTQ v1 int4 g128 (u4@128:f16+zero)"
    assert shown["gptq_v2_int4_g64_asym_act"] == "GPTQ v2 int4 g64 act-order"
    assert shown["awq_gemm_int4_g32"] == "AWQ gemm int4 g32 (u4@32:f16+zero)"
    assert shown["bnb_nf4_b64_nested_bfloat16_128x192"].startswith(
        "bitsandbytes NF4 nested (nf4lut@flat64:(dyn8@flat256"
    )
    assert shown["bnb_llm_int8"] == "LLM.int8 (s8@row:f32)"
    assert shown["ct_int4_g32_asym_float32"].endswith("int4 g32 (i4@32-shiftrange:f32+zero)")
    assert shown["ct_mxfp4_float32"] == "compressed-tensors mxfp4-pack-quantized (e2m1@32-even:e8m0)"
    assert shown["modelopt_nvfp4"] == "ModelOpt NVFP4 (e2m1@16:e4m3@tensor:f32)"


def test_identities_differ() -> None:
    found = [golden(name)[1].identity for name in NAMES]
    assert len(set(found)) == len(found)
    v1, v2 = (
        golden("gptq_v1_int4_g32_asym", {"quant_method": "gptq", "checkpoint_format": f})[1]
        for f in ("gptq", "gptq_v2")
    )
    assert v1.identity != v2.identity


@pytest.mark.parametrize("name", ["gptq_v1_int3_g32_sym", "awq_gemm_int4_g32"])
@pytest.mark.parametrize("window", [1, 700, 1 << 20])
@pytest.mark.parametrize("skipped", [0, 1 << 18])
def test_windows_of_columns(name: str, window: int, skipped: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """However wide the windows are that stored columns are read in, and from several threads."""
    monkeypatch.setattr(columns, "WINDOW", window)
    monkeypatch.setattr(stored, "SKIPPED", skipped)
    monkeypatch.setattr(stored, "BAND", 100)
    columns._window.cache_clear()
    _, tensor = golden(name)
    wanted = expected(name)
    found: dict[int, NDArray[np.float32]] = {}

    def some(first: int) -> None:
        for start in range(first, tensor.rows, 8):
            found[start] = tensor.read(start, min(start + 4, tensor.rows))

    threads = [threading.Thread(target=some, args=(first,)) for first in (0, 4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    same(np.vstack([found[start] for start in sorted(found)]), wanted)


def test_only_the_bytes_of_the_rows_are_read(monkeypatch: pytest.MonkeyPatch) -> None:
    from fewbits.sources.file import LocalFile

    asked: list[int] = []
    original = LocalFile.read_into

    def counted(self: LocalFile, offset: int, buffer: memoryview, what: str) -> None:
        asked.append(len(buffer))
        original(self, offset, buffer, what)

    for name in ("ct_int4_g128_sym_float32", "ct_nvfp4_float32", "gptoss_mxfp4", "bnb_nf4_b64_nested_bfloat16_128x192"):
        _, tensor = golden(name)
        monkeypatch.setattr(LocalFile, "read_into", counted)
        asked.clear()
        tensor.read(1, 2)
        monkeypatch.setattr(LocalFile, "read_into", original)
        assert sum(asked) <= 1400 + tensor.columns, name  # tables of 16 and 256 numbers among them


def test_swizzled_scales_of_torchao(tmp_path: Path) -> None:
    """The order of tiles in which matrix units take scales: the same values."""
    tensors = read(GOLDEN / "torchao_nvfp4.safetensors")
    stem = WEIGHT.removesuffix("weight")
    arrays = {
        f"{stem}qdata": tensors[f"{stem}qdata"].read().astype(np.uint8),
        f"{stem}scale": tensors[f"{stem}scale_swizzled"].read().astype(ml_dtypes.float8_e4m3fn),
        f"{stem}per_tensor_scale": tensors[f"{stem}per_tensor_scale"].read().astype(np.float32).reshape(()),
    }
    tensor = written(tmp_path, arrays)[WEIGHT]
    same(tensor.read(), answer("torchao_nvfp4"))
    same(tensor.read(5, 9), answer("torchao_nvfp4")[5:9])


def test_codes_of_other_storage(tmp_path: Path) -> None:
    """`bnb_4bit_quant_storage`: the same bytes as another dtype."""
    name = "bnb_fp4_b64_float16_32x64"
    tensors = read(GOLDEN / f"{name}.safetensors")
    file = {t.name: t for t in tensors.values() if t.companion_of}
    state = next(n for n in file if "quant_state" in n)
    raw = (GOLDEN / f"{name}.safetensors").read_bytes()
    from fewbits.sources.file import LocalFile
    from fewbits.sources.header import read_header

    entry = read_header(LocalFile.at(GOLDEN / f"{name}.safetensors")).entries[WEIGHT]
    codes = np.frombuffer(raw[entry.begin : entry.end], np.uint8)
    arrays = {n: t.read().reshape(-1) for n, t in file.items() if n != state}
    arrays |= {
        WEIGHT: codes.view(ml_dtypes.bfloat16).reshape(-1, 1),
        state: file[state].read().astype(np.uint8).reshape(-1),
    }
    same(written(tmp_path, arrays)[WEIGHT].read(), answer(name))


def test_order_of_columns(tmp_path: Path) -> None:
    """`weight_g_idx` of compressed-tensors: the group of each column."""
    rng = np.random.default_rng(0)
    words = rng.integers(0, 1 << 32, (6, 8), dtype=np.uint32).view(np.int32)
    order = rng.permutation(np.repeat(np.arange(2), 32)).astype(np.int32)
    scale = rng.normal(size=(6, 2)).astype(np.float32)
    arrays = {"a.weight_packed": words, "a.weight_scale": scale, "a.weight_shape": np.array([6, 64])}
    weights = {"num_bits": 4, "type": "int", "strategy": "group", "group_size": 32}
    config = {"quant_method": "compressed-tensors", "config_groups": {"group_0": {"weights": weights}}}
    tensor = written(tmp_path, arrays | {"a.weight_g_idx": order}, config)["a.weight"]
    codes = ((words.view(np.uint32)[..., None] >> np.arange(0, 32, 4, dtype=np.uint32)) & 15).reshape(6, 64)
    same(tensor.read(), (codes.astype(np.float32) - 8) * scale[:, order])
    assert tensor.layout.endswith("act-order")


@pytest.mark.parametrize("shape", [(3, 40, 70), (40, 70)])
@pytest.mark.parametrize("by", ["tensor", "row", "group"])
def test_stacks_of_experts(tmp_path: Path, shape: tuple[int, ...], by: str) -> None:
    rng = np.random.default_rng(1)
    codes = rng.integers(-8, 9, shape).astype(ml_dtypes.float8_e4m3fn)
    sides = {"tensor": (1,), "row": (*shape[:-1], 1), "group": (*shape[:-1], 7)}[by]
    scale = (2.0 ** rng.integers(-6, 6, sides)).astype(np.float32)
    tensor = written(tmp_path, {"w.weight": codes, "w.weight_scale": scale})["w.weight"]
    wide = scale.repeat(10, axis=-1) if by == "group" else scale
    same(tensor.read(), (codes.astype(np.float32) * wide).reshape(tensor.rows, -1))


@pytest.mark.parametrize("layout", LAYOUTS, ids=range(len(LAYOUTS)))
def test_every_layout_has_a_method(layout: Any) -> None:
    assert layout.methods
    assert layout.fits("")


def test_a_scale_of_the_inputs_is_in_the_columns(tmp_path: Path) -> None:
    """nvidia-modelopt's AWQ: the layer computes W (s ∘ x)."""
    layer = WEIGHT.removesuffix("weight")
    rng = np.random.default_rng(5)
    arrays: dict[str, Any] = {
        WEIGHT: rng.integers(0, 256, (32, 64)).astype(np.uint8),
        f"{WEIGHT}_scale": rng.uniform(0.5, 2, (32, 8)).astype(ml_dtypes.float8_e4m3fn),
        f"{WEIGHT}_scale_2": np.float32(0.25).reshape(()),
    }
    scale = rng.uniform(0.5, 2, 128).astype(np.float32)
    plain = written(tmp_path, arrays)[WEIGHT]
    wanted = plain.read() * scale
    tensors = written(tmp_path, {**arrays, f"{layer}pre_quant_scale": scale})
    same(tensors[WEIGHT].read(), wanted)
    same(tensors[WEIGHT].read(3, 5), wanted[3:5])
    assert tensors[WEIGHT].layout == "ModelOpt NVFP4 (e2m1@16:e4m3@tensor:f32) × pre_quant_scale"
    assert tensors[WEIGHT].nbytes == plain.nbytes + scale.nbytes
    assert tensors[f"{layer}pre_quant_scale"].companion_of == WEIGHT
    wrong = written(tmp_path, {**arrays, f"{layer}pre_quant_scale": scale[1:]})
    assert "has shape [127], not [128]" in wrong[WEIGHT].unreadable


def test_hf_quant_config(tmp_path: Path) -> None:
    from fewbits.sources.packed import recognise

    tensors = read(GOLDEN / "modelopt_nvfp4.safetensors")
    parts = {name: tensor for name, tensor in tensors.items() if name != WEIGHT}
    config = {"producer": {"name": "modelopt"}, "quantization": {"quant_algo": "NVFP4", "group_size": 16}}
    again = {t.name: t for t in recognise(parts, config, "there")}
    assert set(again) == set(parts)
    assert tensors[WEIGHT].layout.startswith("ModelOpt")
