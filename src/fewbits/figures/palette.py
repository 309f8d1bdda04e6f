"""Colours that stand for things: fields of a code, zones of magnitude, what fits. After Okabe and Ito, told apart without colour vision.

They are grounds for dark text, light enough to be the same on light and dark paper.
"""

from __future__ import annotations

from fewbits.figures.style import EMPTY

__all__ = ["FIELDS", "FIT", "ON_COLOUR", "ZONES"]

# Field of a code → (what a legend calls it, colour); text on any of them is ON_COLOUR, in both themes.
FIELDS = {
    "sign": ("sign", "#e69f00"),
    "exponent": ("exponent", "#56b4e9"),
    "mantissa": ("mantissa", "#35b88f"),
    "minus": ("negative weight", "#d58fb6"),
    "weight": ("integer weight", "#e6dc5a"),
    "index": ("index into a list", "#b3bac2"),
}
ON_COLOUR = "#14171a"

# Where magnitudes lie → colour.
ZONES = {
    "becomes 0": "#b3bac2",
    "subnormal: fewer digits": "#e6dc5a",
    "in range": "#8cc8ec",
    "saturates at the largest": "#eec07a",
    "overflows to ∞": "#e0805a",
}

FIT = {"fits": "#8cc8ec", "tight": "#f0b95a", "does not fit": EMPTY}
