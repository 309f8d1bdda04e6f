"""The page: content → HTML. One file with everything in it, no network; every text from outside is escaped."""

from __future__ import annotations

import shlex
from collections.abc import Mapping
from functools import cache
from importlib.resources import files
from typing import TYPE_CHECKING, Any

from fewbits import metrics
from fewbits.report.content import Content
from fewbits.figures.libraries import libraries
from fewbits.figures.script import json_script

if TYPE_CHECKING:
    import jinja2

__all__ = ["render"]

SCRIPTS = ("page.js", "charts.js", "table.js")
# What the templates ask for; a run that another version wrote may lack some of it.
FACTS = ("model", "uri", "revision", "files", "filter", "limit", "selection", "backend", "sample_rows", "seed",
         "arithmetic", "versions", "hashes", "machine", "created", "updated", "commands")  # fmt: skip
EVIDENCE = {"weights": "weights only", "activations": "with activations", "end-to-end": "end to end"}


def render(content: Content) -> str:
    """The report as HTML."""
    from markupsafe import Markup

    assets = files("fewbits.report").joinpath("assets")
    page = _environment().get_template("page.html.j2")
    return page.render(
        content=content,
        facts=dict.fromkeys(FACTS) | dict(content.facts),
        evidence=", ".join(EVIDENCE.get(level, level) for level in content.evidence),
        metrics=metrics.METRICS,
        style=Markup(assets.joinpath("page.css").read_text(encoding="utf-8")),
        scripts=[Markup(assets.joinpath(name).read_text(encoding="utf-8")) for name in SCRIPTS],
        libraries=Markup(libraries()),
        data=Markup(json_script(content.data)),
    )


@cache
def _environment() -> jinja2.Environment:
    import jinja2

    environment = jinja2.Environment(
        loader=jinja2.PackageLoader("fewbits.report", "assets"),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters |= {"number": number, "count": count, "size": size, "command": command, "metric": metric}
    return environment


def number(value: object, form: str = ".4g") -> str:
    """A number by a format specification, an en dash for None."""
    return "–" if value is None else format(value, form)


def metric(row: Mapping[str, Any], name: str) -> str:
    """A metric of a merged row as text: `exact` for an infinite one, an en dash for one that is undefined."""
    if f"{name}:inf" in row["flags"]:
        return "exact"
    return number(row[name], metrics.metric(name).digits)


def count(value: object) -> str:
    """A whole number with thin spaces between thousands; other things as text."""
    return f"{value:,}".replace(",", "\u202f") if isinstance(value, int) else str(value)


def size(value: object) -> str:
    """Bytes as a reader says them."""
    if not isinstance(value, int | float):
        return str(value)
    amount = float(value)
    for unit in ("B", "kB", "MB", "GB"):
        if amount < 1000:
            return f"{amount:.0f} {unit}" if unit == "B" else f"{amount:.3g} {unit}"
        amount /= 1000
    return f"{amount:.3g} TB"


def command(words: object) -> str:
    """A command as it would be typed."""
    return shlex.join(str(word) for word in words) if isinstance(words, list) else str(words)
