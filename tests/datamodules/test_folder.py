"""A hospital's own table: columns, codes, labels, units, splits and lists, and what is said where they are wrong."""

from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pandas as pd
import pytest

import fake
from ecg_lightning.datamodules import FolderDataModule
from ecg_lightning.errors import UserError
from ecg_lightning.records import LEADS
from ecg_lightning.schema import build

CODES = {"1.18.2": "AFIB", "1.2.1": "STACH", "1.2.2": ["SBRAD"], "1.1.1": []}


def hospital(root: Path, **options: Any) -> FolderDataModule:
    """The archive of ``fake.folder`` or a table of one's own, through the configuration as YAML gives it."""
    given = {
        "root": str(root),
        "store_dir": str(root / "store"),
        "pack_workers": 1,
        "sampling_rate": 500,
        "codes": CODES,
    }
    made = build("data", {"name": "FolderDataModule"} | given | options)
    assert isinstance(made, FolderDataModule)
    return made


def rewrite(root: Path, change: Any, name: str = "records.csv", **to_csv: Any) -> pd.DataFrame:
    """Changes the table of ``fake.folder``."""
    table = pd.read_csv(root / "records.csv", dtype=str)
    changed: pd.DataFrame = change(table)
    if name.endswith(".parquet"):
        changed.to_parquet(root / name)
    else:
        changed.to_csv(root / name, index=False, **to_csv)
    return changed


def one_wave(root: Path, name: str, rate: int, factor: float = 1) -> None:
    """One recording as floats; ``factor`` is the file's steps a millivolt."""
    np.save(root / name, fake.ecg(10 * rate, rate, 5) * factor)


def without_codes(data: FolderDataModule) -> list[bool]:
    """Which recordings are flagged as without codes."""
    return data.store.index["quality"].str.split("|").map(lambda flags: "no_codes" in flags).tolist()


@pytest.mark.parametrize("suffix", [".npy", ".npz", ".h5", ".csv"])
def test_files_of_any_format_are_read_in_their_unit_and_rate(tmp_path: Path, suffix: str) -> None:
    archive = fake.folder(tmp_path, 4, suffix)
    data = hospital(tmp_path, file_rate=1000, file_unit="uV", sampling_rate=1000)
    index = data.store.index
    assert index["record_id"].tolist() == [item.record_id for item in archive]
    assert index["patient_id"].tolist() == [item.patient_id for item in archive]
    assert index["age"].tolist() == [item.age for item in archive]
    assert index["sex"].tolist() == [item.sex for item in archive]
    assert index["site"].tolist() == ["north", "south"] * 2
    assert index["original_rate"].tolist() == [1000.0] * 4
    for row, item in enumerate(archive):
        (found,), _ = data.store.read(np.array([row]), np.array([0]), item.signal.shape[1])
        np.testing.assert_array_equal(found.T, np.rint(item.signal * 1000))


def test_codes_mean_terms_of_the_map_and_others_are_listed(tmp_path: Path) -> None:
    fake.folder(tmp_path, 7)
    rewrite(tmp_path, lambda t: t.assign(codes=["1.18.2", "1.2.1; 1.18.2", "1.2.2", "", "1.1.1", "7.7", "1.2"]))
    data = hospital(tmp_path, file_rate=1000, separator=";", label_space=["AFIB", "STACH", "SBRAD", "PVC"])
    nan = np.nan  # PVC is not in the map: nobody would have written it
    np.testing.assert_array_equal(
        data.targets,
        [[1, 0, 0, nan], [1, 1, 0, nan], [0, 0, 1, nan], [nan] * 4, *[[0, 0, 0, nan]] * 3],
    )
    assert without_codes(data) == [False] * 3 + [True] + [False] * 3
    unknown = [code for codes in data.store.index["codes"] for code in data.statements(codes, data.source).unknown]
    assert unknown == ["7.7", "1.2"]


