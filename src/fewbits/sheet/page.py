"""A sheet and its HTML; every text is escaped."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from pathlib import Path
from typing import TYPE_CHECKING

from fewbits.figures import Spec
from fewbits.sheet.picture import inline, theme
from fewbits.table import atomic

if TYPE_CHECKING:
    import jinja2

__all__ = ["Section", "Sheet", "Table", "render", "write"]


@dataclass(frozen=True)
class Table:
    """Cells as text; columns whose cells are numbers stand on the right. `folded`: shown when it is opened."""

    head: Sequence[str]
    rows: Sequence[Sequence[str]]
    caption: str = ""
    folded: bool = False

    @property
    def numeric(self) -> list[bool]:
        """Whether a column holds numbers only."""
        return [all(_is_number(row[i]) for row in self.rows) for i in range(len(self.head))]


@dataclass(frozen=True)
class Section:
    """A heading, paragraphs, pictures, tables, and a list at the end."""

    title: str
    text: Sequence[str] = ()
    pictures: Sequence[Spec] = ()
    tables: Sequence[Table] = ()
    points: Sequence[str] = ()


@dataclass(frozen=True)
class Sheet:
    """A title, what it is about, and sections."""

    title: str
    lead: str
    sections: Sequence[Section]


def render(sheet: Sheet) -> str:
    """The sheet as HTML."""
    from markupsafe import Markup

    css = files("fewbits.sheet").joinpath("assets", "sheet.css").read_text(encoding="utf-8")
    counter = iter(range(1_000_000))
    pictures = [[Markup(inline(chart, f"p{next(counter)}")) for chart in s.pictures] for s in sheet.sections]
    page = _environment().get_template("sheet.html.j2")
    return page.render(
        sheet=sheet, style=Markup(css + theme()), sections=list(zip(sheet.sections, pictures, strict=True))
    )


def write(sheet: Sheet, path: Path) -> None:
    """Write the sheet, whole or not at all."""
    html = render(sheet)
    with atomic(path) as file:
        file.write(html.encode("utf-8", "backslashreplace"))


@cache
def _environment() -> jinja2.Environment:
    import jinja2

    return jinja2.Environment(
        loader=jinja2.PackageLoader("fewbits.sheet", "assets"),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )


def _is_number(text: str) -> bool:
    if text in ("–", "", "exact", "∞", "-∞"):
        return True
    try:
        float(text.replace("−", "-").replace("\u2009", "").removesuffix(" %"))
    except ValueError:
        return False
    return True
