"""`checkpoints [NAME]`: lists what is published, or shows one card."""

import json
import sys
from collections.abc import Sequence

from ecg_lightning import checkpoints as published
from ecg_lightning.checkpoints.places import address
from ecg_lightning.checkpoints.storage import shown
from ecg_lightning.commands.words import split_words
from ecg_lightning.errors import UserError, printable


def checkpoints(arguments: Sequence[str]) -> int:
    """`checkpoints` lists what is published as a table; `checkpoints NAME` shows one."""
    words, folder = split_words(arguments, "checkpoints [NAME]", 0, 1)
    if words:
        card = published.card_of(words[0], folder)
        print(json.dumps(card.to_dict(), indent=2, ensure_ascii=False))
        return 0
    from rich.console import Console
    from rich.markup import escape
    from rich.table import Table

    names = published.published(folder)
    if not names:
        print(f"Nothing is published in {shown(published.place(folder))} yet. Publish a run with: publish RUN NAME")
        return 0
    table = Table("name", "network", "terms", "trained on", "input", "val auroc", "test auroc", "from")
    for name in names:
        try:
            card = published.card_of(address(name, folder))
        except UserError as error:
            print(printable(" ".join(str(error).split())), file=sys.stderr)
            continue
        test = card.test.metrics.get("auroc") if card.test else None
        score = card.metrics.get("val/auroc")
        cells = (
            name, _network(card.model), str(len(card.terms)),
            f"{card.data.source} ({card.data.records.get('train', 0)})",
            f"{card.input.sampling_rate} Hz {card.input.seconds:g} s",
            "" if score is None else f"{score:.3f}", f"{test:.3f}" if isinstance(test, float) else "",
            card.parent.name if card.parent else "",
        )  # fmt: skip
        table.add_row(*(escape(printable(cell)) for cell in cells))
    Console(width=None if sys.stdout.isatty() else 130).print(table)
    return 0


def _network(model: dict[str, object]) -> str:
    depth = model.get("depth", "")
    return f"{str(model['name']).removesuffix('Module')} {depth}".strip()
