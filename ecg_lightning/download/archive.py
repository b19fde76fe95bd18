"""Fetching one archive: list, compare with what is there, check the disk, fetch the rest in parallel."""

import errno
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from itertools import islice
from pathlib import Path
from threading import Event
from typing import TypeVar

import requests
from filelock import FileLock, Timeout

from ecg_lightning.download.catalogue import Kind, PublicArchive, archive_of, describe
from ecg_lightning.download.listing import list_files
from ecg_lightning.download.paths import STATE, path_matches
from ecg_lightning.download.progress import Progress
from ecg_lightning.download.space import check_space
from ecg_lightning.download.transfer import RemoteFile, TransferError, fetch_file, is_correct, open_session
from ecg_lightning.download.unpack import SUFFIXES, is_ready, unpack
from ecg_lightning.errors import UserError

BATCH = 512  # files handed to the workers at a time, so that a million files need no million futures
GIVE_UP = 20  # failures in a row: the server, not a file, is at fault

T = TypeVar("T")


def download(
    source: str,
    root: str | Path,
    *,
    base_url: str | None = None,
    workers: int = 8,
    progress: bool = True,
    include: Sequence[str] = (),
    exclude: Sequence[str] = (),
) -> None:
    """Fetches a public archive into a folder, and prints its licence and citation.

    Whatever ends a download (a cut line, Ctrl-C, a killed process), the same call goes on where it ended: files grow
    as `NAME.part` and get their name when their checksum is right; files that are there and right are not fetched.
    Zip and tar files of Zenodo and figshare are unpacked beside themselves and then deleted.

    Args:
        source: its name in the catalogue.
        root: the folder that gets the files, laid out as published.
        base_url: another address of the same archive, in place of the catalogue's `url`.
        workers: files fetched at the same time.
        progress: show a progress bar on the terminal.
        include: patterns of paths below `root`, or names of folders; only these files are fetched.
        exclude: likewise, and these are left out.

    Raises:
        UserError: the source is unknown or not public, base_url is no address, the disk is too small, or files could not be fetched; all others
            are kept.
    """
    archive = archive_of(source)
    if archive.kind is Kind.request:
        raise UserError(f"{source} is not public and cannot be downloaded.\n{describe(source)}")
    if base_url:
        _check_address(base_url)
    print(describe(source))
    root = Path(root)
    urls = [base_url] if base_url else [url for url in (archive.url, archive.mirror) if url]
    stop = Event()
    try:
        (root / STATE).mkdir(parents=True, exist_ok=True)
        with FileLock(root / STATE / "lock", timeout=0), open_session(workers) as session:
            archive_files = _list(session, archive, urls, root, stop)
            files = [
                f
                for f in archive_files
                if (not include or path_matches(f.path, include)) and not path_matches(f.path, exclude)
            ]
            if not files:
                raise UserError(f"No file of {source} is chosen by include={[*include]} and exclude={[*exclude]}.")
            unpacks = archive.kind is not Kind.physionet
            with Progress(progress) as bar, ThreadPoolExecutor(workers) as pool:
                try:
                    ready = _in_order(pool, lambda file: is_ready(root, file, unpacks), files)
                    missing = [file for file, done in bar.track("checking", ready, len(files)) if not done]
                    check_space(archive, archive_files, missing, root, workers)
                    work = partial(_obtain, session, root, stop, bar.received, unpacks)
                    _collect(source, root, bar.track("fetching", _in_order(pool, work, missing), len(missing)))
                except BaseException:
                    stop.set()  # the workers end within one piece of their files; the pool then closes
                    pool.shutdown(wait=False, cancel_futures=True)
                    raise
    except Timeout as error:
        raise UserError(f"Another download is writing to {root}: wait for it to end, or stop it.") from error
    except OSError as error:
        reason = "the disk is full" if error.errno in (errno.ENOSPC, errno.EDQUOT) else str(error)
        raise UserError(f"Cannot write to {root}: {reason}. Run again to go on: what is there is kept.") from error
    print(f"{source}: {len(files)} files in {root}, {len(missing)} of them fetched now, all checksums right.")


def _check_address(url: str) -> None:
    try:
        requests.Request("GET", url).prepare()
        is_address = url.startswith(("http://", "https://"))
    except requests.RequestException:
        is_address = False
    if not is_address:
        raise UserError(
            f"base_url: '{url}' is not an address. Write it in full, for example https://example.org/archive/."
        )


def _list(
    session: requests.Session, archive: PublicArchive, urls: list[str], root: Path, stop: Event
) -> list[RemoteFile]:
    reasons = []
    for url in urls:
        try:
            return list_files(session, archive, url.rstrip("/") + "/", root, stop)
        except TransferError as error:
            reasons.append(f"  {url}: {error}")
    raise UserError(
        f"The list of files of {archive.title} cannot be fetched:\n" + "\n".join(reasons) + "\nIs this machine online? "
        "Behind a proxy, set HTTPS_PROXY; with a mirror, give its address by --base-url."
    )


def _in_order(
    pool: ThreadPoolExecutor, work: Callable[[RemoteFile], T], files: Iterable[RemoteFile]
) -> Iterator[tuple[RemoteFile, T]]:
    iterator = iter(files)
    while batch := list(islice(iterator, BATCH)):
        yield from zip(batch, pool.map(work, batch), strict=True)


def _obtain(
    session: requests.Session, root: Path, stop: Event, received: Callable[[int], None], unpacks: bool, file: RemoteFile
) -> str:
    """Fetches and unpacks one file; returns why that failed, or ""."""
    try:
        if not is_correct(root / file.path, file):
            fetch_file(session, file, root / file.path, stop, received)
        if unpacks and file.path.endswith(SUFFIXES):
            unpack(root, file, stop)
    except TransferError as error:
        return str(error)
    return ""


def _collect(source: str, root: Path, outcomes: Iterable[tuple[RemoteFile, str]]) -> None:
    """Waits for every file, and raises one UserError for all that could not be fetched."""
    failed: list[str] = []
    in_a_row = 0
    for file, reason in outcomes:
        in_a_row = in_a_row + 1 if reason else 0
        if reason:
            failed.append(f"  {file.path}: {reason}")
        if in_a_row == GIVE_UP:
            break
    if not failed:
        return
    stopped = f" Stopped after {GIVE_UP} failures in a row." if in_a_row == GIVE_UP else ""
    more = f"\n  … and {len(failed) - 10} more" if len(failed) > 10 else ""
    raise UserError(
        f"{len(failed)} files of {source} could not be fetched; all others are kept in {root}.{stopped}\n"
        + "\n".join(failed[:10])
        + f"{more}\nRun the same command again to try these alone."
    )
