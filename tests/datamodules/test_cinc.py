"""What the challenges' archives have of their own: two forms of CPSC2018, patients by lists, two annotators, odd folders."""

import os
from collections import Counter
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from scipy.signal import resample_poly

import fake
from ecg_lightning.datamodules import (
    ChapmanNingboDataModule,
    CPSC2018DataModule,
    GeorgiaDataModule,
    INCARTDataModule,
    PTBDBDataModule,
)
from ecg_lightning.datamodules.cinc import CinCDataModule
from ecg_lightning.errors import UserError

CLASSES = ["NORM", "AFIB", "1AVB", "LBBB", "RBBB", "PAC", "PVC", "STD_", "STE_"]


def cpsc(root: Path, store_dir: Path) -> CPSC2018DataModule:
    return CPSC2018DataModule(root=str(root), store_dir=str(store_dir), label_space=CLASSES, pack_workers=1)


def test_structs_of_cpsc2018_are_read_with_their_reference(tmp_path: Path) -> None:
    archive = fake.cpsc2018_struct(tmp_path / "cpsc", 7)
    fake.write_wfdb(tmp_path / "cpsc" / ".download" / "A0001.mat", fake.ecg(1000, 500, 1), 500)
    data = cpsc(archive.root, tmp_path)
    index = data.store.index
    assert index["record_id"].tolist() == [item.record_id for item in archive]
    assert index["codes"].tolist() == ["1", "2", "3", "1", "1", "5", "1"]
    assert (index["age"].tolist(), index["sex"].tolist()) == ([i.age for i in archive], [i.sex for i in archive])
    for row, item in enumerate(archive):
        expected = resample_poly(item.signal, 1, 5, axis=1, padtype="line").T * 1000
        (packed,), _ = data.store.read(np.array([row]), np.array([0]), len(expected))
        np.testing.assert_allclose(packed, expected, atol=0.51)
    assert np.flatnonzero(data.targets[5] == 1).tolist() == [CLASSES.index("RBBB")]
    assert not np.isnan(data.targets).any()


def test_both_forms_of_cpsc2018_give_the_same_terms(tmp_path: Path) -> None:
    """The SNOMED CT codes with which the challenge of 2020 replaced the class numbers, in their order."""
    snomed = [
        "426783006",
        "164889003",
        "270492004",
        "164909002",
        "59118001",
        "284470004",
        "164884008",
        "429622005",
        "164931005",
    ]
    data = cpsc(tmp_path, tmp_path)
    for number, (code, term) in enumerate(zip(snomed, CLASSES, strict=True), 1):
        assert data.annotation(str(number), "cpsc2018").positive == {term}
        assert data.annotation(code, "cpsc2018").positive == {term}
    assert data.annotation("1|5", "cpsc2018").positive == {"NORM", "RBBB"}


def test_a_recording_without_a_label_is_not_annotated_and_flagged(tmp_path: Path) -> None:
    archive = fake.cpsc2018_struct(tmp_path / "cpsc", 3)
    table = (tmp_path / "cpsc/REFERENCE.csv").read_text().splitlines()
    (tmp_path / "cpsc/REFERENCE.csv").write_text("\n".join([*table[:2], "A0002,1,5,", ""]))
    data = cpsc(archive.root, tmp_path)
    assert data.store.index["quality"].tolist() == ["", "", "no_codes"]
    assert data.store.index["codes"].tolist() == ["1", "1|5", ""]
    assert np.isnan(data.targets[2]).all()
    assert data.usable.tolist() == [True, True, False]

    fake.cinc(tmp_path / "georgia", 2)
    header = tmp_path / "georgia/E00002.hea"
    header.write_text("\n".join(line for line in header.read_text().splitlines() if "Dx" not in line))
    georgia = GeorgiaDataModule(root=str(tmp_path / "georgia"), store_dir=str(tmp_path), pack_workers=1)
    assert georgia.store.index["quality"].tolist() == ["", "no_codes"]
    assert np.isnan(georgia.targets).all(axis=1).tolist() == [False, True]


def test_every_reference_of_several_parts_counts(tmp_path: Path) -> None:
    for part in ("one", "two"):
        fake.cpsc2018_struct(tmp_path / "cpsc" / part, 2)
    for number in (1, 2):
        (tmp_path / f"cpsc/two/A000{number}.mat").rename(tmp_path / f"cpsc/two/B000{number}.mat")
    reference = tmp_path / "cpsc/two/REFERENCE.csv"
    reference.write_text(reference.read_text().replace("A0001,1", "B0001,5").replace("A0002,2", "B0002,3"))
    assert cpsc(tmp_path / "cpsc", tmp_path).table()["codes"].tolist() == ["1", "2", "5", "3"]


def test_a_table_without_its_columns_is_named(tmp_path: Path) -> None:
    archive = fake.cpsc2018_struct(tmp_path / "cpsc", 3)
    (tmp_path / "cpsc/REFERENCE.csv").write_text("Recording,label\nA0001,1\n")
    with pytest.raises(UserError, match=r"REFERENCE\.csv is not the table .*First_label"):
        _ = cpsc(archive.root, tmp_path).store


