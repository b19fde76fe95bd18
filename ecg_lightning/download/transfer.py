"""Fetching one file: cut connections are resumed, corrupt files fetched again, and nothing unverified gets its name."""

import hashlib
import os
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from threading import Event

import requests
from requests.adapters import HTTPAdapter
from urllib3.exceptions import HTTPError

CHUNK = 1 << 16  # bytes
TIMEOUT = (15.0, 30.0)  # seconds to connect, and to wait for the next bytes
TRIES = 8  # in a row that brought no byte: a silence of two minutes is survived
FETCHES = 3  # of a file whose checksum is wrong
BACKOFF = 1.0  # seconds before the second try, doubled for each further one
LONGEST_WAIT = 60.0  # seconds


class TransferError(Exception):
    """A file that cannot be fetched; the message says why, without the file's name."""


class TransferStopped(Exception):
    """The download was told to stop; partial files stay for the next time."""


class Busy(Exception):
    """An answer that may be another one later; the message says which.

    Args:
        reason: what was answered.
        wait: seconds until it is worth asking again.
    """

    def __init__(self, reason: str, wait: float) -> None:
        super().__init__(reason)
        self.wait = wait


@dataclass(frozen=True, slots=True)
class RemoteFile:
    """One file to fetch: where it is, where it goes below the root, and how to know that it is right."""

    url: str
    path: str
    algorithm: str  # of hashlib
    checksum: str  # lower-case hex
    size: int | None = None  # bytes, where the host says


def open_session(workers: int) -> requests.Session:
    """Opens a session that keeps one connection a worker alive: a handshake a file would dominate small files."""
    session = requests.Session()
    # A compressed body would make byte ranges and lengths meaningless.
    session.headers.update({"Accept-Encoding": "identity", "User-Agent": "ecg_lightning"})
    for scheme in ("http://", "https://"):
        session.mount(scheme, HTTPAdapter(pool_maxsize=workers))
    return session


def is_correct(path: Path, file: RemoteFile) -> bool:
    """Says whether a file is there with the right checksum."""
    if not path.is_file() or (file.size is not None and path.stat().st_size != file.size):
        return False
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, file.algorithm).hexdigest() == file.checksum


def part_of(path: Path) -> Path:
    """Says where a file grows until it is complete and verified."""
    return path.with_name(path.name + ".part")


def fetch_file(
    session: requests.Session, file: RemoteFile, target: Path, stop: Event, received: Callable[[int], None]
) -> None:
    """Fetches one file, going on from what is there of it.

    Args:
        session: from `open_session`.
        file: what to fetch.
        target: where it goes.
        stop: ends the transfer soon after it is set.
        received: is told the bytes of every piece that arrived.

    Raises:
        TransferError: the server does not have it, refuses it, stays silent, or keeps sending something else.
        TransferStopped: `stop` was set.
        OSError: it cannot be written.
    """
    part = part_of(target)
    target.parent.mkdir(parents=True, exist_ok=True)
    for _ in range(FETCHES):
        complete(session, file.url, part, stop, received, file.size)
        if is_correct(part, file):
            os.replace(part, target)
            return
        part.unlink(missing_ok=True)
    raise TransferError(f"its {file.algorithm} checksum was wrong {FETCHES} times: corrupt on the server or on the way")


def complete(
    session: requests.Session,
    url: str,
    part: Path,
    stop: Event,
    received: Callable[[int], None],
    size: int | None = None,
    tries: int = TRIES,
) -> None:
    """Brings a partial file to its end; tries that brought bytes do not count as failed.

    Raises:
        TransferError, TransferStopped, OSError: as `fetch_file`.
    """
    failed = 0
    while True:
        before = _size(part)
        if size is not None and before == size:
            return
        if size is not None and before > size:
            part.unlink()
        wait = 0.0
        try:
            _append(session, url, part, stop, received)
            if size is None or _size(part) >= size:
                return
            reason = f"the server sent {_size(part):,} bytes in place of {size:,}"
        except Busy as error:
            wait, reason = error.wait, str(error)
        except (requests.RequestException, HTTPError) as error:
            reason = f"{type(error).__name__}: {error}"
        failed = 0 if _size(part) > before else failed + 1
        if failed == tries:
            raise TransferError(f"no answer after {tries} tries; the last: {reason}")
        if stop.wait(max(wait, min(BACKOFF * 2 ** max(failed - 1, 0), LONGEST_WAIT))):
            raise TransferStopped


def _append(
    session: requests.Session,
    url: str,
    part: Path,
    stop: Event,
    received: Callable[[int], None],
    resume: bool = True,
) -> None:
    """Makes one request for what is missing, until the body ends; or, without `resume`, for the whole file."""
    offset = _size(part) if resume else 0
    headers = {"Range": f"bytes={offset}-"} if offset else {}
    with session.get(url, headers=headers, stream=True, timeout=TIMEOUT) as response:
        status = response.status_code
        answer = f"the server answered {status} {response.reason}"
        if status == 416:  # nothing is left to send; the checksum decides whether that is right
            return
        if status in (408, 425, 429) or status >= 500:
            after = response.headers.get("Retry-After", "")
            raise Busy(answer, min(float(after) if after.isdecimal() else 0.0, LONGEST_WAIT) or BACKOFF)
        if status not in (200, 206):
            raise TransferError(f"{answer} for {url}")
        resumes = status == 206 and response.headers.get("Content-Range", "").startswith(f"bytes {offset}-")
        if status == 200 or resumes:
            with part.open("ab" if resumes else "wb") as stream:
                while piece := response.raw.read1(CHUNK):
                    stream.write(piece)
                    stream.flush()  # a killed process loses nothing that it received
                    received(len(piece))
                    if stop.is_set():
                        raise TransferStopped
            return
    if not offset:
        raise TransferError(f"the server sent other bytes than it was asked for: {url}")
    _append(session, url, part, stop, received, resume=False)  # it does not understand ranges


def _size(path: Path) -> int:
    return path.stat().st_size if path.is_file() else 0
