"""Applies a checkpoint to recordings of any format, rate, lead order and length."""

import csv
import sys
from collections.abc import Sequence

from ecg_lightning.commands.missing import Missing
from ecg_lightning.commands.pages import Pages, add_page_options
from ecg_lightning.commands.recordings import (
    Failed,
    files_of,
    input_parser,
    list_failed,
    output_of,
    outputs_of,
    read_files,
)
from ecg_lightning.errors import printable
from ecg_lightning.evaluation.predictor import Predictor


def predict(arguments: Sequence[str]) -> int:
    """Writes one row for each recording, lists those that could not be predicted, and prints how many there were of each.

    Returns:
        1 where a recording could not be predicted or its page not be drawn, else 0.
    """
    parser = input_parser("predict")
    parser.add_argument("paths", nargs="+")
    parser.add_argument("--calibrated", action="store_true")
    add_page_options(parser)
    options = parser.read(arguments)
    output = output_of(options, "predict", "predictions.csv")
    files = files_of(options)
    predictor = Predictor(
        options.checkpoint,
        trusted=options.model,
        batch_size=options.batch_size,
        allow_missing_leads=options.allow_missing_leads,
    )
    predictor.check_terms()
    for note in predictor.notes:
        print(printable(note), file=sys.stderr)
    if predictor.not_learnt:
        print(
            f"The network has not learnt these terms, and does not predict them: {', '.join(predictor.not_learnt)}.",
            file=sys.stderr,
        )
    pages = Pages(options, files, predictor)
    failed: Failed = []
    missing = Missing(predictor)
    partial = output.with_name(output.name + ".part")
    with partial.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file)
        writer.writerow(["record", *predictor.terms, "positive", "quality"])
        for first in range(0, len(files), options.batch_size):
            records = list(read_files(files[first : first + options.batch_size], options, failed))
            for name, record, logits in outputs_of(predictor.logits, records, failed):
                values = predictor.from_logits(logits, options.calibrated)
                positive = predictor.positive(predictor.from_logits(logits))
                row = [name, *(f"{value:.6f}" for value in values), "|".join(positive), "|".join(record.quality)]
                writer.writerow(row)
                pages.draw(name, record, logits)
                missing.add(record)
    partial.replace(output)
    missing.report()
    list_failed(output.with_suffix(".errors.csv"), failed, options.checkpoint, len(files), "predicted")
    print(f"{len(files) - len(failed)} of {len(files)} recordings predicted → {output}")
    pages.report()
    return 1 if failed or pages.failed else 0
