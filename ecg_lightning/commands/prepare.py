"""`prepare`: fetches a source on request, packs it, and prints what is in it: records, patients, rejected files, every term.

It may be stopped at any moment; the same command then goes on where it stopped.
"""

import json
import sys
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from ecg_lightning.commands.console import console
from ecg_lightning.config.compose import split_arguments
from ecg_lightning.config.experiment import experiment
from ecg_lightning.config.schema import build
from ecg_lightning.datamodules.base import ECGDataModule, NothingReadable
from ecg_lightning.datamodules.packed import PackedDataModule
from ecg_lightning.errors import UserError
from ecg_lightning.processes import stoppable
from ecg_lightning.ranges import SPLITS
from ecg_lightning.records import LEADS
from ecg_lightning.store import summary
from ecg_lightning.training import leak

OPTIONS = ("include", "exclude", "base-url")
"""The options of `--download`; the other words belong to the configuration."""


def prepare(arguments: Sequence[str]) -> int:
    """Packs a source: `prepare --config data/ptbxl data.root=…`; with `--download` it fetches the archive first.

    The options of `--download` are `--include` and `--exclude` (patterns of paths below the root, or names of folders, joined
    by commas) and `--base-url` (another address of the same archive). `--verify` compares the packed files with their hashes.
    `--json` prints the same numbers as JSON.

    Returns:
        1 where every recording of a source was rejected, else 0.
    """
    return stoppable(lambda: _prepare(arguments))


def _prepare(arguments: Sequence[str]) -> int:
    fetch, verify, as_json = (option in arguments for option in ("--download", "--verify", "--json"))
    arguments = [word for word in arguments if word not in ("--verify", "--json")]
    options, words = _download_options(arguments) if fetch else ({}, arguments)
    config = experiment(words, needed=("data",), download=fetch)
    data: PackedDataModule = build("data", config.data, seed=int(config.get("seed") or 0))
    if fetch:
        _download(data, options)
    status, facts = 0, []
    for part in data.sources.values():
        try:
            if verify:
                part.store.verify()
            facts.append(facts_of(part))
            if not as_json:
                report(facts[-1])
        except NothingReadable as error:
            print(error, file=sys.stderr)
            status = 1
            continue
        if verify:
            print(f"Every file of {part.store.path} is as it was packed.", file=sys.stderr if as_json else sys.stdout)
    if len(data.sources) > 1 and not status:
        facts.append(facts_of(data))
        leaks = leak.leaks_between_sides(data)
        if as_json:
            facts[-1]["leaks"] = leaks
        else:
            report(facts[-1])
            print(*leaks, sep="\n")
    if as_json:
        print(json.dumps(facts, indent=2, ensure_ascii=False))
    return status


def _download_options(arguments: Sequence[str]) -> tuple[dict[str, str], list[str]]:
    """Returns the options of `--download`, and the words of the configuration."""
    pairs = split_arguments(word for word in arguments if word != "--download")
    spelled = [(key.replace("_", "-"), value) for key, value in pairs]  # --base_url is --base-url
    options = {key: value for key, value in spelled if key in OPTIONS}
    words = [f"{key}={value}" for key, value in pairs if key.replace("_", "-") not in OPTIONS]
    return options, words


def _download(data: PackedDataModule, options: Mapping[str, str]) -> None:
    """Fetches the missing files of the source's archive, or of every public archive of a mix."""
    from ecg_lightning.download import catalogue, download
    from ecg_lightning.download.catalogue import archive_of

    include, exclude = (options[key].split(",") if key in options else () for key in ("include", "exclude"))
    parts = list(data.sources.values())
    if len(parts) > 1:  # a mix: folders of a hospital and simulated archives cannot be fetched
        parts = [part for part in parts if part.source in catalogue()]
    if len(parts) > 1 and "base-url" in options:
        raise UserError(
            f"--base-url is the address of one archive, and this mix has {', '.join(part.source for part in parts)}. Fetch "
            "that archive alone first, with its file in conf/data."
        )
    for part in parts:
        archive_of(part.source)
        if part.root is None:
            raise UserError(f"data.root of {part.source} is missing. Give the folder into which --download writes.")
        root = Path(part.root).expanduser()
        download(part.source, root, base_url=options.get("base-url"), include=include, exclude=exclude)


