"""Changes to files that keep their frame, so that what is inside is reached: JSON, safetensors headers, zip archives."""

from __future__ import annotations

import io
import json
import random
import zipfile
from collections.abc import Callable
from copy import deepcopy
from typing import Any

__all__ = ["Mutate", "Mutator", "json_mutated", "safetensors_mutated", "zip_mutated"]

Mutate = Callable[[bytes, int], bytes]  # the fuzzer's own: bytes and most of them
Mutator = Callable[[bytes, int, random.Random, Mutate], bytes]

NUMBERS = (*range(-1, 9), 16, 31, 32, 33, 64, 127, 128, 255, 256, *(1 << bits for bits in (16, 31, 40, 62, 63, 64)))
OTHERS: tuple[Any, ...] = (None, True, False, 0.5, -1e300, "", "x", [], {}, [0], [[]], {"a": 1}, 10**30, "\u00e9", "\n")


def json_mutated(data: bytes, most: int, rng: random.Random, mutate: Mutate) -> bytes:
    """JSON with one to four nodes changed, copied, dropped or swapped."""
    try:
        content: Any = json.loads(data)
    except (ValueError, RecursionError):
        return mutate(data, most)
    for _ in range(rng.randint(1, 4)):
        places = list(_places(content))
        if not places:
            return mutate(data, most)
        _change(*rng.choice(places), places, rng, mutate)
    found = json.dumps(content).encode()
    return found if len(found) <= most else mutate(data, most)


def safetensors_mutated(data: bytes, most: int, rng: random.Random, mutate: Mutate) -> bytes:
    """A header with changed JSON and its right length, before the same bytes."""
    end = 8 + int.from_bytes(data[:8], "little")
    if not 8 <= end <= len(data):
        return mutate(data, most)
    change = json_mutated if rng.random() < 0.7 else _plainly
    text = change(data[8:end], max(most - len(data) + end - 8, 1), rng, mutate)
    return (len(text).to_bytes(8, "little") + text + data[end:])[:most]


def zip_mutated(data: bytes, most: int, rng: random.Random, mutate: Mutate) -> bytes:
    """An archive with one file changed, a pickle more often than others."""
    try:
        with zipfile.ZipFile(io.BytesIO(data)) as archive:
            files = [(info.filename, archive.read(info)) for info in archive.infolist()]
    except Exception:  # of a damaged archive zipfile raises whatever it meets
        return mutate(data, most)
    if not files:
        return mutate(data, most)
    pickles = [at for at, (name, _) in enumerate(files) if name.endswith(".pkl")]
    at = rng.choice(pickles if pickles and rng.random() < 0.8 else range(len(files)))
    name, content = files[at]
    files[at] = (name, mutate(content, max(len(content) + most - len(data), 1)))
    if rng.random() < 0.05:
        del files[rng.randrange(len(files))]
    held = io.BytesIO()
    packed = zipfile.ZIP_DEFLATED if rng.random() < 0.2 else zipfile.ZIP_STORED
    with zipfile.ZipFile(held, "w", packed) as archive:
        for name, content in files:
            archive.writestr(zipfile.ZipInfo(name), content, packed)
    found = held.getvalue()
    return found if len(found) <= most else mutate(data, most)


def _plainly(data: bytes, most: int, rng: random.Random, mutate: Mutate) -> bytes:
    return mutate(data, most)


def _places(node: Any) -> list[tuple[Any, Any]]:
    """Every (container, key) below a node."""
    found: list[tuple[Any, Any]] = []
    todo = [node]
    while todo:
        holder = todo.pop()
        keys = list(holder) if isinstance(holder, dict) else range(len(holder)) if isinstance(holder, list) else ()
        for key in keys:
            found.append((holder, key))
            todo.append(holder[key])
    return found


def _change(holder: Any, key: Any, places: list[tuple[Any, Any]], rng: random.Random, mutate: Mutate) -> None:
    value, (other, there) = holder[key], rng.choice(places)
    match rng.randrange(8):  # a case that does not fit falls through to the last ones
        case 0:
            del holder[key]
        case 1:
            holder[key] = deepcopy(rng.choice(OTHERS))
        case 2:
            holder[key] = rng.choice(NUMBERS)
        case 3 if not isinstance(other[there], dict | list):
            holder[key] = other[there]
        case 4 if isinstance(holder, dict) and isinstance(there, str):
            holder[there] = holder.pop(key)
        case 5 if isinstance(value, str):
            holder[key] = mutate(value.encode(errors="replace"), len(value) + 8).decode("latin-1")
        case 6 if isinstance(holder, dict) and isinstance(key, str):
            holder[mutate(key.encode(errors="replace"), len(key) + 8).decode("latin-1")] = value
        case _ if type(value) is int:
            holder[key] = rng.choice((value + 1, value - 1, value * 2, value // 2, -value, value + rng.choice(NUMBERS)))
        case _ if isinstance(holder, list):
            holder.insert(rng.randrange(len(holder) + 1), rng.choice(NUMBERS))
        case _:
            holder[key] = rng.choice(NUMBERS)
