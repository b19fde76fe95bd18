"""Your own hospital: a table of files in any format, with its own codes, units, rates and splits."""

import os
import re
from collections.abc import Iterable
from dataclasses import dataclass, field
from functools import cached_property, partial
from pathlib import Path
from typing import Annotated, Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from ecg_lightning.datamodules.base import ECGDataModule
from ecg_lightning.datamodules.folder.cells import ages, dates, marked, sexes, split_columns
from ecg_lightning.datamodules.folder.exports import (
    STATEMENTS,
    HiddenIds,
    check_without_table,
    salt_of,
    table_of_files,
)
from ecg_lightning.datamodules.folder.files import default_ids, files_below, has_header, read_row, signal_files
from ecg_lightning.datamodules.folder.labels import (
    NOT_STATED,
    annotation_of_cells,
    code_map,
    code_texts,
    has_codes,
    label_texts,
    term,
)
from ecg_lightning.datamodules.folder.left_out import listed_recordings, of_hospitals
from ecg_lightning.datamodules.folder.metadata import number_columns, numbers
from ecg_lightning.datamodules.folder.recordings import one_row_each, patients, refused_rows
from ecg_lightning.datamodules.folder.splits import check_dates, folds_of_hospital
from ecg_lightning.datamodules.folder.table import beside, column_names, find_columns, read_text
from ecg_lightning.datamodules.rows import REFUSED
from ecg_lightning.errors import UserError
from ecg_lightning.labels import Annotation, translate
from ecg_lightning.ranges import Between
from ecg_lightning.records import RecordError, stated
from ecg_lightning.records.units import millivolts
from ecg_lightning.store import store_root
from ecg_lightning.store.pack import Reader

TEXTS = ("path", "record", "hospital", "rate", "unit", "dataset", "row")
"""Columns whose cells are taken as they are; a word for missing becomes an empty cell."""


