"""What a hospital's own codes and columns of labels mean, in terms of the vocabulary or of its own (``own:CHAGAS``)."""

from collections.abc import Collection, Iterable, Mapping
from pathlib import Path
from typing import Any

import pandas as pd

from ecg_lightning.datamodules.folder.cells import FALSE, TRUE, pass_over
from ecg_lightning.datamodules.folder.table import column_names, read_text
from ecg_lightning.datamodules.rows import REFUSED
from ecg_lightning.errors import UNPRINTABLE, UserError, nearest
from ecg_lightning.labels import TERMS
from ecg_lightning.labels.space import OWN
from ecg_lightning.records import stated

UNSAID = "?"
NOT_STATED = f"={UNSAID}"
"""Stands for codes in the index where a cell has a word for missing and an empty one would say that nothing was found."""


def term(name: str, where: str) -> str:
    """The name of a term of the vocabulary, or of one's own, which is written ``own:NAME``.

    >>> term("AFIB", "data.codes"), term("own:CHAGAS", "data.codes")
    ('AFIB', 'CHAGAS')

    Raises:
        UserError: for a name that is neither, with the nearest terms.
    """
    own = name.removeprefix(OWN)
    if own != name:
        if own in TERMS:
            raise UserError(f"{where}: '{name}' is in the vocabulary; write '{own}'.")
        if UNPRINTABLE.search(own):
            raise UserError(f"{where}: the name of the term {own!a} has a control character. Choose a name without it.")
        return own
    if name not in TERMS:
        known = {key.casefold(): each.term for each in TERMS.values() for key in (each.term, each.name)}
        near = dict.fromkeys(known[word] for word in nearest(name, known, 2))
        hint = f" Did you mean {' or '.join(near)}?" if near else ""
        raise UserError(
            f"{where}: there is no term '{name}'.{hint} All terms are in ecg_lightning/labels/terms.csv; a term of your "
            f"own is written '{OWN}{name}'."
        )
    return name


def code_map(codes: Mapping[Any, Any], file: Path | None = None) -> dict[str, frozenset[str]]:
    """The terms that each of a hospital's codes means.

    Args:
        codes: each code's term or list of terms; empty where it means none of interest. The code "" is an empty cell.
        file: a CSV file with the columns code and term, one row for each pair.

    Raises:
        UserError: for an unknown term, or a code that YAML took for a number.
    """
    found: dict[str, frozenset[str]] = {}
    for code, terms in [*codes.items(), *(_code_file(file) if file else ())]:
        if not isinstance(code, str):
            raise UserError(
                f"data.codes: YAML read a code as the number {code!r}; put codes in quotes, as in '1.10': AFIB."
            )
        names = terms if isinstance(terms, list) else [terms] if terms else []
        meant = {term(str(name), f"data.codes '{code}'") for name in names}
        found[code.strip()] = found.get(code.strip(), frozenset()) | meant
    return found


def _code_file(path: Path) -> list[tuple[str, str]]:
    names = column_names(path)
    if missing := [name for name in ("code", "term") if name not in names]:
        raise UserError(f"data.code_file: {path} has no column '{missing[0]}'. It has: {', '.join(names)}.")
    table = read_text(path, ["code", "term"])
    if (refused := table.loc[table[REFUSED] != "", REFUSED]).any():
        raise UserError(
            f"data.code_file: {refused.iloc[0]}. A cell that holds the separator of cells must stand in quotes."
        )
    pairs = zip(table["code"].tolist(), table["term"].map(stated).tolist(), strict=True)
    return [(code, name) for code, name in pairs if code or name]  # an empty row says nothing of an empty cell


def label_texts(table: pd.DataFrame, columns: Mapping[str, str]) -> list[str]:
    """What the columns of labels say of each recording, as it stands in the index: ``own:CHAGAS=1|AFIB=?``.

    A term that is absent is not written, one that the column leaves empty, or has a word for missing, has a question mark.

    Args:
        table: text.
        columns: by the column's name, the term.

    Raises:
        UserError: where more than a few cells are neither yes, no, nor empty.
    """
    said: list[list[str]] = [[] for _ in range(len(table))]
    for column, name in columns.items():
        cells = table[column].map(stated).str.lower()
        hint = f"data.label_columns: {', '.join((*TRUE, *FALSE))} and empty (not annotated) are known."
        pass_over(table[column], ~cells.isin([*TRUE, *FALSE, ""]), "is neither yes nor no", hint)
        for said_of, cell in zip(said, cells, strict=True):
            if cell not in FALSE:
                said_of.append(f"{name}={'1' if cell in TRUE else UNSAID}")
    return ["|".join(each) for each in said]


def code_texts(cells: Iterable[str], separator: str, codes: Collection[str]) -> list[str]:
    """The codes of each cell as they stand in the index, joined by ``|``, without words for missing.

    Args:
        cells: several codes in each.
        separator: what joins them.
        codes: the hospital's own; a word that is one of them is a code. Where "" is one, an empty cell says that nothing
            was found, and a cell with a word for missing, which says nothing, becomes `NOT_STATED`.

    >>> code_texts(["AF; NA", "NA", ""], ";", {"AF"}), code_texts(["AF; NA", "NA", ""], ";", {"AF", ""})
    (['AF', '', ''], ['AF', '=?', ''])
    """
    texts = {}
    for cell in {*cells}:
        parts = [part.strip() for part in cell.split(separator)]
        found = [part for part in parts if part and (part in codes or stated(part))]
        silent = "" in codes and not found and any(parts)
        texts[cell] = NOT_STATED if silent else "|".join(dict.fromkeys(found))
    return [texts[cell] for cell in cells]


def has_codes(text: str, labels: Collection[str]) -> bool:
    """Whether the text of a recording in the index holds a code, besides what columns of labels say.

    >>> has_codes("1.18.2|CHAGAS=1", ["CHAGAS"]), has_codes("CHAGAS=?", ["CHAGAS"]), has_codes(NOT_STATED, ())
    (True, False, False)
    """
    return any(code not in ("", NOT_STATED) and code.rpartition("=")[0] not in labels for code in text.split("|"))
