"""Files, folders and indexes of this machine (S-006, S-008, S-009): what is read, and what is refused."""

from __future__ import annotations

import json
import os
from pathlib import Path

import numpy as np
import pytest

from checkpoints import safetensors, sharded
from fewbits.errors import SourceError
from fewbits.sources import open_source

ONE = np.ones((2, 2), np.float32)
SHARDS = {
    "model-00001-of-00002.safetensors": {"a.weight": ONE, "shared": ONE * 5},
    "model-00002-of-00002.safetensors": {"b.weight": ONE * 2, "c": ONE * 3},
}


def refused(path: Path, match: str, **options: str) -> None:
    with pytest.raises(SourceError, match=match) as caught:
        open_source(path, **options)
    assert "\n" not in str(caught.value)


def test_index_folder_and_index_file_are_the_same(tmp_path: Path) -> None:
    index = sharded(tmp_path, SHARDS)
    for path in (tmp_path, index, f"{tmp_path}/"):
        source = open_source(path)
        assert [t.name for t in source] == ["a.weight", "b.weight", "c", "shared"]
        assert source.title == tmp_path.name
        assert [name for name, _ in source.files] == sorted(SHARDS)
        np.testing.assert_array_equal(source["b.weight"].read(), ONE * 2)


def test_a_file_is_that_file_alone(tmp_path: Path) -> None:
    sharded(tmp_path, SHARDS)
    source = open_source(tmp_path / "model-00002-of-00002.safetensors")
    assert [t.name for t in source] == ["b.weight", "c"]
    assert source.title == "model-00002-of-00002"


def test_relative_paths_and_any_suffix(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "blob").write_bytes(safetensors({"w": ONE}))
    monkeypatch.chdir(tmp_path)
    assert len(open_source("blob")) == 1
    assert len(open_source("./blob")) == 1
    assert open_source("blob").uri == str(tmp_path / "blob")
    monkeypatch.setenv("HOME", str(tmp_path))
    assert len(open_source("~/blob")) == 1


