"""Real recordings: what each datamodule counts is what the raw headers and tables say, counted here without the package."""

import csv
import re
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path

import numpy as np
import pytest

from ecg_lightning.commands.prepare import uncovered_codes
from ecg_lightning.config.schema import build
from ecg_lightning.datamodules.base import ECGDataModule

Codes = dict[str, list[str]]
"""The codes of each recording, by its id."""


def headers(folder: Path) -> Codes:
    """The SNOMED CT codes of the headers of a challenge's folder."""
    texts = {path.stem: path.read_text() for path in folder.rglob("*.hea")}
    return {name: re.findall(r"\d+", re.findall(r"(?m)^#\s*Dx:(.*)$", text)[0]) for name, text in texts.items()}


def rows(path: Path) -> list[dict[str, str]]:
    with path.open(newline="", encoding="utf-8") as file:
        return list(csv.DictReader(file))


def struct(folder: Path) -> Codes:
    table = rows(folder / "REFERENCE.csv")
    return {row["Recording"]: [v for k, v in row.items() if "label" in k and v] for row in table}


def ludb(folder: Path) -> Codes:
    table = [row for row in rows(folder / "ludb.csv") if (folder / f"data/{row['ID']}.dat").exists()]
    return {
        row["ID"]: [line for k, v in row.items() if k not in ("ID", "Sex", "Age") for line in v.split("\n") if line]
        for row in table
    }


def sph(folder: Path) -> Codes:
    names_of_files = {path.stem.replace("SPH", "A0")[-6:] for path in folder.rglob("*.h5")}
    table = [
        row for row in rows(folder / "metadata.csv") if row["ECG_ID"][-5:] in {name[-5:] for name in names_of_files}
    ]
    return {row["ECG_ID"]: row["AHA_Code"].split(";") for row in table}


def code15(folder: Path) -> Codes:
    columns = ("1dAVb", "RBBB", "LBBB", "SB", "ST", "AF")
    return {row["exam_id"]: [c for c in columns if row[c] == "True"] for row in rows(folder / "meta.csv")}


def ptbxl(folder: Path) -> Codes:
    table = rows(folder / "ptbxl_database.csv")
    return {f"{int(row['ecg_id']):05d}": re.findall(r"'([^']+)':", row["scp_codes"]) for row in table}


# Which codes say a term, narrower ones with it; written down from the archives' own lists, not from the vocabulary.
SNOMED = {
    "AFIB": ["164889003"], "AFLT": ["164890007"], "1AVB": ["270492004"], "STACH": ["427084000"], "SBRAD": ["426177001"],
    "IRBBB": ["713426002"], "RBBB": ["59118001", "713427006"], "LBBB": ["164909002", "733534002"],
    "PAC": ["284470004"], "PVC": ["427172004", "164884008"], "STE_": ["164931005"], "STD_": ["429622005"],
    "TAB_": ["164934002"], "INVT": ["59931005"], "LAD": ["39732003"], "LVH": ["164873001"], "LNGQT": ["111975006"],
}  # fmt: skip
NINGBO = SNOMED | {"AFLT": [], "AFAFL": ["164890007", "164889003"]}
CLASSES = {"NORM": ["1"], "AFIB": ["2"], "RBBB": ["5"], "STD_": ["8"]}
WORDS = {
    "AFIB": ["Atrial fibrillation"], "SBRAD": ["Sinus bradycardia"], "1AVB": ["I degree av block"],
    "IRBBB": ["Incomplete right bundle branch block"], "LVH": ["Left ventricular hypertrophy"],
    "3AVB": ["Iii degree av-block"], "LAFB": ["Left anterior hemiblock"],
}  # fmt: skip
AHA = {"NORM": ["1"], "SBRAD": ["22"], "SARRH": ["23"], "AFIB": ["50"], "RBBB": ["106"]}
COLUMNS = {"AFIB": ["AF"], "1AVB": ["1dAVb"], "STACH": ["ST"], "SBRAD": ["SB"], "RBBB": ["RBBB"], "LBBB": ["LBBB"]}
SCP = {term: [term] for term in ("NORM", "SR", "AFIB", "IRBBB", "PVC", "STACH", "1AVB", "SBRAD", "CLBBB", "CRBBB")}

Case = tuple[str, str, int, Callable[[Path], Codes], dict[str, list[str]]]
CASES: list[Case] = [
    ("georgia", "GeorgiaDataModule", 53, headers, SNOMED),
    ("georgia_2020_headers", "GeorgiaDataModule", 6, headers, SNOMED),
    ("cpsc2018", "CPSC2018DataModule", 10, headers, SNOMED),
    ("cpsc2018_struct", "CPSC2018DataModule", 6, struct, CLASSES),
    ("cpsc2018_extra", "CPSCExtraDataModule", 19, headers, SNOMED),
    ("ptbdb_cinc", "PTBDBDataModule", 3, headers, {"MI": ["164865005"]}),
    ("ludb", "LUDBDataModule", 150, ludb, WORDS),
    ("sph", "SPHDataModule", 6, sph, AHA),
    ("code15", "CODE15DataModule", 10, code15, COLUMNS),
    ("ptbxl", "PTBXLDataModule", 2572, ptbxl, SCP),
]


