"""The verbs by which checkpoints pass between teammates: publish, fetch, checkpoints; and `models`, what can be trained."""

import json
import sys
from collections.abc import Sequence
from pathlib import Path

from ecg_lightning import checkpoints as store
from ecg_lightning.config import NAMED
from ecg_lightning.errors import UserError
from ecg_lightning.signatures import exports, signature_of


def _split(arguments: Sequence[str], usage: str, least: int, most: int) -> tuple[list[str], str | None]:
    """Positional words, and ``checkpoints_dir``."""
    words, folder = [], None
    for word in arguments:
        key, equals, value = word.removeprefix("--").partition("=")
        if equals and key == "checkpoints_dir":
            folder = value
        elif word.startswith("--") or equals:
            raise UserError(f"'{word}' is not understood. usage: {usage} [checkpoints_dir=URL]")
        else:
            words.append(word)
    if not least <= len(words) <= most:
        raise UserError(f"usage: {usage} [checkpoints_dir=URL]")
    return words, folder


def publish(arguments: Sequence[str]) -> int:
    """`publish RUN NAME`."""
    (run, name), folder = _split(arguments, "publish RUN NAME", 2, 2)
    url = store.publish(run, name, folder)
    card = store.card_of(url)
    print(f"Published {name}: {card['model']['name']}, {len(card['terms'])} terms, {url}")
    return 0


def fetch(arguments: Sequence[str]) -> int:
    """`fetch NAME [FOLDER]`."""
    words, folder = _split(arguments, "fetch NAME [FOLDER]", 1, 2)
    print(store.fetch(words[0], Path(words[1] if len(words) > 1 else "."), folder))
    return 0


def checkpoints(arguments: Sequence[str]) -> int:
    """`checkpoints` lists what is published as a table; `checkpoints NAME` shows one."""
    words, folder = _split(arguments, "checkpoints [NAME]", 0, 1)
    if words:
        card = store.card_of(words[0], folder)
        print(json.dumps(card, indent=2, ensure_ascii=False))
        return 0
    from rich.console import Console
    from rich.table import Table

    names = store.published(folder)
    if not names:
        print(f"Nothing is published in {store.place(folder)} yet. Publish a run with: publish RUN NAME")
        return 0
    shown = Table("name", "network", "terms", "trained on", "input", "val auroc", "test auroc", "from")
    for name in names:
        try:
            card = store.card_of(name, folder)
        except UserError as error:
            print(error, file=sys.stderr)
            continue
        spec, test = card["input"], card.get("test", {}).get("metrics", {}).get("auroc")
        score = card["metrics"].get("val/auroc")
        shown.add_row(
            name, _network(card["model"]), str(len(card["terms"])),
            f"{card['data']['source']} ({card['data']['records']['train']})",
            f"{spec['sampling_rate']} Hz {spec['seconds']:g} s",
            "" if score is None else f"{score:.3f}", "" if test is None else f"{test:.3f}",
            (card.get("parent") or {}).get("name", ""),
        )  # fmt: skip
    Console(width=None if sys.stdout.isatty() else 130).print(shown)
    return 0


def _network(model: dict[str, object]) -> str:
    depth = model.get("depth", "")
    return f"{str(model['name']).removesuffix('Module')} {depth}".strip()


def models(arguments: Sequence[str]) -> int:
    """`models` lists the networks that `model.name` may name, with their arguments."""
    _split(arguments, "models", 0, 0)
    for name, module in exports(NAMED["model"]).items():
        signature = signature_of(module, name)
        print(f"{name}: {signature.summary}")
        for argument in signature.arguments.values():
            if argument.name != "terms":
                print(f"  {argument.name}: {argument.annotation} = {argument.default}")
    return 0
