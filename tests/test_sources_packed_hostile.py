"""Packed checkpoints that lie: one line that names tensor and value, and nothing large allocated on the way."""

from __future__ import annotations

import json
import tracemalloc
from pathlib import Path
from typing import Any

import ml_dtypes
import numpy as np
import pytest

from fewbits.errors import SourceError
from packed_files import written

Arrays = dict[str, "np.ndarray[Any, Any]"]

GPTQ = {"quant_method": "gptq", "bits": 4, "group_size": 32}
AWQ = {"quant_method": "awq", "bits": 4, "group_size": 32, "version": "gemm"}
PACK = {
    "quant_method": "compressed-tensors",
    "config_groups": {"a": {"weights": {"num_bits": 4, "type": "int", "strategy": "group", "group_size": 32}}},
}
STATE = {"quant_type": "nf4", "blocksize": 64, "dtype": "float32", "shape": [4, 64]}


def gptq(**other: Any) -> Arrays:
    parts = {
        "qweight": np.zeros((8, 16), np.int32),
        "qzeros": np.zeros((2, 2), np.int32),
        "scales": np.ones((2, 16), np.float16),
        "g_idx": np.repeat(np.arange(2, dtype=np.int32), 32),
    } | other
    return {f"a.{name}": array for name, array in parts.items() if array is not None}


def awq(**other: Any) -> Arrays:
    parts = {
        "qweight": np.zeros((64, 2), np.int32),
        "qzeros": np.zeros((2, 2), np.int32),
        "scales": np.ones((2, 16), np.float16),
    } | other
    return {f"a.{name}": array for name, array in parts.items() if array is not None}


def pack(**other: Any) -> Arrays:
    parts = {
        "weight_packed": np.zeros((6, 8), np.int32),
        "weight_scale": np.ones((6, 2), np.float32),
        "weight_shape": np.array([6, 64]),
    } | other
    return {f"a.{name}": array for name, array in parts.items() if array is not None}


def nf4(state: Any = STATE, **other: Any) -> Arrays:
    text = state if isinstance(state, bytes) else json.dumps(state).encode()
    parts = {
        "": np.zeros((128, 1), np.uint8),
        ".absmax": np.ones(4, np.float32),
        ".quant_map": np.linspace(-1, 1, 16, dtype=np.float32),
        ".quant_state.bitsandbytes__nf4": np.frombuffer(text, np.uint8),
    } | other
    return {f"a.weight{name}": array for name, array in parts.items() if array is not None}


def nvfp4(**other: Any) -> Arrays:
    parts = {
        "weight_packed": np.zeros((4, 16), np.uint8),
        "weight_scale": np.ones((4, 2), ml_dtypes.float8_e4m3fn),
        "weight_global_scale": np.ones(1, np.float32),
    } | other
    return {f"a.{name}": array for name, array in parts.items() if array is not None}


def nested(**other: Any) -> Arrays:
    state = STATE | {"nested_blocksize": 256, "nested_offset": 0.5, "nested_dtype": "float32"} | other.pop("state", {})
    parts = {
        ".absmax": np.ones(4, np.uint8),
        ".nested_absmax": np.ones(1, np.float32),
        ".nested_quant_map": np.ones(256, np.float32),
    } | other
    return nf4(state, **parts)


@pytest.mark.parametrize(
    ("arrays", "config"),
    [
        (gptq(), GPTQ),
        (gptq(g_idx=None), GPTQ),
        (awq(), AWQ),
        (pack(), PACK),
        (nf4(), None),
        (nested(), None),
        (nvfp4(), None),
    ],
)
def test_what_the_lies_start_from_is_right(tmp_path: Path, arrays: Arrays, config: Any) -> None:
    tensor = written(tmp_path, arrays, config)["a.weight"]
    assert not tensor.unreadable
    assert np.isfinite(tensor.read()).all()


