"""`predict --plot`: a page for each recording."""

import csv
from pathlib import Path

import numpy as np
import pytest

import fake
import small
from ecg_lightning.commands import pages as commands
from ecg_lightning.errors import UserError
from ecg_lightning.evaluation.pages import page_of
from ecg_lightning.evaluation.predictor import Predictor
from ecg_lightning.records import LEADS, Record, read_record


@pytest.fixture(scope="module")
def network(tmp_path_factory: pytest.TempPathFactory) -> str:
    return small.untrained(tmp_path_factory.mktemp("network"), LEADS, ["PVC", "AFIB", "STACH", "1AVB"])


@pytest.fixture(scope="module")
def archive(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("archive")
    fake.cinc(folder, 3, seconds=3)
    (folder / "E00002.mat").write_bytes(b"broken")
    return folder


def test_each_recording_has_a_page_and_the_table_is_that_without_pages(
    network: str, archive: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    plain, drawn, folder = tmp_path / "plain.csv", tmp_path / "drawn.csv", tmp_path / "out" / "pages"
    assert small.run("predict", [network, str(archive), "--output", str(plain)]) == 1
    words = [network, str(archive), "--output", str(drawn), "--plot", str(folder), "--plot-format", "svg"]
    assert small.run("predict", words) == 1
    assert plain.read_bytes() == drawn.read_bytes()
    assert sorted(path.name for path in folder.iterdir()) == ["E00001.svg", "E00003.svg"]
    printed = capsys.readouterr()
    assert printed.out.endswith(f"2 of 3 recordings predicted → {drawn}\n2 pages → {folder}\n")
    with drawn.open(newline="", encoding="utf-8") as file:
        row = next(csv.DictReader(file))
    page = (folder / "E00001.svg").read_text(encoding="utf-8")
    assert "E00001" not in page and "AFIB  atrial fibrillation" in page and "PVC" not in page  # which was not learnt
    sign = "≥" if "AFIB" in row["positive"].split("|") else "&lt;"
    assert f">{float(row['AFIB']):.2f} {sign} 0.50<" in page
    first = (folder / "E00001.svg").read_bytes()
    assert small.run("predict", [*words, "--ids"]) == 1
    assert b">E00001<" in (folder / "E00001.svg").read_bytes() != first


def test_positive_terms_are_first_and_shaded(network: str, archive: Path) -> None:
    predictor = Predictor(network, device="cpu")
    record = read_record(archive / "E00001.hea")
    logits = np.array([-0.1, 3.0, 1.0])
    figure = page_of(predictor, record, logits)
    texts = [text.get_text() for text in figure.axes[0].texts]
    assert [text for text in texts if "≥" in text or "<" in text] == ["0.95 ≥ 0.50", "0.73 ≥ 0.50", "0.48 < 0.50"]
    assert any(text.startswith("shaded: what speaks for STACH; in the rows below") for text in texts)
    assert sum(text.endswith(": 1AVB") for text in texts) == 1
    none = [text.get_text() for text in page_of(predictor, record, np.array([-3.0, -1.0, -2.0])).axes[0].texts]
    assert "shaded: what speaks for STACH (integrated gradients)" in none
    # calibrated: slope 0.5, intercept 0.1, the threshold's too, so that the decision is the same
    calibrated = [text.get_text() for text in page_of(predictor, record, logits, calibrated=True).axes[0].texts]
    assert f"{1 / (1 + np.exp(-1.6)):.2f} ≥ {1 / (1 + np.exp(-0.1)):.2f}" in calibrated


def test_a_page_that_cannot_be_drawn_ends_nothing(
    network: str, archive: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    draw = commands.page_of

    def breaking(predictor: Predictor, record: Record, *rest: object, **options: object) -> object:
        if record.record_id == "E00001":
            raise ValueError("no such page")
        return draw(predictor, record, *rest, **options)  # type: ignore[arg-type]

    monkeypatch.setattr(commands, "page_of", breaking)
    words = [network, *(str(archive / f"E0000{k}.hea") for k in (1, 3)), "--output", str(tmp_path / "p.csv")]
    assert small.run("predict", [*words, "--plot", str(tmp_path / "pages")]) == 1
    printed = capsys.readouterr()
    assert "2 of 2 recordings predicted" in printed.out and "1 page → " in printed.out
    assert "Pages that could not be drawn: 1. The first is that of " in printed.err and "no such page" in printed.err


def test_options_that_cannot_be_meant_are_refused_before_anything_is_predicted(
    network: str, archive: Path, tmp_path: Path
) -> None:
    (tmp_path / "pages").touch()
    words = [network, str(archive), "--output", str(tmp_path / "p.csv"), "--plot", str(tmp_path / "pages")]
    with pytest.raises(UserError, match=r"--plot .*pages is a file. Name a folder for the pages"):
        small.run("predict", words)
    with pytest.raises(UserError, match=r"--plot-format and --ids are for pages\. Add --plot FOLDER"):
        small.run("predict", [*words[:-2], "--ids"])
    assert not (tmp_path / "p.csv").exists()
