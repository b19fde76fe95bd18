"""Your own hospital: a table of files in any format, with its own codes, units, rates and splits."""

import os
import re
import sys
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
from ecg_lightning.datamodules.folder.files import SUFFIX, files_below, has_header, read_row
from ecg_lightning.datamodules.folder.labels import NOT_STATED, code_map, code_texts, has_codes, label_texts, term
from ecg_lightning.datamodules.folder.recordings import one_row_each, patients, refused_rows
from ecg_lightning.datamodules.folder.splits import check_dates, own_folds
from ecg_lightning.datamodules.folder.table import beside, column_names, find_columns, first_cells, read_text
from ecg_lightning.datamodules.rows import REFUSED
from ecg_lightning.errors import UserError
from ecg_lightning.labels import Annotation, translate
from ecg_lightning.ranges import Between
from ecg_lightning.records import RecordError, stated
from ecg_lightning.records.containers import ARRAY_SUFFIXES
from ecg_lightning.records.files import any_case
from ecg_lightning.records.units import millivolts
from ecg_lightning.records.wfdb_reader import header_path
from ecg_lightning.store.pack import Reader

TEXTS = ("path", "record", "hospital", "rate", "unit", "dataset", "row")
"""Columns whose cells mean what they say, but for words for missing."""


@dataclass(eq=False, repr=False)
class FolderDataModule(ECGDataModule):
    """Your own hospital: a table over signal files of any format, with its own codes; conf/data/folder.yaml explains it.

    Attributes:
        source_name: what stores, reports and checkpoints call this archive.
        table_file: the CSV or Parquet table, from root.
        columns: the names of the table's columns of path, patient, record, codes, age, sex, hospital, date, split, rate,
            unit, dataset, row and leave_out, where they are others; null where there is none.
        codes: the hospital's codes, each with its term or list of terms. A recording without any code is not annotated;
            `"": []` says that an empty cell means no finding.
        code_file: the same as a CSV file with the columns code and term.
        code_system: the system of codes that neither has: scp, snomed, aha, chapman, code15, cpsc2018, ludb, or
            mimic (machine reports in words). Where the table has no column of codes, those of WFDB headers count.
        separator: what joins several codes in a cell.
        label_columns: columns of 1, 0 or nothing (not annotated), each with its term.
        annotated_terms: the terms that this hospital annotates; by default those of codes and label_columns, and of
            code_system those that occur.
        file_rate: Hz, where files do not say it.
        file_unit: V, mV, uV, nV, or steps a millivolt, where files do not say it.
        file_leads: names of the leads in their order, where files do not say them and they are not the standard twelve.
        file_dataset: name of the signal within each file, where there are several.
        sex_values: what the column of sex writes for F and M.
        date_format: how dates are written, as strptime has it, where not as 2021-03-17.
        split_by_date: the first day or month of val and of test; what is earlier trains.
        leave_out: files of ids or paths of recordings that take no part, one a line.
        hospitals: only these hospitals; all by default.
        outside_root: read files of the table that lie outside root, too.
    """

    source_name: str = "folder"
    table_file: str = "records.csv"
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
        return beside(self.folder, self.table_file)

    @cached_property
    def found_columns(self) -> dict[str, str]:
        """The table's columns, by what they hold."""
        own = bool(self.codes or self.code_file)
        if not (own or self.code_system or self.label_columns):
            raise UserError(
                "What are the labels? Give data.codes, data.code_file, data.code_system or data.label_columns."
            )
        given = {"codes": "codes"} if own else {}
        found = find_columns(self.table_path, given | self.columns, self.label_columns)
        if self.label_columns and self.code_system and "codes" not in found:
            raise UserError("data.columns.codes: beside label_columns, codes are read from a column, not from headers.")
        return found

    @property
    def _header_codes(self) -> bool:
        return "codes" not in self.found_columns and not self.label_columns

    @property
    def _empty_is_silent(self) -> bool:
        """Whether a recording without a code is not annotated: where there are codes, and "" is none of them."""
        return bool(self.codes or self.code_file or self.code_system) and "" not in self.code_terms

    def table(self) -> pd.DataFrame:
        """The hospital's table, in the columns of the index."""
        names = [*self.found_columns.values(), *self.label_columns]
        cells = read_text(self.table_path, names, self.separator)
        column = {key: cells[name] for key, name in self.found_columns.items()}
        plain = {key: column[key].map(stated) for key in TEXTS if key in column}
        file = files_below(plain["path"], self.folder)
        made: dict[str, Any] = {
            "record_id": plain["record"] if "record" in plain else self._names(file, plain),
            "file": file,
            "patient_id": patients(column["patient"]) if "patient" in column else "",
            "site": plain.get("hospital", ""),
        }
        made |= {key: plain[key] for key in ("rate", "unit", "dataset", "row") if key in plain}
        if "age" in column:
            made["age"] = ages(column["age"])
        if "sex" in column:
            made["sex"] = sexes(column["sex"], self.sex_values)
        if "date" in column:
            made["date"] = dates(column["date"], self.date_format)
        if "leave_out" in column:
            made["leave_out"] = marked(column["leave_out"])
        if "split" in column and not self.split_by_date:
            made |= split_columns(column["split"])
        if not self._header_codes:
            labels = label_texts(cells, self.label_columns)
            codes = code_texts(column["codes"], self.separator, self.code_terms) if "codes" in column else labels
            made["codes"] = ["|".join(dict.fromkeys(filter(None, both))) for both in zip(codes, labels, strict=True)]
        elif not any(has_header(os.path.join(self.folder, path)) for path in file):
            raise UserError(
                f"{self.table_path.name} has no column of codes, and its files have none either, as WFDB headers do. "
                f"Say which column it is: columns: {{codes: …}}. It has: {', '.join(column_names(self.table_path))}."
            )
        made[REFUSED] = refused_rows(cells[REFUSED], file, self.folder)
        return one_row_each(pd.DataFrame(made), self.labels.values())

    def _names(self, file: "pd.Series[str]", column: dict[str, "pd.Series[str]"]) -> "pd.Series[str]":
        """The path without its suffix, and where a file has several recordings the dataset and the row."""
        names = file.str.replace(SUFFIX, "", regex=True)
        for key in ("dataset", "row"):
            if key in column:
                names = names + (":" + column[key]).where(column[key] != "", "")
        return names

    def files(self, table: pd.DataFrame) -> Iterable[str]:
        """Every file of the table; of WFDB recordings the header and the signal."""
        folder = str(self.folder)
        for file in table["file"].unique():
            path = os.path.join(folder, file)
            if path.lower().endswith(ARRAY_SUFFIXES):
                yield path
            else:
                header = header_path(path)
                yield from (header, any_case(f"{header[:-3]}dat"))

    def reader(self) -> Reader:
        """Reads any format that ``read_record`` knows."""
        labels = {*self.labels} if self._empty_is_silent else None
        return partial(
            read_row, folder=self.folder, header_codes=self._header_codes, of_all=self._of_all_files, labels=labels
        )

    def options(self) -> dict[str, Any]:
        """What the configuration says of the files, and whether recordings without codes are flagged."""
        outside = {"outside_root": True} if self.outside_root else {}
        return {"files": self._of_all_files, "no_codes": self._empty_is_silent} | outside

    def reads_outside_root(self) -> bool:
        """As the configuration says."""
        return self.outside_root

    @property
    def _of_all_files(self) -> dict[str, Any]:
        hints = (self.file_rate, self.file_unit, self.file_leads, self.file_dataset)
        return dict(zip(("sampling_rate", "unit", "leads", "dataset"), hints, strict=True))

    def annotation(self, codes: str, source: str) -> Annotation:
        """What the hospital's map says of each code, and the code system of the others; label columns leave terms open.

        Where there is no code, all is open but what label columns say; or it is what the map says of an empty cell.
        """
        annotation = self._annotation_of_cells(codes)
        if has_codes(codes, self.labels):
            return annotation
        if self._empty_is_silent or NOT_STATED in codes.split("|"):
            return annotation | Annotation(uncertain=self.annotated(source) - {*self.labels.values()})
        return annotation | Annotation(self.code_terms.get("", frozenset()))

    def _annotation_of_cells(self, codes: str) -> Annotation:
        """What the codes and label columns of one recording say, without the rules for a recording without any code."""
        positive: set[str] = set()
        uncertain: set[str] = set()
        unmapped = []
        for code in codes.split("|"):
            if code in ("", NOT_STATED):
                continue
            name, _, value = code.rpartition("=")
            if name in self.labels:
                (positive if value == "1" else uncertain).add(self.labels[name])
            elif code in self.code_terms:
                positive |= self.code_terms[code]
            else:
                unmapped.append(code)
        system = self.code_system
        of_system = translate(system, unmapped) if system is not None else Annotation(unknown=tuple(unmapped))
        return Annotation(frozenset(positive), frozenset(uncertain)) | of_system

    def annotated(self, source: str) -> frozenset[str]:
        """The terms that the configuration names, or all that its codes and columns can say."""
        return self._annotated

    @cached_property
    def _annotated(self) -> frozenset[str]:
        if self.annotated_terms is not None:
            return frozenset(term(name, "data.annotated_terms") for name in self.annotated_terms)
        found = {*self.labels.values()}.union(*self.code_terms.values())
        if self.code_system is not None:
            found.update(*(self._annotation_of_cells(text).positive for text in self.store.index["codes"].unique()))
        return frozenset(found)

    @cached_property
    def folds(self) -> NDArray[np.int64]:
        """By date or by the table's column where they say the split, else by a hash of the patient."""
        return own_folds(self.store.index, self.store.twins, self.split_by_date, self.val_folds, self.test_folds)

    def keep(self, index: pd.DataFrame) -> NDArray[np.bool_]:
        """What neither the table nor a list leaves out, of the hospitals that were chosen."""
        kept = ~(index["record_id"].isin(self._left_out) | index["file"].isin(self._left_out)).to_numpy()
        if "leave_out" in index:
            kept &= ~index["leave_out"].to_numpy(bool)
        if self.hospitals is not None:
            if missing := {*self.hospitals} - {*index["site"]}:
                known = ", ".join(sorted({*index["site"]} - {""})) or "none: name the column in data.columns.hospital"
                raise UserError(f"data.hospitals: there is no {', '.join(sorted(missing))}. The table has: {known}.")
            kept &= index["site"].isin(self.hospitals).to_numpy()
        return kept

    @cached_property
    def _left_out(self) -> frozenset[str]:
        """The ids and paths in the lists of recordings to leave out; what belongs to no recording is told once."""
        if not self.leave_out:
            return frozenset()
        tables = (self.store.index, self.store.rejected)
        known = {name for table in tables for key in ("record_id", "file") for name in table[key]}
        found: set[str] = set()
        for name in self.leave_out:
            path = beside(self.folder, name)
            listed = [cell.replace("\\", "/") for cell in first_cells(path)]
            strange = [cell for cell in listed[1:] if cell not in known]  # the first may be a title
            if listed and known.isdisjoint(listed):
                raise UserError(
                    f"data.leave_out: nothing in {path} is the id or path of a recording, such as '{listed[-1]}'."
                )
            if strange:
                text = (
                    f"{len(strange)} of {len(listed)} lines of {path.name} name no recording, such as '{strange[0]}'."
                )
                print(f"data.leave_out: {text}", file=sys.stderr)
            found.update(listed)
        return frozenset(found)
