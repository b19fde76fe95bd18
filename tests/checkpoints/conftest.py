"""Servers for the tests of places, started once."""

from collections.abc import Iterator

import pytest

from checkpoints import servers


@pytest.fixture(scope="session")
def s3_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[servers.S3]:
    with servers.s3(tmp_path_factory.mktemp("s3")) as server:
        yield server


@pytest.fixture(scope="session")
def ssh_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[servers.SSH]:
    with servers.ssh(tmp_path_factory.mktemp("ssh")) as server:
        yield server
