"""Addresses of checkpoints: protocols, what a file is called, and what of an address may be printed."""

import hashlib
import re
from pathlib import PurePosixPath
from urllib.parse import unquote, urlsplit

from ecg_lightning.errors import UserError

S3 = ("s3", "s3a")
SFTP = ("sftp", "ssh")
HUB = "hf"
WANDB = "wandb"
LOCAL = ("file", "local", "memory", "data")
"""Protocols whose files need no copy on this machine."""
MODEL_FILE = "model.safetensors"
"""The network's file in a repository of the Hub that holds one network."""


def protocol_of(url: str) -> str:
    """Returns a URL's protocol; `file` for a path."""
    if url.startswith(f"{WANDB}:"):
        return WANDB
    return url.partition("://")[0].lower() if "://" in url else "file"


def is_url(name: str) -> bool:
    """Says whether a checkpoint's name is an address.

    >>> [is_url(name) for name in ("s3://team/net-v1.safetensors", "wandb:team/ecg/net-v1:latest", "net-v1", "runs/a")]
    [True, True, False, False]
    """
    return "://" in name or protocol_of(name) == WANDB


def name_in(url: str) -> str:
    """Returns the file's name in a path or URL, without the query that a signed web address has.

    >>> name_in("https://host/team/net-v1.safetensors?signature=a/b")
    'net-v1.safetensors'

    A repository of the Hub that holds one network gives it the repository's name, and an artifact of W&B its own:

    >>> name_in("hf://team/net-v1/model.safetensors"), name_in("wandb:team/ecg/net-v1:latest")
    ('net-v1.safetensors', 'net-v1.safetensors')
    """
    protocol = protocol_of(url)
    path = PurePosixPath(unquote(urlsplit(url).path) if protocol in ("http", "https") else url)
    if protocol == HUB and path.name == MODEL_FILE:
        return f"{path.parent.name.partition('@')[0]}.safetensors"
    return f"{path.name.partition(':')[0]}.safetensors" if protocol == WANDB else path.name


def shown(url: str) -> str:
    """Returns a URL as it may be printed: without a password, a web address's user, or what signs it.

    >>> shown("sftp://ann:secret@host/team"), shown("https://token@host/net?signature=abc")
    ('sftp://ann:***@host/team', 'https://***@host/net?***')
    """
    url = re.sub(r"(://[^/@:]*):[^/]*@", r"\1:***@", url)
    if protocol_of(url) not in ("http", "https"):
        return url
    return re.sub(r"[?#].*", "?***", re.sub(r"://[^/]*@", "://***@", url), flags=re.DOTALL)


def check_arrived(arrived: bytes, sent: bytes, where: str) -> None:
    """Compares the SHA-256 of what a place has with that of what was sent.

    Raises:
        UserError: where they differ.
    """
    if hashlib.sha256(arrived).digest() != hashlib.sha256(sent).digest():
        raise UserError(
            f"{shown(where)} did not arrive as it was sent: its SHA-256 is another one. It was not published; try it again, and "
            "look for a damaged disk or connection."
        )
