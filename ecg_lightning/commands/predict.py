"""Applies a checkpoint to recordings of any format, rate, lead order and length."""

import argparse
import csv
import re
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import NoReturn

import numpy as np

from ecg_lightning.errors import UserError
from ecg_lightning.evaluation.predictor import Predictor
from ecg_lightning.records import RecordError, read_record
from ecg_lightning.records.leads import lead_name
from ecg_lightning.records.read import SUFFIXES


def find_records(paths: Sequence[str]) -> Iterator[Path]:
    """The recordings that files and folders name; a WFDB record is named once, by its header, and a folder's tables never.

    Raises:
        UserError: for a path that is not there, or a folder without recordings.
    """
    for name in paths:
        path = Path(name)
        if path.is_dir():
            files = sorted(file for file in path.rglob("*") if file.suffix.lower() in SUFFIXES and file.is_file())
            headed = {file.with_suffix("") for file in files if file.suffix == ".hea"}
            files = [file for file in files if file.suffix == ".hea" or file.with_suffix("") not in headed]
            tables = [file for file in files if file.suffix.lower() == ".csv" and _is_table(file)]
            if tables:
                print(f"Passed over, since no column is a lead: {', '.join(map(str, tables))}", file=sys.stderr)
            if len(tables) == len(files):
                raise UserError(f"There is no recording in the folder '{name}' ({', '.join(SUFFIXES)}).")
            yield from (file for file in files if file not in tables)
        elif path.is_file() or path.with_suffix(".hea").is_file():
            yield path
        else:
            raise UserError(f"There is no file or folder '{name}'.")


def _is_table(path: Path) -> bool:
    """Whether a CSV file begins with names of columns of which none is a lead's: a list of recordings, or predictions."""
    try:
        with path.open(encoding="utf-8-sig", errors="replace") as file:
            first = file.readline()
    except OSError:  # it is read again, and then listed as unreadable
        return False
    cells = [cell.strip(' "\r\n') for cell in re.split(r"[,;\t]", first)]
    leads = (lead_name(re.split(r"\s*[\[(]|[\s_]+[munµμ]V$", cell)[0]) for cell in cells)
    return not any(re.match(r"[-+.\d]", cell) for cell in cells) and any(cells) and not any(leads)


def predict(arguments: Sequence[str]) -> int:
    """The verb: writes one row a recording, lists what could not be read, and says how many there were of each."""
    options = _options(arguments)
    output = Path(options.output)
    if output.is_dir():
        raise UserError(f"predict: --output {output} is a folder; name a file in it, for example predictions.csv.")
    if options.batch_size < 1:
        raise UserError(f"predict: --batch-size {options.batch_size} must be at least 1.")
    output.parent.mkdir(parents=True, exist_ok=True)
    files = list(dict.fromkeys(find_records(options.paths)))
    predictor = Predictor(options.checkpoint, trusted=options.model)
    errors = output.with_suffix(".errors.csv")
    leads = options.leads.split(",") if options.leads else None
    partial = output.with_name(output.name + ".part")
    failed: list[tuple[str, str]] = []
    with partial.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file)
        writer.writerow(["record", *predictor.terms, "positive", "quality"])
        for paths in _chunks(files, options.batch_size):
            names, records = [], []
            for path in paths:
                try:
                    records.append(read_record(path, sampling_rate=options.rate, unit=options.unit, leads=leads))
                    names.append(str(path))
                except RecordError as error:
                    failed.append((str(path), str(error)))
                except Exception as error:  # noqa: BLE001 - a damaged file may fail in any way; the rest is still predicted
                    failed.append((str(path), f"{type(error).__name__}: {error}"))
            plain = predictor.probabilities(records) if records else np.empty((0, len(predictor.terms)))
            shown = predictor.probabilities(records, calibrated=True) if records and options.calibrated else plain
            for name, record, values, raw in zip(names, records, shown, plain, strict=True):
                positive, flags = "|".join(predictor.positive(raw)), "|".join(record.quality)
                writer.writerow([name, *(f"{value:.6f}" for value in values), positive, flags])
    partial.replace(output)
    errors.unlink(missing_ok=True)
    print(f"{len(files) - len(failed)} of {len(files)} recordings predicted → {output}")
    if failed:
        with errors.open("w", newline="", encoding="utf-8") as file:
            csv.writer(file).writerows([("record", "reason"), *failed])
        print(
            f"{len(failed)} could not be read, see {errors}; the first: {failed[0][0]}: {failed[0][1]}", file=sys.stderr
        )
    return 1 if failed else 0


def _chunks(files: list[Path], size: int) -> Iterator[list[Path]]:
    yield from (files[first : first + size] for first in range(0, len(files), size))


def _options(arguments: Sequence[str]) -> argparse.Namespace:
    class Parser(argparse.ArgumentParser):
        def error(self, message: str) -> NoReturn:
            raise UserError(f"predict: {message}. See `predict --help`.")

    parser = Parser(prog="predict", add_help=False)
    parser.add_argument("checkpoint")
    parser.add_argument("paths", nargs="+")
    parser.add_argument("--output", default="predictions.csv")
    parser.add_argument("--rate", type=float)
    parser.add_argument("--unit")
    parser.add_argument("--leads")
    parser.add_argument("--batch-size", type=int, default=32)
    parser.add_argument("--calibrated", action="store_true")
    parser.add_argument("--model")
    return parser.parse_args(list(arguments))
