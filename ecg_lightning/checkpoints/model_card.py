"""The page that is published beside a checkpoint: its card for people, with the front matter that the Hugging Face Hub reads."""

import re
from collections.abc import Sequence
from typing import Any

import yaml

from ecg_lightning.checkpoints.card import Card
from ecg_lightning.checkpoints.lineage import chain
from ecg_lightning.download.catalogue import catalogue
from ecg_lightning.errors import printable

LICENCES = (
    "apache-2.0", "mit", "bsd-2-clause", "bsd-3-clause", "cc0-1.0", "cc-by-4.0", "cc-by-sa-4.0", "cc-by-nc-4.0",
    "cc-by-nc-sa-4.0", "cc-by-nd-4.0", "cc-by-nc-nd-4.0", "odc-by", "odbl", "gpl-3.0", "lgpl-3.0", "agpl-3.0", "mpl-2.0",
    "openrail",
)  # fmt: skip
"""The Hub's names of licences that are usual for networks; any other is `other` there, with its own name beside it."""
HUB_METRICS = {"auroc": "roc_auc", "ap": "average_precision", "f1": "f1"}
"""The Hub's names of the metrics that it knows."""
NOT_MEASURED = (
    "This network was not tested under this name; the numbers are of its validation, which also chose its epoch."
)
INTENDED = (
    "It is meant for research and for building on: for a reader's second look, for pretraining, for comparing methods. It is "
    "not a medical device, no authority has approved it, and no decision about a patient may rest on it alone."
)
POPULATION = (
    "It knows the recordings of the sources named above. On other devices, other populations or other definitions of a term "
    "its numbers differ, mostly to the worse: measure it on annotated recordings of your own before you use it."
)
SILENCE = "A term that it does not name is not excluded by it: it says nothing of diagnoses outside of its list."
LIMITS = (INTENDED, POPULATION, SILENCE)
"""Limits that hold for every network."""


def model_card(card: Card, file: str, sha256: str) -> str:
    """Writes the page.

    Args:
        card: of the published checkpoint.
        file: the name of its file.
        sha256: of its file.

    Returns:
        Markdown with YAML front matter.
    """
    name = card.name or file.removesuffix(".safetensors")
    sections = [
        f"# {_safe(name)}",
        _summary(card),
        *_section("What it is", _what(card, file, sha256)),
        *_section("What it saw", _saw(card)),
        *_section("Numbers", _numbers(card)),
        *_section("Input", _input(card)),
        *_section("How to use it", _usage(name)),
        *_section("Intended use and limits", _limits(card)),
        *_section("Licence", _licences(card)),
        *_section("Lineage", [f"{depth}. {_safe(text)}" for depth, text in enumerate(_lineage(card), 1)]),
        *(_section("Citation", [_safe(card.citation)]) if card.citation else []),
    ]
    front = yaml.safe_dump(_front_matter(card, name), sort_keys=False, allow_unicode=True, width=1000)
    return f"---\n{front}---\n\n" + "\n\n".join(sections) + "\n"


def _front_matter(card: Card, name: str) -> dict[str, Any]:
    """Returns what the Hub reads: library, licence, tags, and the numbers of the test."""
    values: dict[str, Any] = {
        "library_name": "ecg_lightning",
        "tags": ["ecg_lightning", "ecg", "electrocardiogram", "medical"],
    }
    values["tags"] += [_network(card).lower(), card.data.source]
    if card.licence:
        licence = re.sub(r"[\s_]+", "-", card.licence.strip().lower())
        values["license"] = licence if licence in LICENCES else "other"
        if licence not in LICENCES:
            values["license_name"] = re.sub(r"[^a-z0-9.]+", "-", licence)[:80].strip("-") or "other"
    if card.test is not None:
        metrics = [
            {"type": HUB_METRICS.get(metric, metric), "name": f"macro {metric}", "value": round(value, 6)}
            for metric, value in card.test.metrics.items()
            if isinstance(value, float) and "/" not in metric and "@" not in metric
        ]
        dataset = {"type": card.test.data.source, "name": _title(card.test.data.source), "split": "test"}
        task = {"type": "ecg-classification", "name": "Classification of 12-lead ECGs"}
        if metrics:
            values["model-index"] = [
                {"name": name, "results": [{"task": task, "dataset": dataset, "metrics": metrics}]}
            ]
    return values


