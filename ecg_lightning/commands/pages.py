"""The pages of `predict --plot`: one for each recording, in a folder."""

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from ecg_lightning.commands.pictures import picture_paths
from ecg_lightning.commands.recordings import Failed
from ecg_lightning.commands.words import Parser
from ecg_lightning.errors import UserError, printable
from ecg_lightning.evaluation.pages import page_of
from ecg_lightning.evaluation.predictor import Predictor
from ecg_lightning.figures import FORMATS, encode
from ecg_lightning.files import write_whole
from ecg_lightning.records import Record
from ecg_lightning.records.record import readable


def add_page_options(parser: Parser) -> None:
    """Adds the options that ask for pages."""
    parser.add_argument("--plot")
    parser.add_argument("--plot-format", choices=FORMATS)
    parser.add_argument("--ids", action="store_true")


class Pages:
    """Draws the pages of recordings; without `--plot` it draws none.

    Args:
        options: of the command line.
        files: all recordings that will be read.
        predictor: the network.

    Raises:
        UserError: where the folder is a file, or options of the pages are given without a folder.
    """

    def __init__(self, options: argparse.Namespace, files: Sequence[Path], predictor: Predictor) -> None:
        self.options, self.predictor = options, predictor
        self.folder = Path(options.plot) if options.plot else None
        self.drawn = 0
        self.failed: Failed = []
        self._paths: dict[str, Path] = {}
        if self.folder is None and (options.plot_format or options.ids):
            raise UserError("predict: --plot-format and --ids are for pages. Add --plot FOLDER, or leave them out.")
        if self.folder is not None:
            if self.folder.exists() and not self.folder.is_dir():
                raise UserError(f"predict: --plot {self.folder} is a file. Name a folder for the pages.")
            self.folder.mkdir(parents=True, exist_ok=True)
            paths = picture_paths(files, self.folder, options.plot_format or FORMATS[0])
            self._paths = dict(zip(map(readable, files), paths, strict=True))

    def draw(self, name: str, record: Record, logits: NDArray[np.float64]) -> None:
        """Writes the page of one recording, or remembers why it could not be drawn.

        Args:
            name: its name, as `read_files` gives it.
            record: the recording.
            logits: (terms,) of `Predictor.logits`.
        """
        if self.folder is None:
            return
        path = self._paths[name]
        title = record.record_id if self.options.ids else ""
        try:
            figure = page_of(self.predictor, record, logits, calibrated=self.options.calibrated, title=title)
            write_whole(path, encode(figure, path.suffix[1:]))
        except OSError:  # the disk is full, or the folder is gone: no other page can be written either
            raise
        except Exception as error:  # noqa: BLE001 - the row of this recording and the other pages are still written
            self.failed.append((name, f"{type(error).__name__}: {error}"))
        else:
            self.drawn += 1

    def report(self) -> None:
        """Prints where the pages are, and how many could not be drawn."""
        if self.failed:
            name, reason = self.failed[0]
            text = f"Pages that could not be drawn: {len(self.failed)}. The first is that of {name}: {reason}"
            print(printable(text), file=sys.stderr)
        if self.folder is not None:
            print(printable(f"{self.drawn} {'page' if self.drawn == 1 else 'pages'} → {self.folder}"))