def test_the_map_may_be_a_table(tmp_path: Path) -> None:
    fake.folder(tmp_path, 2)
    (tmp_path / "codes.csv").write_text("code;term;note\n1.10;AFIB;x\n1.10;STACH;\n1.1;own:BLUE;\n9.9;;\n", "utf-8")
    data = hospital(tmp_path, codes={}, code_file="codes.csv")
    assert data.code_terms == {
        "1.10": {"AFIB", "STACH"}, "1.1": {"BLUE"}, "9.9": frozenset(),
    }  # fmt: skip
    assert data.annotated("") == {"AFIB", "STACH", "BLUE"}


def test_a_known_system_explains_what_the_map_does_not(tmp_path: Path) -> None:
    fake.folder(tmp_path, 4)
    rewrite(tmp_path, lambda t: t.assign(codes=["164889003", "427084000|X", "426177001", ""]))
    data = hospital(
        tmp_path, codes={"X": "own:BLUE"}, code_system="snomed", file_rate=1000,
        label_space=["AFIB", "STACH", "SBRAD", "1AVB", "own:BLUE"],
    )  # fmt: skip
    nan = np.nan  # 1AVB occurs nowhere, so that it is not known to be annotated
    np.testing.assert_array_equal(data.targets, [[1, 0, 0, nan, 0], [0, 1, 0, nan, 1], [0, 0, 1, nan, 0], [nan] * 5])
    assert hospital(tmp_path, annotated_terms=["1AVB", "own:BLUE"]).annotated("") == {"1AVB", "BLUE"}


def test_reports_in_words_leave_doubts_open(tmp_path: Path) -> None:
    fake.folder(tmp_path, 2)
    rewrite(tmp_path, lambda t: t.assign(codes=["Sinus rhythm|Possible inferior infarct", "Inferior infarct"]))
    data = hospital(tmp_path, codes={}, code_system="mimic", file_rate=1000, label_space=["IMI", "SR"])
    np.testing.assert_array_equal(data.targets, [[np.nan, 1], [1, 0]])


def test_codes_of_headers_count_where_the_table_has_none(tmp_path: Path) -> None:
    archive = fake.cinc(tmp_path, 7)
    rows = {"path": [item.path.name for item in archive], "patient": [f"p{i // 2}" for i in range(7)]}
    pd.DataFrame(rows).to_csv(tmp_path / "records.csv", index=False)
    data = hospital(tmp_path, codes={}, code_system="snomed", label_space=["AFIB", "STACH"])
    np.testing.assert_array_equal(data.targets[:4], [[0, 0], [1, 0], [0, 0], [0, 1]])
    assert data.store.index["record_id"][0] == "E00001"
    assert data.store.index["age"].tolist() == [item.age for item in archive]  # the header's
    pd.DataFrame(rows | {"codes": ""}).to_csv(tmp_path / "records.csv", index=False)
    empty = hospital(tmp_path, label_space=["AFIB"])
    assert np.isnan(empty.targets).all()  # the table's column counts, though empty
    assert empty.store.index["quality"].tolist() == ["no_codes"] * 7


def test_an_empty_cell_may_mean_that_nothing_was_found(tmp_path: Path) -> None:
    fake.folder(tmp_path, 3)
    rewrite(tmp_path, lambda t: t.assign(codes=["1.18.2", "", "7.7"]))
    options: dict[str, Any] = {"file_rate": 1000, "label_space": ["AFIB", "NORM"]}
    silent = hospital(tmp_path, codes={"1.18.2": "AFIB", "N": "NORM"}, **options)
    np.testing.assert_array_equal(silent.targets, [[1, 0], [np.nan] * 2, [0, 0]])
    assert silent.usable.tolist() == [True, False, True]
    (tmp_path / "codes.csv").write_text("code,term\n1.18.2,AFIB\n,NORM\n,\n")
    for given in ({"codes": {"1.18.2": "AFIB", "": "NORM"}}, {"codes": {}, "code_file": "codes.csv"}):
        said = hospital(tmp_path, **given, **options)
        np.testing.assert_array_equal(said.targets, [[1, 0], [0, 1], [0, 0]])
        assert without_codes(said) == [False] * 3
        assert said.store.path != silent.store.path
    (tmp_path / "codes.csv").write_text("code,term\n1.18.2,AFIB\n,\n")  # the empty row of a spreadsheet says nothing
    assert np.isnan(hospital(tmp_path, codes={}, code_file="codes.csv", **options).targets[1]).all()


