"""What a format is and what it does to values: bits, codes, range, precision, and every step of a quantization."""

from fewbits.explain.fields import Bit, bit_rows, bits_of, formula, specials
from fewbits.explain.levels import LISTED_BITS, LevelRow, bit_pattern, codes, levels
from fewbits.explain.number_line import count, number_line, windows
from fewbits.explain.relative_error import magnitudes, relative_error, zones
from fewbits.explain.steps import steps
from fewbits.explain.walk import Fact, walk
from fewbits.properties import distinct, properties, use

__all__ = [
    "LISTED_BITS",
    "Bit",
    "Fact",
    "LevelRow",
    "bit_pattern",
    "bit_rows",
    "bits_of",
    "codes",
    "count",
    "distinct",
    "formula",
    "levels",
    "magnitudes",
    "number_line",
    "properties",
    "relative_error",
    "specials",
    "steps",
    "use",
    "walk",
    "windows",
    "zones",
]