WRONG: list[tuple[Arrays, Any, str]] = [
    (gptq(scales=np.ones((2, 15), np.float16)), GPTQ, "'a.qweight' has shape"),
    (gptq(scales=np.ones((2, 16), np.int32)), GPTQ, "'a.scales' is int32, not float32"),
    (gptq(scales=np.ones(16, np.float16)), GPTQ, "are not matrices"),
    (gptq(scales=np.ones((0, 16), np.float16), qzeros=np.zeros((0, 2), np.int32)), GPTQ, "0 groups"),
    (gptq(qzeros=None), GPTQ, "qzeros is missing"),
    (gptq(qzeros=np.zeros((3, 2), np.int32)), GPTQ, r"'a.qzeros' of shape \[3, 2\]"),
    (gptq(qweight=np.zeros((8, 16), np.int64)), GPTQ, "'a.qweight' is int64"),
    (gptq(qweight=np.zeros((9, 16), np.int32)), GPTQ, r"'a.qweight' has shape \[9, 16\], not \[8, 16\]"),
    (gptq(g_idx=np.zeros(1000, np.int32)), GPTQ, "'a.qweight' has shape"),
    (gptq(g_idx=np.zeros((8, 8), np.int32)), GPTQ, "'a.g_idx' has shape"),
    (gptq(g_idx=np.zeros(64, np.float32)), GPTQ, "'a.g_idx' is float32"),
    (gptq(), GPTQ | {"bits": 8}, "does not fit 8 bits of the config"),
    (gptq(), GPTQ | {"bits": "four"}, "bits is 'four'"),
    (gptq(), GPTQ | {"group_size": 10**18}, "group_size is 1000000000000000000"),
    (gptq(), GPTQ | {"group_size": 0}, "group_size is 0"),
    (gptq(), GPTQ | {"group_size": True}, "group_size is True"),
    (gptq(), GPTQ | {"group_size": 128}, "do not make groups of 128"),
    (gptq(), GPTQ | {"checkpoint_format": "marlin"}, "checkpoint_format 'marlin'"),
    (gptq(), GPTQ | {"checkpoint_format": ["gptq"]}, "checkpoint_format"),
    (gptq(), GPTQ | {"checkpoint_format": "gptq_p"}, "checkpoint_format 'gptq_p'"),
    (gptq(), AWQ, "packed as AWQ, but"),
    (awq(), GPTQ, "packed as GPTQ, but"),
    (awq(), AWQ | {"version": "gemv"}, "version 'gemv'"),
    (awq(), AWQ | {"bits": 3}, "of 3 bits"),
    (awq(scales=np.ones((2, 17), np.float16)), AWQ, "17 outputs are no multiple of 8"),
    (awq(qzeros=None), AWQ, "qzeros is missing"),
    (pack(weight_shape=np.array([6, 64, 1])), PACK, "'a.weight_shape' has shape"),
    (pack(weight_shape=np.array([6.0, 64.0])), PACK, "'a.weight_shape' is float64"),
    (pack(weight_shape=None, weight_scale=np.ones((6, 3), np.float32)), PACK, "weight_shape is missing"),
    (pack(weight_shape=np.array([6, 1 << 50]), weight_scale=np.ones((6, 1), np.float32)), None, r"is \[6, 1125899906842624\]"),
    (pack(weight_shape=np.array([6, -64]), weight_scale=np.ones((6, 1), np.float32)), None, "'a.weight_shape' is"),
    (pack(weight_shape=np.array([7, 64]), weight_scale=np.ones((6, 1), np.float32)), None, r"'a.weight_shape' is \[7, 64\]"),
    (pack(weight_shape=np.array([6, 5])), None, "fit no number of bits"),
    (pack(weight_scale=np.ones((7, 2), np.float32)), PACK, "'a.weight_scale' of shape"),
    (pack(weight_scale=np.ones((6, 2), np.int8)), PACK, "'a.weight_scale' is int8"),
    (pack(weight_scale=None), PACK, "weight_scale is missing"),
    (pack(weight_zero_point=np.zeros((2, 2), np.int32)), PACK, "'a.weight_zero_point' has shape"),
    (pack(weight_zero_point=np.zeros((6, 1), np.int8)), PACK, "6 zero points for 12 scales"),
    (pack(), {**PACK, "config_groups": {"a": {"weights": {"num_bits": 4, "type": "float"}}}}, "no integer weights"),
    (pack(), {**PACK, "config_groups": {"a": {"weights": {"num_bits": 4, "group_size": -5}}}}, "group_size is -5"),
    (pack(), {**PACK, "config_groups": {"a": {"weights": {"type": "a\nb" * 99}}}}, "no integer weights"),
    (pack(), {**PACK, "config_groups": {"a": {"weights": {"num_bits": 10**30}}}}, "num_bits is 1000"),
    (nvfp4(weight_scale=np.ones((4, 3), ml_dtypes.float8_e4m3fn)), None, "are no block format"),
    (nvfp4(weight_scale=np.ones((5, 2), ml_dtypes.float8_e4m3fn)), None, "do not make nvfp4"),
    (nvfp4(weight_global_scale=None), None, "weight_global_scale is missing"),
    (nvfp4(weight_global_scale=np.ones(4, np.float32)), None, "has 4 numbers, not one"),
    (nvfp4(), PACK, "the config says int of 4 bits"),
    (nf4(b"{"), None, "is not JSON"),
    (nf4(b"[1]"), None, "not a JSON object"),
    (nf4(b'{"a":' * 2600 + b"1" + b"}" * 2600), None, "nested too deeply"),
    (nf4(b'{"shape": [NaN]}'), None, "NaN is not a JSON number"),
    (nf4(b" " * (1 << 20)), None, "has 1,048,576 bytes"),
    (nf4(b"\xff\xfe"), None, "is not UTF-8"),
    (nf4(STATE | {"shape": [4, 63]}), None, "are not the 126"),
    (nf4(STATE | {"shape": [1 << 60, 1 << 60]}), None, "lengths from 1"),
    (nf4(STATE | {"shape": []}), None, "lengths from 1"),
    (nf4(STATE | {"shape": None}), None, "has shape None"),
    (nf4(STATE | {"shape": [4.0, 64]}), None, "lengths from 1"),
    (nf4(STATE | {"blocksize": 0}), None, "blocksize is 0"),
    (nf4(STATE | {"blocksize": 10**30}), None, "blocksize"),
    (nf4(STATE | {"blocksize": 128}), None, r"'a.weight.absmax' has shape \[4\], not \[2\]"),
    (nf4(STATE | {"dtype": "complex64"}), None, "complex64"),
    (nf4(STATE | {"quant_type": "fp4"}), None, "quant_state says"),
    (nf4(**{".absmax": None}), None, "absmax is missing"),
    (nf4(**{".absmax": np.ones(4, np.uint8)}), None, "'a.weight.absmax' is uint8, not float32"),
    (nf4(**{".quant_map": np.ones(15, np.float32)}), None, "'a.weight.quant_map' has shape"),
    (nf4(**{"": None}), None, "the codes are missing"),
    (nested(**{".nested_absmax": np.ones(2, np.float32)}), None, "'a.weight.nested_absmax' has shape"),
    (nested(**{".nested_quant_map": np.ones(255, np.float32)}), None, "'a.weight.nested_quant_map' has shape"),
    (nested(**{".nested_quant_map": None}), None, "nested_quant_map is missing"),
    (nested(state={"nested_offset": "much"}), None, "'much'"),
    (nested(state={"nested_offset": 1e300}), None, "beyond float32"),
    (nested(state={"nested_blocksize": -1}), None, "nested_blocksize"),
]  # fmt: skip


