"""A PostgreSQL server for tests."""

import os
import pwd
import shutil
import socket
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest


class Postgres:
    """A PostgreSQL server of its own on 127.0.0.1, with an empty database."""

    def __init__(self, tools: Path, folder: Path, user: str | None) -> None:
        self.tools, self.folder, self.user = tools, folder, user
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            self.port = free.getsockname()[1]
        self.url = f"postgresql://sweeps@127.0.0.1:{self.port}/postgres"
        self._call("initdb", "-A", "trust", "-U", "sweeps", "--no-sync")
        self.start()

    def start(self) -> None:
        settings = f"-p {self.port} -k {self.folder} -c listen_addresses=127.0.0.1 -c fsync=off"
        self._call("pg_ctl", "-w", "-l", str(self.folder / "log"), "-o", settings, "start")

    def stop(self) -> None:
        self._call("pg_ctl", "-w", "-m", "immediate", "stop")

    def _call(self, tool: str, *words: str) -> None:
        become = ["runuser", "-u", self.user, "--"] if self.user else []
        command = [*become, str(self.tools / tool), "-D", str(self.folder / "data"), *words]
        # the server keeps what it is given open, so a pipe would never end
        with (self.folder / "tools.log").open("ab") as log:
            process = subprocess.run(command, stdout=log, stderr=log, stdin=subprocess.DEVNULL, cwd="/", check=False)
        assert process.returncode == 0, (self.folder / "tools.log").read_text(encoding="utf-8")


@contextmanager
def running() -> Iterator[Postgres]:
    """The server; the test is skipped where PostgreSQL is not installed."""
    program = shutil.which("initdb")
    places = (
        [Path(program).resolve().parent] if program else sorted(Path("/usr/lib/postgresql").glob("*/bin"), reverse=True)
    )
    tools = next(
        (place for place in places if all((place / tool).exists() for tool in ("initdb", "pg_ctl", "postgres"))), None
    )
    if tools is None:
        pytest.skip("PostgreSQL's server is not installed (Debian: apt-get install postgresql)")
    pytest.importorskip("psycopg")
    user = None
    folder = Path(tempfile.mkdtemp(prefix="ecg-postgres-"))
    if os.geteuid() == 0:  # the server refuses to run as root
        names = {entry.pw_name for entry in pwd.getpwall()}
        user = next(name for name in ("postgres", "nobody") if name in names)
        os.chown(folder, pwd.getpwnam(user).pw_uid, -1)
    server = Postgres(tools, folder, user)
    try:
        yield server
    finally:
        server.stop()
        shutil.rmtree(folder)
