"""Recordings that lack leads which a network sees: which leads, and what is known of the loss in quality."""

from collections.abc import Sequence

from ecg_lightning.checkpoints.card import Card
from ecg_lightning.records import LEADS, Record

LEAD_SETS: dict[str, tuple[str, ...]] = {
    "I, II, V2": (*LEADS[:6], "V2"),
    "I, II": LEADS[:6],
    "I": ("I",),
}
"""What a recording with these leads shows, by the names of its leads: I and II give the other limb leads.

The first two are the sets of three (or four) and of two (or six) leads of the CinC challenge of 2021; the third is a watch's.
"""


def smaller_sets(leads: Sequence[str]) -> dict[str, tuple[str, ...]]:
    """Returns those of the usual sets that show a network some of its leads and not all; no two of them the same ones.

    Args:
        leads: the leads that the network sees.
    """
    sets: dict[str, tuple[str, ...]] = {}
    shown_before: list[set[str]] = []
    for name, lead_set in LEAD_SETS.items():
        shown = {*leads} & {*lead_set}
        if shown and shown != {*leads} and shown not in shown_before:
            sets[name] = lead_set
            shown_before.append(shown)
    return sets


def missing_leads(record: Record, leads: Sequence[str]) -> tuple[str, ...]:
    """Returns those of a network's leads that a recording lacks: they are zero."""
    return tuple(lead for lead in leads if f"missing:{lead}" in record.quality)


def known_loss(card: Card) -> str:
    """Says in one sentence what is known of a network's quality where leads are missing."""
    if card.lead_mask == 0:
        return "It was trained without augment.lead_mask, and its quality with missing leads was not measured."
    sets = card.test.lead_sets if card.test is not None else {}
    measured = [f"{auroc:.3f} with {name}" for name, auroc in sets.items() if auroc is not None]
    everything = card.test.metrics.get("auroc") if card.test is not None else None
    if not measured or everything is None:
        return "Its quality with missing leads was not measured: run `test` before `publish`."
    return f"In its test the macro AUROC was {everything:.3f} with all its leads, {', '.join(measured)} alone."
