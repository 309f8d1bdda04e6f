"""Checkpoints of every kind of container through `open_source`: which files count, and what the tensors are."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import numpy as np
import pytest

from fewbits.errors import SourceError
from fewbits.sources import open_source, select

GOLDEN = Path(__file__).parent / "golden" / "packed"


def npz(path: Path, **arrays: np.ndarray) -> Path:
    np.savez(path, **arrays)
    return path


def test_a_gguf_file_and_its_folder(tmp_path: Path) -> None:
    shutil.copy(GOLDEN / "tiny.gguf", tmp_path / "model.gguf")
    with np.load(GOLDEN / "tiny_gguf.npz") as found:
        answers = dict(found)
    for place in (tmp_path, tmp_path / "model.gguf"):
        source = open_source(place)
        assert answers
        for name, answer in answers.items():
            assert np.array_equal(source[name].read(), answer.reshape(source[name].rows, -1))


def test_two_gguf_models_in_a_folder(tmp_path: Path) -> None:
    for name in ("a.gguf", "b.gguf"):
        shutil.copy(GOLDEN / "tiny.gguf", tmp_path / name)
    with pytest.raises(SourceError, match=r"2 GGUF models \('a.gguf', 'b.gguf' …\); name the file to read"):
        open_source(tmp_path)


def test_a_part_of_a_split_gguf_model_is_missing(tmp_path: Path) -> None:
    shutil.copy(GOLDEN / "tiny.gguf", tmp_path / "m-00001-of-00002.gguf")
    for place in (tmp_path, tmp_path / "m-00001-of-00002.gguf"):
        with pytest.raises(SourceError, match=r"'m-00002-of-00002\.gguf' is missing, one of the 2 parts"):
            open_source(place)


def test_safetensors_come_before_other_kinds(tmp_path: Path) -> None:
    shutil.copy(GOLDEN / "tiny.gguf", tmp_path / "model.gguf")
    shutil.copy(GOLDEN / "gptq_v1_int4_g32_asym.safetensors", tmp_path / "model.safetensors")
    assert [name for name, _ in open_source(tmp_path).files] == ["model.safetensors"]


def test_npz_and_npy(tmp_path: Path) -> None:
    x = np.arange(12, dtype=np.float32).reshape(3, 4)
    assert np.array_equal(open_source(npz(tmp_path / "a.npz", weight=x))["weight"].read(), x)
    np.save(tmp_path / "b.npy", x)
    assert np.array_equal(open_source(tmp_path / "b.npy")[0].read(), x)


def test_a_file_without_suffix_is_told_by_its_first_bytes(tmp_path: Path) -> None:
    x = np.ones((2, 2), np.float32)
    npz(tmp_path / "a.npz", weight=x).rename(tmp_path / "weights")
    assert np.array_equal(open_source(tmp_path / "weights")["weight"].read(), x)
    shutil.copy(GOLDEN / "tiny.gguf", tmp_path / "blob")
    assert len(open_source(tmp_path / "blob")) > 0


def test_states_of_a_training_are_no_weights(tmp_path: Path) -> None:
    (tmp_path / "training_args.bin").write_bytes(b"x")
    (tmp_path / "optimizer.pt").write_bytes(b"x")
    with pytest.raises(SourceError, match="no files of tensors"):
        open_source(tmp_path)


def test_a_packed_checkpoint_is_read_as_its_values(tmp_path: Path) -> None:
    shutil.copy(GOLDEN / "gptq_v1_int4_g32_asym.safetensors", tmp_path / "model.safetensors")
    entries = json.loads((GOLDEN / "entries.json").read_text())
    assert entries
    source = open_source(tmp_path)
    (weight,) = [t for t in select([t for t in source if not t.companion_of]) if t.layout]
    assert "GPTQ" in weight.layout
    assert 8 * weight.nbytes / weight.size < 6
    assert {t.companion_of for t in source if t is not weight} == {weight.name}


def test_older_configs_beside_the_weights_are_read(tmp_path: Path) -> None:
    shutil.copy(GOLDEN / "gptq_v2_int4_g32_asym.safetensors", tmp_path / "model.safetensors")
    config = {"bits": 4, "group_size": 32, "desc_act": False, "sym": False, "checkpoint_format": "gptq_v2"}
    (tmp_path / "quantize_config.json").write_text(json.dumps(config))
    (weight,) = [t for t in open_source(tmp_path) if t.layout]
    assert "v2" in weight.layout
    assert "assumed" not in weight.layout