def test_an_existing_path_wins(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("org/name", "sample", "synthetic:normal"):
        (tmp_path / name).mkdir(parents=True)
        (tmp_path / name / "m.safetensors").write_bytes(safetensors({"local": ONE}))
    monkeypatch.chdir(tmp_path)
    for name in ("org/name", "sample", "synthetic:normal"):
        assert [t.name for t in open_source(name)] == ["local"]


def test_the_index_decides(tmp_path: Path) -> None:
    sharded(tmp_path, SHARDS | {"extra.safetensors": {"a.weight": ONE * 9, "z": ONE}})
    index = tmp_path / "model.safetensors.index.json"
    content = json.loads(index.read_text())
    content["weight_map"] = {"a.weight": "model-00001-of-00002.safetensors"}
    index.write_text(json.dumps(content))
    source = open_source(tmp_path)
    assert [t.name for t in source] == ["a.weight"]
    np.testing.assert_array_equal(source["a.weight"].read(), ONE)


def test_without_an_index_all_files_count(tmp_path: Path) -> None:
    (tmp_path / "model.safetensors").write_bytes(safetensors({"a": ONE}))
    (tmp_path / "other.safetensors").write_bytes(safetensors({"b": ONE * 2}))
    (tmp_path / "sub").mkdir()
    (tmp_path / "sub" / "x.safetensors").write_bytes(b"never read")
    assert [t.name for t in open_source(tmp_path)] == ["a", "b"]
    (tmp_path / "model.fp16.safetensors").write_bytes(safetensors({"a": ONE * 9}))
    refused(tmp_path, "'model.safetensors' and 'model.fp16.safetensors' both have a tensor 'a'; name the file to read")
    np.testing.assert_array_equal(open_source(tmp_path / "model.safetensors")["a"].read(), ONE)


@pytest.mark.parametrize("uri", [3, None, b"sample", ["sample"]])
def test_what_is_no_name_of_a_model(uri: object) -> None:
    with pytest.raises(SourceError, match=r"a model is named by a text or a path, not by .*; allowed are"):
        open_source(uri)


def test_tensors_by_position(tmp_path: Path) -> None:
    (tmp_path / "model.safetensors").write_bytes(safetensors({"b": ONE, "a": ONE}))
    source = open_source(tmp_path)
    assert [source[0].name, source[np.int64(1)].name, source[-1].name] == ["a", "b", "b"]
    for wrong, line in {
        2: "has 2 tensors, none at position 2",
        -3: "none at position -3",
        1.0: "not by float 1.0",
    }.items():
        with pytest.raises(SourceError, match=line):
            source[wrong]


def test_subfolders(tmp_path: Path) -> None:
    for name in ("unet", "vae"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "model.safetensors").write_bytes(safetensors({f"{name}.w": ONE}))
    assert [t.name for t in open_source(tmp_path)] == ["unet.w", "vae.w"]
    (tmp_path / "vae" / "model.safetensors").write_bytes(safetensors({"unet.w": ONE}))
    refused(tmp_path, r"'unet/model.safetensors' and 'vae/model.safetensors' both have a tensor 'unet.w'; name")


def test_which_index(tmp_path: Path) -> None:
    index = sharded(tmp_path, SHARDS)
    other = tmp_path / "model.fp16.safetensors.index.json"
    other.write_text(json.dumps({"weight_map": {"c": "model-00002-of-00002.safetensors"}}))
    assert len(open_source(tmp_path)) == 4  # model.safetensors.index.json comes first
    assert len(open_source(other)) == 1
    index.rename(tmp_path / "model.fp8.safetensors.index.json")
    refused(tmp_path, r"several indexes \('model.fp16.*', 'model.fp8.*'\); name the one to use")
    other.unlink()
    assert len(open_source(tmp_path)) == 4


def test_a_missing_shard_is_named(tmp_path: Path) -> None:
    sharded(tmp_path, SHARDS)
    (tmp_path / "model-00002-of-00002.safetensors").unlink()
    refused(tmp_path, r"'model-00002-of-00002.safetensors' is missing; .*index.json says it holds 2 tensors")


def test_a_tensor_that_is_not_where_the_index_says(tmp_path: Path) -> None:
    sharded(tmp_path, SHARDS, **{"a.weight": "model-00002-of-00002.safetensors"})
    refused(tmp_path, r"'model-00002-of-00002.safetensors' has no tensor 'a.weight', but .*index.json says so")


@pytest.mark.parametrize(
    "name",
    [
        "../x.safetensors",
        "/etc/passwd",
        "a/../../x",
        "..",
        ".",
        "",
        "C:\\x",
        "c:x",
        "a\\..\\x",
        "a\0b",
        "a\nb",
        7,
        None,
    ],
)
def test_index_entries_stay_in_the_folder(tmp_path: Path, name: object) -> None:
    inner = tmp_path / "inner"
    inner.mkdir()
    (tmp_path / "x.safetensors").write_bytes(safetensors({"w": ONE}))
    (inner / "model.safetensors.index.json").write_text(json.dumps({"weight_map": {"w": name}}))
    refused(inner, r"tensor 'w' is in .*, which is no file name in this folder")


def test_links_out_of_the_folder(tmp_path: Path) -> None:
    inner = tmp_path / "inner"
    inner.mkdir()
    (tmp_path / "secret").write_bytes(safetensors({"w": ONE}))
    (inner / "x.safetensors").symlink_to(tmp_path / "secret")
    (inner / "model.safetensors.index.json").write_text(json.dumps({"weight_map": {"w": "x.safetensors"}}))
    refused(inner, r"'x.safetensors' is a link out of the folder, to .*secret")
    assert len(open_source(inner / "x.safetensors")) == 1  # named by the user, not by the index
    (inner / "x.safetensors").unlink()
    (tmp_path / "secret").rename(inner / "real")
    (inner / "x.safetensors").symlink_to("real")
    assert len(open_source(inner)) == 1


def test_a_snapshot_in_the_hubs_cache(tmp_path: Path) -> None:
    """Its files are links into the cache's blobs, and its name is the model's."""
    snapshot = tmp_path / "hub" / "models--org--name" / "snapshots" / "0123"
    blobs = tmp_path / "hub" / "models--org--name" / "blobs"
    snapshot.mkdir(parents=True)
    blobs.mkdir()
    (blobs / "abc").write_bytes(safetensors({"w": ONE}))
    (snapshot / "model.safetensors").symlink_to("../../blobs/abc")
    (snapshot / "model.safetensors.index.json").write_text(json.dumps({"weight_map": {"w": "model.safetensors"}}))
    source = open_source(snapshot)
    assert source.title == "org/name"
    np.testing.assert_array_equal(source["w"].read(), ONE)


@pytest.mark.parametrize(
    "text",
    ["", "{", "[]", "{}", '{"weight_map": {}}', '{"weight_map": []}', '{"weight_map": {"a": "x", "a": "y"}}', "\xff"],
)
def test_wrong_indexes(tmp_path: Path, text: str) -> None:
    (tmp_path / "model.safetensors.index.json").write_text(text, encoding="latin-1")
    refused(tmp_path, r"model.safetensors.index.json")


def test_nothing_to_read(tmp_path: Path) -> None:
    refused(tmp_path, r"no files of tensors \(.*\)$")
    (tmp_path / "model.h5").write_bytes(b"x")
    refused(tmp_path, r"no files of tensors \(.*\), only 'model.h5' …")
    refused(tmp_path / "model.h5", r"not a kind of file that fewbits reads \(\*.safetensors, ")
    (tmp_path / "pytorch_model.bin").write_bytes(b"x")
    refused(tmp_path, "pytorch_model.bin: no file of torch")
    refused(tmp_path / "missing.safetensors", "no such file or directory")
    refused(tmp_path / "model.h5" / "x.safetensors", "not a directory")
    refused(tmp_path / ("x" * 5000), "file name too long")
    os.symlink(tmp_path / "loop", tmp_path / "loop")
    refused(tmp_path / "loop", "too many levels of symbolic links")


@pytest.mark.parametrize("text", ["", "  ", "nothing", "a/b/c", "x://b", "\0", "a\0/b", "org/na me"])
def test_what_is_no_model_says_what_is_allowed(text: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(SourceError, match=r"allowed are a file or folder of tensors .*, org/name, hf://") as caught:
        open_source(text)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("text", ["org/name.safetensors", "./org/name", "/no/such", "~/no-such-model", "../x"])
def test_what_can_only_be_a_path(text: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(SourceError, match="no such file or directory"):
        open_source(text)


def test_files_have_no_revisions(tmp_path: Path) -> None:
    sharded(tmp_path, SHARDS)
    refused(tmp_path, "revision 'v1': .* only models on the hub do", revision="v1")
    for text in ("sample", "synthetic:normal/4x4"):
        with pytest.raises(SourceError, match="revision 'v1'"):
            open_source(text, revision="v1")
