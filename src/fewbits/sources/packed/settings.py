"""What a config.json, or what modelopt writes beside it, says about quantization."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from fewbits.sources.packed.view import Misfit
from fewbits.sources.strict_json import quoted

__all__ = ["count", "quantization_of", "weight_settings"]

NESTED = ("quantization_config", "compression_config", "quantization")
LARGEST = 1 << 40  # of a group, block or count in a config


def quantization_of(config: Mapping[str, Any] | None) -> tuple[str, Mapping[str, Any]]:
    """The quant_method, "" where none is given, and the settings around it."""
    for settings in _candidates(config):
        method = settings.get("quant_method")
        if isinstance(method, str) and method:
            return method.lower().replace(
                "_", "-"
            ) if method.lower() == "compressed_tensors" else method.lower(), settings
        if isinstance(settings.get("quant_algo"), str):  # hf_quant_config.json
            return "modelopt", settings
    return "", next(iter(_candidates(config)), {})


def _candidates(config: Mapping[str, Any] | None) -> list[Mapping[str, Any]]:
    if not isinstance(config, Mapping):
        return []
    text = config.get("text_config")  # of models that also see or hear
    nested = [config.get(key) for key in NESTED]
    nested += [text.get(key) for key in NESTED] if isinstance(text, Mapping) else []
    found = [value for value in nested if isinstance(value, Mapping)]
    return found + ([config] if "quant_method" in config or "quant_algo" in config else [])


def weight_settings(settings: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    """The `weights` of each of `config_groups`: type, num_bits, strategy, group_size …"""
    groups = settings.get("config_groups")
    values = list(groups.values()) if isinstance(groups, Mapping) else []
    found = [value.get("weights") for value in values if isinstance(value, Mapping)]
    return [weights for weights in found if isinstance(weights, Mapping)]


def count(settings: Mapping[str, Any], key: str, least: int = 1) -> int | None:
    """A whole number from `least` on, None where the settings have none; `Misfit` for anything else."""
    value = settings.get(key)
    if value is None:
        return None
    if type(value) is not int or not least <= value <= LARGEST:
        raise Misfit(f"{key} is {quoted(value)}, not a whole number from {least} to 2^40")
    return value
