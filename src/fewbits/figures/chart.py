"""A chart as a value that notebooks draw by themselves."""

from __future__ import annotations

from typing import Any

__all__ = ["Chart"]

SHARP = 2.0  # pixels a point
PNG_WIDTH = slice(16, 20)  # where the header of a PNG file says how wide it is


class Chart(dict[str, Any]):
    """A Vega-Lite specification; as the value of a notebook's cell it is a picture, without a browser and without a network.

    `name` is what it shows; of figures the title in the gallery.
    """

    name: str = ""

    def _repr_mimebundle_(
        self, include: object = None, exclude: object = None
    ) -> tuple[dict[str, Any], dict[str, Any]]:
        """What Jupyter shows: PNG, and what the picture is called for readers without pictures."""
        from fewbits.figures.save import rendered

        png = rendered(self, ".png", SHARP)
        width = int.from_bytes(png[PNG_WIDTH], "big") / SHARP
        return {"image/png": png, "text/plain": f"picture: {self.caption}"}, {"image/png": {"width": round(width)}}

    @property
    def caption(self) -> str:
        """Its name, title and those of its panels."""
        return "; ".join(dict.fromkeys([self.name] * bool(self.name) + _titles(self))) or "untitled"


def _titles(part: dict[str, Any]) -> list[str]:
    """Titles of a chart and of the charts in it."""
    title = part.get("title")
    lines = [title] if isinstance(title, str) else [title["text"]] if title else []
    inner = [one for how in ("concat", "vconcat", "hconcat") for panel in part.get(how, ()) for one in _titles(panel)]
    return lines + inner
