"""Shares the GPUs of this machine out to trials, also between sweeps that run side by side."""

import getpass
import os
import shutil
import subprocess
import tempfile
from pathlib import Path

from filelock import FileLock, Timeout

from ecg_lightning.errors import UserError


def visible_gpus() -> list[str]:
    """The GPUs that this process may use, by their unique names where ``nvidia-smi`` tells them.

    Numbers are not enough: two jobs of a batch system each see their own GPU as number 0.
    """
    unique: dict[str, str] = {}
    if shutil.which("nvidia-smi"):
        query = ["nvidia-smi", "--query-gpu=index,uuid", "--format=csv,noheader"]
        answer = subprocess.run(query, capture_output=True, text=True, timeout=60, check=False)
        lines = answer.stdout.splitlines() if answer.returncode == 0 else []
        unique = dict(line.replace(" ", "").split(",") for line in lines)
    listed = os.environ.get("CUDA_VISIBLE_DEVICES")
    if listed is None:
        return list(unique.values())
    names = [name.strip() for name in listed.split(",")]
    return [unique.get(name, name) for name in names if name not in ("", "-1")]


class Gpus:
    """The GPUs of this machine.

    A taken GPU is a locked file in the temporary folder, so that other sweeps of the same user leave it alone; the
    lock ends with the process that holds it.

    Args:
        names: the GPUs, as in ``CUDA_VISIBLE_DEVICES``.
        per_run: GPUs a trial gets: 1, 2, …, or 1/2, 1/3, … where several trials share one; None: 1 where there
            is any.

    Raises:
        UserError: where a trial could never have that many.
    """

    def __init__(self, names: list[str], per_run: float | None) -> None:
        per_run = per_run if per_run is not None else float(bool(names))
        shared = round(1 / per_run) if 0 < per_run < 1 else 1
        if (
            per_run < 0
            or (per_run >= 1 and per_run != int(per_run))
            or (0 < per_run < 1 and abs(shared * per_run - 1) > 0.02)
        ):
            raise UserError(f"--gpus-per-run {per_run:g}: give a whole number, or 0.5, 0.33, 0.25 … to share each GPU.")
        self.per_run = 0 if per_run == 0 else max(1, int(per_run))
        if self.per_run > len(names):
            raise UserError(
                f"--gpus-per-run {per_run:g}: this machine has {len(names)} GPUs ({', '.join(names) or 'none'})."
            )
        self._names = names
        self.capacity = len(names) * shared // self.per_run if self.per_run else None
        folder = Path(tempfile.gettempdir()) / f"ecg_lightning-gpus-{getpass.getuser()}"
        folder.mkdir(exist_ok=True)
        self._locks = [
            (name, FileLock(folder / f"{name.replace('/', '_')}.{part}.lock"))
            for part in range(shared)
            for name in names
        ]

    def take(self) -> list[str] | None:
        """GPUs for one trial; None while there are not enough free ones; empty where trials use none."""
        taken: list[str] = []
        for name, lock in self._locks if self.per_run else []:
            if len(taken) == self.per_run:
                break
            if lock.is_locked or name in taken:
                continue
            try:
                lock.acquire(blocking=False)
            except Timeout:
                continue
            taken.append(name)
        if len(taken) < self.per_run:
            self.give_back(taken)
            return None
        return taken

    def give_back(self, names: list[str]) -> None:
        """Frees the GPUs of a trial."""
        for name in names:
            next(lock for gpu, lock in self._locks if gpu == name and lock.is_locked).release()

    def environment(self, taken: list[str]) -> dict[str, str]:
        """What tells a trial its GPUs; nothing on a machine that has none."""
        return {"CUDA_VISIBLE_DEVICES": ",".join(taken)} if self._names else {}
