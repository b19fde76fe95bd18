"""A tiny run that was tested, with its page."""

import shutil
from pathlib import Path

import pytest

import small


@pytest.fixture(scope="session")
def tested_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of a run that was trained and tested; no test changes it."""
    folder = tmp_path_factory.mktemp("report")
    run = small.fit(small.archive(folder), folder / "run")
    assert small.run("test", [f"run_dir={run}", "report.ecgs=3"]) == 0
    return run


@pytest.fixture
def tested(tested_folder: Path, tmp_path: Path) -> Path:
    """A copy of that folder, to change."""
    return Path(shutil.copytree(tested_folder, tmp_path / "run"))
