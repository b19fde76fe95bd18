"""Many uploads at once to a service that runs: python experiments/service/load.py URL FOLDER [--pid PID]."""

import argparse
import os
import sys
import time
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import requests

from ecg_lightning.main import guard
from ecg_lightning.records.find import find_recordings
from ecg_lightning.streams import open_streams

ANSWERED = (200, 422)
"""A prediction, or one sentence that says why a recording cannot be used."""
SECONDS = 900


def uploads_of(folder: str) -> list[list[Path]]:
    """The files of each recording in a folder: of WFDB all that begin with the header's name."""
    return [
        sorted(file.parent.glob(f"{file.stem}.*")) if file.suffix == ".hea" else [file]
        for file in find_recordings([folder])
    ]


def post(url: str, files: list[Path], token: str | None) -> int:
    """Sends one recording; returns the status of the answer, 0 without one."""
    headers = {"authorization": f"Bearer {token}"} if token else {}
    try:
        parts = [("files", (file.name, file.read_bytes())) for file in files]
        return requests.post(f"{url.rstrip('/')}/predict", files=parts, headers=headers, timeout=SECONDS).status_code
    except requests.RequestException:
        return 0


def memory(pid: int | None) -> str:
    """The memory that the server's process has now."""
    if pid is None:
        return ""
    pages = int(Path(f"/proc/{pid}/statm").read_text().split()[1])
    return f", server's memory {pages * os.sysconf('SC_PAGE_SIZE') / 2**20:,.0f} MB"


def main() -> None:
    """Sends the recordings in rounds, and prints a line a round."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("url", help="of the service, for example http://127.0.0.1:8000")
    parser.add_argument("folder", help="with recordings, which are sent in turn")
    parser.add_argument("--pid", type=int, help="of the service on this machine, to measure its memory")
    parser.add_argument("--uploads", type=int, default=200, help="at once in a round")
    parser.add_argument("--rounds", type=int, default=4)
    options = parser.parse_args()
    open_streams()
    uploads, token = uploads_of(options.folder), os.environ.get("ECG_LIGHTNING_TOKEN")
    print(f"{len(uploads)} recordings; before{memory(options.pid)}", flush=True)
    with ThreadPoolExecutor(options.uploads) as pool:
        for number in range(1, options.rounds + 1):
            start = time.monotonic()
            chosen = [uploads[k % len(uploads)] for k in range(options.uploads)]
            statuses = Counter(pool.map(lambda files: post(options.url, files, token), chosen))
            failures = sum(count for status, count in statuses.items() if status not in ANSWERED)
            print(
                f"round {number}: {options.uploads} requests, {statuses[200]} predicted, {statuses[422]} refused with a reason, "
                f"{failures} failures, {time.monotonic() - start:.0f} s{memory(options.pid)}",
                flush=True,
            )


if __name__ == "__main__":
    sys.exit(guard(main))