@dataclass(eq=False, repr=False)
class FolderDataModule(ECGDataModule):
    """Your own hospital: a table over signal files of any format, with its own codes; conf/data/folder.yaml explains it.

    Attributes:
        source_name: the name of this archive in stores, reports and checkpoints.
        table_file: the CSV or Parquet table, from root; null where there is none: then every recording in root and below it is a row,
            and its file says the patient, age, sex, date and the device's statements, which are codes of `mimic` by default.
        columns: the names of the table's columns for path, patient, record, codes, age, sex, hospital, date, split, rate,
            unit, dataset, row and leave_out, if they have other names; null if the table has no such column.
        codes: the hospital's codes, each with its term or list of terms. A recording without any code is not annotated;
            `"": []` says that an empty cell means no finding.
        code_file: a CSV file with the columns code and term, for a long list of codes.
        code_system: the code system of codes that are in neither of the two: scp, snomed, aha, chapman, code15, cpsc2018, ludb, or
            mimic (machine reports in words). If the table has no column of codes, those of WFDB headers are used.
        separator: the text between several codes in a cell.
        label_columns: columns of 1, 0 and empty cells (not annotated), each with its term.
        annotated_terms: the terms that this hospital annotates; by default those of codes and label_columns, and
            those of code_system that occur in the table.
        file_rate: sampling rate in Hz of files that do not state it.
        file_unit: V, mV, uV, nV, or a gain in ADC units per millivolt, for files that do not state it.
        file_leads: names of the leads in their order, for files that do not state them; the standard twelve by default.
        file_dataset: name of the signal in each file, if a file has several.
        sex_values: the words of the column of sex, each with F or M, for example {w: F, m: M}.
        date_format: how dates are written, in the codes of strptime (%d.%m.%Y), if not like 2021-03-17.
        split_by_date: the first day or month of val and of test; earlier recordings are for training.
        leave_out: files with the ids or paths of recordings to leave out, one on each line.
        hospitals: only these hospitals; all by default.
        outside_root: also read files of the table that lie outside of root.
    """

    source_name: str = "folder"
    table_file: str | None = "records.csv"
    columns: dict[str, str | None] = field(default_factory=dict)
    codes: dict[Any, Any] = field(default_factory=dict)
    code_file: str | None = None
    code_system: str | None = None
    separator: str = "|"
    label_columns: dict[str, str] = field(default_factory=dict)
    annotated_terms: list[str] | None = None
    file_rate: Annotated[float, Between(0, 100_000, above=True)] | None = None
    file_unit: str | None = None
    file_leads: list[str] | None = None
    file_dataset: str | None = None
    sex_values: dict[str, str] = field(default_factory=dict)
    date_format: str | None = None
    split_by_date: dict[str, str] = field(default_factory=dict)
    leave_out: list[str] = field(default_factory=list)
    hospitals: list[str] | None = None
    outside_root: bool = False

    def __post_init__(self) -> None:
        super().__post_init__()
        if not re.fullmatch(r"[\w.-]+", self.source_name):
            raise UserError(
                f"data.source_name: '{self.source_name}' names folders; use letters, digits, '.', '-' and '_'."
            )
        if self.file_unit is not None:
            try:
                millivolts(self.file_unit)
            except RecordError as error:
                raise UserError(f"data.file_unit: {error}.") from error
        if self.table_file is None:
            check_without_table(vars(self))
            if not (self.codes or self.code_file or self.code_system):
                self.code_system = STATEMENTS
        if self.code_system is not None:
            translate(self.code_system, ())  # refuses an unknown system now
        code_map(self.codes)
        check_dates(self.split_by_date)
        if not self.separator:
            raise UserError("data.separator is empty: it is what stands between several codes of a cell, such as '|'.")
        self.labels = {
            f"{name}": term(name, f"data.label_columns '{column}'") for column, name in self.label_columns.items()
        }

    @property
    def source(self) -> str:
        """The hospital's own name: every hospital is a source of its own."""
        return self.source_name

    @cached_property
    def code_terms(self) -> dict[str, frozenset[str]]:
        """The terms that each of the hospital's own codes means."""
        return code_map(self.codes, beside(self.folder, self.code_file) if self.code_file else None)

    @property
    def table_path(self) -> Path:
        """The hospital's table."""
        return beside(self.folder, self.table_file or "")

    @cached_property
    def columns_of_table(self) -> dict[str, str]:
        """The names of the table's columns by what they hold, as in `COLUMNS`."""
        if self.table_file is None:
            return {}
        has_code_map = bool(self.codes or self.code_file)
        if not (has_code_map or self.code_system or self.label_columns):
            raise UserError(
                "What are the labels? Give data.codes, data.code_file, data.code_system or data.label_columns."
            )
        required = {"codes": "codes"} if has_code_map else {}
        columns = find_columns(self.table_path, required | self.columns, self.label_columns)
        if self.label_columns and self.code_system and "codes" not in columns:
            raise UserError(
                "data.columns.codes is missing: where label_columns are given, codes are read from a column of the table "
                "and not from the files' headers."
            )
        return columns

    @property
    def _header_codes(self) -> bool:
        """Whether the codes are those of WFDB headers."""
        return "codes" not in self.columns_of_table and not self.label_columns

    @property
    def _empty_is_silent(self) -> bool:
        """Whether a recording without a code is not annotated: where codes are read, and none of them is the empty one."""
        return bool(self.codes or self.code_file or self.code_system) and "" not in self.code_terms

    def table(self) -> pd.DataFrame:
        """The hospital's table, in the columns of the index."""
        if self.table_file is None:
            return table_of_files(self.folder)
        columns = self.columns_of_table
        of_numbers = number_columns(self.metadata, self.table_path)
        table = read_text(self.table_path, [*columns.values(), *self.label_columns, *of_numbers], self.separator)
        cells = {key: table[name] for key, name in columns.items()}
        texts = {key: cells[key].map(stated) for key in TEXTS if key in cells}
        file = files_below(texts["path"], self.folder)
        index: dict[str, Any] = {
            "record_id": texts["record"] if "record" in texts else default_ids(file, texts),
            "file": file,
            "patient_id": patients(cells["patient"]) if "patient" in cells else "",
            "site": texts.get("hospital", ""),
        }
        index |= {key: texts[key] for key in ("rate", "unit", "dataset", "row") if key in texts}
        if "age" in cells:
            index["age"] = ages(cells["age"])
        if "sex" in cells:
            index["sex"] = sexes(cells["sex"], self.sex_values)
        index |= {name: numbers(table[name]) for name in of_numbers}
        if "date" in cells:
            index["date"] = dates(cells["date"], self.date_format)
        if "leave_out" in cells:
            index["leave_out"] = marked(cells["leave_out"])
        if "split" in cells and not self.split_by_date:
            index |= split_columns(cells["split"])
        if not self._header_codes:
            labels = label_texts(table, self.label_columns)
            codes = code_texts(cells["codes"], self.separator, self.code_terms) if "codes" in cells else labels
            pairs = zip(codes, labels, strict=True)
            index["codes"] = ["|".join(dict.fromkeys(filter(None, pair))) for pair in pairs]
        elif not any(has_header(os.path.join(self.folder, path)) for path in file):
            raise UserError(
                f"{self.table_path.name} has no column of codes, and its files are not WFDB files, whose headers may hold "
                "codes. Say which column holds the codes: columns: {codes: …}. The table has: "
                f"{', '.join(column_names(self.table_path))}."
            )
        index[REFUSED] = refused_rows(table[REFUSED], file, self.folder)
        return one_row_each(pd.DataFrame(index), self.labels.values())

    def empty_columns(self) -> list[str]:
        """Returns the columns of `metadata` that the table has, although no recording has a value there."""
        if self.table_file is None:
            return []
        return [name for name in number_columns(self.metadata, self.table_path) if name not in self.store.index]

    def files(self, table: pd.DataFrame) -> Iterable[str]:
        """Every file of the table; of WFDB recordings the header and the signal."""
        return signal_files(table["file"].unique(), self.folder)

    def reader(self) -> Reader:
        """Reads any format that `read_record` knows."""
        labels = {*self.labels} if self._empty_is_silent else None
        return partial(
            read_row,
            folder=self.folder,
            header_codes=self._header_codes,
            options_of_all=self._options_of_all_files,
            labels=labels,
            hide_ids=HiddenIds(salt_of(store_root(self.store_dir)), of_all_files=self.table_file is None),
        )

    def options(self) -> dict[str, Any]:
        """What the configuration says of the files, and whether recordings without codes are flagged."""
        outside_root = {"outside_root": True} if self.outside_root else {}
        return {"files": self._options_of_all_files, "no_codes": self._empty_is_silent} | outside_root

    def reads_outside_root(self) -> bool:
        """Whether the configuration allows files outside root."""
        return self.outside_root

    @property
    def _options_of_all_files(self) -> dict[str, Any]:
        """The arguments of `read_record` for files that do not state them."""
        return {
            "sampling_rate": self.file_rate,
            "unit": self.file_unit,
            "leads": self.file_leads,
            "dataset": self.file_dataset,
        }

    def annotation(self, codes: str, source: str) -> Annotation:
        """What the hospital's map says of each code, and the code system of the others; label columns leave terms open.

        Where there is no code, all is open but what label columns say; or it is what the map says of an empty cell.
        """
        annotation = self._annotation_of_cells(codes)
        if has_codes(codes, self.labels):
            nothing_known = self.code_system == STATEMENTS and not annotation.positive | annotation.uncertain
            if nothing_known and set(annotation.unknown) == set(
                codes.split("|")
            ):  # statements in a language without a table
                return annotation | Annotation(uncertain=self.annotated(source))
            return annotation
        if self._empty_is_silent or NOT_STATED in codes.split("|"):
            return annotation | Annotation(uncertain=self.annotated(source) - {*self.labels.values()})
        return annotation | Annotation(self.code_terms.get("", frozenset()))

    def _annotation_of_cells(self, codes: str) -> Annotation:
        """What the codes and label columns of one recording say, without the rules for a recording without any code."""
        return annotation_of_cells(codes, self.labels, self.code_terms, self.code_system)

    def annotated(self, source: str) -> frozenset[str]:
        """The terms that the configuration names, or all that its codes and columns can say."""
        return self._annotated

    @cached_property
    def _annotated(self) -> frozenset[str]:
        if self.annotated_terms is not None:
            return frozenset(term(name, "data.annotated_terms") for name in self.annotated_terms)
        terms = {*self.labels.values()}.union(*self.code_terms.values())
        if self.code_system is not None:
            terms.update(*(self._annotation_of_cells(text).positive for text in self.store.index["codes"].unique()))
        return frozenset(terms)

    @cached_property
    def folds(self) -> NDArray[np.int64]:
        """(records of the store,) by date or by the table's column where they give the split, else by a hash of the patient."""
        return folds_of_hospital(
            self.store.index, self.store.copy_pairs, self.split_by_date, self.val_folds, self.test_folds
        )

    def keep(self, index: pd.DataFrame) -> NDArray[np.bool_]:
        """(records,) the recordings of the chosen hospitals that neither the table nor a list leaves out."""
        is_kept = ~(
            index["record_id"].isin(self._recordings_left_out) | index["file"].isin(self._recordings_left_out)
        ).to_numpy()
        if "leave_out" in index:
            is_kept &= ~index["leave_out"].to_numpy(bool)
        if self.hospitals is not None:
            is_kept &= of_hospitals(index["site"], self.hospitals)
        return is_kept

    @cached_property
    def _recordings_left_out(self) -> frozenset[str]:
        """The ids and paths in the lists of recordings to leave out."""
        tables = (self.store.index, self.store.rejected) if self.leave_out else ()
        record_names = {name for table in tables for key in ("record_id", "file") for name in table[key]}
        return listed_recordings([beside(self.folder, name) for name in self.leave_out], record_names)
