"""What all figures share: colours, sizes of text, and how a figure becomes the bytes of a file."""

import re
import textwrap
import threading
from io import BytesIO
from typing import TYPE_CHECKING

import numpy as np

from ecg_lightning.errors import printable

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

SMALL_GRID, LARGE_GRID = "#f7dcd8", "#e6a8a0"
"""Colours of ECG paper: its lines 1 mm apart, and those 5 mm apart."""
INK, GREY, ACCENT, PALE, TRACK = "#111111", "#5f5f5f", "#1f6f8b", "#a9b4ba", "#eceff1"
"""Colours of traces and text, of secondary text, of what counts (a positive term), of what does not, and below a bar."""
SHADE = "#3c8fd6"
"""Colour of what speaks for a term: blue is far from the red of the paper for every kind of colour vision."""
TEXT = 2.7
"""Size of text, mm: about 8 points."""
LINE = 4.0
"""Distance of two lines of text, mm."""
FORMATS = ("png", "pdf", "svg")
_CHARACTER = 1.75  # mm of an average character
MM = 72 / 25.4
"""Points of a millimetre."""
_PATH, _NUMBER = re.compile(rb' d="[^"]*"'), re.compile(rb"-?\d+\.\d{3,}")
_ENCODING = threading.Lock()


def encode(figure: "Figure", file_format: str = "png", pixels_per_mm: float = 6) -> bytes:
    """Returns a figure as a PNG, PDF or SVG: equal figures give equal bytes; safe to call from several threads.

    Args:
        figure: the figure; a millimetre of its size is a millimetre of the image when it is printed at 100 %.
        file_format: one of `FORMATS`.
        pixels_per_mm: resolution of a PNG.
    """
    from matplotlib import rc_context

    stream = BytesIO()
    dpi = 25.4 * pixels_per_mm
    metadata = {"pdf": {"CreationDate": None}, "svg": {"Date": None}}.get(file_format)
    settings = rc_context({
        "svg.hashsalt": "ecg_lightning",  # names within an SVG do not change from call to call
        "svg.fonttype": "none",  # text stays text, for readers of the page and for its size
        "savefig.bbox": None,  # a user's "tight" would change the size, and with it the scale
    })  # fmt: skip
    with _ENCODING, settings:
        figure.savefig(stream, format="rgba" if file_format == "png" else file_format, dpi=dpi, metadata=metadata)
    width, height = (int(inches * dpi) for inches in figure.get_size_inches())
    if file_format == "png":
        return _with_palette(stream.getvalue(), (width, height), dpi)
    return _PATH.sub(_rounded, stream.getvalue()) if file_format == "svg" else stream.getvalue()


def _with_palette(rgba: bytes, pixels: tuple[int, int], dpi: float) -> bytes:
    """Returns a PNG of at most 128 colours, a quarter of the size; ECG paper has few."""
    from PIL import Image

    image = Image.frombytes("RGBA", pixels, rgba).convert("RGB")
    few = image.quantize(128, Image.Quantize.FASTOCTREE, dither=Image.Dither.NONE)
    colours = np.array(few.getpalette(), np.uint8).reshape(-1, 3)
    # the background, which the palette mixes with the nearly white of edges
    colours[np.asarray(few)[0, 0]] = np.asarray(image)[0, 0]
    few.putpalette(colours.tobytes())
    stream = BytesIO()
    few.save(stream, "PNG", dpi=(dpi, dpi))
    return stream.getvalue()


def _rounded(path: re.Match[bytes]) -> bytes:
    """Returns a path of an SVG in hundredths of a point, 0.004 mm, which is two thirds of its size."""
    return _NUMBER.sub(lambda number: b"%.2f" % float(number[0]), path[0]).replace(b" \n", b"\n")


def write(
    axes: "Axes",
    x: float,
    y: float,
    text: str,
    *,
    colour: str = INK,
    weight: str = "normal",
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
        zorder=zorder,
        parse_math=False,  # a $ is a $
    )


def wrap(text: str, width: float) -> list[str]:
    """Returns a text in lines that fit into a width, mm."""
    return textwrap.wrap(printable(text), int(width / _CHARACTER)) or [""]