def _section(title: str, lines: Sequence[str]) -> list[str]:
    return [f"## {title}", "\n".join(lines)] if lines else []


def _network(card: Card) -> str:
    return str(card.model["name"]).removesuffix("Module")


def _summary(card: Card) -> str:
    origin = f", from the weights of {card.parent.name}" if card.parent is not None else ""
    family = f", of the public family {card.family}" if card.family else ""
    return _safe(
        f"A {_network(card)} that gives each of {len(card.terms)} diagnostic terms a probability for an ECG of "
        f"{card.input.seconds:g} s, trained on {_title(card.data.source)}{origin}{family}."
    )


def _what(card: Card, file: str, sha256: str) -> list[str]:
    arguments = ", ".join(f"{key}={value}" for key, value in card.model.items() if key != "name")
    rows = {
        "network": f"{_network(card)}{f' ({arguments})' if arguments else ''}",
        "terms": ", ".join(card.terms),
        "file": f"{file}, one safetensors file without code; its header holds this card as JSON",
        "SHA-256": sha256,
        "made with": ", ".join(
            f"{key} {value}" for key, value in card.provenance.__dict__.items() if value and key != "git_commit"
        ),
    }
    return _table(["", ""], [[key, value] for key, value in rows.items() if value])


def _saw(card: Card) -> list[str]:
    data = card.data
    counts = ", ".join(f"{count:,} {side}" for side, count in data.records.items())
    lines = [f"- Recordings of {_safe(_title(data.source))}: {_safe(counts)}. Every split is by patient."]
    for name, part in (data.parts or {}).items():
        side = ", ".join(f"{count:,} {split}" for split, count in part.records.items())
        lines.append(f"- Of these, {_safe(_title(name))}: {_safe(side)}.")
    lines.append(f"- Held out: folds {_list(data.val_folds)} for validation, {_list(data.test_folds)} for the test.")
    if card.seen is not None:
        lines.append(
            f"- The fingerprints of {card.seen:,} recordings that trained it or its ancestors are in the file, without ids."
        )
    if card.archives:
        lines.append(
            f"- Ancestors were trained on these archives, of whose recordings there are no fingerprints: {_list(card.archives)}."
        )
    if card.ancestry_unknown:
        lines.append("- Not all recordings that trained its ancestors are known.")
    if card.allow_leak:
        lines.append("- Held-out recordings were allowed in training (`allow_leak`): its numbers may be too good.")
    return lines


def _numbers(card: Card) -> list[str]:
    test = card.test
    if test is None:
        macro = {
            key.removeprefix("val/"): value
            for key, value in card.metrics.items()
            if key.count("/") == 1 and "@" not in key
        }
        rows = [[key, _number(value)] for key, value in macro.items() if value is not None]
        return [NOT_MEASURED, "", *_table(["macro average", "validation"], rows)] if rows else []
    of = f"{test.records:,} recordings" + (f" of {test.patients:,} patients" if test.patients else "")
    level = test.bootstrap.get("level")
    with_intervals = isinstance(level, int | float)
    intro = f"On {of} of the test folds of {_safe(_title(test.data.source))}."
    if with_intervals:
        resamples, unit = test.bootstrap.get("resamples"), test.bootstrap.get("unit")
        intro += f" In brackets: {level:.0%} intervals from {resamples} resamples of whole {_safe(str(unit))}s."
    averages = test.averages.get("macro")
    bounds = averages if isinstance(averages, dict) else {}
    macro_rows = [
        [metric, f"{_number(value)}{_interval(bounds.get(metric))}"]
        for metric, value in test.metrics.items()
        if isinstance(value, int | float) and "/" not in metric
    ]
    return [intro, "", *_table(["macro average", "test"], macro_rows), "", *_term_table(card)]


