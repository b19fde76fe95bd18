"""The tiny study, trained once a process."""

import shutil
from pathlib import Path

import pytest

import small
from ecg_lightning.transfer.study import Study, read_study
from transfer.studies import ONE_SIZE, words, write


@pytest.fixture(scope="session")
def finished(tmp_path_factory: pytest.TempPathFactory) -> tuple[Study, list[str]]:
    folder = tmp_path_factory.mktemp("transfer")
    arguments = words(write(folder), folder / "run")
    assert small.run("transfer", arguments) == 0
    return read_study(arguments), arguments


@pytest.fixture
def moved(finished: tuple[Study, list[str]], tmp_path: Path) -> tuple[Path, list[str]]:
    """The finished study in another folder, which may be spoilt, and the words for its first size."""
    study, arguments = finished
    shutil.copytree(study.run_dir, tmp_path / "moved")
    return tmp_path / "moved", [*arguments, f"--run_dir={tmp_path / 'moved'}", *ONE_SIZE]