def test_recordings_are_found_below_root_and_what_a_download_left_is_not(tmp_path: Path) -> None:
    root = tmp_path / "Größe"
    archive = fake.cinc(root / "g1", 3)
    fake.cinc(root / "g2", 2, prefix="F")
    fake.cinc(root / ".download", 1, prefix="X")
    (root / "g1/E00009.hea.part").write_bytes((root / "g1/E00001.hea").read_bytes())
    (root / "g1/._E00001.hea").write_bytes(b"\0")
    (root / "g2/F00002.mat").rename(root / "g2/F00002.mat.part")
    data = GeorgiaDataModule(root=str(root), store_dir=str(tmp_path), pack_workers=1)
    assert data.store.index["file"].tolist() == ["g1/E00001.hea", "g1/E00002.hea", "g1/E00003.hea", "g2/F00001.hea"]
    assert data.store.rejected["reason"].str.partition(":")[0].tolist() == ["no such file"]
    key = data.store.path
    archive["E00001"].path.write_bytes(archive["E00002"].path.read_bytes())
    assert GeorgiaDataModule(root=str(root), store_dir=str(tmp_path), pack_workers=1).store.path != key


def test_ptb_and_incart_have_the_patients_of_their_own_lists(tmp_path: Path) -> None:
    """Facts published elsewhere: patients, how many have several recordings, and single recordings that were matched."""
    ptb = PTBDBDataModule(root=str(tmp_path)).patients([f"S{number:04d}" for number in range(1, 551)])
    assert (ptb[137], ptb[540], ptb[549]) == ("patient044", "patient288", "")
    counts = Counter(ptb[:549])
    assert (len(counts), max(counts.values()), sum(count > 1 for count in counts.values())) == (290, 7, 113)
    incart = INCARTDataModule(root=str(tmp_path)).patients([f"I{number:04d}" for number in range(1, 76)])
    assert Counter(Counter(incart).values()) == {1: 2, 2: 18, 3: 11, 4: 1}
    patient_of_recording = {16: 8, 17: 8, 36: 16, 49: 22, 50: 22, 59: 26, 60: 26, 71: 30}
    assert {number: incart[number - 1] for number in patient_of_recording} == {
        n: f"patient{p:03d}" for n, p in patient_of_recording.items()
    }


def test_chapman_and_ningbo_are_told_apart_by_the_number(tmp_path: Path) -> None:
    data = ChapmanNingboDataModule(root=str(tmp_path), label_space=["AFIB", "AFLT", "IRBBB", "SAAWR"])
    index = pd.DataFrame({"record_id": ["JS00001", "JS10646", "JS10647", "S23074"]})
    assert data.annotators(index).tolist() == ["chapman", "chapman", "ningbo", "ningbo"]
    flutter = [data.annotation("164890007", source).positive for source in ("chapman", "ningbo")]
    assert flutter == [{"AFLT"}, {"AFAFL"}]
    assert "IRBBB" not in data.annotated("chapman") and "SAAWR" not in data.annotated("ningbo")


def test_a_file_name_that_is_not_utf8_is_set_aside(tmp_path: Path) -> None:
    fake.cinc(tmp_path / "cinc", 2)
    undecodable_path = os.fsencode(tmp_path / "cinc") + b"/E\xe9.hea"
    Path(os.fsdecode(undecodable_path)).write_bytes((tmp_path / "cinc/E00001.hea").read_bytes())
    data = GeorgiaDataModule(root=str(tmp_path / "cinc"), store_dir=str(tmp_path), pack_workers=1)
    assert data.store.index["record_id"].tolist() == ["E00001", "E00002"]
    assert data.store.rejected[["file", "reason"]].to_numpy().tolist() == [
        ["E\\xe9.hea", "bad name: it is not in UTF-8, or holds control characters; rename the file"]
    ]


def test_archives_in_upper_case_are_read(tmp_path: Path) -> None:
    fake.cinc(tmp_path / "cinc", 2)
    expected = GeorgiaDataModule(root=str(tmp_path / "cinc"), store_dir=str(tmp_path), pack_workers=1).store
    for file in (tmp_path / "cinc").glob("E*"):
        file.rename(file.with_suffix(file.suffix.upper()))
    data = GeorgiaDataModule(root=str(tmp_path / "cinc"), store_dir=str(tmp_path), pack_workers=1)
    assert data.store.rejected.empty and data.store.path != expected.path
    np.testing.assert_array_equal(data.store.signals, expected.signals)
    assert data.store.index["codes"].tolist() == expected.index["codes"].tolist()


def test_several_rows_of_a_reference_count_together(tmp_path: Path) -> None:
    archive = fake.cpsc2018_struct(tmp_path / "cpsc", 2)
    (tmp_path / "cpsc/REFERENCE.csv").write_text(
        "Recording,First_label,Second_label,Third_label\nA0001,1.0,NA,\nA0002,null,,\nA0001,5,,\n"
    )
    assert cpsc(archive.root, tmp_path).table()["codes"].tolist() == ["1|5", ""]


class ElsewhereDataModule(CinCDataModule):
    """A source of one's own, which no file of the package knows."""

    source = "elsewhere"

    def annotated(self, source: str) -> frozenset[str]:
        """One term alone."""
        return frozenset({"AFIB"})


def test_the_class_of_a_source_says_what_it_annotates(tmp_path: Path) -> None:
    fake.cinc(tmp_path, 6, seconds=2)
    data = ElsewhereDataModule(str(tmp_path), ["AFIB", "WPW"], store_dir=f"{tmp_path}/store", pack_workers=1)
    assert data.store.path.name.startswith("elsewhere-100hz-")
    assert not np.isnan(data.targets[:, 0]).any()
    assert np.isnan(data.targets[:, 1]).all()
