"""docs/formats.md, from the catalogue, the elements and the rules."""

from __future__ import annotations

from fewbits import catalog, element, rule, spec
from fewbits.catalog import Row
from fewbits.element import Element
from pages.markdown import code, join, number, table

INTRODUCTION = """\
# Formats

A format is an element type, optionally cut into blocks whose scales are themselves an array in some format. Every
command takes a name of this page, in any case, or a spec. Bits are per weight, for large tensors, scales and offsets
included."""

GENERIC = ("e4m3", "e5m2", "e2m1", "e2m3", "e3m2", "e4m3fnuz", "e5m2fnuz", "e4m3b11fnuz", "e4m3ieee", "e3m4ieee")
LISTED_VALUES = 16


def page() -> str:
    """Grammar, named formats by family, groups, elements, rules, and the known exceptions to outside packages."""
    families: dict[str, list[Row]] = {}
    for row in catalog.rows():
        families.setdefault(row.families[0] if row.families else "more", []).append(row)
    rules = "How an encoder chooses scales and codes; [method.md](method.md) defines the attributes."
    return join(
        INTRODUCTION,
        f"## Spec strings\n\n{_grammar()}",
        f"## Named formats\n\n{_groups()}",
        *(f"### {family}\n\n{_rows(rows)}" for family, rows in families.items()),
        f"## Elements\n\n{_elements()}",
        f"## Rules\n\n{rules}\n\n{_rules()}",
        f"## Known differences from other packages\n\n{_exceptions()}",
    )


def _grammar() -> str:
    productions = (spec.__doc__ or "").split("\n\n", 1)[1].strip()
    return f"```\n{productions}\n```"


def _rows(rows: list[Row]) -> str:
    head = ("name", "spec", "bits", "what it is", "source")
    return table(head, ((code(r.name), code(r.spec), number(r.format.limit_bits), r.title, r.reference) for r in rows))


def _groups() -> str:
    """Words that stand for several formats; the catalogue itself is not spelled out."""
    groups = ((code(word), " ".join(map(code, names))) for word, names in catalog.groups().items() if word != "catalog")
    return "Words that stand for several, besides `catalog` for every row:\n\n" + table(("word", "formats"), groups)


def _elements() -> str:
    elements = [element.element(name) for name in (*GENERIC, *element.names())]
    head = ("element", "bits", "lowest", "highest", "smallest positive", "values", "source")
    return table(
        head,
        (
            (code(e.name), e.bits, number(e.lowest), number(e.highest), _smallest(e), _values(e), e.reference)
            for e in elements
        ),
    )


def _smallest(e: Element) -> str:
    return number(e.smallest) if e.highest > 0 else ""


def _values(e: Element) -> str:
    if e.bits > element.MAX_BITS or e.kind == "wide":
        return ""
    values = e.values
    return " ".join(map(number, values)) if len(values) <= LISTED_VALUES else str(len(values))


def _rules() -> str:
    """Every rule with its definition; pP and Krms stand for families and are shown with an example."""
    examples = {"pP": "p99.9", "Krms": "3rms"}
    rules = ((name, rule.rule(examples.get(name, name))) for name in rule.names())
    return table(("rule", "definition", "source"), ((code(name), r.definition, r.reference) for name, r in rules))


def _exceptions() -> str:
    """The reasons that stand in the rows, each with all the names it holds for."""
    names: dict[str, list[str]] = {}
    for row in catalog.rows():
        if row.golden.exceptions:
            names.setdefault(row.golden.exceptions, []).append(row.name)
    return table(("formats", "where and why"), ((" ".join(map(code, n)), reason) for reason, n in names.items()))
