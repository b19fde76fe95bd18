"""What `predict`, `features` and `show` share: recordings from files, a network's outputs for them, and the list of those that failed."""

import argparse
import csv
import sys
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray

from ecg_lightning.commands.words import Parser
from ecg_lightning.errors import MissingPackageError, UserError
from ecg_lightning.records import Record, RecordError, read_record
from ecg_lightning.records.find import find_recordings
from ecg_lightning.records.record import readable

F = TypeVar("F", bound=np.floating[Any])
Failed = list[tuple[str, str]]
"""Names of recordings that could not be used, with the reasons."""
NOT_FINITE = "no finite output: the network's numbers are infinite or NaN"


def input_parser(verb: str) -> Parser:
    """Makes the parser of a verb that applies a checkpoint to files, with the options that say how they are read."""
    parser = Parser(prog=verb, add_help=False)
    parser.add_argument("checkpoint")
    parser.add_argument("--output")
    add_reading_options(parser)
    parser.add_argument("--batch-size", type=int, default=32)
    parser.add_argument("--allow-missing-leads", action="store_true")
    parser.add_argument("--model")
    return parser


def add_reading_options(parser: Parser) -> None:
    """Adds the options that say what files do not say of themselves."""
    parser.add_argument("--rate", type=float)
    parser.add_argument("--unit")
    parser.add_argument("--leads")


def output_of(options: argparse.Namespace, verb: str, default: str) -> Path:
    """Returns the file that a verb writes, after its folder was made.

    Raises:
        UserError: where it is a folder, or the size of a batch is not possible.
    """
    output = Path(options.output or default)
    if output.is_dir():
        raise UserError(f"{verb}: --output {output} is a folder. Name a file in it, for example {output / default}.")
    if options.batch_size < 1:
        raise UserError(f"{verb}: --batch-size {options.batch_size} must be at least 1.")
    output.parent.mkdir(parents=True, exist_ok=True)
    return output


def files_of(options: argparse.Namespace) -> list[Path]:
    """Returns the recordings that a verb is to use, each once.

    Raises:
        UserError: for a path that does not exist, a folder without recordings, or a key of the other verbs.
    """
    if place := next((word for word in options.paths if word.startswith("checkpoints_dir=")), None):
        raise UserError(
            f"There is no file or folder '{place}'. The place of published checkpoints is $ECG_CHECKPOINTS here."
        )
    return find_recordings(options.paths)


def read_files(files: Sequence[Path], options: argparse.Namespace, failed: Failed) -> Iterator[tuple[str, Record]]:
    """Yields the recordings of some files, each with its name; adds those that cannot be read to the failed ones."""
    leads = options.leads.split(",") if options.leads else None
    for file in files:
        name = readable(file)
        try:
            yield name, read_record(file, sampling_rate=options.rate, unit=options.unit, leads=leads, incomplete=True)
        except (RecordError, MissingPackageError) as error:
            failed.append((name, str(error)))
        except Exception as error:  # noqa: BLE001 - a damaged file may fail in any way; the other files are still used
            failed.append((name, f"{type(error).__name__}: {error}"))


def outputs_of(
    function: Callable[[Sequence[Record]], NDArray[F]],
    records: Sequence[tuple[str, Record]],
    failed: Failed,
) -> Iterator[tuple[str, Record, NDArray[F]]]:
    """Yields name, recording and outputs of each recording; adds those without a finite output to the failed ones.

    Args:
        function: from recordings to (recordings, outputs).
        records: recordings, each with its name.
        failed: gets the recordings without outputs.
    """
    if not records:
        return
    try:
        outputs = function([record for _, record in records])
    except Exception as error:  # noqa: BLE001 - one recording may have caused it, so that each is tried by itself
        if len(records) == 1:
            reason = str(error) if isinstance(error, RecordError) else f"{type(error).__name__}: {error}"
            failed.append((records[0][0], reason))
        else:
            for pair in records:
                yield from outputs_of(function, [pair], failed)
        return
    for (name, record), row in zip(records, outputs, strict=True):
        if np.isfinite(row).all():
            yield name, record, row
        else:
            failed.append((name, NOT_FINITE))


def list_failed(errors: Path, failed: Failed, checkpoint: str, count: int, participle: str) -> None:
    """Writes the list of recordings that failed, and prints the first on stderr; removes the list of an earlier call.

    Args:
        errors: the list.
        failed: the recordings, with the reasons.
        checkpoint: the network, for the message.
        count: of all recordings.
        participle: what was to be done with them, for the message.
    """
    errors.unlink(missing_ok=True)
    if not failed:
        return
    with errors.open("w", newline="", encoding="utf-8", errors="backslashreplace") as file:
        csv.writer(file).writerows([("record", "reason"), *failed])
    print(
        f"{len(failed)} recordings could not be {participle}; {errors} lists them. The first is {failed[0][0]}: {failed[0][1]}",
        file=sys.stderr,
    )
    if sum(reason == NOT_FINITE for _, reason in failed) == count:
        print(
            f"The network gives no finite number for any recording: the weights of '{checkpoint}' are damaged. Fetch it "
            "again, or train and publish it again.",
            file=sys.stderr,
        )
