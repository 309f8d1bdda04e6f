"""Tensor names as a tree of modules, in which repeated layers are one line."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import Protocol

__all__ = ["Header", "Node", "grow"]

DEPTH = 64  # a name with more dots is not a path


class Header(Protocol):
    """What a tree needs to know of a tensor."""

    @property
    def name(self) -> str: ...
    @property
    def shape(self) -> tuple[int, ...]: ...
    @property
    def dtype(self) -> str: ...
    @property
    def layout(self) -> str: ...
    @property
    def nbytes(self) -> int: ...


@dataclass
class Node:
    """A module or tensor; `copies` > 1: it stands for a range of equal siblings. Bytes and tensors count every copy.

    `members` are all tensors that the line of a tensor stands for: one of each copy of each module around it.
    """

    label: str
    tensor: Header | None = None
    children: list[Node] = field(default_factory=list)
    copies: int = 1
    tensors: int = 0
    nbytes: int = 0
    members: list[Header] = field(default_factory=list)

    def walk(self, depth: int = 0) -> Iterator[tuple[int, Node]]:
        """Every node below, depth first, with its depth."""
        for child in self.children:
            yield depth, child
            yield from child.walk(depth + 1)


def grow(headers: Iterable[Header]) -> Node:
    """The tree of tensors: `weight` joins its module's line, siblings 0, 1, 2 … of equal structure become one `0–2`."""
    root: dict[str, object] = {}
    for header in headers:
        place = root
        *modules, leaf = header.name.split(".", DEPTH)
        for module in modules:
            place = place.setdefault(module, {})  # type: ignore[assignment]
        place[f"{leaf}\0"] = header
    return _build("", root)[0]


def _build(label: str, place: dict[str, object]) -> tuple[Node, object]:
    """The node of a module, and its structure: what makes two siblings equal."""
    node = Node(label)
    structures: list[object] = []
    for name in sorted(place, key=_natural):
        found = place[name]
        if isinstance(found, dict):
            child, structure = _build(name, found)
        else:
            header: Header = found  # type: ignore[assignment]
            child = Node(name.rstrip("\0"), header, tensors=1, nbytes=header.nbytes, members=[header])
            structure = (header.shape, header.dtype, header.layout)
        _join(node.children, structures, child, structure)
    node.tensors = sum(child.tensors for child in node.children)
    node.nbytes = sum(child.nbytes for child in node.children)
    same = [child.label if child.copies == 1 else child.copies for child in node.children]
    structure_of_all = tuple(zip(same, structures, strict=True))
    only = node.children[0] if len(node.children) == 1 else None
    if only and label and only.copies == 1 and only.tensor:
        joined = label if only.label == "weight" else f"{label}.{only.label}"
        node = Node(joined, only.tensor, [], 1, 1, only.nbytes, only.members)
    return node, structure_of_all


def _join(children: list[Node], structures: list[object], child: Node, structure: object) -> None:
    """Append a child, or count it with the sibling before it when both are numbered and equal."""
    last = children[-1] if children else None
    number, dot, rest = child.label.partition(".")
    if last and _is_index(number) and structures[-1] == structure:
        numbers, _, last_rest = last.label.partition(".")
        first, _, end = numbers.partition("–")
        if _is_index(first) and int(end or first) + 1 == int(number) and last_rest == rest:
            last.label = f"{first}–{number}{dot}{rest}"
            last.copies += 1
            last.tensors += child.tensors
            last.nbytes += child.nbytes
            _absorb(last, child)
            return
    children.append(child)
    structures.append(structure)


def _absorb(node: Node, copy: Node) -> None:
    """Count the tensors of a copy with those that stand for it."""
    node.members += copy.members
    for child, other in zip(node.children, copy.children, strict=True):
        _absorb(child, other)


def _is_index(text: str) -> bool:
    return text.isdecimal() and text.isascii() and len(text) < 10


def _natural(name: str) -> list[tuple[int, int, str]]:
    """Sort key in which 2 comes before 10."""
    return [(0, int(part), "") if _is_index(part) else (1, 0, part) for part in re.split(r"(\d+)", name)]