@pytest.mark.parametrize(
    ("arrays", "config", "says"), WRONG, ids=[f"{at}-{says[:40]}" for at, (*_, says) in enumerate(WRONG)]
)
def test_lies_are_listed_but_not_read(tmp_path: Path, arrays: Arrays, config: Any, says: str) -> None:
    tracemalloc.start()
    tensor = written(tmp_path, arrays, config)["a.weight"]
    with pytest.raises(SourceError, match=says) as error:
        tensor.read()
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 20_000_000
    assert "a.weight" in str(error.value)
    assert "\n" not in str(error.value)
    assert str(error.value).endswith(tensor.unreadable)


@pytest.mark.parametrize(
    ("arrays", "config", "says"),
    [
        (gptq(g_idx=np.full(64, 2, np.int32)), GPTQ, "'a.g_idx': input 0 is in group 2, but groups are 0 to 1"),
        (gptq(g_idx=np.r_[np.zeros(63), -1].astype(np.int32)), GPTQ, "input 63 is in group -1"),
        (
            pack(weight_shape=np.array([6, 63])),
            PACK,
            r"'a.weight_shape' is \[6, 63\], but its codes and scales are for",
        ),
        (pack(weight_g_idx=np.full(64, 9, np.int32)), PACK, "'a.weight_g_idx': input 0 is in group 9"),
    ],
)
def test_what_only_reading_tells(tmp_path: Path, arrays: Arrays, config: Any, says: str) -> None:
    tensor = written(tmp_path, arrays, config)["a.weight"]
    with pytest.raises(SourceError, match=says):
        tensor.read()


