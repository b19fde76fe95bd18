"""Which part of which lead is where: 3 × 4 and a rhythm strip, and what suits other recordings."""

from itertools import pairwise

import pytest

from ecg_lightning.figures.arrangement import Strip, arrange, shown_until
from ecg_lightning.records import LEADS

LIMB = LEADS[:6]


def table(strips: list[Strip]) -> list[list[tuple[str, float, float, float]]]:
    """Row by row: lead, seconds from the left edge, first and last second."""
    rows: list[list[tuple[str, float, float, float]]] = [[] for _ in range(max(strip.row for strip in strips) + 1)]
    for strip in strips:
        rows[strip.row].append((strip.lead, strip.left, strip.start, strip.stop))
    return rows


def test_ten_seconds_are_three_times_four_and_a_rhythm_strip() -> None:
    assert table(arrange(LEADS, 0, 10)) == [
        [("I", 0, 0, 2.5), ("aVR", 2.5, 2.5, 5), ("V1", 5, 5, 7.5), ("V4", 7.5, 7.5, 10)],
        [("II", 0, 0, 2.5), ("aVL", 2.5, 2.5, 5), ("V2", 5, 5, 7.5), ("V5", 7.5, 7.5, 10)],
        [("III", 0, 0, 2.5), ("aVF", 2.5, 2.5, 5), ("V3", 5, 5, 7.5), ("V6", 7.5, 7.5, 10)],
        [("II", 0, 0, 10)],
    ]


def test_a_long_recording_goes_on_in_lines_of_ten_seconds() -> None:
    strips = arrange(LEADS, 0, 24)
    assert table(strips)[3:] == [[("II", 0, 0, 10)], [("II", 0, 10, 20)], [("II", 0, 20, 24)]]
    assert [strip.label for strip in strips[12:]] == ["II", "II  10 s", "II  20 s"]
    assert table(arrange(LEADS, 30, 40))[0][1] == ("aVR", 2.5, 32.5, 35)
    assert shown_until(arrange(LEADS, 0, 3600)) == 60
    assert table(arrange(LEADS, 0, 10.24))[3] == [("II", 0, 0, 10.24)]


def test_a_short_recording_shows_more_of_each_lead() -> None:
    halves = table(arrange(LEADS, 0, 7))
    assert halves[1] == [("II", 0, 0, 3.5), ("V2", 3.5, 3.5, 7)] and halves[6] == [("II", 0, 0, 7)]
    whole = table(arrange(LEADS, 0, 3))
    assert whole[5] == [("aVF", 0, 0, 3), ("V6", 3, 0, 3)] and len(whole) == 6


def test_fewer_leads() -> None:
    assert table(arrange(LIMB, 0, 10)) == [
        [("I", 0, 0, 5), ("aVR", 5, 5, 10)],
        [("II", 0, 0, 5), ("aVL", 5, 5, 10)],
        [("III", 0, 0, 5), ("aVF", 5, 5, 10)],
        [("II", 0, 0, 10)],
    ]
    assert table(arrange(["I"], 0, 30)) == [[("I", 0, 0, 10)], [("I", 0, 10, 20)], [("I", 0, 20, 30)]]
    assert [row[0][0] for row in table(arrange(["V1", "II"], 0, 12))] == ["II", "V1", "II", "V1"]
    # chest leads keep their places, and the rhythm strip is a lead that was recorded
    without = [lead for lead in LEADS if lead not in ("II", "V3")]
    assert table(arrange(without, 0, 10))[2][2][0] == "V3" and table(arrange(without, 0, 10))[3][0][0] == "V1"


@pytest.mark.parametrize("seconds", [1, 4.9, 5, 7.99, 8, 10.5, 10.6, 60])
@pytest.mark.parametrize("leads", [LEADS, LIMB, LEADS[:1], LEADS[6:]])
def test_every_second_is_on_the_sheet_once_in_the_longest_strips(seconds: float, leads: tuple[str, ...]) -> None:
    strips = arrange(leads, 0, seconds)
    assert shown_until(strips) == pytest.approx(seconds)
    assert {strip.lead for strip in strips} >= {*leads}
    for first, second in pairwise(strips):
        if first.row == second.row:
            assert second.left == pytest.approx(first.left + first.stop - first.start)
