"""Starts the service: where it listens, who may ask, and how it ends."""

import errno
import ipaddress
import os
import resource
import socket
from pathlib import Path

from ecg_lightning.errors import UserError

TOKEN_VARIABLE = "ECG_LIGHTNING_TOKEN"
SHORTEST_TOKEN = 16


def is_local(host: str) -> bool:
    """Returns whether only this machine reaches a host."""
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def read_token(file: str | None, host: str) -> str | None:
    """Returns the token: the content of a file, or the value of `ECG_LIGHTNING_TOKEN`; None where none is set.

    A token is no word of the command line, because every user of a machine sees the command lines of all others.

    Raises:
        UserError: where the file cannot be read, the token is too short, or there is none and other machines reach the host.
    """
    if file is None:
        token = os.environ.get(TOKEN_VARIABLE)
    else:
        try:
            token = Path(file).read_text(encoding="utf-8").strip()
        except (OSError, ValueError) as error:
            raise UserError(
                f"serve: the token's file {file} cannot be read. Name a text file that holds the token."
            ) from error
    if token is None:
        if is_local(host):
            return None
        raise UserError(
            f"serve: other machines reach the host {host}, and there is no token. Set one in the variable {TOKEN_VARIABLE}, or "
            "name its file by --token-file; or serve this machine alone, without --host."
        )
    if len(token) < SHORTEST_TOKEN or not token.isascii() or not token.isprintable() or " " in token:
        raise UserError(
            f"serve: the token must have at least {SHORTEST_TOKEN} ASCII characters without spaces. Make one by "
            "`openssl rand -hex 32`."
        )
    return token


def listen(host: str, port: int) -> socket.socket:
    """Opens the socket of a service.

    Raises:
        UserError: where the port is taken or not allowed, or the host is not one of this machine's.
    """
    try:
        family, kind, protocol, _, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
    except OSError as error:
        raise UserError(f"serve: there is no host {host}. Leave out --host to serve this machine alone.") from error
    listener = socket.socket(family, kind, protocol)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listener.bind(address)
        listener.listen(2048)
    except OSError as error:
        listener.close()
        if error.errno == errno.EADDRINUSE:
            raise UserError(
                f"serve: the port {port} is taken by another program. Choose another one by --port."
            ) from error
        if error.errno == errno.EACCES:
            raise UserError(f"serve: the port {port} needs more rights. Choose one from 1024 by --port.") from error
        raise UserError(
            f"serve: {host} port {port} cannot be used ({error.strerror}). Choose another host or port."
        ) from error
    return listener


def forbid_core_dumps() -> None:
    """Has no crash write the memory of this process, and with it recordings, to the disk."""
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
