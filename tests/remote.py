"""What tests of remote files share: a hub on the loopback interface, and big models on it."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import huggingface_hub
import numpy as np
import pytest

from checkpoints import safetensors
from fewbits.sources import retry
from hub_server import Hub, serve

TOKENS = ("HF_TOKEN", "HUGGING_FACE_HUB_TOKEN", "HUGGINGFACE_HUB_TOKEN")
INDEX = "model.safetensors.index.json"


@contextmanager
def a_hub(monkeypatch: pytest.MonkeyPatch, cache: Path) -> Iterator[Hub]:
    """A hub that is the hub of this process; nothing waits, and nothing of the user's is read or written."""
    with serve(Hub()) as found:
        monkeypatch.setenv("HF_ENDPOINT", found.url)
        monkeypatch.setenv("FEWBITS_CACHE", str(cache))
        monkeypatch.setattr("huggingface_hub.constants.HF_HUB_CACHE", str(cache / "downloads"))
        for name in TOKENS:
            monkeypatch.delenv(name, raising=False)
        monkeypatch.setattr("huggingface_hub.get_token", lambda: None)
        monkeypatch.setattr(retry, "PAUSES", (0.0, 0.0, 0.0))
        yield found
        huggingface_hub.close_session()


def random(shape: tuple[int, ...], seed: int = 0) -> np.ndarray[Any, Any]:
    return np.random.default_rng(seed).normal(size=shape).astype(np.float32)


def many_shards(shards: int, *, tensors: int = 60, values: int = 1000) -> tuple[dict[str, bytes], int]:
    """Files of a model with an index, and how long the headers of all shards are together."""
    files, home, headers = {}, {}, 0
    for i in range(shards):
        file = f"model-{i + 1:05}-of-{shards:06}.safetensors"
        count = tensors + 7 * (i % 5)  # headers differ
        arrays = {
            f"model.layers.{i // 3}.mlp.experts.{j}.shard_{i}.down_proj.weight": np.full((1, values), i, np.float32)
            for j in range(count)
        }
        files[file] = safetensors(arrays)
        headers += 8 + int.from_bytes(files[file][:8], "little")
        home |= dict.fromkeys(arrays, file)
    files[INDEX] = json.dumps({"weight_map": home}).encode()
    return files, headers
