"""Which files an archive has, as its host lists them, each with its checksum."""

import json
import re
from collections.abc import Iterator
from pathlib import Path
from threading import Event
from typing import TypedDict
from urllib.parse import quote

import requests

from ecg_lightning.download.catalogue import Kind, PublicArchive
from ecg_lightning.download.paths import STATE, is_safe
from ecg_lightning.download.transfer import RemoteFile, complete
from ecg_lightning.errors import UserError

SUMS = "SHA256SUMS.txt"
TRIES = 3  # a machine that is offline should learn it soon
_SUM = re.compile(r"([0-9a-fA-F]{64}) [ *]?(.+)")  # PhysioNet has one space, sha256sum two, or one and an asterisk


class _ZenodoLinks(TypedDict):
    self: str


class _ZenodoFile(TypedDict):
    key: str
    size: int
    checksum: str  # "md5:…"
    links: _ZenodoLinks


class _FigshareFile(TypedDict):
    name: str
    size: int
    computed_md5: str
    download_url: str


def list_files(
    session: requests.Session, archive: PublicArchive, url: str, root: Path, stop: Event
) -> list[RemoteFile]:
    """Lists every file of an archive.

    Args:
        session: from `transfer.open_session`.
        archive: what to list.
        url: where it is: the archive's own address, or another that has the same files.
        root: the folder that the files will go into; the list itself passes through it.
        stop: as in `transfer.fetch_file`.

    Raises:
        TransferError: the list cannot be fetched.
        UserError: what came is no list of checksums, has nothing of this archive, or names a file outside `root`.
    """
    read_list = _physionet if archive.kind is Kind.physionet else _zenodo if archive.kind is Kind.zenodo else _figshare
    addresses = [url + SUMS] if archive.kind is Kind.physionet else [url + record for record in archive.records]
    files: list[RemoteFile] = []
    for address in addresses:
        # Through a file, because MIMIC-IV-ECG's list has some 200 MB and its connection may be cut too.
        local = root / STATE / "listing.part"
        local.unlink(missing_ok=True)
        complete(session, address, local, stop, lambda received: None, tries=TRIES)
        try:
            files += read_list(local, url, archive)
        except (ValueError, KeyError, TypeError) as error:
            raise UserError(
                f"{address} is not the expected list of files ({error}). A proxy or login page may have answered: "
                "open the address in a browser, or give another --base-url."
            ) from error
        finally:
            local.unlink()
    if not files:
        raise UserError(f"{addresses[0]} lists no file of {archive.title}: is --base-url the address of this archive?")
    for file in files:
        if not is_safe(file.path):
            raise UserError(f"{addresses[0]} names a file outside the folder: {file.path!r}. Nothing was fetched.")
    return files


def _physionet(local: Path, url: str, archive: PublicArchive) -> Iterator[RemoteFile]:
    with local.open(encoding="utf-8") as lines:
        for number, line in enumerate(lines, 1):
            parsed = _SUM.fullmatch(line.rstrip("\r\n"))
            if parsed is None:
                raise ValueError(f"line {number} is {line.strip()[:60]!r}, not a SHA-256 sum and a path")
            path = _below(parsed[2], archive.folders)
            if path is not None:
                yield RemoteFile(url + quote(parsed[2]), path, "sha256", parsed[1].lower())


def _below(path: str, folders: dict[str, str]) -> str | None:
    """Says where a listed path goes below the root; None when it lies in none of the folders."""
    if not folders:
        return path
    for folder, target in folders.items():
        if path.startswith(folder + "/"):
            rest = path.removeprefix(folder + "/")
            return rest if target == "." else f"{target}/{rest}"
    return None


def _zenodo(local: Path, url: str, archive: PublicArchive) -> Iterator[RemoteFile]:
    files: list[_ZenodoFile] = json.loads(local.read_bytes())["files"]
    for file in files:
        algorithm, _, checksum = file["checksum"].partition(":")
        yield RemoteFile(file["links"]["self"], file["key"], algorithm, checksum.lower(), file["size"])


def _figshare(local: Path, url: str, archive: PublicArchive) -> Iterator[RemoteFile]:
    files: list[_FigshareFile] = json.loads(local.read_bytes())["files"]
    for file in files:
        yield RemoteFile(file["download_url"], file["name"], "md5", file["computed_md5"].lower(), file["size"])