def test_tiles_of_llm_int8(tmp_path: Path) -> None:
    arrays = {"a.weight": np.ones((4, 8), np.int8), "a.SCB": np.ones(4, np.float32)}
    assert written(tmp_path, arrays)["a.weight"].layout == "LLM.int8 (s8@row:f32)"
    arrays["a.weight_format"] = np.array(2, np.uint8)
    with pytest.raises(SourceError, match=r"'a.weight_format' is 2: codes in the order col_turing"):
        written(tmp_path, arrays)["a.weight"].read()
    wrong = written(tmp_path, arrays | {"a.SCB": np.ones(5, np.float32)})["a.weight"]
    assert "'a.SCB' has shape [5]" in wrong.unreadable


UNKNOWN: list[tuple[Arrays, Any, str, str]] = [
    ({"a.qweight": np.zeros((4, 4), np.int32)}, None, "a.qweight", "(int32 'qweight' without scales)"),
    ({"a.weight": np.zeros((4, 4), np.uint8), "a.scales": np.ones(4, np.float32)}, None, "a.weight", "(uint8 with 'a.scales')"),
    ({"a.weight": np.zeros((4, 4), np.int32), "a.codebook": np.ones(4, np.float32)}, None, "a.weight", "(int32 with"),
    ({"a.W_q": np.zeros((4, 4), np.uint8)}, {"quant_method": "hqq"}, "a.W_q", "(quant_method 'hqq')"),
    ({"a.weight": np.zeros((4, 4), np.int8)}, {"quant_method": "eetq"}, "a.weight", "(quant_method 'eetq')"),
    (gptq(), {"quant_method": "exl2"}, "a.qweight", "(quant_method 'exl2')"),
    (nf4(), {"quant_method": "gptq"}, "a.weight", "(uint8 with 'a.weight.absmax')"),
    ({"a.weight": np.zeros((4, 4), np.uint8), "a.weight.absmax": np.ones(4, np.float32)}, None, "a.weight", "(uint8 with"),
    ({"a.experts_blocks": np.zeros((4, 4), np.uint8)}, None, "a.experts_blocks", "'experts_blocks' without scales"),
]  # fmt: skip


@pytest.mark.parametrize(("arrays", "config", "name", "says"), UNKNOWN, ids=[row[-1] for row in UNKNOWN])
def test_unknown_layouts_are_not_measured_as_integers(
    tmp_path: Path, arrays: Arrays, config: Any, name: str, says: str
) -> None:
    tensor = written(tmp_path, arrays, config)[name]
    assert tensor.unreadable.startswith("is packed in a layout fewbits does not know (")
    assert says in tensor.unreadable
    with pytest.raises(SourceError, match=f"tensor '{name}' is packed"):
        tensor.read()


def test_ordinary_tensors_stay(tmp_path: Path) -> None:
    arrays = {
        "embeddings.position_ids": np.arange(8).reshape(1, 8),
        "norm.weight": np.ones(4, np.float32),
        "attention.scale": np.ones(1, np.float32),
        "attention.mask": np.ones((4, 4), np.bool_),
        "tokens": np.ones((4, 4), np.uint8),
        "x.weight": np.ones((4, 4), ml_dtypes.float8_e4m3fn),
    }
    for config in (None, {}, {"quant_method": "gptq"}, {"quant_method": 3}, "fp8", []):
        tensors = written(tmp_path, arrays, config)
        assert set(tensors) == set(arrays)
        assert not any(t.unreadable or t.companion_of or t.layout for t in tensors.values())


def test_a_name_that_is_taken(tmp_path: Path) -> None:
    tensor = written(tmp_path, gptq() | {"a.weight": np.ones((16, 64), np.float32)}, GPTQ)["a.weight"]
    assert "stored as itself and packed" in tensor.unreadable


def test_scales_of_bytes(tmp_path: Path) -> None:
    arrays = {"w": np.ones((4, 4), ml_dtypes.float8_e4m3fn), "w_scale_inv": np.ones((1, 1), np.uint8)}
    assert "scales of uint8" in written(tmp_path, arrays)["w"].unreadable