def datamodule(folder: Path, name: str, tmp_path: Path, terms: Iterable[str]) -> ECGDataModule:
    arguments = {"name": name, "root": str(folder), "store_dir": str(tmp_path), "pack_workers": 1}
    data = build("data", arguments | {"label_space": list(terms)})
    assert isinstance(data, ECGDataModule)
    return data


def positives(data: ECGDataModule, rows: Sequence[bool] | slice = slice(None)) -> dict[str, int]:
    return dict(zip(data.terms, (data.targets[rows] == 1).sum(axis=0).tolist(), strict=True))


@pytest.mark.parametrize(("folder", "name", "records", "raw", "terms"), CASES, ids=[case[0] for case in CASES])
def test_counts_are_those_of_the_raw_files(
    shared_data: Path,
    tmp_path: Path,
    folder: str,
    name: str,
    records: int,
    raw: Callable[[Path], Codes],
    terms: dict[str, list[str]],
) -> None:
    codes = raw(shared_data / folder)
    assert len(codes) == records
    data = datamodule(shared_data / folder, name, tmp_path, terms)
    index = data.store.index
    codes_of_row = {
        row: text.split("|") if text else [] for row, text in zip(index["record_id"], index["codes"], strict=True)
    }
    if raw is ptbxl:
        codes_of_row = {row: [code.partition("=")[0] for code in row_codes] for row, row_codes in codes_of_row.items()}
    assert {row: sorted(row_codes) for row, row_codes in codes_of_row.items()} == {
        row: sorted({*row_codes}) for row, row_codes in codes.items()
    }
    expected = {
        term: sum(bool({*row_codes} & {*positive_codes}) for row_codes in codes.values())
        for term, positive_codes in terms.items()
    }
    assert positives(data) == expected
    assert sum(expected.values()) > 0
    assert not uncovered_codes(data)


def test_chapman_and_ningbo_count_flutter_each_in_its_sense(shared_data: Path, tmp_path: Path) -> None:
    codes = headers(shared_data / "chapman_ningbo")
    data = datamodule(shared_data / "chapman_ningbo", "ChapmanNingboDataModule", tmp_path, sorted({*SNOMED, *NINGBO}))
    of_chapman = [int(name[2:]) <= 10646 for name in data.store.index["record_id"]]
    assert len(data.store) == len(codes) == 65
    assert Counter(code for text in data.store.index["codes"] for code in text.split("|")) == Counter(
        code for row_codes in codes.values() for code in row_codes
    )
    for side, terms in ((True, SNOMED), (False, NINGBO)):
        counts = positives(data, [chapman is side for chapman in of_chapman])
        codes_of_side = [{*row_codes} for name, row_codes in codes.items() if (int(name[2:]) <= 10646) is side]
        assert {t: counts[t] for t in terms} == {
            t: sum(bool(row_codes & {*positive_codes}) for row_codes in codes_of_side)
            for t, positive_codes in terms.items()
        }
    flat = data.store.index.set_index("record_id")["quality"].str.contains("flat:V")
    recordings_with_flat_leads = {"JS11438", "JS20004", "JS20008", "JS45544", "JS45551"}
    assert {name for name, is_flat in flat.items() if is_flat} == recordings_with_flat_leads
    assert not uncovered_codes(data)


def test_ptbxl_has_its_published_counts_and_folds(shared_data: Path, tmp_path: Path) -> None:
    data = datamodule(shared_data / "ptbxl", "PTBXLDataModule", tmp_path, SCP)
    assert positives(data) == {
        "NORM": 1237, "SR": 1967, "AFIB": 158, "IRBBB": 139, "PVC": 116, "STACH": 88, "1AVB": 84, "SBRAD": 81,
        "CLBBB": 53, "CRBBB": 45,
    }  # fmt: skip
    assert np.bincount(data.folds, minlength=11)[1:].tolist() == [222, 265, 261, 239, 259, 246, 256, 267, 286, 271]


def test_the_two_recordings_of_one_ptb_patient_stay_together(shared_data: Path, tmp_path: Path) -> None:
    data = datamodule(shared_data / "ptbdb_cinc", "PTBDBDataModule", tmp_path, ["MI"])
    assert data.store.index["patient_id"].tolist() == ["patient004", "patient005", "patient005"]
    assert data.store.index["age"].tolist() == [69, 74, 74]
    assert data.folds[1] == data.folds[2]
    assert data.store.lengths.tolist() == [11520, 11518, 11520]
