"""Servers for the tests of places, and a small run, each made once."""

from collections.abc import Iterator
from pathlib import Path

import pytest

import small
from checkpoints import servers


@pytest.fixture(scope="session")
def s3_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[servers.S3]:
    with servers.s3(tmp_path_factory.mktemp("s3")) as server:
        yield server


@pytest.fixture(scope="session")
def ssh_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[servers.SSH]:
    with servers.ssh(tmp_path_factory.mktemp("ssh")) as server:
        yield server


@pytest.fixture(scope="session")
def small_run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run of one epoch on a small archive; tests copy what they change."""
    folder = tmp_path_factory.mktemp("small")
    return small.fit(small.archive(folder), folder / "run", "trainer.max_epochs=1")
