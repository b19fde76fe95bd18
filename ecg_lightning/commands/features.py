"""`features`: what a network's head sees of each recording, as a table: of files, or of a source."""

import sys
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
import pyarrow as pa
from pyarrow import parquet

from ecg_lightning.commands.missing import Missing
from ecg_lightning.commands.recordings import (
    Failed,
    files_of,
    input_parser,
    list_failed,
    output_of,
    outputs_of,
    read_files,
)
from ecg_lightning.config.compose import as_dict
from ecg_lightning.config.experiment import experiment
from ecg_lightning.config.schema import KEYS, build
from ecg_lightning.datamodules.packed import PackedDataModule
from ecg_lightning.datamodules.unpack import record_of
from ecg_lightning.errors import UserError
from ecg_lightning.evaluation.predictor import Predictor
from ecg_lightning.records import Record
from ecg_lightning.streams import progress_bar

Batch = list[tuple[str, Record]]
"""Recordings, each with its id."""


def features(arguments: Sequence[str]) -> int:
    """Writes a Parquet file with a row for each recording: its id, and a column for each feature.

    The file appears when it is complete. Recordings without features are listed beside it.

    Returns:
        1 where a recording has no features, else 0.
    """
    words, source = split_words(arguments)
    parser = input_parser("features")
    parser.add_argument("paths", nargs="*")
    options = parser.read(words)
    output = output_of(options, "features", "features.parquet")
    if output.suffix != ".parquet":
        raise UserError(f"features: --output {output} must end with .parquet, the format of the table.")
    if bool(options.paths) == bool(source):
        both = "Both are given" if source else "Neither is given"
        raise UserError(
            f"features: {both}. After the network, name files and folders, or a source: --config data/ptbxl data.root=…"
        )
    others = [word for word in source if "=" in word and not word.removeprefix("--").startswith(("data.", "config="))]
    if others:
        raise UserError(
            f"features: {', '.join(others)} changes nothing here: the network is that of the checkpoint, and of a configuration "
            "only the source is taken. --model names a class of your own."
        )
    config = experiment(source, needed=("data",)) if source else None
    files = [] if config else files_of(options)
    predictor = Predictor(
        options.checkpoint,
        trusted=options.model,
        batch_size=options.batch_size,
        allow_missing_leads=options.allow_missing_leads,
    )
    failed: Failed = []
    if config is not None:
        values = {"sampling_rate": predictor.sampling_rate} | as_dict(config)["data"]
        data: PackedDataModule = build("data", values, seed=0)
        if rejected := data.store.meta["rejected"]:
            print(f"{rejected} recordings of {data.source} were set aside when it was packed.", file=sys.stderr)
        count = int(data.is_kept.sum())
        batches = of_source(data, options.batch_size)
    else:
        count = len(files)
        batches = (
            list(read_files(files[first : first + options.batch_size], options, failed))
            for first in range(0, count, options.batch_size)
        )
    missing = Missing(predictor)
    _write(output, predictor, batches, -(-count // options.batch_size), failed, missing)
    missing.report()
    list_failed(output.with_suffix(".errors.csv"), failed, options.checkpoint, count, "used")
    print(f"{predictor.network.feature_size} features of {count - len(failed)} of {count} recordings → {output}")
    return 1 if failed else 0


def split_words(arguments: Sequence[str]) -> tuple[list[str], list[str]]:
    """Returns the network, files and options, and the words of a source's configuration (`--config FILE`, `data.root=…`)."""
    words: list[str] = []
    source: list[str] = []
    rest = iter(arguments)
    for word in rest:
        key, equals, _ = word.removeprefix("--").partition("=")
        if word == "--config":
            source += [word, *([value] if (value := next(rest, None)) is not None else [])]
        elif word.startswith("--config=") or (equals and key.partition(".")[0] in KEYS):
            source.append(word)
        else:
            words.append(word)
    return words, source


def of_source(data: PackedDataModule, batch_size: int) -> Iterator[Batch]:
    """Yields the recordings of a source that take part, a batch at a time, from its store."""
    store, rows = data.store, np.flatnonzero(data.is_kept)
    ids = store.index["record_id"].astype(str).to_numpy()
    for first in range(0, len(rows), batch_size):
        yield [(ids[row], record_of(data, row)) for row in rows[first : first + batch_size]]


def _write(
    output: Path, predictor: Predictor, batches: Iterator[Batch], count: int, failed: Failed, missing: Missing
) -> None:
    """Writes the table, a batch after another, so that the memory that is needed does not depend on their number."""
    names = [
        f"feature_{k:0{len(str(predictor.network.feature_size - 1))}d}" for k in range(predictor.network.feature_size)
    ]
    columns = [("record_id", pa.string()), *((name, pa.float32()) for name in names)]
    schema = pa.schema(columns, {"checkpoint": Path(predictor.name).name})
    partial = output.with_name(output.name + ".part")
    try:
        with parquet.ParquetWriter(partial, schema) as writer, progress_bar() as bar:
            for batch in bar.track(batches, count, description="Features"):
                ids, rows = [], []
                for name, record, row in outputs_of(predictor.features, batch, failed):
                    missing.add(record)
                    ids.append(name)
                    rows.append(row)
                if rows:
                    writer.write_table(pa.table([ids, *np.stack(rows).T], schema=schema))
        partial.replace(output)
    finally:
        partial.unlink(missing_ok=True)
