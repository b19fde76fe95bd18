"""A server, and a disk with room, for every test of downloading."""

import shutil
from collections.abc import Iterator

import pytest

from download.archive_server import ArchiveServer
from ecg_lightning.download import transfer


@pytest.fixture
def server() -> Iterator[ArchiveServer]:
    with ArchiveServer() as server:
        yield server


@pytest.fixture(autouse=True)
def roomy_and_impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    """A terabyte is free, and retries do not wait."""
    total = type(shutil.disk_usage("."))
    monkeypatch.setattr(shutil, "disk_usage", lambda path: total(10**12, 0, 10**12))
    monkeypatch.setattr(transfer, "BACKOFF", 0.001)
