"""The libraries that draw in the browser, from the package that also draws without one."""

from __future__ import annotations

import os
import sys
from functools import cache
from hashlib import sha256
from importlib.metadata import version
from pathlib import Path

from fewbits.errors import FewbitsError
from fewbits.table import atomic

__all__ = ["libraries"]

EXPORT = "window.vegaEmbed = vegaEmbed;"


@cache
def libraries() -> str:
    """Vega, Vega-Lite and Vega-Embed as one script, about 1 MB.

    Bundling takes seconds, so the script is kept in the user's cache folder; its name holds the package's version and
    what is exported, its first line the hash of the rest.
    """
    script = _kept() or _keep(_bundled())
    if "</script" in script.lower() or "<!--" in script:
        raise ValueError("the bundle cannot be put inside a script element")
    return f"(() => {{\n{script}\n}})();"  # its names would be everybody's


def _bundled() -> str:
    import vl_convert

    return str(vl_convert.javascript_bundle(EXPORT))


def _place() -> Path:
    if sys.platform == "win32":
        root = os.environ.get("LOCALAPPDATA") or Path.home() / "AppData" / "Local"
    else:
        root = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    return Path(root) / "fewbits" / f"vega-{version('vl-convert-python')}-{sha256(EXPORT.encode()).hexdigest()[:8]}.js"


def _kept() -> str:
    """The script as it was kept; "" when there is none or it is not what was written."""
    try:
        digest, _, script = _place().read_text(encoding="utf-8").partition("\n")
    except (OSError, ValueError, RuntimeError):  # RuntimeError: no home folder
        return ""
    return script if digest == _digest(script) else ""


def _keep(script: str) -> str:
    try:
        with atomic(_place()) as file:
            file.write(f"{_digest(script)}\n{script}".encode())
    except (FewbitsError, RuntimeError):  # a cache that cannot be written is a slower next time, nothing else
        pass
    return script


def _digest(script: str) -> str:
    return f"// sha256 {sha256(script.encode()).hexdigest()}"
