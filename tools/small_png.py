"""A drawing as a small PNG: at most 64 colours, an index for each pixel. Pictures in a notebook count in every clone."""

from __future__ import annotations

import struct
import zlib
from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

__all__ = ["small_png"]

COLOURS = 64
APART = 16  # colours nearer to each other than this are one: shades of smoothed letters must not crowd out a thin line
SIGNATURE = b"\x89PNG\r\n\x1a\n"
RGBA, INDEXED = 6, 3

Pixels = NDArray[np.uint8]


def small_png(png: bytes) -> bytes:
    """The same picture in its most frequent colours (`APART`), others as the nearest of them. ValueError for what is no 8-bit RGBA."""
    pixels = _pixels(png)[..., :3].astype(np.int64)
    packed: NDArray[np.int64] = pixels[..., 0] << 16 | pixels[..., 1] << 8 | pixels[..., 2]
    keys, inverse, counts = np.unique(packed, return_inverse=True, return_counts=True)
    colours = np.stack([keys >> 16, keys >> 8 & 255, keys & 255], axis=1)
    palette = _palette(colours[np.argsort(-counts, kind="stable")])
    nearest = ((colours[:, None] - palette[None]) ** 2).sum(axis=-1).argmin(axis=1).astype(np.uint8)
    height, width = pixels.shape[:2]
    lines = np.concatenate([np.zeros((height, 1), np.uint8), nearest[inverse].reshape(height, width)], axis=1)
    parts = {
        b"IHDR": struct.pack(">IIBBBBB", width, height, 8, INDEXED, 0, 0, 0),
        b"PLTE": palette.astype(np.uint8).tobytes(),
        b"IDAT": zlib.compress(lines.tobytes(), 9),
        b"IEND": b"",
    }
    return SIGNATURE + b"".join(_chunk(kind, data) for kind, data in parts.items())


def _palette(colours: NDArray[np.int64]) -> NDArray[np.int64]:
    """The first `COLOURS` of some colours that lie `APART`."""
    chosen = colours[:1]
    for colour in colours[1:]:
        if len(chosen) < COLOURS and ((chosen - colour) ** 2).sum(axis=1).min() >= APART**2:
            chosen = np.vstack([chosen, colour])
    return chosen


def _pixels(png: bytes) -> Pixels:
    """(height, width, 4) of a file whose lines have PNG's filters none, sub or up."""
    found: dict[bytes, bytes] = {}
    for kind, data in _chunks(png):
        found[kind] = found.get(kind, b"") + data
    width, height, depth, colour, _, _, interlaced = struct.unpack(">IIBBBBB", found[b"IHDR"])
    if (depth, colour, interlaced) != (8, RGBA, 0):
        raise ValueError(f"a PNG of 8-bit RGBA is expected, not of depth {depth}, colour type {colour}")
    lines = np.frombuffer(zlib.decompress(found[b"IDAT"]), np.uint8).reshape(height, 1 + 4 * width)
    pixels = np.zeros((height, width, 4), np.uint8)
    above = np.zeros((width, 4), np.uint8)
    for row, line in enumerate(lines):
        rest = line[1:].reshape(width, 4)
        match line[0]:
            case 0:
                above = rest
            case 1:
                above = np.cumsum(rest, axis=0, dtype=np.uint8)
            case 2:
                above = above + rest
            case other:
                raise ValueError(f"a PNG with filter {other} is not read")
        pixels[row] = above
    return pixels


def _chunks(png: bytes) -> Iterator[tuple[bytes, bytes]]:
    at = len(SIGNATURE)
    while at < len(png):
        (length,) = struct.unpack(">I", png[at : at + 4])
        yield png[at + 4 : at + 8], png[at + 8 : at + 8 + length]
        at += 12 + length


def _chunk(kind: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))
