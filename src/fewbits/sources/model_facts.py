"""What a model says of itself beside its tensors: architecture, attention heads and sizes, from config.json or GGUF metadata."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from fewbits.sources.file import File, LocalFile, read_small
from fewbits.sources.gguf import EXTENSION, gguf_metadata
from fewbits.sources.hub_address import parse_hub_address
from fewbits.sources.index import CONFIG, LARGEST
from fewbits.sources.source import Source
from fewbits.sources.strict_json import parse_json

__all__ = ["Facts", "facts_of", "gguf_facts", "json_facts"]

Counts = tuple[int, ...]  # one for each layer, or one for all

# What it is called here: its names in config.json, and its key in GGUF metadata behind the architecture.
SIZES = {
    "vocabulary": (("vocab_size",), "vocab_size"),
    "hidden size": (("hidden_size", "n_embd", "d_model"), "embedding_length"),
    "layers": (("num_hidden_layers", "n_layer", "num_layers"), "block_count"),
    "heads": (("num_attention_heads", "n_head"), "attention.head_count"),
    "key-value heads": (("num_key_value_heads",), "attention.head_count_kv"),
    "feed-forward size": (("intermediate_size", "n_inner"), "feed_forward_length"),
}


@dataclass(frozen=True)
class Facts:
    """`architecture` as GGUF calls it ("" where not known), `model_type` as config.json does, and sizes by name."""

    architecture: str = ""
    model_type: str = ""
    sizes: Mapping[str, Counts] = field(default_factory=dict)

    def heads(self, layer: int, *, key_value: bool) -> int | None:
        """Attention heads of a layer, those of keys and values where they differ; None where not known."""
        counts = (self.sizes.get("key-value heads") if key_value else None) or self.sizes.get("heads")
        return counts[layer if layer < len(counts) else -1] if counts else None


def facts_of(source: Source, cache_dir: str | os.PathLike[str] | None = None) -> Facts:
    """The facts of a source, empty where it has none; raises `SourceError` for a damaged file."""
    if source.files and source.files[0][0].lower().endswith(EXTENSION):
        file: File | None = next((f for t in source if (f := getattr(t.values, "file", None)) is not None), None)
        return gguf_facts(gguf_metadata(file)) if file else Facts()
    config = _config(source, cache_dir)
    return json_facts(parse_json(read_small(config, LARGEST, CONFIG), config.where)) if config else Facts()


def json_facts(config: Mapping[str, Any]) -> Facts:
    """The facts in a config.json; those of a `text_config` where the model has one."""
    inner = config.get("text_config")
    config = {**config, **inner} if isinstance(inner, dict) else config
    sizes = {}
    for name, (keys, _) in SIZES.items():
        found = next((config[key] for key in keys if key in config), None)
        if counts := _counts(found):
            sizes[name] = counts
    kind = config.get("model_type")
    return Facts(model_type=kind if isinstance(kind, str) else "", sizes=sizes)


def gguf_facts(metadata: Mapping[str, Any]) -> Facts:
    """The facts in GGUF metadata; the vocabulary is the number of tokens where it is not given."""
    kind = metadata.get("general.architecture")
    architecture = kind if isinstance(kind, str) else ""
    found = {name: _counts(metadata.get(f"{architecture}.{key}")) for name, (_, key) in SIZES.items()}
    tokens = metadata.get("tokenizer.ggml.tokens")
    if not found["vocabulary"] and tokens is not None:
        count = len(tokens) if isinstance(tokens, tuple) else getattr(tokens, "count", 0)
        found["vocabulary"] = _counts(count)
    return Facts(architecture=architecture, sizes={name: counts for name, counts in found.items() if counts})


def _counts(value: object) -> Counts:
    listed = value if isinstance(value, list | tuple) else [value]
    counts = tuple(n for n in listed if type(n) is int and n > 0)
    return counts if len(counts) == len(listed) else ()


def _config(source: Source, cache_dir: str | os.PathLike[str] | None) -> File | None:
    """The config.json of a folder or of a model on the hub."""
    if source.uri.startswith("hf://"):
        return _on_hub(source, cache_dir)
    folder = source.uri if os.path.isdir(source.uri) else os.path.dirname(source.uri)
    path = os.path.join(folder, CONFIG)
    return LocalFile.at(path) if os.path.isabs(path) and os.path.isfile(path) else None


def _on_hub(source: Source, cache_dir: str | os.PathLike[str] | None) -> File | None:
    address = parse_hub_address(source.uri)
    if address is None:
        return None
    from fewbits.sources.cache_folder import cache_limit
    from fewbits.sources.hub import HubFolder
    from fewbits.sources.hub_address import Address
    from fewbits.sources.hub_client import HubClient, find_token
    from fewbits.sources.range_cache import RangeCache
    from fewbits.sources.transfers import Transfers

    at = Address(address.repository, source.revision, address.path)
    client = HubClient(at, cache_dir, find_token())
    transfers = source.transfers or Transfers(RangeCache(client.folder, cache_limit()))
    folder = HubFolder(client, client.listing(), transfers)
    return folder.file(CONFIG) if CONFIG in folder.names else None
