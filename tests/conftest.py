"""What every test may ask for."""

import gc
import os
from pathlib import Path

# One thread a process: the tests run side by side, and threads that fight for two cores are slower than one.
os.environ["OMP_NUM_THREADS"] = os.environ["MKL_NUM_THREADS"] = "1"

import pytest

gc.disable()


def pytest_collection_finish() -> None:
    """Of the many objects that imports make, nearly none is garbage: they are never searched for it."""
    gc.freeze()
    gc.enable()


@pytest.fixture(scope="session")
def shared_data() -> Path:
    """Real recordings of public archives in their original formats; the test is skipped where they are absent."""
    folder = Path(os.environ.get("ECG_TEST_DATA", Path(__file__).parents[1].parent / "shared" / "data"))
    if not folder.is_dir():
        pytest.skip(f"no real recordings at {folder}; set ECG_TEST_DATA to a folder that has them")
    return folder


@pytest.fixture(scope="session")
def archive_headers(shared_data: Path) -> list[Path]:
    """The WFDB headers of the public archives, without the odd ones that test readers of other formats."""
    return sorted(path for path in shared_data.rglob("*.hea") if "hospital_formats" not in path.parts)


@pytest.fixture(scope="session", autouse=True)
def cache_of_checkpoints(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of copies of checkpoints, for this process and those that it starts; never the user's own."""
    folder = tmp_path_factory.mktemp("cache")
    os.environ["ECG_CACHE"] = str(folder)
    return folder
