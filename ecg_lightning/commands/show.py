"""Draws recordings of any format on ECG paper, and prints what they are; needs no network and no torch."""

import argparse
import math
import sys
from collections.abc import Sequence
from pathlib import Path

from ecg_lightning.commands.pictures import format_of, picture_paths, refuse_existing
from ecg_lightning.commands.recordings import Failed, add_reading_options, read_files
from ecg_lightning.commands.words import Parser
from ecg_lightning.errors import UserError, printable
from ecg_lightning.figures import FORMATS, ecg_figure, encode
from ecg_lightning.figures.flags import flags_text
from ecg_lightning.files import write_whole
from ecg_lightning.records import LEADS, Record
from ecg_lightning.records.find import find_recordings
from ecg_lightning.records.record import readable


def show(arguments: Sequence[str]) -> int:
    """Writes a picture of each recording, and prints what each is.

    Returns:
        1 where some of several recordings could not be drawn, else 0.

    Raises:
        UserError: where the only recording could not be drawn.
    """
    parser = Parser(prog="show", add_help=False)
    parser.add_argument("paths", nargs="+")
    parser.add_argument("--output")
    parser.add_argument("--format", choices=FORMATS)
    parser.add_argument("--start", type=float, default=0.0)
    parser.add_argument("--gain", type=float)
    parser.add_argument("--ids", action="store_true")
    parser.add_argument("--overwrite", action="store_true")
    add_reading_options(parser)
    options = parser.read(arguments)
    files = find_recordings(options.paths)
    pictures = _pictures(files, options)
    failed: Failed = []
    for file, picture in zip(files, pictures, strict=True):
        for name, record in read_files([file], options, failed):
            try:
                content = _picture(record, options, picture.suffix[1:])
            except UserError as error:
                failed.append((name, str(error)))
                continue
            write_whole(picture, content)
            print(printable(f"{name} → {readable(picture)}\n{_description(record)}"), flush=True)
    if failed and len(files) == 1:
        raise UserError(f"{failed[0][0]} cannot be drawn: {failed[0][1].rstrip('.')}.")
    for name, reason in failed:
        print(printable(f"{name} cannot be drawn: {reason.rstrip('.')}."), file=sys.stderr)
    if len(files) > 1:
        print(f"{len(files) - len(failed)} of {len(files)} recordings drawn")
    return 1 if failed else 0


def _pictures(files: Sequence[Path], options: argparse.Namespace) -> list[Path]:
    """Returns the path of each picture, after its folder was made.

    Raises:
        UserError: where a picture exists already, or several recordings would go into one file.
    """
    output = Path(options.output) if options.output else None
    into_folder = output is None or output.is_dir() or options.output.endswith("/") or len(files) > 1
    if into_folder:
        folder = output or Path()
        if folder.suffix[1:].lower() in FORMATS and not folder.is_dir():
            raise UserError(f"show: --output {folder} is one file for {len(files)} recordings. Name a folder.")
        pictures = picture_paths(files, folder, format_of(options.format, None))
    else:
        assert output is not None
        file_format = format_of(options.format, output)
        pictures = [output if output.suffix else output.with_suffix(f".{file_format}")]
    if not options.overwrite:
        refuse_existing(pictures)
    pictures[0].parent.mkdir(parents=True, exist_ok=True)
    return pictures


def _picture(record: Record, options: argparse.Namespace, file_format: str) -> bytes:
    """Returns the picture of a recording; its id is drawn only where the options ask for it."""
    flags = flags_text(record.quality, without="missing")
    figure = ecg_figure(
        record,
        title=record.record_id if options.ids else "",
        notes=[flags] if flags else [],
        start=options.start,
        gain=options.gain,
    )
    return encode(figure, file_format)


def _description(record: Record) -> str:
    """Returns lines that say what a recording is."""
    missing = {flag.removeprefix("missing:") for flag in record.quality if flag.startswith("missing:")}
    leads = [lead for lead in LEADS if lead not in missing]
    samples = record.signal.shape[1]
    lines = [
        f"  leads   {len(leads)}: {', '.join(leads)}",
        f"  length  {samples / record.sampling_rate:.4g} s, {samples:,} samples at {record.sampling_rate:g} Hz",
    ]
    sex = {"F": "female", "M": "male"}.get(record.sex, "")
    age = "" if math.isnan(record.age) else f"{record.age:g} years"
    if age or sex:
        lines.append(f"  patient {', '.join(filter(None, (age, sex)))}")
    lines.append(f"  flags   {flags_text(record.quality) or 'none'}")
    return "\n".join(lines)
