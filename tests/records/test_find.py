"""Finding recordings: each once, whatever files it consists of, and what is passed over is said."""

import os
from pathlib import Path

import numpy as np
import pytest

import fake
from ecg_lightning.errors import UserError
from ecg_lightning.records import read_record
from ecg_lightning.records.find import find_recordings
from ecg_lightning.records.segments import masters_of_segments, segments_of


def names(*paths: Path) -> list[str]:
    return [path.name for path in find_recordings([str(path) for path in paths])]


def test_a_wfdb_record_counts_once_whatever_its_files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    fake.cinc(tmp_path / "a", 2)
    np.save(tmp_path / "a" / "x.npy", np.zeros((12, 5)))
    (tmp_path / "a" / "E00001.atr").touch()
    assert names(tmp_path / "a") == ["E00001.hea", "E00002.hea", "x.npy"]
    assert names(*sorted((tmp_path / "a").iterdir())) == ["E00001.hea", "E00002.hea", "x.npy"]  # a shell's a/*
    monkeypatch.chdir(tmp_path)
    again = ["a/E00001", "a/../a/E00001.mat", "a", str(tmp_path / "a" / "x.npy")]
    assert list(map(str, find_recordings(again))) == ["a/E00001", "a/E00002.hea", "a/x.npy"]


@pytest.mark.parametrize(("header", "signal"), [("A.HEA", "A.DAT"), ("A.hea", "A.DAT"), ("a.hea", "A.DAT")])
def test_files_in_upper_case_are_one_recording(tmp_path: Path, header: str, signal: str) -> None:
    fake.write_wfdb(tmp_path / "A.dat", fake.ecg(1000, 500, 3), 500)
    expected = read_record(tmp_path / "A.hea").signal
    (tmp_path / "A.hea").rename(tmp_path / "x")
    (tmp_path / "A.dat").rename(tmp_path / signal)
    (tmp_path / "x").rename(tmp_path / header)
    assert names(tmp_path) == [header]
    assert len(names(*tmp_path.iterdir())) == 1
    for name in (header, signal, header[:-4]):
        np.testing.assert_array_equal(read_record(tmp_path / name).signal, expected)


def test_samples_of_any_suffix_belong_to_their_header(shared_data: Path) -> None:
    folder = shared_data / "hospital_formats" / "wfdb" / "s0010_re"
    files = sorted(folder.iterdir())
    assert [file.suffix for file in files] == [".dat", ".hea", ".xyz"]
    for chosen in (files, files[::-1], files[2:]):  # as a shell's *, or a browser, gives them
        (found,) = find_recordings(list(map(str, chosen)))
        assert read_record(found).signal.shape == (12, 38400)


def several_segments(folder: Path, master: str = "va", *, parts: tuple[str, ...] = ("va_1", "va_2")) -> None:
    """A multi-segment record of variable layout, as MIMIC's waveforms have it."""
    for part in parts:
        fake.write_wfdb(folder / f"{part}.dat", fake.ecg(500, 500, 3), 500)
    signals = (folder / f"{parts[0]}.hea").read_text().splitlines()[1:13]
    layout = [f"{master}_layout 12 500 0", *(f"~ 0 200/mV 16 0 0 0 0 {line.split()[-1]}" for line in signals)]
    (folder / f"{master}_layout.hea").write_text("\n".join(layout) + "\n")
    lines = [
        f"{master}/{len(parts) + 2} 12 500 1100",
        f"{master}_layout 0",
        f"{parts[0]} 500",
        "~ 100",
        f"{parts[1]} 500",
    ]
    (folder / f"{master}.hea").write_text("\n".join(lines) + "\n#Age: 50\n")


