"""`show`: the picture of any readable file, and what the file is."""

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

import fake
import small
from ecg_lightning.errors import UserError


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty working folder, with recordings in `in`."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "in" / "more").mkdir(parents=True)
    signal = fake.ecg(1000, 100, seed=1)
    fake.write_wfdb(tmp_path / "in" / "a.dat", signal, 100, comments=[" Age: 71", " Sex: Female"])
    fake.write_wfdb(tmp_path / "in" / "more" / "a.dat", signal[:3], 100, leads=["I", "II", "III"])
    np.save(tmp_path / "in" / "b.npy", np.rint(1000 * signal).astype(np.int16))
    return tmp_path


def test_a_picture_beside_nothing_else_and_what_the_file_is(place: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert small.run("show", ["in/a.hea"]) == 0
    with Image.open("a.png") as image:
        assert image.format == "PNG" and image.size[0] == 275 * 6
    assert capsys.readouterr().out == (
        "in/a.hea → a.png\n"
        "  leads   12: I, II, III, aVR, aVL, aVF, V1, V2, V3, V4, V5, V6\n"
        "  length  10 s, 1,000 samples at 100 Hz\n"
        "  patient 71 years, female\n"
        "  flags   none\n"
    )
    assert sorted(path.name for path in place.iterdir()) == ["a.png", "in"]
    assert small.run("show", ["in/b.npy", "--rate", "100", "--output", "out/picture.pdf"]) == 0
    assert Path("out/picture.pdf").read_bytes().startswith(b"%PDF")
    shown = capsys.readouterr().out
    assert "  flags   unit assumed: uV" in shown and "patient" not in shown


def test_nothing_is_overwritten_in_silence(place: Path) -> None:
    Path("a.png").write_text("mine")
    with pytest.raises(UserError, match=r"^a\.png exists already\. Choose another place by --output, or replace it by"):
        small.run("show", ["in/a.hea"])
    assert Path("a.png").read_text() == "mine"
    assert small.run("show", ["in/a.hea", "--overwrite"]) == 0
    assert Path("a.png").read_bytes().startswith(b"\x89PNG")


def test_recordings_of_one_name_get_pictures_of_their_own(place: Path, capsys: pytest.CaptureFixture[str]) -> None:
    Path("in/c.npy").write_bytes(b"broken")
    words = ["in", "--rate", "100", "--output", "out", "--format", "svg"]
    assert small.run("show", words) == 1
    assert sorted(path.name for path in Path("out").iterdir()) == ["a-2.svg", "a.svg", "b.svg"]
    printed = capsys.readouterr()
    assert printed.out.endswith("3 of 4 recordings drawn\n")
    assert printed.err.startswith("in/c.npy cannot be drawn: unreadable file")
    assert "not recorded: V1, V2, V3, V4, V5, V6" in Path("out/a-2.svg").read_text(encoding="utf-8")
    assert "  leads   6: I, II, III, aVR, aVL, aVF" in printed.out
    with pytest.raises(UserError, match=r"out/a.svg exists already. So do 2 more"):
        small.run("show", words)


def test_the_id_is_drawn_only_where_it_is_asked_for(place: Path) -> None:
    for name, words in (("without", []), ("with", ["--ids"])):
        assert small.run("show", ["in/a.hea", "--output", f"{name}.svg", *words]) == 0
    assert ">a</text>" not in Path("without.svg").read_text(encoding="utf-8")
    assert ">a</text>" in Path("with.svg").read_text(encoding="utf-8")


@pytest.mark.parametrize(
    ("words", "message"),
    [
        ([], "show: the following arguments are required: paths"),
        (["nowhere.hea"], "There is no file or folder 'nowhere.hea'"),
        (["in/b.npy"], "in/b.npy cannot be drawn: no sampling rate: the file does not say it. Give it by"),
        (
            ["in/a.hea", "--start", "12"],
            "in/a.hea cannot be drawn: The recording has 10 seconds: it cannot be drawn from",
        ),
        (["in/a.hea", "--gain", "-1"], "A gain of -1 mm/mV is not possible"),
        (
            ["in/a.hea", "--output", "a.jpg"],
            r"A picture cannot be written as 'a.jpg'. The name must end with .png, .pdf, .svg",
        ),
        (["in/a.hea", "--output", "a.png", "--format", "pdf"], "'a.png' is not the name of a pdf file"),
        (["in", "--output", "a.png"], "show: --output a.png is one file for 3 recordings. Name a folder"),
        (["in/a.hea", "--format", "jpg"], "invalid choice: 'jpg'"),
    ],
)
def test_mistakes_are_explained(words: list[str], message: str, place: Path) -> None:
    with pytest.raises(UserError, match=message):
        small.run("show", words)
    assert [path.name for path in place.iterdir()] == ["in"]


def test_it_needs_no_torch(place: Path) -> None:
    program = (
        "import sys; from ecg_lightning.main import main; assert main(['show', 'in/a.hea']) == 0; "
        "print([m for m in ('torch', 'lightning', 'pandas', 'captum') if m in sys.modules])"
    )
    process = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert process.stdout.endswith("\n[]\n") and Path("a.png").is_file()


def test_recordings_of_real_archives(place: Path, shared_data: Path, capsys: pytest.CaptureFixture[str]) -> None:
    files = [min((shared_data / folder).rglob("*.hea")) for folder in ("ptbxl/records500", "cpsc2018", "ludb")]
    assert small.run("show", [*map(str, files), "--output", "out"]) == 0
    assert len([*Path("out").iterdir()]) == 3
    assert "500 Hz" in capsys.readouterr().out
