"""A folder of recordings without a table: one row a file, and all that is known of a recording is in its file."""

import hashlib
import os
import secrets
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pandas as pd

from ecg_lightning.datamodules.rows import REFUSED
from ecg_lightning.errors import UserError
from ecg_lightning.records import Record
from ecg_lightning.records.find import find_recordings
from ecg_lightning.records.read import export_format

STATEMENTS = "mimic"
"""The code system of the devices' statements in words."""
_SALT = "patients.salt"
_NEED_A_TABLE = ("columns", "label_columns", "sex_values", "date_format", "metadata", "hospitals")
_OF_FILES = frozenset(("age", "sex"))


def table_of_files(folder: Path) -> pd.DataFrame:
    """One row for each recording in a folder and below it; its id is its path. Files of other kinds are counted on stderr.

    Args:
        folder: the export.
    """
    names = [Path(os.path.relpath(file, folder)).as_posix() for file in find_recordings([str(folder)])]
    return pd.DataFrame({"record_id": names, "file": names, REFUSED: ""}, dtype=object)


def check_without_table(options: Mapping[str, Any]) -> None:
    """Refuses options that describe a table, where there is none.

    Args:
        options: those of the source, by key.

    Raises:
        UserError: it names the option.
    """
    for key in _NEED_A_TABLE:
        value = options[key]
        if value and not (key == "metadata" and _OF_FILES >= set(value)):
            raise UserError(
                f"data.{key} describes a table, and data.table_file is null: every recording is then described by its own "
                f"file. Name a table, or remove data.{key}."
            )


@dataclass(frozen=True)
class HiddenIds:
    """Replaces the patients' ids of exported files by hashes, so that no id of the hospital comes into a store.

    Attributes:
        salt: without it, the hash of an id cannot be computed.
        of_all_files: whether ids of other files, such as WFDB headers, are hidden too.
    """

    salt: bytes
    of_all_files: bool

    def __call__(self, record: Record, path: Path) -> Record:
        """A recording whose patient id is hidden, where it has one."""
        if not record.patient_id or not (self.of_all_files or export_format(path) is not None):
            return record
        digest = hashlib.blake2b(record.patient_id.encode("utf-8", "surrogatepass"), key=self.salt, digest_size=8)
        return replace(record, patient_id=digest.hexdigest())


def salt_of(folder: Path) -> bytes:
    """The salt of all stores in a folder: drawn at random when it is first needed, and kept beside the stores.

    So a patient has the same hash in every source and every run of this machine, and no other machine can compute it. Where the
    folder cannot be written, no store can be packed either, and no salt is needed.
    """
    path = folder / _SALT
    try:
        folder.mkdir(parents=True, exist_ok=True)
        partial = folder / f"{_SALT}.{os.getpid()}"
        if not path.exists():
            with open(os.open(partial, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as file:
                file.write(secrets.token_bytes(32))
            try:
                os.link(partial, path)  # the first of two processes wins
            except FileExistsError:
                pass
            finally:
                partial.unlink()
        return path.read_bytes()
    except OSError:
        return b""