def test_a_label_stays_where_there_is_no_code(tmp_path: Path) -> None:
    fake.folder(tmp_path, 3)
    rewrite(tmp_path, lambda t: t.assign(codes=["1.18.2", "", ""], AF=["0", "1", ""]))
    data = hospital(
        tmp_path, codes={"1.18.2": "STACH"}, label_columns={"AF": "AFIB"}, file_rate=1000, label_space=["AFIB", "STACH"]
    )
    np.testing.assert_array_equal(data.targets, [[0, 1], [1, np.nan], [np.nan] * 2])
    assert without_codes(data) == [False, True, True]


def test_files_without_headers_need_a_column_of_codes(tmp_path: Path) -> None:
    fake.folder(tmp_path, 2)
    rewrite(tmp_path, lambda t: t.rename(columns={"codes": "Diagnose"}))
    with pytest.raises(UserError, match=r"records.csv has no column of codes.*columns: \{codes: …\}.*Diagnose"):
        hospital(tmp_path, codes={}, code_system="snomed", file_rate=1000).table()


def test_label_columns_have_three_values(tmp_path: Path) -> None:
    fake.folder(tmp_path, 6)
    rewrite(
        tmp_path,
        lambda t: t.assign(**{"Chagas label": ["True", "0", "", "1.0", "no", "1"], "AF": ["1", "", "0", "", "0", "0"]}),
    )
    data = hospital(
        tmp_path, label_columns={"Chagas label": "own:CHAGAS", "AF": "AFIB"}, file_rate=1000,
        label_space=["own:CHAGAS", "AFIB", "STACH"],
    )  # fmt: skip
    nan = np.nan
    # The codes are 1.1.1, 1.18.2 (AFIB), 9.9.9, 1.2.1 (STACH), 1.2.2, 9.9.9: a code goes before an empty cell.
    np.testing.assert_array_equal(data.targets, [[1, 1, 0], [0, 1, 0], [nan, 0, 0], [1, nan, 1], [0, 0, 0], [1, 0, 0]])


def test_rate_and_unit_may_differ_from_file_to_file(tmp_path: Path) -> None:
    one_wave(tmp_path, "a.npy", 500)
    one_wave(tmp_path, "b.npy", 1000, 1000)
    one_wave(tmp_path, "c.npy", 500, 200)
    rows = [
        ["a.npy", "1", "500", "mV"],
        ["b.npy", "2", "1000", "µV"],
        [".\\c.npy", "3", "", "200"],
        ["a.npy", "4", "fast", ""],
    ]
    table = pd.DataFrame(rows, columns=["path", "patient", "rate", "unit"]).assign(record=list("abcd"), codes="")
    table.to_csv(tmp_path / "records.csv", index=False)
    data = hospital(tmp_path, file_rate=500)
    signals, _ = data.store.read(np.arange(3), np.zeros(3, np.int64), 5000)
    np.testing.assert_allclose(signals[1], signals[0], atol=3)  # resampled from 1000 Hz
    np.testing.assert_allclose(signals[2], signals[0], atol=1)
    assert data.store.rejected.loc[0, ["record_id", "reason"]].tolist() == [
        "d",
        "bad sampling rate: 'fast' in the table",
    ]


