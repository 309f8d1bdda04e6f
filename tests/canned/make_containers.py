"""Makes tests/canned/containers/, with the packages whose files they are: torch 2.13.0, onnx 1.23.2, numpy, ml_dtypes.

Run by hand, in an environment of its own: the tests read the files and need none of these but numpy.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import onnx
import torch
from onnx import TensorProto, helper, numpy_helper

HERE = Path(__file__).parent / "containers"

DTYPES = (
    *("float64", "float32", "float16", "bfloat16", "int64", "int32", "int16", "int8", "uint8", "uint16", "uint32"),
    *("uint64", "bool", "float8_e4m3fn", "float8_e5m2", "float8_e4m3fnuz", "float8_e5m2fnuz", "float8_e8m0fnu"),
)


def powers(dtype: str) -> torch.Tensor:
    return torch.tensor([[1.0, 2.0, 4.0], [8.0, 16.0, 1.0]]).to(getattr(torch, dtype))


def views() -> dict[Any, Any]:
    base = torch.arange(24.0).reshape(4, 6)
    return {
        "base": base,
        "transposed": base.t(),
        "slice": base[1:3, 2:5],
        "step": base[::2, ::3],
        "permuted": torch.arange(24, dtype=torch.int16).reshape(2, 3, 4).permute(2, 0, 1),
        "half": torch.arange(6.0).to(torch.bfloat16).reshape(2, 3).t(),
        "expanded": torch.arange(3.0).expand(4, 3),
        "parameter": torch.nn.Parameter(torch.ones(2)),
        "nested": {
            "list": [torch.zeros(2), {"deep": torch.full((1,), 7.0)}],
            3: torch.ones(1),
            "text": "x",
            "none": None,
        },
        "scalar": torch.tensor(2.5),
        "empty": torch.zeros(0, 4),
        "size": torch.Size([1, 2]),
        "epoch": 12,
    }


class Inner(torch.nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.register_buffer("count", torch.arange(4).to(torch.int32))


class Module(torch.nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.w = torch.nn.Parameter(torch.arange(6.0).reshape(2, 3).t())
        self.inner = Inner()
        self.linear = torch.nn.Linear(3, 2)
        self.pair = [torch.ones(1), torch.zeros(2)]
        self.scale = 3
        with torch.no_grad():
            self.linear.weight.copy_(torch.arange(6.0).reshape(2, 3))
            self.linear.bias.fill_(0.5)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.linear(x) * self.scale


def named(names: list[str]) -> torch.jit.ScriptModule:
    """A module as libtorch's save of named tensors (tch, ocaml-torch) makes."""
    module = torch.nn.Module()
    for i, name in enumerate(names):
        module.register_parameter(name, torch.nn.Parameter(torch.full((2, 2), float(i))))
    return torch.jit.script(module)


def make_torch() -> None:
    model = torch.nn.Linear(3, 2)
    optimizer = torch.optim.Adam(model.parameters())
    model(torch.ones(1, 3)).sum().backward()
    optimizer.step()
    saved = {
        "dtypes": {name: powers(name) for name in DTYPES},
        "views": views(),
        "tuple": (torch.ones(2), torch.zeros(3)),
        "single": torch.arange(3.0),
        "training": {"model": model.state_dict(), "optimizer": optimizer.state_dict(), "epoch": 3},
        "complex": {"c": torch.ones(2, dtype=torch.complex64), "ok": torch.ones(2)},
        "negated": {"n": torch.ones(2, dtype=torch.complex64).imag.conj(), "neg": torch._neg_view(torch.ones(2))},
        "whole_module": model,
        "quantized": {"q": torch.quantize_per_tensor(torch.ones(2), 0.1, 0, torch.qint8)},
    }
    for name, value in saved.items():
        torch.save(value, HERE / f"{name}.pt")
    torch.save(views(), HERE / "views_legacy.pt", _use_new_zipfile_serialization=False)
    torch.save(saved["dtypes"], HERE / "dtypes_legacy.pt", _use_new_zipfile_serialization=False)
    torch.save(views(), HERE / "views_protocol4.pt", pickle_protocol=4)
    torch.jit.save(torch.jit.script(Module()), HERE / "module.ot")
    torch.jit.save(named(["0", "layer|weight", "layer|bias"]), HERE / "named.ot")


def make_onnx() -> None:
    plain = np.arange(6, dtype=np.float32).reshape(2, 3)
    tensors = [
        numpy_helper.from_array(plain.astype(kind), f"raw.{np.dtype(kind).name}")
        for kind in ("f4", "f2", "i8", "u1", "?", "f8")
    ]
    numbers = [-2, -1, 0, 1, 300, 70000]
    tensors += [
        helper.make_tensor("typed.float32", TensorProto.FLOAT, [2, 3], plain.flatten().tolist()),
        helper.make_tensor("typed.float64", TensorProto.DOUBLE, [6], plain.flatten().tolist()),
        helper.make_tensor("typed.int64", TensorProto.INT64, [6], numbers),
        helper.make_tensor("typed.int32", TensorProto.INT32, [6], numbers),
        helper.make_tensor("typed.uint64", TensorProto.UINT64, [2], [1, 2**40]),
        helper.make_tensor("typed.float16", TensorProto.FLOAT16, [2, 3], plain.flatten().tolist()),
        helper.make_tensor("typed.bfloat16", TensorProto.BFLOAT16, [2, 3], plain.flatten().tolist()),
        helper.make_tensor("typed.float8", TensorProto.FLOAT8E4M3FN, [4], [1.0, 2.0, -4.0, 0.5]),
        helper.make_tensor("typed.bool", TensorProto.BOOL, [3], [True, False, True]),
        helper.make_tensor("scalar", TensorProto.FLOAT, [], [2.5]),
        helper.make_tensor("empty", TensorProto.FLOAT, [0, 3], []),
        helper.make_tensor("four", TensorProto.INT4, [4], [1, 2, 3, -4]),
        helper.make_tensor("texts", TensorProto.STRING, [2], ["a", "b"]),
    ]
    node = helper.make_node("Identity", ["raw.float32"], ["out"])
    graph = helper.make_graph(
        [node], "graph", [], [helper.make_tensor_value_info("out", TensorProto.FLOAT, [2, 3])], tensors
    )
    onnx.save(helper.make_model(graph), HERE / "all.onnx")
    outside = [numpy_helper.from_array(np.arange(12, dtype=np.float32).reshape(3, 4) + i, f"w{i}") for i in range(2)]
    graph = helper.make_graph([], "graph", [], [], outside)
    onnx.save_model(
        helper.make_model(graph),
        HERE / "external.onnx",
        save_as_external_data=True,
        location="external.data",
        size_threshold=0,
    )


if __name__ == "__main__":
    HERE.mkdir(exist_ok=True)
    (HERE / "external.data").unlink(missing_ok=True)
    torch.manual_seed(0)
    make_torch()
    make_onnx()
    for path in sorted(HERE.iterdir()):
        assert path.stat().st_size < 20_000, path
