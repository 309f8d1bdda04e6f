"""Which files of a folder hold its tensors, where no index says so."""

from __future__ import annotations

import os
import re
from collections.abc import Sequence

from fewbits.errors import SourceError
from fewbits.sources.containers import CONTAINERS, Container
from fewbits.sources.strict_json import quoted

__all__ = ["files_of", "split_of"]

SPLIT = re.compile(r"(?P<stem>.+)-(?P<number>[0-9]{5})-of-(?P<count>[0-9]{5})\.gguf")
STATE = re.compile(
    r"(training_args|optimizer|scheduler|scaler|rng_state|random_states)[^/]*"
)  # of training, no weights


def files_of(names: Sequence[str], where: str) -> list[str]:
    """The files of the first kind of container that a folder has, of subfolders where there is no other; raises `SourceError`."""
    for container in CONTAINERS:
        found = [name for name in names if name.lower().endswith(container.suffixes) and not _is_state(name)]
        found = [name for name in found if "/" not in name] or found
        if found:
            return _of_one_model(container, found, where)
    others = [quoted(name) for name in names[:5]]
    kinds = ", ".join(suffix for container in CONTAINERS for suffix in container.suffixes)
    raise SourceError(f"{where}: no files of tensors ({kinds})" + (f", only {', '.join(others)} …" if others else ""))


def split_of(name: str, names: Sequence[str], where: str) -> list[str]:
    """All parts of the GGUF model that a file is part of; the file alone where it is not split."""
    match = SPLIT.fullmatch(name)
    if not match or not 0 < int(match["number"]) <= int(match["count"]):
        return [name]
    parts = [f"{match['stem']}-{number:05}-of-{match['count']}.gguf" for number in range(1, int(match["count"]) + 1)]
    present = set(names)
    if missing := [part for part in parts if part not in present]:
        raise SourceError(f"{where}: {quoted(missing[0])} is missing, one of the {len(parts)} parts of {quoted(name)}")
    return parts


def _of_one_model(container: Container, found: list[str], where: str) -> list[str]:
    """What belongs together: all safetensors; the parts of the only GGUF; of torch's files those of the usual names."""
    if ".gguf" in container.suffixes:
        models = {tuple(split_of(name, found, where)) for name in found}
        if len(models) > 1:
            several = ", ".join(sorted(quoted(parts[0]) for parts in models)[:5])
            raise SourceError(f"{where}: {len(models)} GGUF models ({several} …); name the file to read")
        return list(models.pop())
    if ".bin" in container.suffixes:
        found = [name for name in found if os.path.basename(name).startswith("pytorch_model")] or found
    return sorted(found, key=lambda name: (os.path.splitext(name)[0] != "model", name))


def _is_state(name: str) -> bool:
    return STATE.match(os.path.basename(name)) is not None