def test_eight_leads_by_name_give_twelve(tmp_path: Path) -> None:
    eight = [LEADS.index(lead) for lead in ("II", "I", "V1", "V2", "V3", "V4", "V5", "V6")]
    signal = fake.ecg(5000, 500, 5)
    np.savez(tmp_path / "a.npz", raw=signal[eight], mask=np.ones((8, 5000)))
    pd.DataFrame({"path": ["a.npz"], "patient": ["1"], "codes": [""]}).to_csv(tmp_path / "records.csv", index=False)
    names = ["II", "I", "V1", "V2", "V3", "V4", "V5", "V6"]
    data = hospital(tmp_path, file_rate=500, file_leads=names, file_dataset="raw")
    assert data.store.index["quality"].tolist() == ["limb_leads_derived|no_codes"]
    np.testing.assert_allclose(data.store.signals[:].T / 1000, signal, atol=6e-4)


def test_headers_speak_for_themselves_and_others_are_contradicted(tmp_path: Path) -> None:
    signal = fake.ecg(5000, 500, 5)
    names = [*LEADS[6:], *LEADS[:6]]
    fake.write_wfdb(tmp_path / "named.dat", signal, 500)
    fake.write_wfdb(tmp_path / "nameless.dat", signal, 500, leads=[f"ch{number}" for number in range(12)])
    header = (tmp_path / "named.hea").read_text().replace("named", "rateless").replace("12 500 5000", "12")
    (tmp_path / "rateless.hea").write_text(header)
    (tmp_path / "rateless.dat").write_bytes((tmp_path / "named.dat").read_bytes())
    np.savez(tmp_path / "named.npz", x=signal, leads=np.array(LEADS))
    np.save(tmp_path / "silent.npy", signal)
    files = ["named.dat", "nameless.dat", "rateless.dat", "named.npz", "silent.npy"]
    table = pd.DataFrame({"path": files, "patient": "1", "codes": "1.18.2", "record": files})
    table.to_csv(tmp_path / "records.csv", index=False)
    data = hospital(tmp_path, file_rate=1000, file_leads=names, sampling_rate=1000)
    index = data.store.index.set_index("record_id")
    assert index["original_rate"].to_dict() == {
        "named.dat": 500, "nameless.dat": 500, "rateless.dat": 1000, "silent.npy": 1000,
    }  # fmt: skip
    assert index["quality"].tolist() == ["", "", "", ""]
    lead_one = {
        name: data.store.read(np.array([row]), np.array([0]), 1)[0][0, 0] for row, name in enumerate(index.index)
    }
    first = np.rint(1000 * signal[[0, 6], 0])
    assert [lead_one[f"{name}"][0] for name in ("rateless.dat", "silent.npy")] == [first[0], first[1]]
    assert abs(lead_one["named.dat"][0] - first[0]) < 20 and abs(lead_one["nameless.dat"][6] - first[0]) < 20
    assert data.store.rejected["reason"].str.startswith("contradictory leads: the file says I, II").tolist() == [True]


def test_one_hdf5_file_may_hold_all_recordings(tmp_path: Path) -> None:
    waves = np.stack([fake.ecg(2000, 500, seed) for seed in range(3)])
    with h5py.File(tmp_path / "all.h5", "w") as file:
        file["north/ecg"], file["south"] = waves, waves[2].T
        file["south"].attrs["sampling_rate"] = 500
    np.save(tmp_path / "stack.npy", waves)
    rows = [["all.h5", "north/ecg", "1"], ["all.h5", "south", ""], ["stack.npy", "", "0"], ["all.h5", "north/ecg", "3"],
            ["all.h5", "west", ""], ["stack.npy", "", ""]]  # fmt: skip
    table = pd.DataFrame(rows, columns=["path", "dataset", "row"]).assign(patient="1", codes="1.18.2")
    table.to_csv(tmp_path / "records.csv", index=False)
    data = hospital(tmp_path, file_rate=500)
    assert data.store.index["record_id"].tolist() == ["all:north/ecg:1", "all:south", "stack:0"]
    signals, _ = data.store.read(np.arange(3), np.zeros(3, np.int64), 2000)
    np.testing.assert_array_equal(signals, np.rint(1000 * waves[[1, 2, 0]]).transpose(0, 2, 1))
    assert [reason.partition(" in ")[0] for reason in data.store.rejected["reason"]] == [
        "no signal: there is no row 3, the first of 3 is 0",
        "no signal: no array 'west', the file has north, south",
        "several recordings: shape (3, 12, 2000); say which of them by a column data.columns.row",
    ]


