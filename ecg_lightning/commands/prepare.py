"""`prepare`: fetches a source on request, packs it, and prints what is in it: records, patients, rejected files, every term.

It may be stopped at any moment; the same command then goes on where it stopped.
"""

import sys
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

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

    Returns:
        1 where every recording of a source was rejected, else 0.
    """
    return stoppable(lambda: _prepare(arguments))


def _prepare(arguments: Sequence[str]) -> int:
    fetch, verify = "--download" in arguments, "--verify" in arguments
    arguments = [word for word in arguments if word != "--verify"]
    options, words = _download_options(arguments) if fetch else ({}, arguments)
    config = experiment(words, needed=("data",), download=fetch)
    data: PackedDataModule = build("data", config.data, seed=int(config.get("seed") or 0))
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


def report(data: PackedDataModule) -> None:
    """Prints the tables of one packed source."""
    from rich.table import Table

    out = console()
    store = data.store
    facts = summary(store)
    out.print(f"{data.source}: " + ", ".join(f"{value:,} {key}" for key, value in facts.items()), soft_wrap=True)
    unknown_patients = int((store.index["patient_id"] == "").sum())
    if unknown_patients:
        out.print(f"  patient unknown: {unknown_patients:,}; each of these recordings counts as one patient")
    out.print(f"store: {store.path}", soft_wrap=True)
    reasons = Counter(str(reason).partition(":")[0] for reason in store.rejected["reason"])
    flags = Counter(flag for flags in store.index["quality"] for flag in _without_leads(flags))
    for title, counter in (("rejected", reasons), ("repaired or flagged", flags)):
        for reason, count in counter.most_common():
            out.print(f"  {title}: {count:,} {reason}")
    usable, targets = data.is_kept, data.targets
    if not usable.all():
        out.print(f"  left out by the configuration: {(~usable).sum():,}")
    table = Table("term", "positive", "negative", "not annotated", *SPLITS, title=f"label space {data.space.name}")
    rows = {split: data.rows(split) for split in SPLITS}
    for column, term in enumerate(data.terms):
        values = targets[:, column]
        counts = [(usable & mask).sum() for mask in (values == 1, values == 0, np.isnan(values))]
        counts += [(values[rows[split]] == 1).sum() for split in SPLITS]
        table.add_row(term, *(f"{count:,}" for count in counts))
    table.add_section()
    table.add_row("recordings", "", "", "", *(f"{len(rows[split]):,}" for split in SPLITS))
    out.print(table)
    uncovered = uncovered_codes(data) if isinstance(data, ECGDataModule) else None  # a mix has no codes of its own
    if uncovered:
        codes = ", ".join(f"{code} ({count:,})" for code, count in uncovered.most_common())
        out.print(f"{len(uncovered):,} codes that no term covers, {uncovered.total():,} times: {codes}", soft_wrap=True)


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