def facts_of(data: PackedDataModule) -> dict[str, Any]:
    """Counts what is in one packed source, as plain values."""
    store = data.store
    usable, targets = data.is_kept, data.targets
    rows = {split: data.rows(split) for split in SPLITS}
    terms = []
    for column, term in enumerate(data.terms):
        values = targets[:, column]
        masks = {"positive": values == 1, "negative": values == 0, "not annotated": np.isnan(values)}
        counts = {name: int((usable & mask).sum()) for name, mask in masks.items()}
        terms.append({"term": term, **counts, **{split: int((values[rows[split]] == 1).sum()) for split in SPLITS}})
    uncovered = uncovered_codes(data) if isinstance(data, ECGDataModule) else Counter()  # a mix has no codes of its own
    return {
        "source": data.source,
        "summary": summary(store),
        "patient_unknown": int((store.index["patient_id"] == "").sum()),
        "store": str(store.path),
        "rejected": dict(Counter(str(reason).partition(":")[0] for reason in store.rejected["reason"]).most_common()),
        "flagged": dict(
            Counter(flag for flags in store.index["quality"] for flag in _without_leads(flags)).most_common()
        ),
        "left_out": int((~usable).sum()),
        "label_space": data.space.name,
        "terms": terms,
        "recordings": {split: len(rows[split]) for split in SPLITS},
        "uncovered_codes": dict(uncovered.most_common()),
    }


def report(facts: Mapping[str, Any]) -> None:
    """Prints the tables of one packed source, of which `facts_of` counted."""
    from rich.table import Table

    out = console()
    counts = ", ".join(f"{value:,} {key}" for key, value in facts["summary"].items())
    out.print(f"{facts['source']}: {counts}", soft_wrap=True)
    if unknown := facts["patient_unknown"]:
        out.print(f"  patient unknown: {unknown:,}; each of these recordings counts as one patient")
    out.print(f"store: {facts['store']}", soft_wrap=True)
    for title, key in (("rejected", "rejected"), ("repaired or flagged", "flagged")):
        for reason, count in facts[key].items():
            out.print(f"  {title}: {count:,} {reason}")
    if facts["left_out"]:
        out.print(f"  left out by the configuration: {facts['left_out']:,}")
    columns = ("positive", "negative", "not annotated", *SPLITS)
    table = Table("term", *columns, title=f"label space {facts['label_space']}")
    for row in facts["terms"]:
        table.add_row(row["term"], *(f"{row[column]:,}" for column in columns))
    table.add_section()
    table.add_row("recordings", "", "", "", *(f"{facts['recordings'][split]:,}" for split in SPLITS))
    out.print(table)
    if uncovered := facts["uncovered_codes"]:
        codes = ", ".join(f"{code} ({count:,})" for code, count in uncovered.items())
        total = sum(uncovered.values())
        out.print(f"{len(uncovered):,} codes that no term covers, {total:,} times: {codes}", soft_wrap=True)


def uncovered_codes(data: ECGDataModule) -> Counter[str]:
    """Counts the recordings that have each code that no term of the vocabulary covers."""
    index = data.store.index
    cells = Counter(zip(index["codes"], data.annotators(index), strict=True))
    uncovered: Counter[str] = Counter()
    for (codes, source), count in cells.items():
        uncovered.update(dict.fromkeys(data.annotation(codes, source).unknown, count))
    return uncovered


def _without_leads(flags: str) -> Iterable[str]:
    """Returns the flags of one recording, each once: `flat:V1|flat:V2|unit_assumed:uV` is flat and unit_assumed:uV."""
    pairs = (flag.rpartition(":") for flag in flags.split("|") if flag)
    return dict.fromkeys(kind if lead in LEADS else f"{kind}{colon}{lead}" for kind, colon, lead in pairs)
