"""Checkpoints on an SSH server: sftp://user@host/path, as `ssh user@host` would reach it."""

import os
from io import BytesIO
from pathlib import Path
from typing import Any, NoReturn

import paramiko
from fsspec.implementations.sftp import SFTPFileSystem

from ecg_lightning.checkpoints.addresses import check_arrived
from ecg_lightning.errors import UserError

SECONDS = 10
"""How long a server may take to answer a connection."""
SILENCE = 60
"""Seconds after which a server that says nothing more is given up."""


class _OnlyKnownHosts:
    """Refuses a server whose key the user never accepted: another machine could answer in its place."""

    def missing_host_key(self, client: Any, hostname: str, key: Any) -> NoReturn:
        raise UserError(
            f"The server {hostname} is not among your known hosts (~/.ssh/known_hosts). Connect once with `ssh`, compare "
            f"the key that it shows ({key.get_name()} {key.fingerprint}), accept it, and run the command again."
        )


class SFTP(SFTPFileSystem):  # type: ignore[misc]  # fsspec has no types
    """fsspec's, but with the user's known hosts and ~/.ssh/config, time limits, and no file that is overwritten."""

    def _connect(self) -> None:
        arguments = {"timeout": SECONDS, "banner_timeout": SECONDS, "auth_timeout": SECONDS, **self.ssh_kwargs}
        host = self.host
        config = Path("~/.ssh/config").expanduser()
        if config.is_file():
            host_settings = paramiko.SSHConfig.from_path(str(config)).lookup(host)
            host = host_settings["hostname"]
            arguments.setdefault("port", int(host_settings.get("port", 22)))
            arguments.setdefault("username", host_settings.get("user"))
            arguments.setdefault("key_filename", host_settings.get("identityfile"))
        self.client = paramiko.SSHClient()
        self.client.load_system_host_keys()
        self.client.set_missing_host_key_policy(_OnlyKnownHosts())
        try:
            self.client.connect(host, **arguments)
        except paramiko.BadHostKeyException as error:
            raise UserError(
                f"The server {host} shows another key than the one in ~/.ssh/known_hosts: it was installed anew, or another "
                "machine answers in its place. Ask who runs it; if it is right, `ssh-keygen -R` forgets the old key."
            ) from error
        self.ftp = self.client.open_sftp()
        self.ftp.get_channel().settimeout(SILENCE)

    @property
    def is_connected(self) -> bool:
        """Whether the server is still there, as far as this side knows."""
        transport = self.client.get_transport()
        return transport is not None and transport.is_active()

    def write_new(self, path: str, content: bytes, partial: str) -> None:
        """Writes a file that must not exist.

        The content is sent to `partial`, a temporary name in the same folder. The rename of SFTP's version 3, other
        than OpenSSH's posix-rename, fails where the name is taken: OpenSSH makes a link. Only where the server's disk has
        no links does it look first and rename then, and two in the same millisecond could overwrite.

        Raises:
            FileExistsError: where the name is taken.
            UserError: where the content that arrived is another one; it then gets no name.
        """
        self.makedirs(os.path.dirname(path), exist_ok=True)
        try:
            self.ftp.putfo(BytesIO(content), partial, file_size=len(content), confirm=True)
            arrived = BytesIO()
            self.ftp.getfo(partial, arrived, prefetch=False)  # whose threads wait for each other on a busy machine
            check_arrived(arrived.getvalue(), content, path)
            try:
                self.ftp.rename(partial, path)
            except OSError as error:
                if self.exists(path):
                    raise FileExistsError(path) from error
                raise
        except OSError as error:
            if str(error) == "Failure":  # all that the protocol says of it
                raise UserError(
                    f"{path} cannot be written: the server gives no reason. Its disk may be full."
                ) from error
            raise
        finally:
            if self.is_connected and self.exists(partial):
                self.ftp.remove(partial)


def connect(url: str) -> tuple[SFTP, str]:
    """Opens the file system of an sftp URL, over a connection that is kept, and the path there."""
    path = SFTP._strip_protocol(url)
    filesystem = SFTP(**SFTP._get_kwargs_from_urls(url))
    if not filesystem.is_connected:
        filesystem._connect()
    return filesystem, path.removeprefix("/~/") if path.startswith("/~/") else path
