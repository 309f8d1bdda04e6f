"""Other people's packages, which tests compare with where they are installed; `make test-oracles` installs them and requires them."""

from __future__ import annotations

import importlib
import os
from typing import Any

import pytest

__all__ = ["package"]

REQUIRED = "FEWBITS_ORACLES"  # "required": a package that is missing fails the test


def package(name: str, *, required: bool = True) -> Any:
    """A module of a package; the test is skipped without it, or fails where packages are required."""
    if required and os.environ.get(REQUIRED) == "required":
        return importlib.import_module(name)
    return pytest.importorskip(name, reason=f"{name.partition('.')[0]} is not installed")
