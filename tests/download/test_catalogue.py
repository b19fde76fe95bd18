import re
from pathlib import Path

import pytest

from ecg_lightning.download import catalogue, describe, download
from ecg_lightning.download.catalogue import Kind
from ecg_lightning.errors import UserError

SOURCES = [
    "ptbxl",
    "cpsc2018",
    "cpsc_extra",
    "georgia",
    "chapman_ningbo",
    "ptbdb",
    "incart",
    "sph",
    "code15",
    "code_test",
    "ludb",
    "mimic_iv_ecg",
    "code",
]


def test_every_source_of_recordings_is_there() -> None:
    assert set(catalogue()) == set(SOURCES)


@pytest.mark.parametrize("source", SOURCES)
def test_an_entry_says_all_that_a_person_must_know(source: str) -> None:
    archive = catalogue()[source]
    assert archive.url.startswith("https://") and archive.mirror[:8] in ("", "https://")
    assert archive.title and re.search(r"CC BY 4\.0|ODC-By 1\.0|ODbL 1\.0|restricted", archive.licence)
    assert re.search(r"https://doi\.org/10\.\d{4,}/\S+$", archive.citation)
    text = describe(source)
    assert archive.licence in text and archive.citation in text and archive.url in text
    if archive.kind is Kind.request:
        return
    assert archive.version and 0 < sum(archive.size_gb.values()) < 200
    assert [*archive.size_gb][-1] == "*"  # every file has a size
    assert archive.url.endswith("/")
    assert bool(archive.records) == (archive.kind in (Kind.zenodo, Kind.figshare))
    assert all(record.isdecimal() for record in archive.records)
    assert archive.version in archive.url or archive.kind is not Kind.physionet


def test_sources_that_are_not_public_are_explained_and_not_attempted(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"code is not public(.|\n)*15169716(.|\n)*Ask for access(.|\n)*code15"):
        download("code", tmp_path / "data")
    assert not (tmp_path / "data").exists()


def test_the_open_part_of_mimic_says_what_is_not_in_it() -> None:
    assert "credentialed users only" in describe("mimic_iv_ecg")


def test_an_unknown_source_is_answered_with_the_choices() -> None:
    with pytest.raises(UserError, match=r"source 'ptb-xl'\. Did you mean: 'ptbxl'\? Choices: ptbxl, cpsc2018"):
        describe("ptb-xl")
    with pytest.raises(UserError, match=r"nothing to download for the source 'folder'"):
        describe("folder")
