"""How figures look, and how they become files: the same bytes for the same input."""

from __future__ import annotations

import base64
import io
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from html import escape
from typing import TYPE_CHECKING, Any

from afmsr_core.webpage.html import figure as html_figure

if TYPE_CHECKING:
    from matplotlib.figure import Figure

__all__ = [
    "CURVES",
    "INK",
    "Picture",
    "as_figure",
    "canvas",
    "finish",
    "kind_colour",
]

INK = "#1b1f24"
FAINT = "#d5dae0"
KIND_COLOURS = {"interpolation": "#8a929c", "network": "#2f6fb2"}
CURVES = (
    *("#d1495b", "#0072b2", "#009e73", "#e69f00", "#7b4fa3", "#56b4e9"),
    *("#a0522d", "#cc79a7", "#5f7f1f", "#8b0a50"),
)
"""Colours of networks among themselves: Okabe and Ito's, and some that keep apart from them."""

PNG_DPI = 150
COMPRESSION = 4
"""Of PNG files: a few percent larger than at 6, in half of the time."""
SVG_METADATA: dict[str, Any] = {"Date": None, "Creator": "afmsr"}
STYLE: dict[str, Any] = {
    "font.family": ["DejaVu Sans"],
    "font.size": 8.0,
    "text.color": INK,
    "axes.edgecolor": "#6b7480",
    "axes.labelcolor": INK,
    "axes.linewidth": 0.6,
    "axes.titlesize": 8.5,
    "axes.titleweight": "bold",
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.formatter.useoffset": False,
    "axes.unicode_minus": True,
    "xtick.color": INK,
    "ytick.color": INK,
    "xtick.major.width": 0.6,
    "ytick.major.width": 0.0,
    "xtick.labelsize": 7.5,
    "ytick.labelsize": 7.5,
    "grid.color": FAINT,
    "grid.linewidth": 0.5,
    "legend.frameon": False,
    "legend.fontsize": 7.5,
    "svg.fonttype": "none",
    "svg.hashsalt": "afmsr",
    "figure.dpi": 100,
}


@dataclass(frozen=True)
class Picture:
    """A finished figure.

    Attributes
    ----------
    name : str
        Of its files, without extension.
    alt : str
        What it shows, for those who do not see it.
    caption : str
        Printed below it.
    files : dict of str to bytes
        By extension.
    width : int
        In pixels at which the page shows it, at the most.
    """

    name: str
    alt: str
    caption: str
    files: dict[str, bytes]
    width: int


@contextmanager
def canvas(width: float, height: float) -> Iterator[Figure]:
    """Open a figure of a size in inches, in the report's style, without a global state."""
    import matplotlib
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    style: Any = STYLE
    with matplotlib.rc_context():
        matplotlib.rcdefaults()
        matplotlib.rcParams.update(style)
        figure = Figure(figsize=(width, height))
        FigureCanvasAgg(figure)
        yield figure


def finish(figure: Figure, name: str, alt: str, caption: str) -> Picture:
    """Return a figure of lines and text as SVG, which the page shows, and PNG."""
    width, _ = figure.get_size_inches()
    vector, raster = io.BytesIO(), io.BytesIO()
    figure.savefig(vector, format="svg", metadata=SVG_METADATA)
    figure.savefig(
        raster,
        format="png",
        dpi=PNG_DPI,
        metadata={"Software": "afmsr"},
        pil_kwargs={"compress_level": COMPRESSION},
    )
    files = {"svg": vector.getvalue(), "png": raster.getvalue()}
    return Picture(name, alt, caption, files, round(96 * width))


def as_figure(picture: Picture) -> str:
    """Return a figure as HTML, which holds it."""
    data = base64.b64encode(picture.files["svg"]).decode("ascii")
    image = (
        f'<img width="{picture.width}" alt="{escape(picture.alt)}" '
        f'src="data:image/svg+xml;base64,{data}">'
    )
    return html_figure(picture.name, image, picture.caption)


def kind_colour(network: bool) -> str:
    """Return the colour of networks, or of interpolations."""
    return KIND_COLOURS["network" if network else "interpolation"]
