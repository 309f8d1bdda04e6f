"""Packed layouts of other software: bytes ⇄ arrays of codes and scales."""
