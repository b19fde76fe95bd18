"""A server that speaks S3 and an OpenSSH server for tests, on 127.0.0.1, each with a folder of its own."""

import os
import shutil
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest

BUCKET = "team"


def free_port() -> int:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return int(free.getsockname()[1])


@contextmanager
def _listening(command: list[str], port: int, folder: Path, environment: dict[str, str]) -> Iterator[None]:
    """A server's process, from when it answers until the test is over."""
    with (folder / "log").open("wb") as log:
        process = subprocess.Popen(command, stdout=log, stderr=log, stdin=subprocess.DEVNULL, env=environment)
    try:
        for _ in range(600):
            with socket.socket() as client:
                if client.connect_ex(("127.0.0.1", port)) == 0:
                    break
            assert process.poll() is None, (folder / "log").read_text()
            time.sleep(0.1)
        yield
    finally:
        process.terminate()
        process.wait()


@dataclass(frozen=True)
class S3:
    """Where the server is, and the environment in which a colleague uses it."""

    port: int
    environment: dict[str, str]

    def use(self, monkeypatch: pytest.MonkeyPatch) -> None:
        """Makes this process, and those that it starts, the colleague's."""
        import s3fs

        for name, value in self.environment.items():
            monkeypatch.setenv(name, value)
        s3fs.S3FileSystem.clear_instance_cache()  # which remember the credentials of another test
        bucket = s3fs.S3FileSystem()
        if not bucket.exists(BUCKET):
            bucket.mkdir(BUCKET)


@contextmanager
def s3(folder: Path) -> Iterator[S3]:
    """Moto's server with an empty bucket; requests are counted in its log."""
    pytest.importorskip("moto", reason="moto is not installed (pip install 'ecg_lightning[dev]')")
    port = free_port()
    (folder / "none").touch()
    environment = {
        "AWS_ENDPOINT_URL": f"http://127.0.0.1:{port}", "AWS_ACCESS_KEY_ID": "ann", "AWS_SECRET_ACCESS_KEY": "secret",
        "AWS_DEFAULT_REGION": "us-east-1", "AWS_EC2_METADATA_DISABLED": "true",
        "AWS_CONFIG_FILE": str(folder / "none"), "AWS_SHARED_CREDENTIALS_FILE": str(folder / "none"),
    }  # fmt: skip
    command = [sys.executable, "-W", "ignore", "-m", "moto.server", "-H", "127.0.0.1", "-p", str(port)]
    with _listening(command, port, folder, dict(os.environ)):
        yield S3(port, environment)


@dataclass(frozen=True)
class SSH:
    """Where the server is, the folder that it serves, and the home of a colleague who may use it."""

    port: int
    root: Path
    home: Path

    def use(self, monkeypatch: pytest.MonkeyPatch) -> None:
        """Makes this process, and those that it starts, the colleague's."""
        monkeypatch.setenv("HOME", str(self.home))
        monkeypatch.delenv("SSH_AUTH_SOCK", raising=False)

    @property
    def url(self) -> str:
        return f"sftp://127.0.0.1:{self.port}{self.root}"


@contextmanager
def ssh(folder: Path) -> Iterator[SSH]:
    """OpenSSH's server; the test is skipped where it is not installed."""
    sshd = shutil.which("sshd") or shutil.which("sshd", path="/usr/sbin:/usr/local/sbin")
    if sshd is None:
        pytest.skip("OpenSSH's server is not installed (Debian: apt-get install openssh-server)")
    pytest.importorskip("paramiko", reason="paramiko is not installed (pip install 'ecg_lightning[dev]')")
    if os.geteuid() == 0:
        Path("/run/sshd").mkdir(mode=0o755, exist_ok=True)  # where the server, as root, shuts in what it does not trust
    port, home, root = free_port(), folder / "home", folder / "served"
    root.mkdir()
    (home / ".ssh").mkdir(parents=True, mode=0o700)
    for key in (folder / "host", home / ".ssh" / "id_ed25519"):
        subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", str(key)], check=True)
    kind, public = (folder / "host.pub").read_text().split()[:2]
    (home / ".ssh" / "known_hosts").write_text(f"[127.0.0.1]:{port} {kind} {public}\n")
    settings = {
        "ListenAddress": "127.0.0.1", "Port": port, "HostKey": folder / "host", "PidFile": "none", "StrictModes": "no",
        "AuthorizedKeysFile": home / ".ssh" / "id_ed25519.pub", "PasswordAuthentication": "no", "UsePAM": "no",
        "KbdInteractiveAuthentication": "no", "Subsystem": "sftp internal-sftp", "MaxStartups": "50",
    }  # fmt: skip
    (folder / "sshd_config").write_text("".join(f"{key} {value}\n" for key, value in settings.items()))
    with _listening([sshd, "-D", "-e", "-f", str(folder / "sshd_config")], port, folder, dict(os.environ)):
        yield SSH(port, root, home)
