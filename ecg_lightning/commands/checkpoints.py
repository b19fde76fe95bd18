"""`checkpoints [NAME]`: lists what is published, or shows one card."""

import json
import sys
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from ecg_lightning import checkpoints as published
from ecg_lightning.checkpoints.addresses import shown
from ecg_lightning.checkpoints.aliases import aliases
from ecg_lightning.checkpoints.box import box
from ecg_lightning.checkpoints.card import Card, Parent
from ecg_lightning.checkpoints.lineage import Link, chain
from ecg_lightning.checkpoints.places import address
from ecg_lightning.commands.console import console
from ecg_lightning.commands.words import split_options, split_words
from ecg_lightning.errors import UserError, one_line, printable

USAGE = "checkpoints [NAME [--lineage | --page]] [--json]"


def checkpoints(arguments: Sequence[str]) -> int:
    """Prints a table of what is published, or the card, the model card or the lineage of the checkpoint that is named."""
    options, rest = split_options(arguments, flags=("--lineage", "--page", "--json"))
    words, folder = split_words(rest, USAGE, 0, 1)
    if not words:
        if alone := options.keys() & {"lineage", "page"}:
            raise UserError(f"--{min(alone)} needs the name of a checkpoint. Usage: {USAGE}")
        _list(folder, "json" in options)
    elif "lineage" in options:
        _draw(words[0], folder, "json" in options)
    elif "page" in options:
        print(published.page_of(words[0], folder))
    else:
        card = published.card_of(words[0], folder)
        print(json.dumps(card.to_dict(), indent=2, ensure_ascii=False))
    return 0


def _list(folder: str | None, as_json: bool) -> None:
    """Prints what is published in a place, and the package's networks."""
    names = published.published(folder)
    files = [(name, address(name, folder), "") for name in names]
    files += [(name, str(file), "in the package") for name, file in box().items()]
    by_name: dict[str, list[str]] = {}
    try:
        for alias, move in aliases(published.place(folder)).items():
            by_name.setdefault(str(move.name), []).append(alias)
    except UserError as error:  # of which the checkpoints are independent
        print(f"{printable(one_line(error))}.", file=sys.stderr)
    rows: list[dict[str, Any]] = []
    for name, url, where in files:
        try:
            card = published.card_of(url)
        except UserError as error:
            print(f"{printable(one_line(error))}.", file=sys.stderr)
            continue
        rows.append({"name": name, "url": shown(url), "place": where, "aliases": by_name.get(name, []), "card": card})
    if as_json:
        plain = [{**row, "card": row["card"].to_dict()} for row in rows]
        print(json.dumps(plain, indent=2, ensure_ascii=False))
        return
    if files:
        _print_table(rows, any(by_name.values()))
    if not names:
        doubt = ", or there is no such place" if folder else ""
        print(
            f"Nothing is published in {shown(published.place(folder))} yet{doubt}. Publish a run with: publish RUN NAME"
        )


def _print_table(rows: Sequence[dict[str, Any]], with_aliases: bool) -> None:
    from rich.table import Table

    table = Table("name", "network", "terms", "trained on", "input", "val auroc", "test auroc", "from")
    for column in ["aliases"] * with_aliases + ["place"] * bool(box()):
        table.add_column(column)
    for row in rows:
        cells = [row["name"], *_cells(row["card"])]
        cells += [", ".join(row["aliases"])] * with_aliases + [row["place"]] * bool(box())
        table.add_row(*map(printable, cells))
    console().print(table)


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


def _draw(name: str, folder: str | None, as_json: bool) -> None:
    """Prints a checkpoint's ancestors above it, the oldest first, and what changed from each to the next."""

    def find(parent: Parent) -> Card | None:
        """Returns the card of an ancestor that is published in the same place under its name, and is the same file."""
        try:
            checkpoint = published.read(parent.name, folder)
        except UserError:
            return None
        return checkpoint.card if checkpoint.sha256 == parent.sha256 else None

    youngest = published.read(name, folder)
    links = chain(youngest.card, find)
    links[-1] = replace(links[-1], sha256=youngest.sha256)
    if as_json:
        rows = [
            {"name": link.name, "sha256": link.sha256, "published": link.card is not None, "changes": link.changes}
            for link in links
        ]
        print(json.dumps(rows, indent=2, ensure_ascii=False))
        return
    for depth, link in enumerate(links):
        indent = "   " * (depth - 1)
        print(printable(f"{indent}└─ {_title(link)}" if depth else _title(link)))
        below = "   " * depth + ("│  " if depth < len(links) - 1 else "   ")
        for change in link.changes:
            print(printable(f"{below}{change}"))


def _title(link: Link) -> str:
    score = link.card.metrics.get("val/auroc") if link.card is not None else None
    numbers = f"  (val auroc {score:.3f})" if isinstance(score, float) else ""
    where = "" if link.card is not None else f"  (not in this place; SHA-256 {link.sha256[:12]})"
    return f"{link.name}{numbers}{where}"
