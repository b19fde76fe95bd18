"""`checkpoints [NAME]`: lists what is published, or shows one card."""

import json
import sys
from collections.abc import Sequence

from ecg_lightning import checkpoints as published
from ecg_lightning.checkpoints.addresses import shown
from ecg_lightning.checkpoints.box import box
from ecg_lightning.checkpoints.card import Card
from ecg_lightning.checkpoints.places import address
from ecg_lightning.commands.console import console
from ecg_lightning.commands.words import split_words
from ecg_lightning.errors import UserError, one_line, printable


def checkpoints(arguments: Sequence[str]) -> int:
    """Prints a table of what is published, or the card of the checkpoint that the arguments name."""
    words, folder = split_words(arguments, "checkpoints [NAME]", 0, 1)
    if words:
        card = published.card_of(words[0], folder)
        print(json.dumps(card.to_dict(), indent=2, ensure_ascii=False))
        return 0
    from rich.table import Table

    names = published.published(folder)
    files = [(name, address(name, folder), "") for name in names]
    files += [(name, str(file), "in the package") for name, file in box().items()]
    table = Table("name", "network", "terms", "trained on", "input", "val auroc", "test auroc", "from")
    if box():
        table.add_column("place")
    for name, url, where in files:
        try:
            cells = _cells(published.card_of(url))
            table.add_row(*map(printable, (name, *cells, *([where] if box() else []))))
        except UserError as error:
            print(f"{printable(one_line(error))}.", file=sys.stderr)
    if files:
        console().print(table)
    if not names:
        print(f"Nothing is published in {shown(published.place(folder))} yet. Publish a run with: publish RUN NAME")
    return 0


def _cells(card: Card) -> list[str]:
    """Returns the cells of a checkpoint's row, after its name."""
    network = f"{str(card.model['name']).removesuffix('Module')} {card.model.get('depth', '')}".strip()
    test = card.test.metrics.get("auroc") if card.test else None
    beside = f" + {', '.join(card.metadata.columns)}" if card.metadata else ""
    return [
        network,
        str(len(card.terms)),
        f"{card.data.source} ({card.data.records['train']})" if "train" in card.data.records else card.data.source,
        f"{card.input.sampling_rate} Hz {card.input.seconds:g} s{beside}",
        *("" if not isinstance(score, float) else f"{score:.3f}" for score in (card.metrics.get("val/auroc"), test)),
        card.parent.name if card.parent else "",
    ]
