"""The page: content → HTML. One file with everything in it, no network; every text from outside is escaped."""

from __future__ import annotations

import base64
from functools import cache
from importlib.resources import files
from typing import TYPE_CHECKING

from fewbits import metrics
from fewbits.figures.libraries import libraries
from fewbits.report import filters
from fewbits.report.content import Content
from fewbits.report.payload import pack

if TYPE_CHECKING:
    import jinja2

__all__ = ["render"]

SCRIPTS = (
    "payload.js",
    "state.js",
    "words.js",
    "accuracy.js",
    "heat.js",
    "table.js",
    "tensor.js",
    "compare.js",
    "page.js",
)
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
        payload=base64.b64encode(pack(content.data)).decode("ascii"),
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
    environment.filters |= {name: getattr(filters, name) for name in filters.__all__}
    return environment
