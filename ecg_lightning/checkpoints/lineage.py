"""A checkpoint and its ancestors, and what changed from each to the next."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from ecg_lightning.checkpoints.card import Card, Data, Parent


@dataclass(frozen=True)
class Link:
    """One network of a lineage.

    Attributes:
        name: under which it was published, or its run's.
        sha256: of its file; "" for the youngest.
        data: what it was trained on.
        card: all that it says of itself; None where its file was not found.
        changes: what differs from the network before it, a phrase each; of the first, what it is.
    """

    name: str
    sha256: str
    data: Data
    card: Card | None
    changes: list[str]


def chain(card: Card, find: Callable[[Parent], Card | None] = lambda parent: None) -> list[Link]:
    """Returns a network and its ancestors, the oldest first.

    Args:
        card: of the youngest.
        find: returns an ancestor's card; None where its file is not at hand. A card then has only what its child says of it.
    """
    parents = []
    ancestor = card.parent
    while ancestor is not None:
        parents.append(ancestor)
        ancestor = ancestor.parent
    links: list[Link] = []
    for parent in reversed(parents):
        links.append(_link(parent.name, parent.sha256, parent.data, find(parent), links))
    return [*links, _link(card.name or "this network", "", card.data, card, links)]


def _link(name: str, sha256: str, data: Data, card: Card | None, before: list[Link]) -> Link:
    if not before:
        return Link(name, sha256, data, card, _first(data, card))
    last = before[-1]
    changes = _data_changes(last.data, data)
    if last.card is not None and card is not None:
        changes += _card_changes(last.card, card)
    return Link(name, sha256, data, card, changes or ["the same data"])


def _first(data: Data, card: Card | None) -> list[str]:
    facts = [f"trained on {_trained_on(data)}", f"label space {_list(data.label_space)}"]
    if card is not None and card.family:
        facts.insert(0, f"weights of {card.family}")
    if card is not None:
        facts += [_network(card.model), _input(card)]
    return facts


def _data_changes(before: Data, after: Data) -> list[str]:
    changes = []
    if _trained_on(before) != _trained_on(after):
        changes.append(f"data {_trained_on(before)} → {_trained_on(after)}")
    if before.label_space != after.label_space:
        changes.append(f"label space {_list(before.label_space)} → {_list(after.label_space)}")
    if (before.val_folds, before.test_folds) != (after.val_folds, after.test_folds):
        changes.append(f"held out folds {_folds(before)} → {_folds(after)}")
    return changes


def _card_changes(before: Card, after: Card) -> list[str]:
    changes = []
    if (network := _network(before.model)) != _network(after.model):
        changes.append(f"network {network} → {_network(after.model)}")
    if _input(before) != _input(after):
        changes.append(f"input {_input(before)} → {_input(after)}")
    dropped, new = [t for t in before.terms if t not in after.terms], [t for t in after.terms if t not in before.terms]
    if dropped or new:
        kept = len(after.terms) - len(new)
        changes.append(f"terms: {kept} kept" + _named(", new: ", new) + _named(", without ", dropped))
    if before.input.preprocess != after.input.preprocess:
        keys = [key for key, value in after.input.preprocess.items() if before.input.preprocess.get(key) != value]
        changes.append(
            "preprocessing: " + ", ".join(f"{key}={after.input.preprocess[key]}" for key in keys if key != "leads")
        )
    columns = [card.metadata.columns if card.metadata else [] for card in (before, after)]
    if columns[0] != columns[1]:
        changes.append(f"patient data {_list(columns[0])} → {_list(columns[1])}")
    return [change for change in changes if not change.endswith(": ")]


def _trained_on(data: Data) -> str:
    parts = "+".join(data.parts) if data.parts else data.source
    return f"{parts} ({data.records['train']:,} recordings)" if "train" in data.records else parts


def _folds(data: Data) -> str:
    return f"{_list(data.val_folds)} and {_list(data.test_folds)}"


def _network(model: Mapping[str, Any]) -> str:
    return f"{str(model['name']).removesuffix('Module')} {model.get('depth', '')}".strip()


def _input(card: Card) -> str:
    return f"{card.input.sampling_rate} Hz {card.input.seconds:g} s, {len(card.input.leads)} leads"


def _named(before: str, terms: list[str]) -> str:
    most = 8
    more = f" and {len(terms) - most} more" if len(terms) > most else ""
    return f"{before}{', '.join(terms[:most])}{more}" if terms else ""


def _list(values: object) -> str:
    return ", ".join(map(str, values)) or "none" if isinstance(values, list) else str(values)
