"""`prepare`: packs a source and says what is in it: records, patients, hours, what was set aside, and every term."""

import sys
from collections import Counter
from collections.abc import Sequence

import numpy as np

from ecg_lightning.config import build, check, check_paths, compose
from ecg_lightning.datamodules.base import SPLITS, ECGDataModule
from ecg_lightning.store import summary


def prepare(arguments: Sequence[str]) -> int:
    """The verb: ``prepare --config data/ptbxl data.root=…``."""
    config = compose(arguments)
    check(config, needed=("data",))
    check_paths(config)
    data: ECGDataModule = build("data", config.data, seed=int(config.get("seed") or 0))
    data.pack()
    report(data)
    return 0


def report(data: ECGDataModule) -> None:
    """Prints the tables of one packed source."""
    from rich.console import Console
    from rich.table import Table

    console = Console(width=None if sys.stdout.isatty() else 130, highlight=False)
    facts = summary(data.store)
    console.print(f"{data.source}: " + ", ".join(f"{value:,} {key}" for key, value in facts.items()), soft_wrap=True)
    console.print(f"store: {data.store.path}", soft_wrap=True)
    reasons = Counter(str(reason).partition(":")[0] for reason in data.store.rejected["reason"])
    flags = Counter(flag.partition(":")[0] for flags in data.store.index["quality"] for flag in flags.split("|") if flag)
    for title, listed in (("rejected", reasons), ("repaired or flagged", flags)):
        for reason, count in listed.most_common():
            console.print(f"  {title}: {count:,} {reason}")
    shown = Table("term", "positive", "negative", "not annotated", *SPLITS, title=f"label space {data.space.name}")
    rows = {split: data.rows(split) for split in SPLITS}
    for column, term in enumerate(data.terms):
        values = data.targets[:, column]
        counts = [(values == 1).sum(), (values == 0).sum(), np.isnan(values).sum()]
        counts += [(values[rows[split]] == 1).sum() for split in SPLITS]
        shown.add_row(term, *(f"{count:,}" for count in counts))
    shown.add_section()
    shown.add_row("recordings", "", "", "", *(f"{len(rows[split]):,}" for split in SPLITS))
    console.print(shown)
    pairs = zip(data.store.index["codes"], data.annotators(data.store.index), strict=True)
    unknown = Counter(code for codes, source in pairs for code in data.statements(codes, source).unknown)
    if unknown:
        codes = ", ".join(f"{code} ({count})" for code, count in unknown.most_common(20))
        console.print(f"{len(unknown)} codes that no term covers: {codes}", soft_wrap=True)
