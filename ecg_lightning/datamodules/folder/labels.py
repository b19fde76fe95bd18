"""What a hospital's own codes and columns of labels mean, in terms of the vocabulary or of its own (`own:CHAGAS`)."""

from collections.abc import Collection, Iterable, Mapping
from pathlib import Path
from typing import Any

import pandas as pd

from ecg_lightning.datamodules.folder.cells import FALSE, TRUE, count_as_empty
from ecg_lightning.datamodules.folder.table import column_names, read_text
from ecg_lightning.datamodules.rows import REFUSED
from ecg_lightning.errors import UNPRINTABLE, UserError, nearest
from ecg_lightning.labels import TERMS, Annotation, translate
from ecg_lightning.labels.space import OWN
from ecg_lightning.records import stated

UNSAID = "?"
NOT_STATED = f"={UNSAID}"
"""Stands in the index for a cell with a word for missing, where an empty cell means that nothing was found."""


def term(name: str, where: str) -> str:
    """The name of a term of the vocabulary, or of the hospital's own, which is written `own:NAME`.

    Args:
        name: as the configuration writes it.
        where: the key of the configuration, for the message.

    >>> term("AFIB", "data.codes"), term("own:CHAGAS", "data.codes")
    ('AFIB', 'CHAGAS')

    Raises:
        UserError: for a name that is neither, with the nearest terms.
    """
    if name.startswith(OWN):
        own_term = name.removeprefix(OWN)
        if own_term in TERMS:
            raise UserError(f"{where}: '{name}' is in the vocabulary; write '{own_term}'.")
        if UNPRINTABLE.search(own_term):
            raise UserError(
                f"{where}: the name of the term {own_term!a} has a control character. Choose a name without it."
            )
        return own_term
    if name not in TERMS:
        terms = {key.casefold(): entry.term for entry in TERMS.values() for key in (entry.term, entry.name)}
        suggestions = dict.fromkeys(terms[word] for word in nearest(name, terms, 2))
        hint = f" Did you mean {' or '.join(suggestions)}?" if suggestions else ""
        raise UserError(
            f"{where}: there is no term '{name}'.{hint} All terms are in ecg_lightning/labels/terms.csv; a term of your "
            f"own is written '{OWN}{name}'."
        )
    return name


def code_map(codes: Mapping[Any, Any], file: Path | None = None) -> dict[str, frozenset[str]]:
    """The terms that each of a hospital's codes means.

    Args:
        codes: each code's term or list of terms; empty where no term is meant. The code "" is an empty cell.
        file: a CSV file with the columns code and term, one row for each pair.

    Raises:
        UserError: for an unknown term, or a code that YAML took for a number.
    """
    terms_of_code: dict[str, frozenset[str]] = {}
    for code, terms in [*codes.items(), *(_code_file(file) if file else ())]:
        if not isinstance(code, str):
            raise UserError(
                f"data.codes: YAML read a code as the number {code!r}. Put codes in quotes, as in '1.10': AFIB."
            )
        names = terms if isinstance(terms, list) else [terms] if terms else []
        new_terms = {term(str(name), f"data.codes '{code}'") for name in names}
        terms_of_code[code.strip()] = terms_of_code.get(code.strip(), frozenset()) | new_terms
    return terms_of_code


def _code_file(path: Path) -> list[tuple[str, str]]:
    names = column_names(path)
    for column in ("code", "term"):
        if column not in names:
            raise UserError(f"data.code_file: {path} has no column '{column}'. It has: {', '.join(names)}.")
    table = read_text(path, ["code", "term"])
    if (refused := table.loc[table[REFUSED] != "", REFUSED]).any():
        raise UserError(f"data.code_file: {refused.iloc[0]}. Put a cell that holds the separator of cells in quotes.")
    pairs = zip(table["code"].tolist(), table["term"].map(stated).tolist(), strict=True)
    return [(code, name) for code, name in pairs if code or name]  # an empty row says nothing of an empty cell


def label_texts(table: pd.DataFrame, columns: Mapping[str, str]) -> list[str]:
    """(rows,) what the columns of labels say of each recording, as the index has it: `own:CHAGAS=1|AFIB=?`.

    A term that is absent is not written. A term has a question mark where its cell is empty or holds a word for missing.

    Args:
        table: text.
        columns: by the column's name, the term.

    Raises:
        UserError: where more than a few cells of a column are not yes, no or empty.
    """
    labels_of_rows: list[list[str]] = [[] for _ in range(len(table))]
    for column, name in columns.items():
        cells = table[column].map(stated).str.lower()
        hint = f"data.label_columns: write one of {', '.join((*TRUE, *FALSE))}, or nothing for not annotated."
        count_as_empty(table[column], ~cells.isin([*TRUE, *FALSE, ""]), "is neither yes nor no", hint)
        for labels, cell in zip(labels_of_rows, cells, strict=True):
            if cell not in FALSE:
                labels.append(f"{name}={'1' if cell in TRUE else UNSAID}")
    return ["|".join(labels) for labels in labels_of_rows]


def code_texts(cells: Iterable[str], separator: str, codes: Collection[str]) -> list[str]:
    """(rows,) the codes of each cell as the index has them, joined by `|`, without words for missing.

    Args:
        cells: (rows,) each with several codes.
        separator: what joins them.
        codes: the hospital's own, which are never taken for words for missing. Where "" is one of them, an empty cell
            means that nothing was found, and a cell with a word for missing becomes `NOT_STATED`.

    >>> code_texts(["AF; NA", "NA", ""], ";", {"AF"}), code_texts(["AF; NA", "NA", ""], ";", {"AF", ""})
    (['AF', '', ''], ['AF', '=?', ''])
    """
    texts = {}
    for cell in {*cells}:
        parts = [part.strip() for part in cell.split(separator)]
        cell_codes = [part for part in parts if part and (part in codes or stated(part))]
        is_silent = "" in codes and not cell_codes and any(parts)
        texts[cell] = NOT_STATED if is_silent else "|".join(dict.fromkeys(cell_codes))
    return [texts[cell] for cell in cells]


def has_codes(text: str, labels: Collection[str]) -> bool:
    """Whether a recording's codes, as the index has them, hold more than what columns of labels say.

    >>> has_codes("1.18.2|CHAGAS=1", ["CHAGAS"]), has_codes("CHAGAS=?", ["CHAGAS"]), has_codes(NOT_STATED, ())
    (True, False, False)
    """
    return any(code not in ("", NOT_STATED) and code.rpartition("=")[0] not in labels for code in text.split("|"))


def annotation_of_cells(
    codes: str, labels: Mapping[str, str], code_terms: Mapping[str, frozenset[str]], system: str | None
) -> Annotation:
    """What the codes and label columns of one recording say, without the rules for a recording without any code.

    Args:
        codes: of the recording, as the index has them.
        labels: the columns of labels, each with its term.
        code_terms: the terms that each of the hospital's own codes means.
        system: the code system of the other codes; None where there is none.
    """
    positive: set[str] = set()
    uncertain: set[str] = set()
    unmapped = []
    for code in codes.split("|"):
        if code in ("", NOT_STATED):
            continue
        name, _, value = code.rpartition("=")
        if name in labels:
            (positive if value == "1" else uncertain).add(labels[name])
        elif code in code_terms:
            positive |= code_terms[code]
        else:
            unmapped.append(code)
    of_system = translate(system, unmapped) if system is not None else Annotation(unknown=tuple(unmapped))
    return Annotation(frozenset(positive), frozenset(uncertain)) | of_system
