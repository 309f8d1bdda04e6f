"""The page: content → HTML. One file with everything in it, no network; every text from outside is escaped."""

from __future__ import annotations

import base64
from functools import cache
from importlib.resources import files
from typing import TYPE_CHECKING, Any

from fewbits import metrics
from fewbits.figures.libraries import libraries
from fewbits.figures.style import DARK, SERIES
from fewbits.report import filters
from fewbits.report.content import Content, Run
from fewbits.report.payload import pack

if TYPE_CHECKING:
    import jinja2

__all__ = ["render"]

# In the order in which a reader understands them; all share one scope, and main.js starts.
SCRIPTS = ("decode", "text", "model", "query", "state", "order", "sheet", "colour", "plot", "controls", "overview", "vega",
           "heat", "tensors", "tensor", "histogram", "blocks", "measurements", "compare", "main")  # fmt: skip
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
        facts=_facts(content.runs[0]),
        run_facts=_facts,
        evidence=", ".join(EVIDENCE.get(level, level) for level in content.evidence),
        metrics=metrics.METRICS,
        palette=Markup(_palette()),
        style=Markup(assets.joinpath("page.css").read_text(encoding="utf-8")),
        scripts=[Markup(assets.joinpath(f"{name}.js").read_text(encoding="utf-8")) for name in SCRIPTS],
        libraries=Markup(libraries()),
        payload=base64.b64encode(pack(content.data)).decode("ascii"),
    )


def _facts(run: Run) -> dict[str, Any]:
    """What run.json says; None for what an older one does not say."""
    return dict.fromkeys(FACTS) | dict(run.facts)


def _palette() -> str:
    """Colours of series, as custom properties of the page."""
    themes = {"light": SERIES, "dark": [DARK[colour] for colour in SERIES]}
    rules = {name: "; ".join(f"--s{i}: {c}" for i, c in enumerate(colours)) for name, colours in themes.items()}
    return f":root {{ {rules['light']} }}\n@media screen and (prefers-color-scheme: dark) {{ :root {{ {rules['dark']} }} }}"


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
