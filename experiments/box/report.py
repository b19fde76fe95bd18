"""What a checkpoint knows of PTB-XL without having seen it: python experiments/box/report.py CHECKPOINT ROOT [key=value …].

ROOT is PTB-XL's folder. Macro AUROC on its tasks, on folds 1 to 9, where everything is chosen; data.test_folds=[10] reads fold 10, which
is done once. Of each task only the outputs count that the network has, or that follow from those it has.
"""

import sys
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
from numpy.typing import NDArray

from ecg_lightning import checkpoints, compose, evaluate
from ecg_lightning.checkpoints.card import Card
from ecg_lightning.config.schema import build
from ecg_lightning.errors import UserError
from ecg_lightning.evaluation.predictions import read_predictions
from ecg_lightning.labels import LabelSpace
from ecg_lightning.main import guard
from ecg_lightning.metrics import auroc_intervals

USAGE = "python experiments/box/report.py CHECKPOINT ROOT [key=value …]"
TASKS = ("paper7", "ptbxl_super", "ptbxl_sub", "ptbxl_form", "ptbxl_rhythm")
ALSO = {"STTC": ("STD_", "INVT", "LOWT")}
"""Outputs by which a task's output is also known, though the statements are of another of PTB-XL's kinds: chosen by meaning."""
PUBLISHED = {
    "ptbxl_super": ".876 MELP",
    "ptbxl_rhythm": ".877 MELP",
    "ptbxl_sub": ".647 HeartLang",
    "ptbxl_form": ".587 HeartLang",
}
"""Macro AUROC of a linear probe with 1 % of the labels of the whole archive, for the reader's eye: other recordings, all outputs."""


@dataclass(frozen=True)
class Measured:
    """The checkpoint on one archive: (records, terms) calibrated probabilities, and each record's row and patient."""

    probabilities: NDArray[np.float64]
    rows: NDArray[np.int64]
    patients: NDArray[np.int64]


def input_words(card: Card) -> list[str]:
    """The overrides that prepare recordings as a network expects them."""
    spec = card.input
    prepared = spec.preprocess
    band = "null" if prepared["low"] is None and prepared["high"] is None else [prepared["low"], prepared["high"]]
    return [
        f"data.sampling_rate={spec.sampling_rate}", f"data.seconds={spec.seconds}", f"data.normalisation={prepared['normalisation']}",
        f"data.band={band}".replace("None", "null"), f"data.leads=[{','.join(spec.leads)}]",
    ]  # fmt: skip


def measure(checkpoint: str, words: list[str]) -> Measured:
    """Applies the checkpoint to the test folds."""
    card = checkpoints.card_of(checkpoint)
    space = card.label_space if isinstance(card.label_space, str) else f"[{','.join(card.label_space)}]"
    with TemporaryDirectory() as folder:
        config = [f"checkpoint_path={checkpoint}", f"run_dir={folder}", f"data.label_space={space}"]
        evaluate(compose([*words, *input_words(card), *config], ("data",)))
        predictions = read_predictions(Path(folder))
        return Measured(predictions.calibrated, predictions.records, predictions.patients)


def by_task(space: LabelSpace, task: LabelSpace, probabilities: NDArray[np.float64]) -> dict[int, NDArray[np.float64]]:
    """(records,) probability of each output of a task that the network's outputs tell: that any of those holds.

    Args:
        space: of the network.
        task: another label space.
        probabilities: (records, outputs of the network).
    """
    scores = {}
    for k, (name, members) in enumerate(zip(task.terms, task.members, strict=True)):
        wanted = {*members, *ALSO.get(name, ())}
        columns = [j for j, of_output in enumerate(space.members) if wanted & {*of_output}]
        if columns:
            scores[k] = 1 - np.prod(1 - probabilities[:, columns], axis=1)
    return scores


def zero_shot(checkpoint: str, words: list[str]) -> str:
    """Markdown: macro AUROC of each task, with intervals, and below it that of each output."""
    measured, space = measure(checkpoint, words), LabelSpace.load(checkpoints.card_of(checkpoint).label_space)
    lines = [
        "| task | outputs | macro AUROC, no real recording seen | published, 1 % of the labels |",
        "|---|---:|---|---|",
    ]
    details = ["| task | AUROC of each output (positive recordings) |", "|---|---|"]
    for name in TASKS:
        task = LabelSpace.load(name)
        scores = by_task(space, task, measured.probabilities)
        config = compose([*words, f"data.label_space={name}"], ("data",))
        data = build("data", config.data, seed=0)
        targets = data.targets[measured.rows][:, list(scores)]
        intervals = auroc_intervals(np.stack([*scores.values()], 1), targets, measured.patients)
        macro, counts = intervals.macro, np.nansum(targets, 0)
        outputs = [
            f"{task.terms[k]} {each.estimate:.3f} ({count:.0f})"
            for k, each, count in zip(scores, intervals.terms, counts, strict=True)
        ]
        details.append(f"| {name} | {', '.join(outputs)} |")
        cells = (
            name,
            f"{len(scores)} of {len(task)}",
            f"{macro.estimate:.3f} [{macro.low:.3f}, {macro.high:.3f}]",
            PUBLISHED.get(name, ""),
        )
        lines.append(f"| {' | '.join(cells)} |")
    return "\n".join([*lines, "", *details])


def main() -> None:
    """Reads the command line, and prints the tables."""
    if len(sys.argv) < 3:
        raise UserError(f"Name a checkpoint and PTB-XL's folder: {USAGE}")
    checkpoint, root, *more = sys.argv[1:]
    folds = ["data.val_folds=[]", "data.test_folds=[1,2,3,4,5,6,7,8,9]"]
    print(zero_shot(checkpoint, ["--config", "data/ptbxl", f"data.root={root}", *folds, *more]))


if __name__ == "__main__":
    sys.exit(guard(main))
