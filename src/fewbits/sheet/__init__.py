"""Sheets: one HTML file of text, tables and pictures, without scripts and without a network, for light and dark screens."""

from fewbits.sheet.formats import explained, ranges
from fewbits.sheet.memory import memory_sheet
from fewbits.sheet.page import Section, Sheet, Table, render, write

__all__ = ["Section", "Sheet", "Table", "explained", "memory_sheet", "ranges", "render", "write"]
