"""What all figures share: colours, sizes of text, and how a figure becomes the bytes of a file."""

import threading
from io import BytesIO
from typing import TYPE_CHECKING

from ecg_lightning.errors import printable

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

PAPER, SMALL_GRID, LARGE_GRID = "#fffdfb", "#f7dcd8", "#e6a8a0"
"""Colours of ECG paper: the sheet, its lines 1 mm apart, and those 5 mm apart."""
INK, GREY, ACCENT, PALE, TRACK = "#111111", "#5f5f5f", "#1f6f8b", "#a9b4ba", "#eceff1"
"""Colours of traces and text, of secondary text, of what counts (a positive term), of what does not, and below a bar."""
SHADE = "#3c8fd6"
"""Colour of what speaks for a term: blue is far from the red of the paper for every kind of colour vision."""
TEXT = 2.7
"""Size of text, mm: about 8 points."""
LINE = 4.0
"""Distance of two lines of text, mm."""
FORMATS = ("png", "pdf", "svg")
MM = 72 / 25.4
"""Points of a millimetre."""
_ENCODING = threading.Lock()
_SETTINGS = {
    "svg.hashsalt": "ecg_lightning",  # names within an SVG do not change from call to call
    "svg.fonttype": "none",  # text stays text, for readers of the page and for its size
    "pdf.fonttype": 42,
    "savefig.bbox": None,  # a user's "tight" would change the size, and with it the scale
}


def encode(figure: "Figure", file_format: str = "png", pixels_per_mm: float = 6) -> bytes:
    """Returns a figure as a PNG, PDF or SVG: equal figures give equal bytes; safe to call from several threads.

    Args:
        figure: the figure; a millimetre of its size is a millimetre of the image when it is printed at 100 %.
        file_format: one of `FORMATS`.
        pixels_per_mm: resolution of a PNG.
    """
    from matplotlib import rc_context

    stream = BytesIO()
    metadata = {"png": {"Software": None}, "pdf": {"CreationDate": None}, "svg": {"Date": None}}[file_format]
    with _ENCODING, rc_context(_SETTINGS):
        figure.savefig(stream, format=file_format, dpi=25.4 * pixels_per_mm, metadata=metadata)
    return stream.getvalue()


def write(
    axes: "Axes",
    x: float,
    y: float,
    text: str,
    *,
    colour: str = INK,
    weight: str = "normal",
    align: str = "left",
    zorder: float = 6,
) -> None:
    """Writes text, whatever signs are in it, on axes whose coordinates are millimetres; y is its lower edge."""
    axes.text(
        x,
        y,
        printable(text).replace("\n", " "),
        color=colour,
        fontsize=TEXT * MM,
        fontweight=weight,
        ha=align,
        va="baseline",
        zorder=zorder,
        parse_math=False,  # a $ is a $
    )
