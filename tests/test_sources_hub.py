"""Models on the hub, through the real client and a server on the loopback interface (S-001 … S-008)."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import huggingface_hub
import numpy as np
import pytest

from checkpoints import entry, raw, safetensors
from fewbits.errors import SourceError
from fewbits.sources import Source, open_source, retry
from fewbits.sources.hub_address import Address, parse_hub_address
from hub_server import Hub, serve

ONE = np.ones((4, 4), np.float32)
MANY = np.ones((100, 100), np.float32)  # more than comes with the header
INDEX = "model.safetensors.index.json"
LARGE = {f"model.layers.{i}.mlp.experts.up_proj.weight": np.full((1, 1), i, np.float32) for i in range(1500)}

Open = Callable[..., Source]


@pytest.fixture
def hub(monkeypatch: pytest.MonkeyPatch) -> Iterator[Hub]:
    with serve(Hub()) as found:
        monkeypatch.setenv("HF_ENDPOINT", found.url)
        for name in ("HF_TOKEN", "HUGGING_FACE_HUB_TOKEN", "HUGGINGFACE_HUB_TOKEN"):
            monkeypatch.delenv(name, raising=False)
        monkeypatch.setattr("huggingface_hub.get_token", lambda: None)
        monkeypatch.setattr(retry, "PAUSES", (0.0, 0.0, 0.0))
        yield found
        huggingface_hub.close_session()


@pytest.fixture
def open_(hub: Hub, tmp_path: Path) -> Open:
    return lambda uri, **options: open_source(uri, cache_dir=tmp_path / "cache", **options)


def sharded(hub: Hub, name: str = "org/name", *, one: np.ndarray[Any, Any] = ONE, **options: Any) -> str:
    shards = {
        "model-00001-of-00002.safetensors": {"a.weight": one, "extra": ONE * 9},
        "model-00002-of-00002.safetensors": {"b.weight": one * 2},
    }
    home = {"a.weight": "model-00001-of-00002.safetensors", "b.weight": "model-00002-of-00002.safetensors"}
    files = {file: safetensors(arrays) for file, arrays in shards.items()}
    files |= {INDEX: json.dumps({"weight_map": home}).encode(), "README.md": b"x", "other.safetensors": b"not read"}
    return hub.add(name, files, **options)


def refused(open_: Open, uri: str, match: str, **options: Any) -> None:
    with pytest.raises(SourceError, match=match) as caught:
        for tensor in open_(uri, **options):
            tensor.read()
    assert "\n" not in str(caught.value)


def test_only_headers_are_read_until_a_tensor_is(hub: Hub, open_: Open) -> None:
    commit = hub.add("org/name", {"model.safetensors": safetensors({"w": np.ones((1000, 1000), np.float32), "v": ONE})})
    source = open_("org/name")
    assert (source.title, source.uri, source.revision) == ("org/name", "hf://org/name", commit)
    assert [name for name, _ in source.files] == ["model.safetensors"]
    assert source.files[0][1] > 4_000_000
    assert [(t.name, t.shape) for t in source] == [("v", (4, 4)), ("w", (1000, 1000))]
    assert hub.sent == source.moved <= 20_000
    np.testing.assert_array_equal(source["w"].read(10, 12), np.ones((2, 1000)))
    assert hub.sent == source.moved <= 20_000 + 8_000


def test_the_index_decides(hub: Hub, open_: Open) -> None:
    sharded(hub)
    source = open_("org/name")
    assert [t.name for t in source] == ["a.weight", "b.weight"]
    np.testing.assert_array_equal(source["b.weight"].read(), ONE * 2)


def test_nothing_is_asked_twice(hub: Hub, open_: Open) -> None:
    sharded(hub)
    first = open_("org/name")
    first["b.weight"].read()
    hub.requests.clear()
    again = open_("org/name")
    np.testing.assert_array_equal(again["b.weight"].read(), ONE * 2)
    assert hub.paths("GET") == ["/api/models/org/name/revision/main"]
    assert [t.identity for t in again] == [t.identity for t in first]
    hub.requests.clear()
    open_("org/name", revision=first.revision)["b.weight"].read()
    assert hub.requests == []  # a commit does not change


def test_header_longer_than_the_first_request(hub: Hub, open_: Open) -> None:
    content = safetensors(LARGE)
    length = int.from_bytes(content[:8], "little")
    hub.add("org/name", {"model.safetensors": content})
    source = open_("org/name")
    assert len(source) == len(LARGE)
    assert hub.sent == length + 8
    asked = [asked for _, path, asked in hub.requests if "/cdn/" in path]
    assert asked == ["bytes=0-16383", f"bytes=16384-{length + 7}"]
    np.testing.assert_array_equal(source["model.layers.77.mlp.experts.up_proj.weight"].read(), [[77]])


def test_a_server_that_ignores_ranges(hub: Hub, open_: Open) -> None:
    hub.ranges = False
    hub.add("org/name", {"model.safetensors": safetensors(LARGE)})
    assert len(open_("org/name")) == len(LARGE)


def test_revisions(hub: Hub, open_: Open) -> None:
    for revision, factor in (("main", 1), ("v2", 2), ("refs/pr/3", 3)):
        hub.add("org/name", {"model.safetensors": safetensors({"w": ONE * factor})}, revision=revision)
    commit = hub.repositories["org/name"].revisions["v2"]
    for uri, options, factor in [
        ("org/name", {}, 1),
        ("org/name", {"revision": "v2"}, 2),
        ("org/name", {"revision": commit}, 2),
        ("org/name@v2", {}, 2),
        ("org/name@v2", {"revision": "v2"}, 2),
        ("hf://org/name@refs/pr/3", {}, 3),
        (f"hf://org/name@{commit}/model.safetensors", {}, 2),
        ("https://huggingface.co/org/name/tree/v2", {}, 2),
        ("https://huggingface.co/org/name/commit/" + commit, {}, 2),
        ("https://hf.co/models/org/name/blob/refs%2Fpr%2F3/model.safetensors", {}, 3),
        (f"{hub.url}/org/name/resolve/v2/model.safetensors?download=true", {}, 2),
    ]:
        source = open_(uri, **options)
        np.testing.assert_array_equal(source["w"].read(), ONE * factor)
        assert source.revision in hub.repositories["org/name"].commits
        assert open_(source.uri).revision == source.revision
    refused(open_, "org/name", "org/name@v9: org/name has no branch, tag or commit of that name", revision="v9")
    refused(open_, "org/name@v2", "revision 'v2' inside, but 'main' asked for", revision="main")


def test_a_branch_that_moves(hub: Hub, open_: Open) -> None:
    """New values have another identity, and an opened source stays at its commit."""
    hub.add("org/name", {"model.safetensors": safetensors({"w": ONE})})
    old = open_("org/name")
    hub.add("org/name", {"model.safetensors": safetensors({"w": ONE * 2})})
    new = open_("org/name")
    assert new.revision != old.revision
    assert new["w"].identity != old["w"].identity
    np.testing.assert_array_equal(old["w"].read(), ONE)
    np.testing.assert_array_equal(new["w"].read(), ONE * 2)


def test_files_without_an_index(hub: Hub, open_: Open) -> None:
    hub.add("org/name", {"b.safetensors": safetensors({"b": ONE}), "a.safetensors": safetensors({"a": ONE})})
    assert [t.name for t in open_("org/name")] == ["a", "b"]
    assert hub.paths("HEAD") == []  # headers only


def test_subfolder_and_single_file(hub: Hub, open_: Open) -> None:
    files = {f"{folder}/{INDEX}": json.dumps({"weight_map": {"w": "s.safetensors"}}).encode() for folder in "uv"}
    files |= {f"{folder}/s.safetensors": safetensors({"w": ONE * i}) for i, folder in enumerate("uv")}
    hub.add("org/name", files)
    refused(open_, "org/name", "'u/s.safetensors' and 'v/s.safetensors' both have a tensor 'w'; name the folder")
    for uri in ("https://huggingface.co/org/name/tree/main/v", "hf://org/name@main/v/s.safetensors"):
        np.testing.assert_array_equal(open_(uri)["w"].read(), ONE)
    np.testing.assert_array_equal(open_(f"hf://org/name/v/{INDEX}")["w"].read(), ONE)
    refused(open_, "hf://org/name/w", "org/name/w: nothing of that name in org/name")


def test_block_scales_and_config(hub: Hub, open_: Open) -> None:
    arrays = {"w": np.ones((100, 64), np.int8), "w_scale_inv": np.array([[2], [3]], np.float32)}
    config = json.dumps({"quantization_config": {"weight_block_size": [64, 64]}}).encode()
    hub.add("org/name", {"model.safetensors": safetensors(arrays), "config.json": config})
    tensor = open_("org/name")["w"]
    assert tensor.layout == "int8, 64x64 blocks of w_scale_inv"
    np.testing.assert_array_equal(tensor.read()[:, 0], [2] * 64 + [3] * 36)


def test_moved_model(hub: Hub, open_: Open) -> None:
    sharded(hub, "new/name")
    hub.moved["old/name"] = "new/name"
    np.testing.assert_array_equal(open_("old/name")["a.weight"].read(), ONE)


def test_no_safetensors(hub: Hub, open_: Open) -> None:
    hub.add("org/name", {"tf_model.h5": b"x", "config.json": b"{}"})
    refused(open_, "org/name", r"org/name: no files of tensors \(.*safetensors.*\), only 'config.json', 'tf_model.h5'")
    hub.add("org/empty", {})
    refused(open_, "org/empty", r"org/empty: no files of tensors \(.*\)$")


def test_missing_model_or_private_without_token(hub: Hub, open_: Open) -> None:
    sharded(hub, "org/secret", token="right")
    for name in ("org/none", "org/secret"):
        refused(open_, name, rf"{name}: no such model on the hub, or a private one \(set HF_TOKEN to a token that may")
    refused(open_, "org/secret", "or a private one that the token may not read", token="wrong")


@pytest.mark.parametrize("name", ["HF_TOKEN", "HUGGING_FACE_HUB_TOKEN", "HUGGINGFACE_HUB_TOKEN", "login", "argument"])
def test_where_the_token_comes_from(hub: Hub, open_: Open, monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    sharded(hub, token="right")
    options = {}
    if name == "login":
        monkeypatch.setattr("huggingface_hub.get_token", lambda: "right")
    elif name == "argument":
        monkeypatch.setenv("HF_TOKEN", "wrong")
        options = {"token": "right"}
    else:
        monkeypatch.setenv(name, "right\n")
    np.testing.assert_array_equal(open_("org/name", **options)["a.weight"].read(), ONE)
    assert set(hub.tokens) == {"right"}
    assert set(hub.cdn_tokens) == {None}  # never sent to another host


def test_anonymous_without_token(hub: Hub, open_: Open) -> None:
    sharded(hub)
    open_("org/name")["a.weight"].read()
    assert set(hub.tokens) == {None}


def test_token_that_is_not_known(hub: Hub, open_: Open) -> None:
    sharded(hub)
    hub.known_tokens = {"right"}
    line = r"the hub does not accept the token \(HF_TOKEN, or that of the stored login\)"
    refused(open_, "org/name", line, token="old")


def test_login_that_fails(hub: Hub, open_: Open, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail() -> None:
        raise RuntimeError("token exchange\nfailed")

    monkeypatch.setattr("huggingface_hub.get_token", fail)
    refused(open_, "org/name", "no token for the hub: token exchange failed")


def test_gated(hub: Hub, open_: Open) -> None:
    sharded(hub, gate="right")
    refused(open_, "org/name", "a gated model, set HF_TOKEN to a token with access, or ask for it at http.*/org/name")
    refused(open_, "org/name", "a gated model, the token has no access yet; ask for it at", token="other")
    assert len(open_("org/name", token="right")) == 2


@pytest.mark.parametrize(
    ("content", "line"),
    [
        (b"", "0 bytes are no safetensors file"),
        (raw("{}", length=2**62), "not a safetensors file, its header would be"),
        (raw({"w": entry(offsets=[0, 80])}, bytes(8)), "80 bytes, but F32 of shape"),
        (raw({"w": entry()}, bytes(4)), "truncated, tensor 'w' ends at byte"),
        (raw("{", length=1), "is not JSON"),
    ],
)
def test_hostile_shards(hub: Hub, open_: Open, content: bytes, line: str) -> None:
    hub.add("org/name", {"model.safetensors": content})
    refused(open_, "org/name", f"org/name.*{line}")


@pytest.mark.parametrize("entry", ["../../x.safetensors", "/etc/passwd", "none.safetensors"])
def test_hostile_index(hub: Hub, open_: Open, entry: str) -> None:
    files = {INDEX: json.dumps({"weight_map": {"w": entry}}).encode(), "a.safetensors": safetensors({"w": ONE})}
    hub.add("org/name", files)
    refused(open_, "org/name", "which is no file name in this folder|'none.safetensors' is missing")


def test_a_shard_that_is_not_what_its_header_was(hub: Hub, open_: Open, monkeypatch: pytest.MonkeyPatch) -> None:
    right, wrong = safetensors({"w": np.ones((300, 300), np.float32)}), safetensors({"v": ONE})
    hub.add("org/name", {"model.safetensors": right})
    source = open_("org/name")
    monkeypatch.setattr("hub_server.Handler.blob", lambda self, digest: wrong)
    line = r"org/name: model.safetensors: changed on the server, .* while reading tensor 'w'"
    with pytest.raises(SourceError, match=line):
        source["w"].read()


def test_trouble_of_the_hub(hub: Hub, open_: Open) -> None:
    sharded(hub)
    hub.broken.add("/api/models/")
    refused(open_, "org/name", r"org/name: the hub at http.* has trouble of its own \(status 500\); try again later")
    assert len(hub.requests) == 3  # tried again before giving up
    hub.broken = {"/cdn/"}
    refused(open_, "org/name", r"org/name: model-0000.-of-00002.safetensors: the hub at .* trouble of its own")


def test_trouble_during_a_transfer(hub: Hub, open_: Open) -> None:
    many = np.ones((300, 300), np.float32)
    hub.add("org/name", {"a.safetensors": safetensors({"a": many}), "b.safetensors": safetensors({"b": many})})
    source = open_("org/name")
    hub.signature += 1  # so that the hub is asked again
    hub.broken.add("a.safetensors")
    with pytest.raises(
        SourceError, match=r"org/name: a.safetensors: the hub at .*status 500.*while reading tensor 'a'"
    ):
        source["a"].read()
    np.testing.assert_array_equal(source["b"].read(), many)
    hub.broken.clear()
    np.testing.assert_array_equal(source["a"].read(), many)


def test_one_bad_answer_does_not_matter(hub: Hub, open_: Open, monkeypatch: pytest.MonkeyPatch) -> None:
    sharded(hub)
    hub.broken.add("/api/models/")
    monkeypatch.setattr("fewbits.sources.retry.time.sleep", lambda _: hub.broken.clear())
    assert len(open_("org/name")) == 2


def test_slow_hub(hub: Hub, open_: Open, monkeypatch: pytest.MonkeyPatch) -> None:
    sharded(hub)
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_DOWNLOAD_TIMEOUT", 0.1)
    hub.delay = 0.4
    refused(open_, "org/name", "org/name: the hub at http.* did not answer in time .*, and it is not in the cache")


def test_no_network(hub: Hub, open_: Open, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HF_ENDPOINT", "http://127.0.0.1:9")
    refused(open_, "org/name", r"org/name: no connection to the hub at http://127.0.0.1:9 \(.*\), and it is not in")


def test_what_answers_is_no_hub(hub: Hub, open_: Open) -> None:
    sharded(hub)
    hub.repositories["org/name"].revisions["main"] = "latest"
    hub.repositories["org/name"].commits["latest"] = {}
    refused(open_, "org/name", "what answers at http.* is no hub, it names no commit")


@pytest.mark.parametrize("why", ["no network", "trouble", "offline mode"])
def test_the_cache_is_enough(
    hub: Hub, open_: Open, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture, why: str
) -> None:
    sharded(hub, one=MANY)
    commit = sharded(hub, one=MANY, revision="v2")
    for options in ({}, {"revision": "v2"}):
        open_("org/name", **options)["b.weight"].read()
    if why == "no network":
        monkeypatch.setenv("HF_ENDPOINT", "http://127.0.0.1:9")
    elif why == "trouble":
        hub.broken.add("/")
    else:
        monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", True)
    for options in ({}, {"revision": "v2"}, {"revision": commit}):
        source = open_("org/name", **options)
        assert [t.name for t in source] == ["a.weight", "b.weight"]  # all of them, with shapes
        np.testing.assert_array_equal(source["b.weight"].read(), MANY * 2)
    assert "no answer from the hub, taken from the cache as of commit" in caplog.text
    with pytest.raises(SourceError, match=r"org/name@v2: model-00001-of-00002.safetensors: ") as caught:
        open_("org/name", revision="v2")["a.weight"].read()  # never fetched
    assert "\n" not in str(caught.value)
    refused(open_, "org/name", "org/name@v9: ", revision="v9")
    refused(open_, "org/other", "org/other: ")


def test_models_that_other_programs_downloaded(hub: Hub, open_: Open, tmp_path: Path, monkeypatch: Any) -> None:
    hub.add("org/name", {"model.safetensors": safetensors({"w": ONE}), "config.json": b"{}"})
    api = huggingface_hub.HfApi(endpoint=hub.url)
    for file in ("model.safetensors", "config.json"):
        api.hf_hub_download("org/name", file, cache_dir=tmp_path / "cache")
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", True)
    hub.requests.clear()
    source = open_("org/name")
    np.testing.assert_array_equal(source["w"].read(), ONE)
    assert hub.requests == []


def test_damaged_cache_is_mended(hub: Hub, open_: Open, tmp_path: Path) -> None:
    sharded(hub)
    source = open_("org/name")
    values = source["a.weight"].read()
    kept = [path for path in (tmp_path / "cache" / "fewbits").rglob("*") if path.is_file()]
    assert len(kept) >= 5
    for path in kept:
        path.write_bytes(path.read_bytes()[:-5] + b"{ }{ ")
    again = open_("org/name")
    assert [t.identity for t in again] == [t.identity for t in source]
    np.testing.assert_array_equal(again["a.weight"].read(), values)


def test_cache_that_cannot_be_written(hub: Hub, tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """Everything works without it, and one line says so."""
    sharded(hub)
    (tmp_path / "cache").write_text("a file")
    source = open_source("org/name", cache_dir=tmp_path / "cache")
    np.testing.assert_array_equal(source["b.weight"].read(), ONE * 2)
    assert caplog.text.count("cannot write to the cache") == 1


def test_full_disk(
    hub: Hub, open_: Open, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture, tmp_path: Path
) -> None:
    sharded(hub, one=MANY)
    source = open_("org/name")

    def full(*_: object, **__: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("fewbits.sources.range_cache.os.replace", full)
    np.testing.assert_array_equal(source["a.weight"].read(), MANY)
    assert caplog.text.count("(no space left on device): going on without") == 1
    assert not list((tmp_path / "cache").rglob("*.tmp"))


def test_offline_by_environment_in_a_fresh_process(hub: Hub, open_: Open, tmp_path: Path) -> None:
    """As a user does it: HF_HUB_OFFLINE=1, another process, the same cache."""
    sharded(hub, one=MANY)
    open_("org/name")["a.weight"].read()
    code = (
        "import sys\nfrom fewbits.sources import open_source\nfrom fewbits.errors import SourceError\n"
        "source = open_source('org/name', cache_dir=sys.argv[1])\nprint(source['a.weight'].read().sum())\n"
        "try: source['b.weight'].read()\nexcept SourceError as error: print(error)\n"
    )
    environment = os.environ | {"HF_HUB_OFFLINE": "1", "HF_ENDPOINT": "https://huggingface.co"}
    command = [sys.executable, "-c", code, str(tmp_path / "cache")]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=True)
    first, second = done.stdout.splitlines()
    assert first == "10000.0"
    assert "org/name: model-00002-of-00002.safetensors: not in the cache" in second
    assert "offline mode is on (HF_HUB_OFFLINE)" in second


ADDRESSES = {
    "org/name": ("org/name", "", ""),
    " /org/name/ ": ("org/name", "", ""),
    "org/name@v1.0": ("org/name", "v1.0", ""),
    "org/na.me_-x": ("org/na.me_-x", "", ""),
    "hf://org/name": ("org/name", "", ""),
    "hf://models/org/name@main": ("org/name", "main", ""),
    "hf://gpt2": ("gpt2", "", ""),
    "hf://gpt2@main": ("gpt2", "main", ""),
    "hf://org/name@refs/pr/1/sub/x.safetensors": ("org/name", "refs/pr/1", "sub/x.safetensors"),
    "hf://org/name@feature%2Fx": ("org/name", "feature/x", ""),
    "huggingface.co/org/name": ("org/name", "", ""),
    "www.hf.co/org/name": ("org/name", "", ""),
    "https://huggingface.co/org/name": ("org/name", "", ""),
    "https://www.huggingface.co/org/name/": ("org/name", "", ""),
    "http://hf.co/models/org/name": ("org/name", "", ""),
    "https://HUGGINGFACE.co/org/name?library=x#readme": ("org/name", "", ""),
    "https://huggingface.co/gpt2": ("gpt2", "", ""),
    "https://huggingface.co/gpt2/tree/main": ("gpt2", "main", ""),
    "https://huggingface.co/org/name/tree/v1": ("org/name", "v1", ""),
    "https://huggingface.co/org/name/tree/v1/sub": ("org/name", "v1", "sub"),
    "https://huggingface.co/org/name/blob/v1/a.safetensors": ("org/name", "v1", "a.safetensors"),
    "https://huggingface.co/org/name/resolve/v1/a.safetensors?download=true": ("org/name", "v1", "a.safetensors"),
    "https://huggingface.co/org/name/tree/refs%2Fpr%2F1": ("org/name", "refs/pr/1", ""),
    "https://huggingface.co/org/name/commit/" + "ab" * 20: ("org/name", "ab" * 20, ""),
    "https://huggingface.co/org/name/commits/main": ("org/name", "main", ""),
    "https://huggingface.co/org/name/discussions": ("org/name", "", ""),
    "https://huggingface.co/org/name/discussions/12": ("org/name", "", ""),
}


@pytest.mark.parametrize("text", ADDRESSES)
def test_addresses(text: str) -> None:
    assert parse_hub_address(text) == Address(*ADDRESSES[text])


@pytest.mark.parametrize(
    ("text", "line"),
    [
        (
            "https://huggingface.co/datasets/org/name",
            "datasets hold no models; allowed is https://huggingface.co/org/name",
        ),
        ("https://huggingface.co/spaces/org/name", "spaces hold no models"),
        ("hf://datasets/org/name", "datasets hold no models; allowed is hf://org/name"),
        ("https://example.com/org/name", "host 'example.com' is not the hub; allowed are huggingface.co, hf.co"),
        ("https://huggingface.co.evil.com/org/name", "is not the hub"),
        ("https://huggingface.co@evil.com/org/name", "host 'evil.com' is not the hub"),
        ("https://huggingface.co", "'' is no name of a model on the hub"),
        ("https://huggingface.co/", "'' is no name of a model on the hub"),
        ("https://huggingface.co/models", "'' is no name of a model on the hub"),
        ("https://[", "not a URL"),
        ("hf://", "'' is no name of a model on the hub; allowed is org/name"),
        ("hf://org/na--me", "is no name of a model"),
        ("hf://org/na..me", "is no name of a model"),
        ("hf://org/" + "x" * 200, "is no name of a model"),
        ("org/name@", None),
        ("org/name@../../../x", "revision '../../../x' is no name of a branch, tag or commit"),
        ("org/name@/etc", "is no name of a branch"),
        ("org/name@a b", "is no name of a branch"),
        ("org/name@-x", "is no name of a branch"),
    ],
)
def test_wrong_addresses(text: str, line: str | None) -> None:
    if line is None:
        assert parse_hub_address(text) is None
        return
    with pytest.raises(SourceError, match=line) as caught:
        parse_hub_address(text)
    assert "\n" not in str(caught.value)
