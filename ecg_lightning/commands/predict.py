"""Applies a checkpoint to recordings of any format, rate, lead order and length."""

import argparse
import csv
import sys
from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from ecg_lightning.commands.words import Parser
from ecg_lightning.errors import UserError
from ecg_lightning.evaluation.fewer_leads import known_loss
from ecg_lightning.evaluation.predictor import Predictor
from ecg_lightning.records import Record, RecordError, read_record
from ecg_lightning.records.find import find_recordings
from ecg_lightning.records.record import readable

Failed = list[tuple[str, str]]
"""Names of recordings that could not be predicted, with the reasons."""
NOT_FINITE = "no finite output: the network's numbers are infinite or NaN"


def predict(arguments: Sequence[str]) -> int:
    """Writes one row for each recording, lists those that could not be predicted, and prints how many there were of each.

    Returns:
        1 where a recording could not be predicted, else 0.
    """
    options = _parser().read(arguments)
    output = Path(options.output)
    if output.is_dir():
        raise UserError(
            f"predict: --output {output} is a folder. Name a file in it, for example {output / 'predictions.csv'}."
        )
    if options.batch_size < 1:
        raise UserError(f"predict: --batch-size {options.batch_size} must be at least 1.")
    output.parent.mkdir(parents=True, exist_ok=True)
    files = find_recordings(options.paths)
    predictor = Predictor(
        options.checkpoint,
        trusted=options.model,
        batch_size=options.batch_size,
        allow_missing_leads=options.allow_missing_leads,
    )
    if predictor.not_learnt:
        print(
            f"The network has not learnt these terms, and does not predict them: {', '.join(predictor.not_learnt)}.",
            file=sys.stderr,
        )
    failed: Failed = []
    unknown: Counter[tuple[str, ...]] = Counter()
    missing: Counter[tuple[str, ...]] = Counter()
    partial = output.with_name(output.name + ".part")
    with partial.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file)
        writer.writerow(["record", *predictor.terms, "positive", "quality"])
        for first in range(0, len(files), options.batch_size):
            records = list(_read(files[first : first + options.batch_size], options, failed))
            for name, record, values, positive in _predicted(predictor, records, options.calibrated, failed):
                row = [name, *(f"{value:.6f}" for value in values), "|".join(positive), "|".join(record.quality)]
                writer.writerow(row)
                missing[predictor.missing_leads(record)] += 1
                unknown[predictor.unknown_metadata(record)] += 1
    partial.replace(output)
    _say_what_was_missing(predictor, missing, unknown)
    _list_failed(output.with_suffix(".errors.csv"), failed, options.checkpoint, len(files))
    print(f"{len(files) - len(failed)} of {len(files)} recordings predicted → {output}")
    return 1 if failed else 0


def _read(files: Sequence[Path], options: argparse.Namespace, failed: Failed) -> Iterator[tuple[str, Record]]:
    """Yields the recordings of some files, each with its name; adds those that cannot be read to the failed ones."""
    leads = options.leads.split(",") if options.leads else None
    for file in files:
        name = readable(file)
        try:
            yield name, read_record(file, sampling_rate=options.rate, unit=options.unit, leads=leads, incomplete=True)
        except RecordError as error:
            failed.append((name, str(error)))
        except Exception as error:  # noqa: BLE001 - a damaged file may fail in any way; the other files are still predicted
            failed.append((name, f"{type(error).__name__}: {error}"))


def _predicted(
    predictor: Predictor, records: Sequence[tuple[str, Record]], calibrated: bool, failed: Failed
) -> Iterator[tuple[str, Record, NDArray[np.float64], list[str]]]:
    """Yields name, recording, probabilities and positive terms of each recording; adds those without a finite output to the failed ones.

    Args:
        predictor: the network.
        records: recordings, each with its name.
        calibrated: whether the probabilities are the calibrated ones; the positive terms are the same.
        failed: gets the recordings that could not be predicted.

    Yields:
        The name, the recording, (terms,) probabilities, and the positive terms.
    """
    if not records:
        return
    try:
        logits = predictor.logits([record for _, record in records])
    except Exception as error:  # noqa: BLE001 - one recording may have caused it, so that each is tried by itself
        if len(records) == 1:
            reason = str(error) if isinstance(error, RecordError) else f"{type(error).__name__}: {error}"
            failed.append((records[0][0], reason))
        else:
            for pair in records:
                yield from _predicted(predictor, [pair], calibrated, failed)
        return
    plain = predictor.from_logits(logits)
    probabilities = predictor.from_logits(logits, calibrated)
    for (name, record), outputs, uncalibrated, values in zip(records, logits, plain, probabilities, strict=True):
        if np.isfinite(outputs).all():
            yield name, record, values, predictor.positive(uncalibrated)
        else:
            failed.append((name, NOT_FINITE))


def _say_what_was_missing(
    predictor: Predictor, missing: Counter[tuple[str, ...]], unknown: Counter[tuple[str, ...]]
) -> None:
    """Prints on stderr which leads and which patient data the predicted recordings lacked, and what that means.

    Args:
        predictor: the network.
        missing: how many recordings lacked which leads.
        unknown: how many recordings lacked which patient data.
    """
    of_leads = [f"{', '.join(leads)} in {count}" for leads, count in missing.most_common() if leads]
    if of_leads:
        shown = "; ".join(of_leads[:5]) + (" …" if len(of_leads) > 5 else "")
        print(
            f"Leads that the network sees are missing in {missing.total() - missing[()]} of {missing.total()} recordings ({shown}). "
            f"{known_loss(predictor.card)}",
            file=sys.stderr,
        )
    for column in predictor.metadata:
        if count := sum(number for columns, number in unknown.items() if column in columns):
            print(
                f"The network sees {column} beside the signal, and {count} of {unknown.total()} recordings do not say it. For "
                "these it counts as unknown.",
                file=sys.stderr,
            )


def _list_failed(errors: Path, failed: Failed, checkpoint: str, count: int) -> None:
    """Writes the list of recordings that could not be predicted, and prints the first on stderr; removes the list of an earlier call."""
    errors.unlink(missing_ok=True)
    if not failed:
        return
    with errors.open("w", newline="", encoding="utf-8", errors="backslashreplace") as file:
        csv.writer(file).writerows([("record", "reason"), *failed])
    print(
        f"{len(failed)} recordings could not be predicted; {errors} lists them. The first is {failed[0][0]}: {failed[0][1]}",
        file=sys.stderr,
    )
    if sum(reason == NOT_FINITE for _, reason in failed) == count:
        print(
            f"The network gives no finite number for any recording: the weights of '{checkpoint}' are damaged. Fetch it "
            "again, or train and publish it again.",
            file=sys.stderr,
        )


def _parser() -> Parser:
    parser = Parser(prog="predict", add_help=False)
    parser.add_argument("checkpoint")
    parser.add_argument("paths", nargs="+")
    parser.add_argument("--output", default="predictions.csv")
    parser.add_argument("--rate", type=float)
    parser.add_argument("--unit")
    parser.add_argument("--leads")
    parser.add_argument("--batch-size", type=int, default=32)
    parser.add_argument("--calibrated", action="store_true")
    parser.add_argument("--allow-missing-leads", action="store_true")
    parser.add_argument("--model")
    return parser