@pytest.mark.parametrize("parts", [("va_1", "va_2"), ("3544749_0001", "3544749_0002")])
def test_master_segments_and_layout_are_one_recording(tmp_path: Path, parts: tuple[str, str]) -> None:
    several_segments(tmp_path, parts=parts)
    fake.write_wfdb(tmp_path / "other_1.dat", fake.ecg(500, 500, 3), 500)
    assert names(tmp_path) == ["other_1.hea", "va.hea"]
    assert sorted(names(*tmp_path.iterdir()))[1:] == ["va.hea"]
    assert names(tmp_path / f"{parts[0]}.hea") == [f"{parts[0]}.hea"]  # by itself it is what was asked for
    expected = {str(tmp_path / f"{name}.hea") for name in ("va_layout", *parts)}
    assert {*segments_of(str(tmp_path / "va.hea"))} == expected
    assert masters_of_segments(map(str, tmp_path.glob("*.hea"))).keys() == expected
    assert segments_of(str(tmp_path / "other_1.hea")) == segments_of(str(tmp_path / "none.hea")) == []


def test_what_is_passed_over_is_counted_in_one_line(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    fake.cinc(tmp_path, 1)
    contents = {
        "records.csv": "path,Exam ID,Age,II_comment\nE00001.hea,7,50,\n",
        "predictions.csv": "record,AFIB,positive\nE00001.hea,0.5,AFIB\n",
        "ours.csv": "I (mV),II (mV)\n0.1,0.2\n",
        "theirs.csv": "time;V1_uV\n0;1\n",
        "bare.csv": "-0.5,0.1\n0.2,0.3\n",
        "empty.csv": "",
        "a.bdf": "",
        "b.bdf": "",
        "empty.dcm": "",
        "LICENSE": "",
        ".hidden.npy": "",
    }
    for name, text in contents.items():
        (tmp_path / name).write_text(text)
    assert names(tmp_path) == ["E00001.hea", "bare.csv", "empty.csv", "empty.dcm", "ours.csv", "theirs.csv"]
    assert capsys.readouterr().err == (
        "Skipped: 2 × a BDF file (.bdf), 2 × a table without leads (.csv), 1 × a file without a suffix.\n"
    )
    assert names(tmp_path / "records.csv", tmp_path / "a.bdf") == ["records.csv", "a.bdf"]  # named, they are tried


def test_a_folder_without_recordings_says_what_it_holds(tmp_path: Path) -> None:
    (tmp_path / "scan.bdf").touch()
    with pytest.raises(UserError, match=r"no recording in the folder.* It holds 1 × a BDF file \(.bdf\)"):
        names(tmp_path)
    with pytest.raises(UserError, match="There is no file or folder"):
        names(tmp_path / "gone.hea")


def test_linked_folders_are_entered_once_and_pipes_are_not_waited_for(tmp_path: Path) -> None:
    fake.cinc(tmp_path / "elsewhere", 1)
    (tmp_path / "in").mkdir()
    (tmp_path / "in" / "part").symlink_to(tmp_path / "elsewhere")
    (tmp_path / "elsewhere" / "back").symlink_to(tmp_path / "in")
    os.mkfifo(tmp_path / "in" / "pipe.csv")
    os.mkfifo(tmp_path / "in" / "pipe.txt")
    assert names(tmp_path / "in") == ["E00001.hea", "pipe.csv"]


def test_exports_of_hospitals_are_found_by_their_content(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    wave = fake.ecg(1000, 500, 3)
    (tmp_path / "ward").mkdir()
    fake.edf(tmp_path / "ward" / "IM0001", wave, 500)
    fake.muse(tmp_path / "a.xml", wave, 500)
    fake.cardiosoft(tmp_path / "b.csv", wave, 500)
    (tmp_path / "settings.xml").write_text("<?xml version='1.0'?><settings/>")
    (tmp_path / "report.pdf").write_bytes(b"%PDF-1.7")
    (tmp_path / "wrong.scp").write_bytes(b"of another device")
    assert names(tmp_path) == ["a.xml", "b.csv", "IM0001", "wrong.scp"]  # the last is then listed with its reason
    assert capsys.readouterr().err == "Skipped: 1 × a PDF document (.pdf), 1 × an XML file (.xml).\n"
