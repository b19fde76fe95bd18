"""The colours of the page can be told apart: contrast by the formula of WCAG 2.2."""

import re

import pytest

from ecg_lightning.report.palette import DARK, DRAWINGS, LIGHT, SERIES, TEXTS, style_sheet


def luminance(colour: str) -> float:
    channels = [int(colour[k : k + 2], 16) / 255 for k in (1, 3, 5)]
    linear = [c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in channels]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


def contrast(one: str, two: str) -> float:
    darker, lighter = sorted([luminance(one), luminance(two)])
    return (lighter + 0.05) / (darker + 0.05)


def mixed(above: str, below: str, share: float) -> str:
    channels = [round(share * int(above[k : k + 2], 16) + (1 - share) * int(below[k : k + 2], 16)) for k in (1, 3, 5)]
    return "#" + "".join(f"{channel:02x}" for channel in channels)


def test_the_formula_is_that_of_the_standard() -> None:
    assert contrast("#000000", "#ffffff") == pytest.approx(21)
    assert contrast("#777777", "#ffffff") == pytest.approx(4.478, abs=0.001)  # known to fail AA by a hair


@pytest.mark.parametrize("colours", [LIGHT, DARK], ids=["light", "dark"])
def test_texts_and_drawings_can_be_told_from_their_ground(colours: dict[str, str]) -> None:
    for pairs, least in ((TEXTS, 4.5), (DRAWINGS, 3.0)):
        for ground, names in pairs.items():
            weak = {name: contrast(colours[name], colours[ground]) for name in names}
            assert {name: value for name, value in weak.items() if value < least} == {}, ground
    # the strongest shade of the confusion between terms, behind its number
    for series in ("series1", "series3"):
        assert contrast(colours["ink"], mixed(colours[series], colours["ground"], 0.42)) >= 4.5


def test_both_palettes_have_the_same_names_and_are_all_in_the_style_sheet() -> None:
    assert LIGHT.keys() == DARK.keys()
    assert sum(name.startswith("series") for name in LIGHT) == SERIES
    assert re.findall(r"--([\w-]+):", style_sheet()) == [*LIGHT, *DARK]
