"""Checkpoints that the packages make, where they are installed: our values against their own, bit for bit."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

import fewbits
import weights
from fewbits.diff import Comparison
from fewbits.measurement import measure_tensor
from fewbits.sources import open_source
from fewbits.tensor import Tensor
from packages import package
from packed_files import read

torch = package("torch")
save_file = package("safetensors.torch").save_file

pytestmark = pytest.mark.filterwarnings("ignore")


def weight(rows: int = 96, columns: int = 256, dtype: Any = None, seed: int = 0) -> Any:
    generator = torch.Generator().manual_seed(seed)
    found = torch.randn(rows, columns, generator=generator) * torch.logspace(-3, 1, rows)[:, None]
    return found.to(dtype or torch.float32)


def stored(folder: Path, tensors: Mapping[str, Any], config: Any = None, **metadata: str) -> Tensor:
    save_file({name: t.contiguous() for name, t in tensors.items()}, folder / "made.safetensors", metadata or None)
    return read(folder / "made.safetensors", config)["a.weight"]


def check(tensor: Tensor, wanted: Any) -> None:
    assert not tensor.unreadable
    wanted = wanted.detach().to(torch.float32).contiguous().numpy()
    assert tensor.shape == wanted.shape
    flat = wanted.reshape(tensor.rows, tensor.columns)
    np.testing.assert_array_equal(tensor.read().view(np.uint32), flat.view(np.uint32))
    np.testing.assert_array_equal(tensor.read(5, 11), flat[5:11])


INTEGERS = [(bits, sym, by) for bits in range(2, 9) for sym in (True, False) for by in ("group", "channel")]


@pytest.mark.parametrize(("bits", "symmetric", "strategy"), INTEGERS)
@pytest.mark.parametrize("dtype", ["float32", "bfloat16", "float16"])
def test_pack_quantized(tmp_path: Path, bits: int, symmetric: bool, strategy: str, dtype: str) -> None:
    compressors = package("compressed_tensors.compressors")
    made = _compressed(
        compressors.PackedQuantizationCompressor, "pack-quantized", bits, "int", symmetric, strategy, dtype
    )
    check(stored(tmp_path, *made[:2]), made[2])


@pytest.mark.parametrize("dtype", ["float32", "bfloat16", "float16"])
@pytest.mark.parametrize("strategy", ["tensor", "channel", "block", "group"])
@pytest.mark.parametrize("kind", ["int", "float"])
def test_naive_quantized(tmp_path: Path, kind: str, strategy: str, dtype: str) -> None:
    compressors = package("compressed_tensors.compressors")
    made = _compressed(compressors.NaiveQuantizationCompressor, "naive-quantized", 8, kind, True, strategy, dtype)
    check(stored(tmp_path, *made[:2]), made[2])


@pytest.mark.parametrize("dtype", ["float32", "float16"])
@pytest.mark.parametrize("strategy", ["tensor", "channel", "group"])
def test_int_quantized_with_zero_points(tmp_path: Path, strategy: str, dtype: str) -> None:
    compressors = package("compressed_tensors.compressors")
    made = _compressed(compressors.IntQuantizationCompressor, "int-quantized", 8, "int", False, strategy, dtype)
    check(stored(tmp_path, *made[:2]), made[2])


def _compressed(compressor: Any, name: str, bits: int, kind: str, symmetric: bool, strategy: str, dtype: str) -> Any:
    """Stored tensors, config and answer."""
    from compressed_tensors.quantization import QuantizationArgs, QuantizationScheme
    from compressed_tensors.quantization.utils import calculate_qparams

    x = weight(144, 256 if strategy != "channel" else 250, getattr(torch, dtype))
    settings: dict[str, Any] = {"num_bits": bits, "type": kind, "symmetric": symmetric, "strategy": strategy}
    settings |= {"group": {"group_size": 64}, "block": {"block_structure": [48, 128]}}.get(strategy, {})
    args = QuantizationArgs(**settings)
    low, high = _ranges(x, strategy)
    scale, zero = calculate_qparams(low, high, args)
    state = {"weight": x, "weight_scale": scale.to(x.dtype), "weight_zero_point": zero}
    scheme = QuantizationScheme(targets=["Linear"], weights=args)
    packed = compressor.compress(state, scheme)
    answer = compressor.decompress(dict(packed), scheme)["weight"]
    config = {"quant_method": "compressed-tensors", "format": name, "config_groups": {"group_0": {"weights": settings}}}
    return {f"a.{key}": value for key, value in packed.items()}, config, answer


def _ranges(x: Any, strategy: str) -> tuple[Any, Any]:
    if strategy == "tensor":
        parts = x.reshape(1, -1)
    elif strategy == "channel":
        parts = x[:, None, :]
    elif strategy == "group":
        parts = x.unflatten(-1, (-1, 64))
    else:
        parts = x.unflatten(0, (-1, 48)).unflatten(-1, (-1, 128)).transpose(1, 2).flatten(-2)
    low, high = parts.amin(-1), parts.amax(-1)
    return (low.reshape(1), high.reshape(1)) if strategy == "tensor" else (low, high)


@pytest.mark.parametrize(("bits", "group"), [(4, 32), (6, 32)])
def test_microscaling_of_compressed_tensors(tmp_path: Path, bits: int, group: int) -> None:
    """The package works in bfloat16: equal once rounded to it."""
    compressors = package("compressed_tensors.compressors")
    from compressed_tensors.quantization import QuantizationArgs, QuantizationScheme
    from compressed_tensors.quantization.utils import calculate_qparams

    compressor = {4: "MXFP4PackedCompressor", 6: "MXFP6PackedCompressor"}[bits]
    settings = {"num_bits": bits, "type": "float", "symmetric": True, "strategy": "group", "group_size": group}
    args = QuantizationArgs(**settings, scale_dtype=torch.uint8)
    x = weight(dtype=torch.bfloat16)
    parts = x.unflatten(-1, (-1, group))
    scale, zero = calculate_qparams(parts.amin(-1), parts.amax(-1), args)
    scheme = QuantizationScheme(targets=["Linear"], weights=args)
    method = getattr(compressors, compressor)
    packed = method.compress({"weight": x, "weight_scale": scale, "weight_zero_point": zero}, scheme)
    answer = method.decompress(dict(packed), scheme)["weight"].to(torch.float32)
    config = {"quant_method": "compressed-tensors", "config_groups": {"group_0": {"weights": settings}}}
    tensor = stored(tmp_path, {f"a.{key}": value for key, value in packed.items()}, config)
    assert tensor.layout.startswith(f"compressed-tensors mxfp{bits}-pack-quantized")
    found = torch.from_numpy(tensor.read()).to(torch.bfloat16).to(torch.float32)
    assert torch.equal(found, answer)


@pytest.mark.parametrize("nested", [False, True])
@pytest.mark.parametrize("kind", ["nf4", "fp4"])
@pytest.mark.parametrize(("dtype", "block"), [("float32", 64), ("bfloat16", 64), ("float16", 128), ("bfloat16", 4096)])
def test_bitsandbytes(tmp_path: Path, kind: str, nested: bool, dtype: str, block: int) -> None:
    functional = package("bitsandbytes.functional")
    x = weight(128, 128 if block < 4096 else 8192, getattr(torch, dtype))
    codes, state = functional.quantize_4bit(x, blocksize=block, compress_statistics=nested, quant_type=kind)
    answer = functional.dequantize_4bit(codes, state)
    parts = {f"a.weight.{key}": value for key, value in state.as_dict(packed=True).items()}
    tensor = stored(tmp_path, {"a.weight": codes, **parts}, {"quant_method": "bitsandbytes"})
    assert tensor.dtype == dtype
    check(tensor, answer)


def test_llm_int8(tmp_path: Path) -> None:
    functional = package("bitsandbytes.functional")
    codes, rows, _ = functional.int8_vectorwise_quant(weight(dtype=torch.float16))
    parts = {"a.weight": codes, "a.SCB": rows, "a.weight_format": torch.tensor(0, dtype=torch.uint8)}
    check(stored(tmp_path, parts, {"quant_method": "bitsandbytes"}), functional.int8_vectorwise_dequant(codes, rows))


def test_diff_of_a_model_and_its_quantized_copy(tmp_path: Path) -> None:
    """Real weights: what bitsandbytes made of them differs from them by what a scan of its own format measures."""
    functional = package("bitsandbytes.functional")
    base = open_source(weights.encoder())
    name = "encoder.layer.3.intermediate.dense.weight"
    x = torch.from_numpy(base[name].read().reshape(base[name].shape))
    codes, state = functional.quantize_4bit(x, blocksize=64, compress_statistics=False, quant_type="nf4")
    parts = {f"{name}.{key}": value for key, value in state.as_dict(packed=True).items()}
    save_file({name: codes, **parts}, tmp_path / "model.safetensors")
    (tmp_path / "config.json").write_text('{"quantization_config": {"quant_method": "bitsandbytes"}}')
    other = open_source(tmp_path)
    (difference,) = Comparison(base, other, query=name).measure()
    spec = other[name].layout.partition("(")[2].removesuffix(")")
    scanned = measure_tensor(base[name], [fewbits.parse(spec)])
    assert difference.record.error == scanned.errors[0]
    assert difference.record.bits == pytest.approx(4.5, abs=0.01)


def test_modelopt(tmp_path: Path) -> None:
    qtensor = package("modelopt.torch.quantization.qtensor")
    x = weight()
    made, scale, outer = qtensor.NVFP4QTensor.quantize(x, 16)
    answer = made.dequantize(torch.float32, scale=scale, double_scale=outer, block_sizes={-1: 16})
    parts = {"a.weight": made._quantized_data, "a.weight_scale": scale, "a.weight_scale_2": outer}
    check(stored(tmp_path, parts, {"quant_method": "modelopt", "quant_algo": "NVFP4"}), answer)
    made, scale = qtensor.FP8QTensor.quantize(x)
    answer = made.dequantize(torch.float32, scale=scale)
    parts = {"a.weight": made._quantized_data, "a.weight_scale": scale}
    check(stored(tmp_path, parts, {"quant_method": "modelopt", "quant_algo": "FP8"}), answer)


TORCHAO = ["float8-row", "float8-tensor", "int8-row", "mxfp8", "mxfp4", "nvfp4", "nvfp4-swizzled"]


@pytest.mark.parametrize("dtype", ["float32", "bfloat16"])
@pytest.mark.parametrize("kind", TORCHAO)
def test_torchao(tmp_path: Path, kind: str, dtype: str) -> None:
    """As its own flattening for safetensors writes it."""
    support = package("torchao.prototype.safetensors.safetensors_support")
    made = _torchao(kind, weight(dtype=getattr(torch, dtype)))
    tensors, metadata = support.flatten_tensor_state_dict({"a.weight": made})
    tensor = stored(tmp_path, tensors, {"quant_method": "torchao"}, **metadata)
    answer = made.dequantize().to(torch.float32)
    if kind == "mxfp8" or kind == "mxfp4":  # computed in that dtype: exact
        assert tensor.dtype == dtype
    check(tensor, answer)


def _torchao(kind: str, x: Any) -> Any:
    from torchao.prototype.mx_formats.mx_tensor import MXTensor
    from torchao.prototype.mx_formats.nvfp4_tensor import NVFP4Tensor, per_tensor_amax_to_scale
    from torchao.quantization import Float8Tensor, Int8Tensor, PerRow, PerTensor

    match kind:
        case "float8-row":
            return Float8Tensor.from_hp(x, granularity=PerRow())
        case "float8-tensor":
            return Float8Tensor.from_hp(x, granularity=PerTensor())
        case "int8-row":
            return Int8Tensor.from_hp(x, PerRow())
        case "mxfp8":
            return MXTensor.to_mx(x, torch.float8_e4m3fn, 32)
        case "mxfp4":
            return MXTensor.to_mx(x, torch.float4_e2m1fn_x2, 32)
    outer = per_tensor_amax_to_scale(x.abs().max())
    return NVFP4Tensor.to_nvfp4(x, per_tensor_scale=outer, is_swizzled_scales=kind.endswith("swizzled"))


@pytest.mark.parametrize("version", ["gptq", "gptq_v2"])
@pytest.mark.parametrize(
    ("bits", "group", "moved"), [(2, 32, False), (3, 64, False), (4, 128, True), (4, -1, False), (8, 64, True)]
)
def test_gptqmodel(tmp_path: Path, bits: int, group: int, moved: bool, version: str) -> None:
    qlinear = package("gptqmodel.nn_modules.qlinear.torch", required=False)
    model = package("gptqmodel.utils.model", required=False)
    inputs, outputs = 256, 96
    size = inputs if group == -1 else group
    generator = torch.Generator().manual_seed(bits)
    groups = torch.arange(inputs, dtype=torch.int32) // size
    order = groups[torch.randperm(inputs, generator=generator)] if moved else groups
    scales = torch.rand(outputs, inputs // size, generator=generator) * 0.01 + 1e-4
    zeros = torch.randint(1, 1 << bits, scales.shape, generator=generator).to(torch.float32)
    codes = torch.randint(0, 1 << bits, (outputs, inputs), generator=generator)
    linear = torch.nn.Linear(inputs, outputs, bias=False)
    linear.weight.data = (codes - zeros[:, order.long()]) * scales[:, order.long()]
    kind = qlinear.TorchLinear
    settings = {"bits": bits, "group_size": group, "sym": False, "desc_act": moved}
    made = kind(**settings, in_features=inputs, out_features=outputs, bias=False, pack_dtype=torch.int32)
    made.pack_original(linear, scales, zeros, order)
    parts = {f"a.{name}": getattr(made, name).clone() for name in ("qweight", "qzeros", "scales", "g_idx")}
    made.post_init()
    answer = made.dequantize_weight().T
    if version == "gptq":
        other = kind(**settings, in_features=inputs, out_features=outputs, bias=False, pack_dtype=torch.int32)
        other.pack_original(linear, scales, zeros, order)
        model.convert_gptq_v2_to_v1_format_module(other, SimpleNamespace(bits=bits, pack_dtype=torch.int32))
        parts["a.qzeros"] = other.qzeros.clone()
    config = {**settings, "quant_method": "gptq", "checkpoint_format": version}
    check(stored(tmp_path, parts, config), answer)
