"""W&B is never in the way: whatever its server does, the run trains, and its log can be sent later."""

import os
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import wandb
from wandb.sdk.lib import wbauth

from ecg_lightning.training import logger as logger_module
from ecg_lightning.training.logger import Logging
from ecg_lightning.training.wandb_run import RunLogger, WandbRunFile
from ecg_lightning.training.wandb_server import has_key, why_unreachable
from training.wandb_server import Server, logged

KEY = "0123456789" * 4


@pytest.fixture(autouse=True)
def fresh(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """A user who has never used W&B, and a W&B that knows nothing of the test before."""
    forget()
    for name in [name for name in os.environ if name.startswith("WANDB_")]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("NETRC", str(tmp_path / "netrc"))
    monkeypatch.setenv("WANDB_HTTP_TIMEOUT", "1")
    monkeypatch.chdir(tmp_path)
    yield
    forget()


def forget() -> None:
    """Ends the run and W&B's process, which then has written all, and makes it forget the key, as a program's end does."""
    Logging().finish()
    wandb.teardown()
    wbauth.unauthenticate_session(update_settings=False)


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch) -> Iterator[Server]:
    """A server that takes runs, and a key."""
    with Server() as server:
        monkeypatch.setenv("WANDB_BASE_URL", server.url)
        monkeypatch.setenv("WANDB_API_KEY", KEY)
        yield server
        forget()
        server.shutdown()


def start(run_dir: Path, resumed: bool = False) -> RunLogger:
    log = Logging().make(run_dir, {"seed": 0}, resumed)
    assert isinstance(log, RunLogger)
    return log


def log_epochs(log: RunLogger, *values: float, first: int = 0) -> None:
    for epoch, value in enumerate(values, first):
        log.log_metrics({"val/auroc": value, "epoch": epoch}, step=epoch)


def one_line(capsys: pytest.CaptureFixture[str]) -> str:
    (line,) = capsys.readouterr().err.splitlines()
    return str(line)


def folder_to_send(line: str) -> Path:
    command = line.partition("To send the log: ")[2]
    assert command.startswith("wandb sync ")
    return Path(command.split()[-1])


@pytest.mark.parametrize(
    ("status", "reason"), [(401, "refuses the key (error 401)"), (500, "does not answer"), (None, "does not answer")]
)
def test_a_server_that_takes_no_run(
    status: int | None, reason: str, server: Server, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    server.status, server.silent = status or 200, status is None
    log = start(tmp_path / "run")
    line = one_line(capsys)
    assert line.startswith(f"W&B: {server.url} {reason}, so this run is logged offline. ")
    log_epochs(log, 0.7)
    forget()
    (folder,) = folder_to_send(line).glob("offline-run-*")
    assert [row["val/auroc"] for row in logged(folder)[1]] == [0.7]


def test_no_way_to_the_server(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    with socket.socket() as silent:  # bound, and not listening: connections are refused
        silent.bind(("127.0.0.1", 0))
        monkeypatch.setenv("WANDB_BASE_URL", f"http://127.0.0.1:{silent.getsockname()[1]}")
        monkeypatch.setenv("WANDB_API_KEY", KEY)
        assert start(tmp_path / "run").experiment.offline
    assert "does not answer, so this run is logged offline" in one_line(capsys)


@pytest.mark.parametrize("key", ["abc-xyz", "not a key" * 10])
def test_a_malformed_key(
    key: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("WANDB_API_KEY", key)
    assert start(tmp_path / "run").experiment.offline
    line = one_line(capsys)
    assert "WANDB_API_KEY invalid" in line
    assert key not in line


def test_no_key_and_a_folder_whose_name_has_a_space(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    start(tmp_path / "my run")
    line = one_line(capsys)
    assert "no key" in line
    assert line.endswith(f"To send the log: wandb sync '{tmp_path}/my run/wandb'")


def test_a_server_that_takes_the_key_and_then_no_run(
    server: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(logger_module, "START", 1.0)

    def reached() -> str:
        reason = why_unreachable()
        server.silent = True
        return reason

    monkeypatch.setattr(logger_module, "why_unreachable", reached)
    assert start(tmp_path / "run").experiment.offline
    assert "so this run is logged offline. To send the log: wandb sync " in one_line(capsys)


def test_without_any_wandb_the_run_trains(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def broken(**settings: Any) -> None:
        raise OSError("no space left on device")

    monkeypatch.setattr(wandb, "init", broken)
    monkeypatch.setenv("WANDB_MODE", "offline")
    assert Logging().make(tmp_path / "run", {}) is False
    assert "cannot be started (no space left on device)" in one_line(capsys)


def test_a_key_is_found_where_wandb_login_puts_it() -> None:
    assert not has_key()
    wandb.login(key=KEY, verify=False)
    forget()
    assert has_key()
    assert "WANDB_SERVICE" not in os.environ  # a process that is started next would lean on this one's


def test_a_resumed_run_is_the_same_run_and_a_new_one_is_not(server: Server, tmp_path: Path) -> None:
    log_epochs(start(tmp_path / "a"), 0.5, 0.6)
    forget()
    (tmp_path / "a").rename(tmp_path / "moved")
    log_epochs(start(tmp_path / "moved", resumed=True), 0.7, first=2)
    forget()
    log_epochs(start(tmp_path / "b"), 0.8)
    forget()
    assert [[row["epoch"] for row in rows] for rows in server.history.values()] == [[0, 1, 2], [0]]


def test_a_network_that_goes_away_costs_the_training_nothing(
    server: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(logger_module, "END", 1.0)
    log = start(tmp_path / "run")
    identifier = log.experiment.id
    assert server.url in one_line(capsys)
    server.silent = True
    log_epochs(log, 0.5, 0.6)
    Logging().finish()
    line = one_line(capsys)
    assert "the log was not sent completely" in line
    forget()
    server.silent = False
    server.history.clear()
    words = line.partition("To send the log: ")[2].split()
    command = [sys.executable, "-m", *words, "--yes"]
    subprocess.run(command, check=True, capture_output=True, env={**os.environ, "WANDB_HTTP_TIMEOUT": "10"})
    assert [row["val/auroc"] for row in server.history[identifier]] == [0.5, 0.6]


DIES = """
import os, signal, sys
from pathlib import Path
from ecg_lightning.training.logger import Logging
log = Logging().make(Path(sys.argv[1]), {})
for file in Path(f"/proc/{os.getpid()}/task").glob("*/children"):
    for number in file.read_text().split():
        if b"wandb-core" in Path(f"/proc/{number}/cmdline").read_bytes():
            os.kill(int(number), signal.SIGKILL)
for epoch in range(200):
    log.log_metrics({"val/auroc": 0.5, "epoch": epoch}, step=epoch)
Logging().finish()
print("trained")
"""


@pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")
def test_a_process_of_wandb_that_dies_costs_the_training_nothing(tmp_path: Path) -> None:
    process = subprocess.run(
        [sys.executable, "-c", DIES, str(tmp_path / "run")], capture_output=True, text=True, check=True
    )
    assert process.stdout == "trained\n"
    lines = process.stderr.splitlines()
    assert "metrics.csv alone" in lines[1]
    assert all(line.startswith("W&B: ") for line in lines)


@pytest.mark.parametrize(
    "content", ["", "[]", '{"id": "../../elsewhere"}', '{"id": null}', '{"id": "a\\nb"}', "\udcff"]
)
def test_an_id_that_is_none_is_not_used(content: str, tmp_path: Path) -> None:
    (tmp_path / "wandb.json").write_text(content, encoding="utf-8", errors="surrogateescape")
    assert WandbRunFile(tmp_path).id is None
