"""The bundled sample: real weights, with their licence, made again bit for bit."""

from __future__ import annotations

import json
from pathlib import Path

import ml_dtypes
import numpy as np

import make_sample
from fewbits.sources import open_source, select
from weights import encoder

FILE = make_sample.FOLDER / make_sample.NAME


def test_sample_needs_nothing() -> None:
    source = open_source("sample")
    assert (source.title, source.uri, source.revision) == ("sample", "sample", "")
    assert len(source) == 9
    assert all(t.dtype == "bfloat16" and "weight" in t.name for t in source)
    for tensor in source:
        values = tensor.read()
        assert np.isfinite(values).all()
        assert 0.001 < np.abs(values).mean() < 2
    assert len(select(source)) == 9


def test_sample_is_small_and_says_where_it_is_from() -> None:
    content = FILE.read_bytes()
    assert len(content) <= 4_000_000
    metadata = json.loads(content[8 : 8 + int.from_bytes(content[:8], "little")])["__metadata__"]
    assert metadata["licence"] == "Apache-2.0"
    assert metadata["model"] == "sentence-transformers/all-MiniLM-L6-v2"
    assert "all-MiniLM-L6-v2" in (FILE.parent / "NOTICE").read_text()
    assert "Apache License" in (FILE.parent / "LICENSE").read_text()


def test_sample_is_made_again_bit_for_bit() -> None:
    assert make_sample.make((encoder() / "model.safetensors").read_bytes()) == FILE.read_bytes()


def test_sample_is_the_original_rounded() -> None:
    original = open_source(encoder())
    for tensor in open_source("sample"):
        name, _, rows = tensor.name.removesuffix(".weight").partition("_rows_")
        first, last = map(int, rows.split("_to_")) if rows else (0, tensor.rows - 1)
        expected = original[f"{name}.weight"].read(first, last + 1)
        np.testing.assert_array_equal(tensor.read(), expected.astype(ml_dtypes.bfloat16).astype(np.float32))


def test_encoder_as_the_reference_reads_it() -> None:
    from safetensors.numpy import load_file

    path: Path = encoder() / "model.safetensors"
    source, reference = open_source(path), load_file(path)
    assert {t.name for t in source} == set(reference)
    for tensor in source:
        array = reference[tensor.name]
        assert (tensor.shape, tensor.dtype) == (array.shape, array.dtype.name)
        np.testing.assert_array_equal(tensor.read().reshape(tensor.shape), array.astype(np.float32))
    assert sum(t.size for t in source if t.dtype == "float32") == 22_713_216
