"""Draws boxes, lines and words as SVG, in the colours of the page: dark or light, as the reader has it."""

from __future__ import annotations

from dataclasses import dataclass, field
from xml.sax.saxutils import escape

STYLE = """
.box { fill: var(--color-background-secondary, #f8f9fb); stroke: currentColor; stroke-width: 1.2 }
.mark { fill: none; stroke: var(--color-brand-primary, #0a4bff); stroke-width: 1.8 }
.fill { fill: var(--color-brand-primary, #0a4bff); opacity: .18 }
.line { fill: none; stroke: currentColor; stroke-width: 1.2 }
.thin { fill: none; stroke: currentColor; stroke-width: .8; stroke-dasharray: 4 3; opacity: .75 }
.tip { fill: currentColor }
.marktip { fill: var(--color-brand-primary, #0a4bff) }
text { fill: currentColor; font-family: var(--font-stack, sans-serif); font-size: 13px }
.code { font-family: var(--font-stack--monospace, monospace); font-size: 12.5px }
.head { font-weight: 600 }
.small { font-size: 11.5px; opacity: .85 }
""".replace("\n", " ")


@dataclass
class Drawing:
    """A picture that grows by what is drawn; lengths are pixels at full size."""

    width: float
    height: float
    parts: list[str] = field(default_factory=list)

    def box(self, x: float, y: float, width: float, height: float, kind: str = "box", radius: float = 5) -> None:
        """A rectangle."""
        self.parts.append(
            f'<rect class="{kind}" x="{x:g}" y="{y:g}" width="{width:g}" height="{height:g}" rx="{radius:g}"/>'
        )

    def text(self, x: float, y: float, words: str, kind: str = "", anchor: str = "start") -> None:
        """Words; `y` is their base line."""
        self.parts.append(f'<text class="{kind}" x="{x:g}" y="{y:g}" text-anchor="{anchor}">{escape(words)}</text>')

    def line(self, *points: tuple[float, float], kind: str = "line") -> None:
        """A line through points."""
        self.parts.append(f'<polyline class="{kind}" points="{" ".join(f"{x:g},{y:g}" for x, y in points)}"/>')

    def arrow(self, *points: tuple[float, float], kind: str = "line") -> None:
        """A line through points with a tip at its end; the last piece is horizontal or vertical."""
        self.line(*points, kind=kind)
        (from_x, from_y), (x, y) = points[-2:]
        step_x, step_y = (x > from_x) - (x < from_x), (y > from_y) - (y < from_y)
        side_x, side_y = 3.5 * abs(step_y), 3.5 * abs(step_x)
        back_x, back_y = x - 7 * step_x, y - 7 * step_y
        tip = [(x, y), (back_x + side_x, back_y + side_y), (back_x - side_x, back_y - side_y)]
        shape = " ".join(f"{corner_x:g},{corner_y:g}" for corner_x, corner_y in tip)
        self.parts.append(f'<polygon class="{"marktip" if kind == "mark" else "tip"}" points="{shape}"/>')

    def svg(self, name: str, title: str) -> str:
        """The picture as text, with a title for those who do not see it."""
        return (
            f'<svg class="picture" xmlns="http://www.w3.org/2000/svg" role="img" aria-labelledby="picture-{name}" '
            f'viewBox="0 0 {self.width:g} {self.height:g}" width="{self.width:g}" '
            f'style="max-width: 100%; min-width: 44em">'
            f'<title id="picture-{name}">{escape(title)}</title><style>{scoped(name)}</style>'
            f'<g id="drawing-{name}">{"".join(self.parts)}</g></svg>'
        )


def scoped(name: str) -> str:
    """The style for one drawing alone: a page may have several, and text of its own."""
    rules = (rule.strip() for rule in STYLE.split("}") if rule.strip())
    return " ".join(f"#drawing-{name} {rule} }}" for rule in rules)
