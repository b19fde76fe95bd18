"""A card that cannot be true is refused by every use of its checkpoint, in a sentence that begins with the file."""

import re
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

import small
from checkpoints.changed import Change, published
from ecg_lightning import checkpoints
from ecg_lightning.errors import UserError
from ecg_lightning.records import LEADS

IMPOSSIBLE = "has a card with an impossible value. "


def preprocess(**values: Any) -> Change:
    return lambda card: card["input"]["preprocess"].update(values)


def terms(number: int) -> Change:
    """Another number of terms, with everything that belongs to a term."""
    return lambda card: card.update(
        terms=[f"T{k}" for k in range(number)],
        thresholds=[],
        calibration={"slope": [], "intercept": []},
        reference=None,
    )


CHANGES: dict[str, tuple[Change, str]] = {
    "few leads": (
        preprocess(leads=[*LEADS[:8]]),
        "contradicts itself: its card lists 8 leads, and its tensors are for 12",
    ),
    "thirteen leads": (preprocess(leads=[*LEADS, "V7"]), IMPOSSIBLE + "There is no lead V7. Choose from: I, II"),
    "unknown lead": (preprocess(leads=[*LEADS[:11], "V9"]), IMPOSSIBLE + "There is no lead V9"),
    "one lead": (preprocess(leads=["I"] * 12), IMPOSSIBLE + "The lead I is named twice. Name each lead once"),
    "lead twice": (preprocess(leads=[*LEADS[:11], "I"]), IMPOSSIBLE + "The lead I is named twice"),
    "normalisation": (preprocess(normalisation="weird"), IMPOSSIBLE + "There is no normalisation 'weird'"),
    "key": (preprocess(zz=1), IMPOSSIBLE + "The preprocessing names zz"),
    "band": (
        preprocess(low=40.0, high=10.0),
        IMPOSSIBLE + "A pass band from 40.0 to 10.0 Hz is not between 0 and half the sampling rate.",
    ),
    "model": (lambda card: card["model"].update(nonsense=1), IMPOSSIBLE + "model: Key 'nonsense' not in"),
    "few terms": (terms(5), "contradicts itself: its card names 5 terms, and the shape of its tensor head."),
    "metadata": (
        lambda card: card.update(metadata={"columns": ["age"], "mean": [1.0], "scale": [1.0]}),
        "contradicts itself: its card names patient data (age), and its tensors have no branch for it",
    ),
    "widths": (
        lambda card: card["model"].update(widths=[8, 8, 8, 8]),
        "contradicts itself: its tensors are not those of the network that its card describes",
    ),
}


@pytest.mark.parametrize("kind", CHANGES)
def test_a_card_that_cannot_be_true_is_refused(small_run: Path, tmp_path: Path, kind: str) -> None:
    change, message = CHANGES[kind]
    path = published(small_run, tmp_path, change)
    checkpoint = checkpoints.read(str(path))
    uses: list[Callable[[], Any]] = [checkpoint.network, checkpoint.check, lambda: small.run("verify", [str(path)])]
    for use in uses:
        with pytest.raises(UserError, match=f"^{re.escape(f'{path} {message}')}") as refusal:
            use()
        assert "finetune" not in str(refusal.value)


@pytest.mark.parametrize("kind", ["few leads", "one lead", "normalisation", "metadata"])
def test_no_run_starts_from_a_card_that_cannot_be_true(small_run: Path, tmp_path: Path, kind: str) -> None:
    change, message = CHANGES[kind]
    path = published(small_run, tmp_path, change)
    words = small.arguments(small_run.parent / "ptbxl", tmp_path / "child", f"finetune.checkpoint={path}")
    with pytest.raises(UserError, match=f"^{re.escape(f'{path} {message}')}"):
        small.run("fit", [*words, "data.allow_leak=true"])
    assert not list(tmp_path.rglob("*.ckpt"))


def test_the_class_of_a_stranger_is_not_imported(small_run: Path, tmp_path: Path) -> None:
    path = published(small_run, tmp_path, lambda card: card["model"].update(name="antigravity.Network"))
    checkpoints.read(str(path)).check()
    assert "antigravity" not in sys.modules
