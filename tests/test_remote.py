"""Remote files are read by range: how many bytes move, what is tried again, what is refused; over real HTTP."""

from __future__ import annotations

import re
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from checkpoints import safetensors
from fewbits.errors import SourceError
from fewbits.sources import Source, open_source, retry
from fewbits.sources.http_ranges import HttpRanges
from fewbits.sources.ranges import Intervals, content_range, split
from fewbits.sources.remote_file import RemoteFile
from fewbits.sources.transfers import Transfers
from hub_server import Fault, Hub
from remote import a_hub, many_shards, random

SMALL = random((4, 4))
BIG = random((2000, 1000))  # 8 MB


@pytest.fixture
def hub(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[Hub]:
    with a_hub(monkeypatch, tmp_path / "cache") as found:
        yield found


def url(hub: Hub, name: str) -> str:
    """A plain URL, of a host that is not the hub."""
    return hub.url.replace("127.0.0.1", "localhost") + f"/files/{name}"


def plain(hub: Hub, **arrays: np.ndarray[Any, Any]) -> Source:
    hub.files["m.safetensors"] = safetensors(arrays)
    return open_source(url(hub, "m.safetensors"))


def on_hub(hub: Hub, **arrays: np.ndarray[Any, Any]) -> Source:
    hub.add("org/name", {"model.safetensors": safetensors(arrays)})
    return open_source("org/name")


def in_slabs(source: Source, name: str, rows: int) -> np.ndarray[Any, Any]:
    tensor = source[name]
    return np.concatenate([tensor.read(i, min(i + rows, tensor.rows)) for i in range(0, tensor.rows, rows)])


def refused(source: Source, name: str, line: str) -> None:
    with pytest.raises(SourceError, match=line) as caught:
        source[name].read()
    assert "\n" not in str(caught.value)


# -- how many bytes move -----------------------------------------------------------------------------------------------


def test_listing_163_shards_moves_little_more_than_their_headers(hub: Hub) -> None:
    files, headers = many_shards(163)
    hub.add("org/name", files)
    index = len(files["model.safetensors.index.json"])
    source = open_source("org/name")
    assert len(source) == sum(60 + 7 * (i % 5) for i in range(163))
    assert source.moved == hub.sent
    assert hub.sent - index < 1.25 * headers
    assert sum(size for _, size in source.files) > 20 * headers
    assert hub.busiest > 3  # at a time
    before = hub.sent
    np.testing.assert_array_equal(source["model.layers.1.mlp.experts.3.shard_5.down_proj.weight"].read(), [[5] * 1000])
    assert hub.sent - before == 4000


def test_headers_of_very_different_length(hub: Hub) -> None:
    """Nothing that the first headers tell is true of the others."""
    for order in (1, -1):
        files = {
            f"{i:03}.safetensors": safetensors(
                {f"{i}.{j}.weight": np.zeros(500, np.float32) for j in range(1 + 200 * (i % 2))}
            )
            for i in range(40)[::order]
        }
        headers = sum(8 + int.from_bytes(content[:8], "little") for content in files.values())
        hub.add(f"org/name{order + 1}", files)
        hub.sent = 0
        assert len(open_source(f"org/name{order + 1}")) == 20 * 202
        assert hub.sent < 1.5 * headers


@pytest.mark.parametrize("rows", [1, 7, 64, 500, 2000])
@pytest.mark.parametrize("threads", [1, 4])
def test_one_tensor_moves_its_bytes(hub: Hub, rows: int, threads: int) -> None:
    source = on_hub(hub, before=BIG, w=BIG + 1, z=BIG)
    listed = hub.sent
    tensor = source["w"]
    spans = [(i, min(i + rows, tensor.rows)) for i in range(0, tensor.rows, rows)]
    with ThreadPoolExecutor(threads) as pool:
        found = np.concatenate(list(pool.map(lambda span: tensor.read(*span), spans)))
    np.testing.assert_array_equal(found, BIG + 1)
    assert BIG.nbytes <= hub.sent - listed < 1.05 * BIG.nbytes
    assert source.moved == hub.sent
    assert len([1 for _, path, _ in hub.requests if "/cdn/" in path]) < 30  # not one request a row
    np.testing.assert_array_equal(in_slabs(source, "w", 300), BIG + 1)  # and a second pass moves nothing
    assert source.moved == hub.sent < listed + 1.05 * BIG.nbytes


def test_a_sample_of_rows_moves_only_those(hub: Hub) -> None:
    source = on_hub(hub, w=BIG)
    listed = hub.sent
    for row in range(0, 2000, 100):
        np.testing.assert_array_equal(source["w"].read(row, row + 2), BIG[row : row + 2])
    assert hub.sent - listed <= 20 * 8000


def test_what_follows_is_fetched_ahead_in_parallel(hub: Hub) -> None:
    source = on_hub(hub, w=random((6000, 1000)))
    hub.delay, hub.busiest = 0.02, 0
    in_slabs(source, "w", 100)
    assert hub.busiest > 1
    ranges = [asked for _, path, asked in hub.requests if "/cdn/" in path]
    assert len(ranges) < 15  # of 60 slabs


def test_scales_are_fetched_once(hub: Hub) -> None:
    arrays = {"w": np.ones((4096, 256), np.int8), "w_scale_inv": random((32, 2))}
    source = on_hub(hub, **arrays)
    in_slabs(source, "w", 128)
    assert hub.sent == source.files[0][1]  # no byte of the file twice


def test_a_copy_that_other_programs_have_is_used(hub: Hub, tmp_path: Path) -> None:
    import huggingface_hub

    hub.add("org/name", {"model.safetensors": safetensors({"w": BIG})})
    api = huggingface_hub.HfApi(endpoint=hub.url)
    api.hf_hub_download("org/name", "model.safetensors", cache_dir=tmp_path / "cache" / "downloads")
    hub.sent = 0
    source = open_source("org/name")
    np.testing.assert_array_equal(source["w"].read(), BIG)
    assert hub.sent == source.moved == 0


# -- what is tried again -----------------------------------------------------------------------------------------------


def test_a_broken_transfer_goes_on_where_it_broke(hub: Hub) -> None:
    source = on_hub(hub, w=BIG)
    listed = hub.sent
    hub.faults = [Fault("drop", "/cdn/", 3_000_000), Fault("drop", "/cdn/", 2_500_000), Fault("drop", "/cdn/", 0)]
    np.testing.assert_array_equal(source["w"].read(), BIG)
    assert hub.sent - listed < 1.03 * BIG.nbytes
    begins = [int(re.split("[=-]", asked)[1]) for _, path, asked in hub.requests if "/cdn/" in path]
    assert begins[1] < begins[2] < begins[3] == begins[4]


@pytest.mark.parametrize(
    "fault",
    [
        Fault("status", value=500, times=2),
        Fault("status", value=503, times=2),
        Fault("status", value=429, headers={"Retry-After": "1"}),
        Fault("status", value=429, headers={"RateLimit": '"resolvers";r=0;t=1'}),
        Fault("reset", times=2),
        Fault("slow", value=0.5),
        Fault("range", value=8),
        Fault("drop", value=10, times=3),
    ],
    ids=lambda fault: f"{fault.kind}{fault.value}",
)
def test_passing_trouble(hub: Hub, fault: Fault, monkeypatch: pytest.MonkeyPatch) -> None:
    waited: list[float] = []
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_DOWNLOAD_TIMEOUT", 0.25)
    monkeypatch.setattr(retry, "time", type("Clock", (), {"sleep": staticmethod(waited.append)}))
    source = on_hub(hub, w=SMALL.repeat(10_000, 0))
    fault.path = "/cdn/"
    hub.faults = [Fault(fault.kind, "/cdn/", fault.value, fault.times, fault.headers)]
    np.testing.assert_array_equal(source["w"].read(), SMALL.repeat(10_000, 0))
    assert hub.faults[0].times == 0
    assert len(waited) >= 1
    assert max(waited) == (1 if fault.headers else 0)


def test_a_pause_that_is_too_long_is_an_error(hub: Hub) -> None:
    source = on_hub(hub, w=BIG)
    hub.faults = [Fault("status", "/cdn/", 429, headers={"Retry-After": "3600"})]
    refused(
        source, "w", r"org/name: model.safetensors: too many requests, the hub wants a pause of 3600 s \(a token in HF"
    )


def test_signed_locations_are_used_again_until_they_expire(hub: Hub) -> None:
    source = on_hub(hub, w=BIG)
    asked = len([path for path in hub.paths("GET") if "/resolve/" in path])
    for row in range(0, 1000, 100):
        source["w"].read(row, row + 1)
    assert len([path for path in hub.paths("GET") if "/resolve/" in path]) == asked == 1
    hub.signature += 1
    np.testing.assert_array_equal(source["w"].read(1500, 1501), BIG[1500:1501])
    assert len([path for path in hub.paths("GET") if "/resolve/" in path]) == asked + 1


def test_the_token_stays_with_its_host(hub: Hub) -> None:
    hub.add("org/name", {"model.safetensors": safetensors({"w": BIG})}, token="secret")
    source = open_source("org/name", token="secret")
    in_slabs(source, "w", 100)
    assert set(hub.tokens) == {"secret"}
    assert set(hub.cdn_tokens) == {None}


# -- what is refused ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("etags", [True, False])
def test_a_changed_file_is_noticed(hub: Hub, etags: bool) -> None:
    hub.etags = etags
    source = plain(hub, w=BIG)
    hub.files["m.safetensors"] = safetensors({"w": BIG + 1})
    refused(
        source, "w", r"/files/m.safetensors: changed on the server, since its header was read, while reading tensor 'w'"
    )
    np.testing.assert_array_equal(open_source(url(hub, "m.safetensors"))["w"].read(), BIG + 1)
    assert open_source(url(hub, "m.safetensors"))["w"].identity != source["w"].identity


@pytest.mark.parametrize("rows", [1, 3000])
def test_a_file_of_another_length_is_noticed(hub: Hub, rows: int) -> None:
    source = plain(hub, w=BIG)
    hub.files["m.safetensors"] = safetensors({"w": random((rows, 1000))})
    refused(source, "w", "changed on the server")


def test_the_hub_sends_another_version(hub: Hub) -> None:
    source = on_hub(hub, w=BIG)
    hub.signature += 1
    files = next(iter(hub.repositories["org/name"].commits.values()))
    files["model.safetensors"] = safetensors({"w": BIG + 1})
    refused(source, "w", "org/name: model.safetensors: changed on the server, since it was listed")


def test_a_wrong_size_is_noticed(hub: Hub) -> None:
    source = on_hub(hub, w=BIG)
    hub.faults = [Fault("size", "/cdn/", 5)]
    refused(source, "w", "changed on the server, from 8,000,0.. to 8,000,0.. bytes")


def test_wrong_ranges_are_refused(hub: Hub) -> None:
    source = on_hub(hub, w=BIG)
    hub.faults = [Fault("range", "/cdn/", -8, times=99)]
    refused(source, "w", r"the server sent bytes \d+-\d+/\d+ when asked for bytes \d+-\d+")


def test_lasting_trouble(hub: Hub) -> None:
    source = on_hub(hub, w=BIG)
    for fault, line in [
        (
            Fault("status", "/cdn/", 500, times=99),
            r"the hub at .* has trouble of its own \(status 500\); try again later",
        ),
        (Fault("drop", "/cdn/", 5, times=99), "no connection to the hub at .*, and it is not in the cache"),
        (Fault("reset", "", times=99), "no connection to the hub at .*, and it is not in the cache"),
        (Fault("status", "", 401, times=99), r"the hub wants a token \(set HF_TOKEN\)"),
        (Fault("status", "", 403, times=99, headers={"X-Error-Code": "GatedRepo"}), "a gated model, set HF_TOKEN to a"),
        (Fault("status", "", 404, times=99, headers={"X-Error-Code": "EntryNotFound"}), "no such file on the hub"),
    ]:
        hub.faults = [fault]
        refused(source, "w", f"^org/name: model.safetensors: {line}.*, while reading tensor 'w'$")


def test_no_network_and_unknown_names(hub: Hub) -> None:
    with pytest.raises(SourceError, match=r"http://localhost:9/m.safetensors: no connection to localhost:9 \(.*\)$"):
        open_source("http://localhost:9/m.safetensors")
    with pytest.raises(SourceError, match=r"the name of no-such-host.invalid is not known to the network"):
        open_source("https://no-such-host.invalid/m.safetensors")


def test_certificates(hub: Hub) -> None:
    """A server without TLS where TLS is asked for is an error that says so, at once."""
    secure = url(hub, "m.safetensors").replace("http://", "https://")
    with pytest.raises(SourceError, match=r"no safe connection to localhost:\d+ \(.*\); SSL_CERT_FILE names"):
        open_source(secure)


def test_redirects(hub: Hub, monkeypatch: pytest.MonkeyPatch) -> None:
    plain(hub, w=SMALL)
    location = {"Location": url(hub, "m.safetensors").partition("localhost")[2].partition("/")[2]}
    hub.faults = [Fault("status", "/files/n.safetensors", 302, headers={"Location": f"/{location['Location']}"})]
    np.testing.assert_array_equal(open_source(url(hub, "n.safetensors"))["w"].read(), SMALL)
    hub.faults = [Fault("status", "/files/", 302, 99, headers={"Location": "/files/n.safetensors"})]
    with pytest.raises(SourceError, match="redirected more than 10 times"):
        open_source(url(hub, "n.safetensors"))
    hub.faults = [Fault("status", "/files/", 302, 99, headers={"Location": "file:///etc/passwd"})]
    with pytest.raises(SourceError, match="redirected from http to file, refused"):
        open_source(url(hub, "n.safetensors"))


# -- servers without ranges --------------------------------------------------------------------------------------------


def test_a_server_without_ranges(hub: Hub) -> None:
    """No more is held than what is asked for, and what goes by is not moved again and again."""
    hub.ranges = False
    arrays = {f"t{i}": random((500, 1000), i) for i in range(12)}  # 2 MB each
    source = plain(hub, **arrays)
    for name, array in arrays.items():
        np.testing.assert_array_equal(in_slabs(source, name, 130), array)
    whole = len(hub.files["m.safetensors"])
    assert source.moved is not None
    assert source.moved < 2.5 * whole


# -- plain URLs --------------------------------------------------------------------------------------------------------


def test_plain_url(hub: Hub) -> None:
    hub.files["deep/a b.safetensors"] = safetensors({"w": BIG})
    source = open_source(url(hub, "deep/a%20b.safetensors") + "?X-Signature=secret")
    assert source.title == "a b"
    assert source.uri == url(hub, "deep/a%20b.safetensors")  # without what is secret
    np.testing.assert_array_equal(source["w"].read(), BIG)
    assert source.moved < 1.05 * BIG.nbytes
    with pytest.raises(SourceError, match=r"no/m.safetensors: no such file at localhost:\d+ \(status 404\)") as caught:
        open_source(url(hub, "no/m.safetensors") + "?X-Signature=secret")
    assert "secret" not in str(caught.value)


def test_plain_url_of_an_index(hub: Hub) -> None:
    files, _ = many_shards(3)
    hub.files |= {f"model/{name}": content for name, content in files.items()}
    source = open_source(url(hub, "model/model.safetensors.index.json"))
    assert len(source) == 201
    np.testing.assert_array_equal(source["model.layers.0.mlp.experts.3.shard_2.down_proj.weight"].read(), [[2] * 1000])


def test_other_urls_are_still_refused(hub: Hub) -> None:
    with pytest.raises(SourceError, match=r"host 'example\.com' is not the hub"):
        open_source("https://example.com/org/name")


# -- fsspec ------------------------------------------------------------------------------------------------------------


@pytest.fixture
def memory() -> Iterator[Any]:
    fsspec = pytest.importorskip("fsspec")
    system = fsspec.filesystem("memory")
    files, _ = many_shards(3)
    system.pipe({f"/bucket/model/{name}": content for name, content in files.items()})
    system.pipe("/bucket/one.safetensors", safetensors({"w": BIG, "v": SMALL}))
    yield system
    system.rm("/bucket", recursive=True)


def test_fsspec_file_and_folder(memory: Any) -> None:
    source = open_source("memory://bucket/one.safetensors")
    assert source.title == "one"
    np.testing.assert_array_equal(in_slabs(source, "w", 100), BIG)
    assert source.moved < 1.05 * BIG.nbytes
    for name in ("memory://bucket/model", "memory://bucket/model/model.safetensors.index.json"):
        source = open_source(name)
        assert len(source) == 201
        tensor = source["model.layers.0.mlp.experts.3.shard_2.down_proj.weight"]
        np.testing.assert_array_equal(tensor.read(), [[2] * 1000])


def test_fsspec_changed_and_missing(memory: Any) -> None:
    source = open_source("memory://bucket/one.safetensors")
    memory.pipe("/bucket/one.safetensors", safetensors({"w": BIG + 1, "v": SMALL}))
    refused(source, "w", "memory://bucket/one.safetensors: changed since its header was read, while reading tensor 'w'")
    with pytest.raises(SourceError, match=r"memory://bucket/none\.safetensors: no such file or folder"):
        open_source("memory://bucket/none.safetensors")


def test_fsspec_package_that_is_missing(monkeypatch: pytest.MonkeyPatch) -> None:
    import sys

    pytest.importorskip("fsspec")
    monkeypatch.setitem(sys.modules, "s3fs", None)
    with pytest.raises(SourceError, match=r"s3://b/m: s3:// needs a package .* pip install 'fewbits\[s3\]'$"):
        open_source("s3://b/m")


def test_file_url(tmp_path: Path) -> None:
    (tmp_path / "a b.safetensors").write_bytes(safetensors({"w": SMALL}))
    np.testing.assert_array_equal(open_source((tmp_path / "a b.safetensors").as_uri())["w"].read(), SMALL)
    with pytest.raises(SourceError, match="a file of another machine"):
        open_source("file://elsewhere/a.safetensors")


# -- parts -------------------------------------------------------------------------------------------------------------


def test_split() -> None:
    assert split(10, 10, 4) == []
    assert split(10, 14, 4) == [(10, 14)]
    assert split(10, 15, 4) == [(10, 12), (12, 15)]
    assert all(0 < end - begin <= 7 for begin, end in split(0, 100, 7))


def test_content_range() -> None:
    assert content_range("bytes 0-9/10") == (0, 10, 10)
    assert content_range("bytes 5-5/*") == (5, 6, None)
    for text in ("", "bytes */10", "bytes 5-4/10", "items 0-1/2", "bytes 0-9"):
        assert content_range(text) is None


def test_intervals() -> None:
    ranges: Intervals[str] = Intervals()
    for begin, end, value in [(10, 20, "a"), (30, 40, "b"), (10, 15, "shorter"), (18, 19, "inside")]:
        ranges.add(begin, end, value)
    assert ranges.at(10) == ranges.at(19) == (10, 20, "a")
    assert (ranges.at(9), ranges.at(20), ranges.at(40)) == (None, None, None)
    assert (ranges.following(20, 99), ranges.following(40, 99), ranges.following(0, 5)) == (30, 99, 5)
    ranges.remove(30)
    assert len(ranges) == 2


def test_any_reads_give_the_bytes(hub: Hub) -> None:
    """Whatever is read in whatever order, marked or not, by several threads."""
    content = np.random.default_rng(0).integers(0, 256, 3_000_000, np.uint8).tobytes()
    hub.files["x.npz"] = content
    for marks in ([], [0, 100, 200_000, 1_500_000], [1_000_000, 1_000_001]):
        transfers = Transfers()
        ranges = HttpRanges(url(hub, "x.npz"), "x", size=len(content), count=transfers.count)
        file = RemoteFile("x", len(content), f"x{marks}", ranges, transfers)
        if marks:
            file.mark(marks)
        errors: list[str] = []

        def read(seed: int, file: RemoteFile = file, errors: list[str] = errors) -> None:
            rng, at = np.random.default_rng(seed), 0
            for _ in range(40):
                at = at if rng.random() < 0.6 else int(rng.integers(0, len(content)))
                size = min(int(rng.integers(0, 200_000)), len(content) - at)
                buffer = bytearray(size)
                file.read_into(at, memoryview(buffer), "a part")
                if bytes(buffer) != content[at : at + size]:
                    errors.append(f"{at} {size}")
                at += size

        threads = [threading.Thread(target=partial(read, seed)) for seed in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert errors == []
        assert transfers.moved <= 1.1 * len(content)
    with pytest.raises(SourceError, match="ends at byte 3000000, while reading a tensor at 2999999"):
        file.read_into(len(content) - 1, memoryview(bytearray(2)), "a tensor")


# -- other kinds of files ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", ["gguf", "npz", "npy"])
def test_other_kinds_of_files(hub: Hub, kind: str, tmp_path: Path) -> None:
    """Any reader works on a remote file, and moves little more than what it reads."""
    import gguf

    path = tmp_path / f"m.{kind}"
    if kind == "npz":
        np.savez(path, w=BIG, v=BIG + 1)
    elif kind == "npy":
        np.save(path, BIG)
    else:
        writer = gguf.GGUFWriter(str(path), "llama")
        for name, array in {"w": BIG, "v": BIG + 1}.items():
            writer.add_tensor(name, array)
        for write in (writer.write_header_to_file, writer.write_kv_data_to_file, writer.write_tensors_to_file):
            write()
        writer.close()
    hub.files[path.name] = path.read_bytes()
    source = open_source(url(hub, path.name))
    assert source.moved <= 1_500_000
    listed, name = source.moved, next(tensor.name for tensor in source if tensor.name != "v")
    np.testing.assert_array_equal(in_slabs(source, name, 100), BIG)
    assert source.moved - listed < 1.05 * BIG.nbytes
