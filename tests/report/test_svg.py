"""Small charts: points are where they should be, gaps stay gaps, and text cannot become markup."""

import re
from xml.etree import ElementTree

import numpy as np

from ecg_lightning.report.confusion import heat_map, heat_table
from ecg_lightning.report.svg import BOTTOM, LEFT, RIGHT, TOP, Axis, Chart


def chart() -> Chart:
    return Chart("a chart", Axis.share("x"), Axis.share("y"), 250, 240)


def paths(drawing: Chart, kind: str) -> list[str]:
    root = ElementTree.fromstring(str(drawing.svg()))
    return [item.attrib["d"] for item in root.iter("path") if item.attrib["class"].startswith(kind)]


def test_the_corners_of_the_axes_are_the_corners_of_the_frame() -> None:
    drawing = chart()
    drawing.line([0, 1], [0, 1])
    assert paths(drawing, "curve") == [f"M{LEFT:.1f} {240 - BOTTOM:.1f}L{250 - RIGHT:.1f} {TOP:.1f}"]


def test_a_line_and_a_band_leave_out_what_is_not_there() -> None:
    drawing, nan = chart(), np.nan
    drawing.line([0, 0.25, 0.5, 0.75, 1], [0, 0.1, nan, 0.3, 0.4])
    [path] = paths(drawing, "curve")
    assert path.count("M") == 2
    drawing.line([0, 1], [nan, nan])
    drawing.band([0, 1], [nan, nan], [nan, nan])
    assert len(paths(drawing, "curve")) == 1
    assert paths(drawing, "band") == []


def test_text_is_no_markup() -> None:
    drawing = Chart('a "chart" <script>', Axis.share("<b>"), Axis.share("y"))
    drawing.points([0.5], [0.5], texts=["<i>&"])
    drawing.mark(0.5, "<u>")
    root = ElementTree.fromstring(str(drawing.svg()))
    assert root.attrib["aria-label"] == 'a "chart" <script>'
    assert {item.tag for item in root.iter()} == {"svg", "path", "text", "circle", "title"}


def test_ticks_are_round_numbers_within_the_axis() -> None:
    axis = Axis.around("loss", [0.113, 0.672, np.nan])
    assert axis.low <= 0.113 and axis.high >= 0.672
    assert [text for _, text in axis.ticks] == ["0", "0.2", "0.4", "0.6", "0.8"]
    rates = Axis.around("learning rate", [0.0002, 0.0019])
    assert rates.label == "learning rate (×10⁻³)"
    assert [text for _, text in rates.ticks] == ["0", "0.5", "1", "1.5", "2"]
    epochs = Axis.around("epoch", range(7), whole=True)
    assert all(re.fullmatch(r"\d+", text) for _, text in epochs.ticks)
    assert (3.0, "3") in Axis.around("epoch", [3], whole=True).ticks
    for values in ([], [0.5], [0.0]):
        axis = Axis.around("y", values)
        assert axis.low < axis.high


def test_the_matrix_of_many_terms_has_a_square_for_each_confusion() -> None:
    terms = [f"TERM<{number}" for number in range(20)]
    shares = np.eye(20)
    shares[2, 3], shares[4] = 0.5, np.nan
    root = ElementTree.fromstring(str(heat_map(terms, shares)))
    squares = {item.attrib["class"]: item.attrib["d"].count("M") for item in root.iter("path")}
    assert squares == {"own": 19, "other": 1}
    assert [item.text for item in root.iter("text")][::2] == terms
    assert heat_table(terms[:2], np.array([[1, 0.25], [np.nan, 0]])).rows[1][1][0].text == "–"