def _term_table(card: Card) -> list[str]:
    by_term = {str(row.get("term")): row for row in (card.test.terms if card.test else [])}
    rows = []
    for term, threshold in zip(card.terms, card.thresholds or [None] * len(card.terms), strict=True):
        row = by_term.get(term, {})
        intervals = row.get("intervals") if isinstance(row.get("intervals"), dict) else {}
        cells = [
            f"{_number(row.get(key))}{_interval((intervals or {}).get(key))}"
            for key in ("auroc", "sensitivity", "specificity")
        ]
        rows.append(
            [term, str(row.get("positive", "")), *cells, "not learnt" if threshold is None else f"{threshold:.3f}"]
        )
    lines = _table(["term", "positive", "AUROC", "sensitivity", "specificity", "threshold"], rows)
    rule = f" by the rule `{_safe(card.threshold_rule)}`" if card.threshold_rule else ""
    return [
        *lines,
        "",
        f"A term is positive at and above its threshold, which was chosen on validation{rule}, never on the test.",
    ]


def _input(card: Card) -> list[str]:
    steps = {key: value for key, value in card.input.preprocess.items() if key != "leads" and value is not None}
    lines = [
        f"- {card.input.sampling_rate} Hz, {card.input.seconds:g} s; a longer recording is cut into windows, whose outputs are averaged.",
        f"- Leads, in this order: {_list(card.input.leads)}; millivolts.",
        f"- Prepared by: {_safe(', '.join(f'{key}={value}' for key, value in steps.items()))}.",
    ]
    if card.metadata is not None:
        lines.append(f"- Beside the signal: {_list(card.metadata.columns)}; what is unknown may be left out.")
    if card.lead_mask:
        lines.append("- It was trained with leads hidden at random, and works where some are missing.")
    return [
        *lines,
        "- Probabilities: sigmoid(logit); calibrated: sigmoid(slope · logit + intercept), whose numbers are in the card.",
    ]


def _usage(name: str) -> list[str]:
    return [
        "```bash",
        f"python -m ecg_lightning predict {name} recordings/ --output predictions.csv",
        f"python -m ecg_lightning fit --config data/folder finetune.checkpoint={name}",
        "```",
        "where `$ECG_CHECKPOINTS` is the place of this file, or with the address of the file in place of its name.",
    ]


def _limits(card: Card) -> list[str]:
    lines = [f"- {text}" for text in LIMITS]
    if card.thresholds and (
        not_learnt := [t for t, value in zip(card.terms, card.thresholds, strict=True) if value is None]
    ):
        lines.append(f"- It has not learnt {_list(not_learnt)}, and gives no answer for them.")
    return lines + [f"- {_safe(note)}" for note in card.notes]


def _licences(card: Card) -> list[str]:
    lines = [
        f"- Weights: {_safe(card.licence)}."
        if card.licence
        else "- Weights: no licence was stated; ask who published them."
    ]
    sources = [*(card.data.parts or {card.data.source: card.data}), *card.archives]
    ancestor = card.parent
    while ancestor is not None:
        sources += [*(ancestor.data.parts or {ancestor.data.source: ancestor.data})]
        ancestor = ancestor.parent
    archives = catalogue()
    for source in dict.fromkeys(sources):
        licence = archives[source].licence if source in archives else "not known here"
        lines.append(f"- Recordings of {_safe(_title(source))}: {_safe(licence)}.")
    return lines


def _lineage(card: Card) -> list[str]:
    return [f"{link.name}: {'; '.join(link.changes)}" for link in chain(card)]


def _title(source: str) -> str:
    """Returns the name of an archive for people."""
    archive = catalogue().get(source)
    return archive.title if archive is not None else source


def _number(value: object) -> str:
    return f"{value:.3f}" if isinstance(value, float) else "" if value is None else str(value)


def _interval(bounds: object) -> str:
    if not isinstance(bounds, dict) or not all(isinstance(bounds.get(key), int | float) for key in ("low", "high")):
        return ""
    return f" ({bounds['low']:.3f}–{bounds['high']:.3f})"


def _list(values: Sequence[object]) -> str:
    return _safe(", ".join(map(str, values))) or "none"


def _table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> list[str]:
    lines = [head, ["---"] * len(head), *rows]
    return [f"| {' | '.join(map(_safe, line))} |" for line in lines] if rows else []


def _safe(text: str) -> str:
    """Returns a text as Markdown shows it, without links, images or HTML of whoever wrote the card."""
    text = " ".join(printable(text).split())
    return re.sub(r"([\\|*_\[\]`#])", r"\\\1", text).replace("<", "&lt;") if text != "---" else text