def test_rows_with_more_or_fewer_cells_are_named(tmp_path: Path) -> None:
    fake.folder(tmp_path, 3)
    text = "path,patient,codes\na.npy,1,1.18.2{}\n\nb.npy,2,1.2.1\n"
    for extra in ("", ",", ", ,"):
        (tmp_path / "records.csv").write_text(text.format(extra))
        assert hospital(tmp_path).table()["codes"].tolist() == ["1.18.2", "1.2.1"]
    (tmp_path / "records.csv").write_text(text.format(",1.2.1"))
    with pytest.raises(UserError, match="line 2 has 4 cells and the first line 3"):
        hospital(tmp_path, separator=",").table()
    (tmp_path / "records.csv").write_text(text.format("") + "c.npy,3\n")
    with pytest.raises(UserError, match="line 5 has 2 cells"):
        hospital(tmp_path).table()
    (tmp_path / "records.csv").write_text("path,patient,codes,codes\na.npy,1,1.18.2,1.2.1\n")
    with pytest.raises(UserError, match="has 2 columns 'codes'"):
        hospital(tmp_path).table()


def test_ages_and_dates_of_many_forms(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    fake.folder(tmp_path, 6)
    ages = ["45", "45,5", "45 J", "62 years", "unknown", "300"]
    dates = ["2021-01-01T08:15:00Z", "2021-01-01 08:15", "2021-01-01", "", "2024-02-29T1:00", "2020-12-31"]
    rewrite(tmp_path, lambda t: t.assign(age=ages, date=dates))
    table = hospital(tmp_path).table()
    np.testing.assert_array_equal(table["age"], [45, 45.5, 45, 62, np.nan, np.nan])
    assert "holds 'unknown', '300': 2 ages are no numbers" in capsys.readouterr().err
    assert table["date"].tolist() == [
        "2021-01-01 08:15:00Z", "2021-01-01 08:15", "2021-01-01", "", "2024-02-29 1:00", "2020-12-31",
    ]  # fmt: skip


def test_what_cannot_be_read_is_set_aside_with_its_reason(tmp_path: Path) -> None:
    fake.folder(tmp_path, 3)
    (tmp_path / "signals" / "Größe 2.npy").unlink()
    (tmp_path / "signals" / "Größe 3.npy").write_bytes(b"not numbers")
    data = hospital(tmp_path, file_rate=1000)
    assert len(data.store) == 1
    reasons = data.store.rejected.set_index("record_id")["reason"]
    assert reasons["Größe 2"].startswith("no such file: ")
    assert reasons["Größe 3"].startswith("unreadable file: ")
    assert hospital(tmp_path, file_rate=500, file_unit="mV", store_dir=str(tmp_path / "s")).options() == {
        "files": {"sampling_rate": 500.0, "unit": "mV", "leads": None, "dataset": None},
        "no_codes": True,
    }


def test_a_german_export_with_columns_of_its_own(tmp_path: Path) -> None:
    fake.folder(tmp_path, 4)
    rewrite(
        tmp_path,
        lambda t: pd.DataFrame(
            {
                "Datei": t["path"].str.replace("/", "\\"), "Patienten-ID": ["007", "007", "10", "0x"], "Diagnosen": t["codes"],
                "Geschlecht": list("wmwd"), "Aufnahme": ["15.01.2021 08:00", "", "01.03.2021 00:00", "31.12.2020 23:59"],
            }
        ),
        sep=";", encoding="utf-8-sig",
    )  # fmt: skip
    data = hospital(
        tmp_path, file_rate=1000, date_format="%d.%m.%Y %H:%M", sex_values={"w": "F", "m": "M", "d": ""},
        columns={"path": "Datei", "patient": "Patienten-ID", "codes": "Diagnosen", "sex": "Geschlecht", "date": "Aufnahme"},
    )  # fmt: skip
    index = data.store.index
    assert index["patient_id"].tolist() == ["007", "007", "10", "0x"]
    assert index["sex"].tolist() == ["F", "M", "F", ""]
    assert index["date"].tolist() == ["2021-01-15 08:00:00", "", "2021-03-01", "2020-12-31 23:59:00"]
    assert index["record_id"][0] == "signals/Größe 1"


def test_parquet_keeps_ids_dates_and_lists(tmp_path: Path) -> None:
    fake.folder(tmp_path, 3)
    table = rewrite(
        tmp_path,
        lambda t: t.assign(
            patient=pd.array([12345678, None, 3], "Int64").astype(float), age=[50.5, None, 60],
            date=pd.to_datetime(["2021-01-15 08:00", None, "2021-03-01 00:00"]), codes=[["1.18.2", "1.2.1"], [], None],
        ),
        "records.parquet",
    )  # fmt: skip
    assert table["patient"].dtype == float
    data = hospital(tmp_path, file_rate=1000, table_file="records.parquet", label_space=["AFIB", "STACH"])
    index = data.store.index
    assert index["patient_id"].tolist() == ["12345678", "", "3"]
    assert index["date"].tolist() == ["2021-01-15 08:00:00", "", "2021-03-01"]
    np.testing.assert_array_equal(data.targets, [[1, 1], [np.nan] * 2, [np.nan] * 2])


def test_parquet_with_the_path_as_its_index(tmp_path: Path) -> None:
    fake.folder(tmp_path, 2)
    pd.read_csv(tmp_path / "records.csv", dtype=str).set_index("path").to_parquet(tmp_path / "records.parquet")
    pd.DataFrame({"id": ["Größe 1"]}).to_parquet(tmp_path / "artefacts.parquet")
    data = hospital(tmp_path, file_rate=1000, table_file="records.parquet", leave_out=["artefacts.parquet"])
    assert data.store.index["file"].tolist() == ["signals/Größe 1.npy", "signals/Größe 2.npy"]
    assert data.keep(data.store.index).tolist() == [False, True]


def split_of(data: FolderDataModule) -> list[str]:
    """Train, val, test or nothing for each recording of the store."""
    found = np.full(len(data.store), "", object)
    for split in ("train", "val", "test"):
        found[data.rows(split)] = split
    return found.tolist()


def test_splits_by_month_keep_a_patient_on_the_last_side(tmp_path: Path) -> None:
    fake.folder(tmp_path, 8)
    dates = ["2020-12-31", "2021-01-01", "2021-02-28", "2021-03-01", "2021-05-05", "2020-01-01", "2021-01-09", ""]
    patients = ["a", "b", "c", "d", "e", "e", "c", "f"]
    rewrite(tmp_path, lambda t: t.assign(date=dates, patient=patients))
    data = hospital(tmp_path, file_rate=1000, split_by_date={"val": "2021-01", "test": "2021-03"})
    assert split_of(data) == ["train", "val", "val", "test", "test", "", "val", ""]
    data = hospital(tmp_path, file_rate=1000, split_by_date={"train": "2020-06", "test": "2021-02-28"}, test_folds=[3])
    assert split_of(data) == ["train", "train", "test", "test", "test", "", "", ""]


def test_what_falls_out_of_a_split_is_said(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    fake.folder(tmp_path, 6)

    def said(table: dict[str, Any], **options: Any) -> str:
        rewrite(tmp_path, lambda t: t.assign(**table))
        split_of(hospital(tmp_path, file_rate=1000, **options))
        return capsys.readouterr().err

    months = ["2020-01-01", "2021-02-01", "2021-05-01", "2021-06-01", "", ""]
    by_date = {"val": "2021-01", "test": "2021-03"}
    text = said({"date": months, "patient": list("aabbcd")}, split_by_date=by_date)
    assert "Split: 2 recordings have no date and are on no side" in text
    assert "Split: 1 recordings are on no side: their patients are on another one too" in text
    text = said({"split": ["train", "test", "", "", "", "val"], "patient": list("aabbcd")})
    assert "3 recordings have no side" in text and "1 recordings are on no side" in text
    text = said({"split": ["1", "10", "10", "", "3", "3"], "patient": list("aabbcc")})
    assert "1 recordings have no fold" in text and "1 recordings are of patients who have several folds" in text
    assert not said({"split": ["1", "10", "10", "3", "3", "3"], "patient": list("abbccc")})
    with pytest.raises(UserError, match=r"no recording has a date; name their column in data.columns.date"):
        said({"date": ""}, split_by_date=by_date)


def test_splits_as_the_table_says(tmp_path: Path) -> None:
    fake.folder(tmp_path, 6)
    words = ["training", "Validation", "test", "val", "", "train"]
    rewrite(tmp_path, lambda t: t.assign(split=words, patient=list("abcdec")))
    assert split_of(hospital(tmp_path, file_rate=1000)) == ["train", "val", "test", "val", "", ""]
    rewrite(tmp_path, lambda t: t.assign(split=["1", "9", "10", "8", "2", "10"]))
    assert split_of(hospital(tmp_path, file_rate=1000)) == ["train", "val", "test", "train", "train", "test"]


def test_artefacts_duplicates_and_other_hospitals_take_no_part(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    fake.folder(tmp_path, 6)
    rewrite(tmp_path, lambda t: t.assign(noise=["", "0", "x", "no", "", ""], split="train"))
    (tmp_path / "artefacts.csv").write_text("record,why\nGröße 1,noise\nGröße 77,gone\n", encoding="utf-8")
    (tmp_path / "duplicates.txt").write_text("signals/Größe 5.npy\n\n", encoding="utf-8")
    options = {"file_rate": 1000, "columns": {"leave_out": "noise"}, "leave_out": ["artefacts.csv", "duplicates.txt"]}
    data = hospital(tmp_path, **options)
    assert split_of(data) == ["", "train", "", "train", "", "train"]
    assert "1 of 3 lines of artefacts.csv name no recording, such as 'Größe 77'" in capsys.readouterr().err
    other = hospital(tmp_path, **options, hospitals=["north"])
    assert other.store.path == data.store.path  # lists and choices pack nothing again
    assert split_of(other) == [""] * 6
    assert split_of(hospital(tmp_path, file_rate=1000, hospitals=["south"]))[1::2] == ["train"] * 3


def test_the_hospital_has_its_own_name(tmp_path: Path) -> None:
    fake.folder(tmp_path, 2)
    data = hospital(tmp_path, file_rate=1000, source_name="north-2021")
    assert data.describe()["source"] == "north-2021"
    assert data.store.path.name.startswith("north-2021-500hz-")
    assert FolderDataModule.source == "folder"


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"columns": {"patient": "Patient"}}, r"no column 'Patient' \(the patient's id.*Did you mean: 'patient'.*It has: path,"),
        ({"columns": {"pfad": "path"}}, "there is no 'pfad'. Did you mean: 'path'.*Choices: path, patient, record"),
        ({"columns": {"path": None}}, "must say where the signal files are"),
        ({"label_columns": {"Chagas": "own:CHAGAS"}}, "has no column 'Chagas'.*Say which it is: label_columns: \\{…: own:CHAGAS\\}"),
        ({"codes": {"1.18.2": "AFBI"}}, "data.codes '1.18.2': there is no term 'AFBI'. Did you mean .*AFIB.*'own:AFBI'"),
        ({"codes": {"1.18.2": "Atrial Fibrilation"}}, "Did you mean AFIB"),
        ({"codes": {"1.18.2": ["own:AFIB"]}}, "'own:AFIB' is in the vocabulary; write 'AFIB'"),
        ({"codes": {1.1: "AFIB"}}, "YAML read a code as the number 1.1; put codes in quotes"),
        ({"code_file": "no.csv"}, "There is no file 'no.csv'"),
        ({"codes": {}}, "What are the labels"),
        ({"code_system": "icd"}, "There is no code system 'icd'"),
        ({"label_columns": {"age": "AFIB"}}, "row 1 of the column 'age' holds '21'; 1, 1.0, true"),
        ({"file_unit": "mW"}, "data.file_unit: unknown unit: 'mW' is not V, mV, uV"),
        ({"source_name": "a/b"}, "data.source_name"),
        ({"split_by_date": {"val": "2021-13"}}, "data.split_by_date: 'val: 2021-13'; write, for example"),
        ({"split_by_date": {"val": "2021-02-30"}}, "data.split_by_date: 'val: 2021-02-30'"),
        ({"val_folds": [11]}, "data.val_folds: there is no fold 11; folds are numbered 1 to 10"),
        ({"separator": ""}, "data.separator is empty"),
        ({"leave_out": ["latin.txt"]}, "latin.txt is not in UTF-8"),
        ({"columns": {"date": "bad_day"}}, "holds '2021-13-45', which is not a date"),
        ({"split_by_date": {"val": "January"}}, "data.split_by_date: 'val: January'; write, for example"),
        ({"columns": {"date": "sex"}}, "The column 'sex' holds .*'M', 'F'.*date_format"),
        ({"date_format": "%d.%m.%Y"}, r"holds '2021-02-15'.*not a date like %d.%m.%Y"),
        ({"columns": {"sex": "hospital"}}, "The column 'hospital' holds 'north', 'south'; say what each means"),
        ({"columns": {"split": "sex"}}, "train, val and test, or folds 1 to 10"),
        ({"table_file": "recods.csv"}, "There is no file 'recods.csv', neither in data.root"),
        ({"hospitals": ["west"]}, "there is no west. The table has: north, south"),
        ({"leave_out": ["records.csv"], "columns": {"record": "age"}}, None),
        ({"leave_out": ["wrong.txt"]}, "nothing in .*wrong.txt is the id or path of a recording, such as 'B'"),
        ({"codes": {}, "code_system": "scp", "columns": {"codes": None}, "label_columns": {"mark": "AFIB"}}, "from headers"),
    ],
)  # fmt: skip
def test_mistakes_are_answered_by_what_to_write(tmp_path: Path, options: dict[str, Any], message: str | None) -> None:
    fake.folder(tmp_path, 2)
    rewrite(tmp_path, lambda t: t.assign(mark="0", bad_day="2021-13-45"))
    (tmp_path / "latin.txt").write_bytes("Größe 1\n".encode("cp1252"))
    (tmp_path / "wrong.txt").write_text("A\nB\n")
    if message is None:
        assert split_of(hospital(tmp_path, file_rate=1000, **options)) == ["", ""]
        return
    with pytest.raises(UserError, match=message):
        hospital(tmp_path, file_rate=1000, **options).rows("train")


def test_a_table_in_another_encoding_is_named(tmp_path: Path) -> None:
    (tmp_path / "records.csv").write_bytes("path,patient,Größe\n".encode("cp1252"))
    with pytest.raises(UserError, match="is not in UTF-8; save it as 'CSV UTF-8'"):
        hospital(tmp_path).table()
