"""Reads uploaded files in a process of their own: whatever a damaged file does to its reader, the service goes on.

The files lie in a temporary folder of the service's process, which deletes it, also where the reader crashes or is ended.
"""

import multiprocessing
import os
import re
import resource
import shutil
import tempfile
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, redirect_stderr, redirect_stdout
from dataclasses import dataclass
from multiprocessing.connection import Connection
from pathlib import Path

from ecg_lightning.errors import UserError, one_line, printable
from ecg_lightning.records import Record, RecordError
from ecg_lightning.service.limits import Limits, Refused

_PREFIX = "ecg_lightning_upload_"
_STARTING = threading.Lock()  # multiprocessing counts its processes without a lock
_CONTEXT = multiprocessing.get_context("forkserver")


@dataclass(frozen=True)
class Statements:
    """What the client says of files that do not say it themselves.

    Attributes:
        rate: Hz, or None.
        unit: V, mV, uV, or ADC units per millivolt; or None.
        leads: lead names of the rows, or None.
    """

    rate: float | None = None
    unit: str | None = None
    leads: Sequence[str] | None = None


def prepare_readers() -> None:
    """Has the packages imported once from which each reader's process is forked; it then starts in milliseconds."""
    _CONTEXT.set_forkserver_preload(["ecg_lightning.service.reading", "ecg_lightning.records.find", "scipy.signal"])


def remove_leftovers() -> None:
    """Deletes the folders of services of this user that were ended before they could do so themselves."""
    for folder in Path(tempfile.gettempdir()).glob(f"{_PREFIX}*"):
        number = folder.name.removeprefix(_PREFIX).partition("_")[0]
        if number.isdigit() and not Path("/proc", number).exists() and folder.stat().st_uid == os.getuid():
            shutil.rmtree(folder, ignore_errors=True)


@contextmanager
def folder_of_upload() -> Iterator[Path]:
    """Makes a folder that only this user can read, and deletes it with all that is in it."""
    with tempfile.TemporaryDirectory(prefix=f"{_PREFIX}{os.getpid()}_") as folder:
        yield Path(folder)


def file_name(name: str | None) -> str:
    """Returns the last part of a file's name as a client gives it.

    Raises:
        Refused: for a name that no recording has.
    """
    last = re.split(r"[/\\]", name or "")[-1]
    if not last or last.startswith(".") or len(last.encode()) > 200 or not last.isprintable():
        raise Refused(422, "A file has no usable name. Choose the file of a recording.")
    return last


def read_upload(paths: Sequence[Path], statements: Statements, limits: Limits) -> Record:
    """Reads one recording in a process of its own.

    Args:
        paths: its files, in one folder.
        statements: what the client says of them.
        limits: of the service.

    Raises:
        Refused: for files that are not one readable recording; the sentence has no name of a file.
    """
    receiver, sender = _CONTEXT.Pipe(duplex=False)
    process = _CONTEXT.Process(target=_read, args=(sender, [os.fspath(path) for path in paths], statements, limits))
    with _STARTING:
        process.start()
    sender.close()
    try:
        if not receiver.poll(limits.reading_seconds):
            raise Refused(
                422, f"The recording could not be read within {limits.reading_seconds:g} s: the file may be damaged."
            )
        outcome = receiver.recv()
    except EOFError:
        raise Refused(422, "The file ended its reader: it is damaged, or needs too much memory.") from None
    finally:
        receiver.close()
        process.kill()
        with _STARTING:
            process.join()
            process.close()
    if isinstance(outcome, Record):
        return outcome
    raise Refused(422, f"The recording cannot be used: {_without_names(str(outcome), paths)}.")


def _read(sender: Connection, paths: Sequence[str], statements: Statements, limits: Limits) -> None:
    """Sends the recording of some files, or a sentence that says why there is none; runs in the reader's process."""
    try:
        resource.setrlimit(resource.RLIMIT_CORE, (0, 0))  # a dump of the memory would hold the recording
        resource.setrlimit(resource.RLIMIT_AS, (limits.reading_bytes,) * 2)
        resource.setrlimit(resource.RLIMIT_CPU, (int(limits.reading_seconds) + 1,) * 2)
        with open(os.devnull, "w") as nothing, redirect_stdout(nothing), redirect_stderr(nothing):
            sender.send(_outcome(paths, statements))
    except BaseException:  # noqa: BLE001 - a traceback on stderr might hold a name
        os._exit(1)


def _outcome(paths: Sequence[str], statements: Statements) -> Record | str:
    from ecg_lightning.records import read_record
    from ecg_lightning.records.find import find_recordings

    try:
        files = find_recordings(paths)
        if len(files) != 1:
            return f"these are {len(files)} recordings. Choose the files of one, for example .hea and .dat"
        return read_record(
            files[0],
            sampling_rate=statements.rate,
            unit=statements.unit,
            leads=statements.leads,
            incomplete=True,
        )
    except (RecordError, UserError) as error:
        return str(error)
    except MemoryError:
        return "it needs too much memory"
    except Exception as error:  # noqa: BLE001 - a damaged file may fail in any way
        return f"its content cannot be understood ({type(error).__name__})"


def _without_names(text: str, paths: Sequence[Path]) -> str:
    """Returns a message of a reader without the names of the files: they often hold that of the patient."""

    def kind(match: re.Match[str]) -> str:
        return f"the {match[1].lower()} file" if match[1] else "the recording"

    suffix = r"(\.\w{1,8})?(?!\w)"
    for path in paths:  # also the files that a header names beside it
        text = re.sub(re.escape(os.fspath(path.with_suffix(""))) + suffix, kind, text)
    text = re.sub(re.escape(os.fspath(paths[0].parent)) + r"[^\s:;,')]*?" + suffix, kind, text)
    names = {path.name: f"the {path.suffix.lower()} file" for path in paths}
    stems = {path.stem: "the recording" for path in paths}
    for name, word in [*names.items(), *stems.items()]:
        text = re.sub(rf"(?<!\w){re.escape(name)}(?!\w)", word, text)
    return printable(one_line(Exception(text), 400))
