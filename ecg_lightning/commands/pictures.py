"""Where the pictures of recordings are written: one file a recording, never two under one name."""

from collections.abc import Sequence
from pathlib import Path

from ecg_lightning.errors import UserError
from ecg_lightning.figures import FORMATS


def picture_paths(files: Sequence[Path], folder: Path, file_format: str) -> list[Path]:
    """Returns a path for the picture of each recording, NAME.png; further recordings of one name are NAME-2.png and so on.

    Args:
        files: of the recordings.
        folder: where the pictures go.
        file_format: one of `FORMATS`.
    """
    paths: dict[Path, None] = {}
    for file in files:
        stem, number = file.stem or file.name, 1
        while (path := folder / f"{stem}{f'-{number}' if number > 1 else ''}.{file_format}") in paths:
            number += 1
        paths[path] = None
    return [*paths]


def format_of(option: str | None, output: Path | None) -> str:
    """Returns the format of a picture, by the option or by the end of its name; PNG by default.

    Raises:
        UserError: where both contradict each other, or the end of the name is no format's.
    """
    end = output.suffix[1:].lower() if output is not None else ""
    if end and end not in FORMATS:
        raise UserError(f"A picture cannot be written as '{output}'. The name must end with .{', .'.join(FORMATS)}.")
    if option and end and option != end:
        raise UserError(
            f"'{output}' is not the name of a {option} file. Name the file NAME.{option}, or leave out one of both."
        )
    return option or end or FORMATS[0]


def refuse_existing(paths: Sequence[Path]) -> None:
    """Checks that no picture is there already.

    Raises:
        UserError: where there is one.
    """
    existing = [path for path in paths if path.exists()]
    if existing:
        more = f" So do {len(existing) - 1} more." if len(existing) > 1 else ""
        raise UserError(
            f"{existing[0]} exists already.{more} Choose another place by --output, or replace it by --overwrite."
        )
