"""A hospital's own files and table: formats, units, rates, leads, columns, and what is said where they are wrong."""

from pathlib import Path

import h5py
import numpy as np
import pandas as pd
import pytest

import fake
from datamodules.hospital import hospital, rewrite
from ecg_lightning.errors import UserError
from ecg_lightning.records import LEADS


def one_wave(root: Path, name: str, rate: int, factor: float = 1) -> None:
    """One recording as floats; `factor` is the file's steps a millivolt."""
    np.save(root / name, fake.ecg(10 * rate, rate, 5) * factor)


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
        (packed,), _ = data.store.read(np.array([row]), np.array([0]), item.signal.shape[1])
        np.testing.assert_array_equal(packed.T, np.rint(item.signal * 1000))


def test_files_without_headers_need_a_column_of_codes(tmp_path: Path) -> None:
    fake.folder(tmp_path, 2)
    rewrite(tmp_path, lambda t: t.rename(columns={"codes": "Diagnose"}))
    with pytest.raises(UserError, match=r"records.csv has no column of codes.*columns: \{codes: …\}.*Diagnose"):
        hospital(tmp_path, codes={}, code_system="snomed", file_rate=1000).table()


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
    assert data.store.index["quality"].tolist() == ["lead_order_assumed|limb_leads_derived|no_codes"]
    np.testing.assert_allclose(data.store.signals[:].T / 1000, signal, atol=6e-4)


def test_headers_speak_for_themselves_and_others_are_contradicted(tmp_path: Path) -> None:
    signal = fake.ecg(5000, 500, 5)
    names = [*LEADS[6:], *LEADS[:6]]
    fake.write_wfdb(tmp_path / "named.dat", signal, 500)
    reordered = signal[[LEADS.index(name) for name in names]]
    fake.write_wfdb(tmp_path / "nameless.dat", reordered, 500, leads=[f"ch{number}" for number in range(12)])
    header = (tmp_path / "named.hea").read_text().replace("named", "rateless").replace("12 500 5000", "12")
    (tmp_path / "rateless.hea").write_text(header)
    (tmp_path / "rateless.dat").write_bytes((tmp_path / "named.dat").read_bytes())
    np.savez(tmp_path / "named.npz", x=signal, leads=np.array(LEADS))
    np.save(tmp_path / "silent.npy", reordered)
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
    assert [lead_one[f"{name}"][0] for name in ("rateless.dat", "silent.npy")] == [first[0], first[0]]
    assert abs(lead_one["named.dat"][0] - first[0]) < 20 and abs(lead_one["nameless.dat"][6] - first[1]) < 20
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
        "no signal: there is no row 3; the array has the rows 0 to 2",
        "no signal: no array 'west', the file has north, south",
        "several recordings: shape (3, 12, 2000); say which of them by a column data.columns.row",
    ]


def test_rows_with_more_or_fewer_cells_are_named(tmp_path: Path) -> None:
    fake.folder(tmp_path, 3)
    text = "path,patient,codes\na.npy,1,1.18.2{}\n\nb.npy,2,1.2.1\n"
    for extra in ("", ",", ", ,"):
        (tmp_path / "records.csv").write_text(text.format(extra))
        assert hospital(tmp_path).table()["codes"].tolist() == ["1.18.2", "1.2.1"]
    (tmp_path / "records.csv").write_text(text.format(",1.2.1") + "c.npy,3\nd.npy,4,\n")
    table = hospital(tmp_path, separator=",").table()
    assert table["file"].tolist() == ["", "b.npy", "", "d.npy"]
    assert [reason.partition(";")[0] for reason in table["refused"]] == [
        "bad row: line 2 of records.csv has 4 cells and the first line 3", "",
        "bad row: line 5 of records.csv has 2 cells and the first line 3", "",
    ]  # fmt: skip
    (tmp_path / "records.csv").write_text(text.format(",1.2.1") + "c.npy,3\n")
    with pytest.raises(
        UserError, match=r"line 2 .* has 4 cells and the first line 3; .*quotes, and most rows are like that"
    ):
        hospital(tmp_path, separator=",").table()
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
    assert "holds '300': 1 ages are not numbers" in capsys.readouterr().err
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


def test_a_table_in_another_encoding_is_named(tmp_path: Path) -> None:
    (tmp_path / "records.csv").write_bytes("path,patient,Größe\n".encode("cp1252"))
    with pytest.raises(UserError, match=r"is not in UTF-8\. Save it as 'CSV UTF-8'"):
        hospital(tmp_path).table()
