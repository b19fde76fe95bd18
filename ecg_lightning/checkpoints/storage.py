"""File systems behind a path or any fsspec URL: how they are opened and read, and their errors as one sentence each."""

import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from ecg_lightning.checkpoints.addresses import HUB, S3, SFTP, WANDB, protocol_of, shown
from ecg_lightning.errors import UserError


class Unreachable(UserError):
    """A server that does not answer, so that a copy in the cache may stand for its file."""


EXTRAS = {
    "s3": "s3",
    "s3a": "s3",
    "sftp": "sftp",
    "ssh": "sftp",
    "gs": "gcs",
    "gcs": "gcs",
    "hf": "hf",
    "wandb": "wandb",
}
"""The extra of this package that a protocol needs."""
VERSION_KEYS = ("ETag", "etag", "md5Hash", "generation", "sha256", "LastModified", "Last-Modified", "mtime")
"""What file systems say of a file that changes with its content."""
FIRST_BYTES = 65_536
"""What is read of a file first: most networks' whole header, so that one request is enough."""
LONGEST_HEADER = 10_000_000
"""Bytes of a safetensors header. A card has some 10,000; a header of 100 MB, which the library allows, would take GBs."""

REFUSED = {
    "PermissionError", "AuthenticationException", "NoCredentialsError", "PartialCredentialsError", "ProfileNotFound",
    "CredentialRetrievalError", "SSOError", "DefaultCredentialsError", "RefreshError", "LocalTokenNotFoundError",
    "AuthenticationError",
}  # fmt: skip
UNREACHABLE = {
    "ConnectionError", "ConnectTimeoutError", "HTTPClientError", "TimeoutError", "gaierror", "NoValidConnectionsError",
    "ClientConnectionError", "EOFError", "SSHException", "NetworkError", "TimeoutException", "ProxyError", "CommError",
}  # fmt: skip
"""Classes of errors by name, since each protocol's package has its own and may not be installed."""
CREDENTIALS = {
    "s3": "Check AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or your profile in ~/.aws.",
    "sftp": "Check the user's name, and that `ssh` to this server works without a password (a key, or ssh-agent).",
    "gcs": "Log in with `gcloud auth application-default login`.",
    "hf": "Log in with `hf auth login`, or set HF_TOKEN to a token that may read and write there.",
    "wandb": "Log in with `wandb login`, or set WANDB_API_KEY.",
}


def filesystem_of(url: str) -> tuple[Any, str]:
    """Opens the file system of a path or URL, and the path there.

    Raises:
        UserError: where the protocol is unknown or lacks its package, or the server cannot be reached or refuses.
    """
    import fsspec

    protocol = protocol_of(url)
    with explained(url):
        try:
            if protocol in SFTP:
                from ecg_lightning.checkpoints.sftp import connect

                return connect(url)
            if protocol == HUB:
                from ecg_lightning.checkpoints import hub

                return hub.connect(url)
            if protocol == WANDB:
                from ecg_lightning.checkpoints import wandb_artifact

                return wandb_artifact.connect(url)
            filesystem, path = fsspec.core.url_to_fs(url, **_options(protocol))
            if protocol in S3:
                filesystem.retries = 1  # of s3fs, each of which repeats botocore's
        except (ImportError, ValueError) as error:  # a protocol that needs a package of its own, or is unknown
            extra = EXTRAS.get(protocol)
            remedy = f" Install it with: pip install 'ecg_lightning[{extra}]'" if extra else ""
            raise UserError(f"'{shown(url)}' cannot be opened: {_reason(error, url)}.{remedy}") from error
    return filesystem, path


def _options(protocol: str) -> dict[str, Any]:
    """Arguments of a file system: nothing is read ahead, a folder is listed anew, and a dead server is given up soon."""
    import fsspec

    if protocol not in S3:
        return {}
    user_settings: Mapping[str, Any] = fsspec.config.conf.get("s3", {}).get("config_kwargs", {})
    retries = {"retries": {"total_max_attempts": 3, "mode": "standard"}}
    return {"use_listings_cache": False, "default_cache_type": "none", "config_kwargs": {**retries, **user_settings}}


def exists(filesystem: Any, path: str) -> bool:
    """Says whether there is a file; where the server does not answer, it raises, and fsspec's `exists` would say no."""
    try:
        filesystem.info(path)
    except FileNotFoundError:
        return False
    return True


