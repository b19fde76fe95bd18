"""`prepare`: fetches a source on request, packs it, and says what is in it: records, patients, what was set aside, every term.

It may be stopped at any moment; the same command goes on.
"""

import sys
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

import numpy as np

from ecg_lightning.config.compose import split_arguments
from ecg_lightning.config.experiment import experiment
from ecg_lightning.config.schema import build
from ecg_lightning.datamodules.base import SPLITS, ECGDataModule, NothingReadable
from ecg_lightning.errors import UserError
from ecg_lightning.processes import stoppable
from ecg_lightning.records import LEADS
from ecg_lightning.store import summary
from ecg_lightning.training import leak

OPTIONS = ("include", "exclude", "base-url")
"""Of ``--download``; the other words are the configuration's."""


def prepare(arguments: Sequence[str]) -> int:
    """The verb: ``prepare --config data/ptbxl data.root=…``, with ``--download`` and its options where it is to be fetched.

    The options are ``include`` and ``exclude`` (patterns of paths below the root, or names of folders, joined by commas)
    and ``base-url`` (another address of the same archive). ``--verify`` compares what is packed with its hashes.

    Returns:
        1 where every recording of a source was set aside, else 0.
    """
    return stoppable(lambda: _prepare(arguments))


def _prepare(arguments: Sequence[str]) -> int:
    fetch, verify = "--download" in arguments, "--verify" in arguments
    arguments = [word for word in arguments if word != "--verify"]
    options, words = _download_options(arguments) if fetch else ({}, arguments)
    config = experiment(words, needed=("data",), download=fetch)
    data: ECGDataModule = build("data", config.data, seed=int(config.get("seed") or 0))
    if fetch:
        _download(data, options)
    status = 0
    for part in data.sources.values():
        try:
            if verify:
                part.store.verify()
            report(part)
        except NothingReadable as error:
            print(error, file=sys.stderr)
            status = 1
            continue
        if verify:
            print(f"Every file of {part.store.path} is as it was packed.")
    if len(data.sources) > 1 and not status:
        report(data)
        print(*leak.leaks_between_sides(data), sep="\n")
    return status


def _download_options(arguments: Sequence[str]) -> tuple[dict[str, str], list[str]]:
    """The options of ``--download``, and the words of the configuration."""
    pairs = split_arguments(word for word in arguments if word != "--download")
    options = {key: value for key, value in pairs if key in OPTIONS}
    return options, [f"{key}={value}" for key, value in pairs if key not in OPTIONS]


def _download(data: ECGDataModule, options: Mapping[str, str]) -> None:
    """Fetches what is not there yet of the source's archive, or of every public archive of a mix."""
    from ecg_lightning.download import catalogue, download
    from ecg_lightning.download.catalogue import find

    include, exclude = (options[key].split(",") if key in options else () for key in ("include", "exclude"))
    parts = list(data.sources.values())
    if len(parts) > 1:  # without a hospital's own, and simulated ones
        parts = [part for part in parts if part.source in catalogue()]
    if len(parts) > 1 and "base-url" in options:
        raise UserError(
            f"--base-url: of which of the archives {', '.join(part.source for part in parts)}? Fetch that one by itself first, "
            "with a configuration of its own (conf/data)."
        )
    for part in parts:
        find(part.source)
        if part.root is None:
            raise UserError(f"data.root of {part.source} is missing: the folder that --download fills.")
        root = Path(part.root).expanduser()
        download(part.source, root, base_url=options.get("base-url"), include=include, exclude=exclude)


def report(data: ECGDataModule) -> None:
    """Prints the tables of one packed source."""
    from rich.console import Console
    from rich.table import Table

    console = Console(width=None if sys.stdout.isatty() else 130, highlight=False)
    store = data.store
    facts = summary(store)
    console.print(f"{data.source}: " + ", ".join(f"{value:,} {key}" for key, value in facts.items()), soft_wrap=True)
    unknown_patients = int((store.index["patient_id"] == "").sum())
    if unknown_patients:
        console.print(f"  patient unknown: {unknown_patients:,}; each of these recordings counts as a patient")
    console.print(f"store: {store.path}", soft_wrap=True)
    reasons = Counter(str(reason).partition(":")[0] for reason in store.rejected["reason"])
    flags = Counter(flag for flags in store.index["quality"] for flag in _without_leads(flags))
    for title, listed in (("rejected", reasons), ("repaired or flagged", flags)):
        for reason, count in listed.most_common():
            console.print(f"  {title}: {count:,} {reason}")
    kept = data.keep(store.index)
    if not kept.all():
        console.print(f"  left out by the configuration: {(~kept).sum():,}")
    shown = Table("term", "positive", "negative", "not annotated", *SPLITS, title=f"label space {data.space.name}")
    rows = {split: data.rows(split) for split in SPLITS}
    for column, term in enumerate(data.terms):
        values = data.targets[:, column]
        counts = [(kept & found).sum() for found in (values == 1, values == 0, np.isnan(values))]
        counts += [(values[rows[split]] == 1).sum() for split in SPLITS]
        shown.add_row(term, *(f"{count:,}" for count in counts))
    shown.add_section()
    shown.add_row("recordings", "", "", "", *(f"{len(rows[split]):,}" for split in SPLITS))
    console.print(shown)
    unknown = unknown_codes(data) if data.source in data.sources else None  # a mix has no codes of its own
    if unknown:
        codes = ", ".join(f"{code} ({count:,})" for code, count in unknown.most_common())
        console.print(f"{len(unknown):,} codes that no term covers, {unknown.total():,} times: {codes}", soft_wrap=True)


def unknown_codes(data: ECGDataModule) -> Counter[str]:
    """The codes of a packed source that no term of the vocabulary covers, and how many recordings have each."""
    index = data.store.index
    said = Counter(zip(index["codes"], data.annotators(index), strict=True))
    unknown: Counter[str] = Counter()
    for (codes, source), count in said.items():
        unknown.update(dict.fromkeys(data.statements(codes, source).unknown, count))
    return unknown


def _without_leads(flags: str) -> Iterable[str]:
    """The flags of one recording, each once: ``flat:V1|flat:V2|unit_assumed:uV`` is flat and unit_assumed:uV."""
    pairs = (flag.rpartition(":") for flag in flags.split("|") if flag)
    return dict.fromkeys(kind if lead in LEADS else f"{kind}{colon}{lead}" for kind, colon, lead in pairs)