def read_bytes(url: str) -> bytes:
    """Reads a file's whole content.

    Raises:
        UserError: where it cannot be read.
    """
    filesystem, path = filesystem_of(url)
    with _of_a_checkpoint(url):
        return bytes(filesystem.cat_file(path))


def version_of(url: str) -> str:
    """Returns what changes with a file's content, as its place knows it (a tag, a time); "" where it knows nothing.

    Raises:
        UserError: where there is no such file, or the place does not answer.
    """
    filesystem, path = filesystem_of(url)
    with _of_a_checkpoint(url):
        try:
            facts = filesystem.info(path)
        except FileNotFoundError as error:  # fsspec says it of every web server that does not answer
            if isinstance(cause := error.__cause__, Exception) and _names(cause) & UNREACHABLE:
                raise cause from None
            raise
    tags = [facts[key] for key in VERSION_KEYS if facts.get(key)]
    return " ".join(map(str, [facts.get("size"), *tags])) if tags else ""


def read_header(url: str) -> bytes:
    """Reads the beginning of a safetensors file, to the end of its header at least; the tensors are not read.

    Raises:
        UserError: where it cannot be read, or the file has not the length that the header tells.
    """
    filesystem, path = filesystem_of(url)
    with _of_a_checkpoint(url):
        size = filesystem.size(path)  # None where a web server does not say
        end = FIRST_BYTES if size is None else min(size, FIRST_BYTES)
        start = bytes(filesystem.cat_file(path, start=0, end=end) if end else b"")
        length = 8 + int.from_bytes(start[:8], "little")
        # A server that does not know ranges has sent everything.
        if len(start) < length <= LONGEST_HEADER and size is not None and length <= size:
            start += filesystem.cat_file(path, start=len(start), end=length)
    _check_length(start, size, url)
    return start


def _check_length(start: bytes, size: int | None, url: str) -> None:
    """Compares a file's length with what its header says of its tensors; a header that is none is the reader's matter."""
    import json

    length = 8 + int.from_bytes(start[:8], "little")
    try:
        header = json.loads(start[8:length])
        ends = [entry["data_offsets"][1] for name, entry in header.items() if name != "__metadata__"]
        expected = length + max(map(int, ends), default=0)
    except (ValueError, TypeError, KeyError, IndexError, AttributeError, RecursionError):
        return
    if size is not None and size != expected:
        raise UserError(
            f"{shown(url)} is not whole: it has {size:,} of {expected:,} bytes. Remove it, and publish it again."
        )


@contextmanager
def _of_a_checkpoint(url: str) -> Iterator[None]:
    try:
        with explained(url):
            yield
    except (FileNotFoundError, IsADirectoryError, NotADirectoryError) as error:
        raise UserError(f"The checkpoint {shown(url)} cannot be read: there is no such file.") from error


@contextmanager
def explained(url: str) -> Iterator[None]:
    """Makes one sentence of what a file system raises; that a file is there, or is not, stays Python's own error."""
    try:
        yield
    except (UserError, FileNotFoundError, FileExistsError, IsADirectoryError, NotADirectoryError):
        raise
    except Exception as error:  # every protocol has its own
        kind = Unreachable if _names(error) & UNREACHABLE and not _names(error) & REFUSED else UserError
        raise kind(_sentence(error, url)) from error


def _names(error: Exception) -> set[str]:
    """Returns the names of an error's classes."""
    return {cls.__name__ for cls in type(error).__mro__}


def _sentence(error: Exception, url: str) -> str:
    names = _names(error)
    where, reason, protocol = shown(url), _reason(error, url), protocol_of(url)
    if names & REFUSED:
        hint = CREDENTIALS.get(EXTRAS.get(protocol, ""), "Check that you may use this place.")
        return f"{where} cannot be used, access is refused: {reason}. {hint}"
    if names & UNREACHABLE:
        return f"{where} cannot be reached: {reason}. Check the address and the network, and that the server is on."
    if isinstance(error, NotImplementedError):
        return f"{where} cannot be used: in {protocol}:// addresses files can only be read, not listed or written."
    return f"{where} cannot be used: {reason}."


def _reason(error: Exception, url: str) -> str:
    """Says what an error says, in one line without secrets."""
    text = re.sub(r"^\[Errno \w+\] ", "", " ".join(str(error).split())).replace(url, shown(url)).rstrip(".")
    if password := re.search(r"://[^/@:]*:([^/]+)@", url):  # a library may name it apart from the URL
        text = text.replace(password[1], "***")
    return re.sub(r"\?[^\s'\"]*", "?***", text) or type(error).__name__
