"""Distributes the GPUs of this machine to trials, also between sweeps that run at the same time."""

import getpass
import os
import shutil
import subprocess
import tempfile
from contextlib import suppress
from pathlib import Path

from filelock import FileLock, Timeout

from ecg_lightning.errors import UserError


def visible_gpus() -> list[str]:
    """Returns the GPUs that this process may use, by their unique names where `nvidia-smi` lists them.

    Numbers are not enough: two jobs of a batch system each see their GPU as number 0.
    """
    unique: dict[str, str] = {}
    if shutil.which("nvidia-smi"):
        query = ["nvidia-smi", "--query-gpu=index,uuid", "--format=csv,noheader"]
        answer = subprocess.run(query, capture_output=True, text=True, timeout=60, check=False)
        lines = answer.stdout.splitlines() if answer.returncode == 0 else []
        unique = dict(line.replace(" ", "").split(",") for line in lines)
    visible = os.environ.get("CUDA_VISIBLE_DEVICES")
    if visible is None:
        return list(unique.values())
    names = [name.strip() for name in visible.split(",")]
    return [unique.get(name, name) for name in names if name not in ("", "-1")]


class Gpus:
    """The GPUs of this machine.

    A GPU in use has a locked file in the temporary folder, so that other sweeps of the same user do not use it; the lock
    ends with the process that holds it.

    Args:
        names: the GPUs, as in `CUDA_VISIBLE_DEVICES`.
        per_run: the number of GPUs of each trial: 1, 2, …, or 1/2, 1/3, … where several trials share one; None stands for
            1, or for 0 on a machine without a GPU.

    Raises:
        UserError: where the machine has fewer GPUs than a trial needs.
    """

    def __init__(self, names: list[str], per_run: float | None) -> None:
        per_run = per_run if per_run is not None else float(bool(names))
        shared = round(1 / per_run) if 0 < per_run < 1 else 1
        gpus = per_run * shared  # a whole number for 2, and for 0.33 of a GPU that three trials share
        if not 0 <= per_run <= 1024 or abs(gpus - round(gpus)) > (0.02 if shared > 1 else 0):
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
        """Returns GPUs for one trial; None while too few are free; an empty list where trials use none."""
        names: list[str] = []
        for name, lock in self._locks:
            if len(names) == self.per_run:
                return names
            if not lock.is_locked and name not in names:
                with suppress(Timeout):
                    lock.acquire(blocking=False)
                    names.append(name)
        if len(names) == self.per_run:
            return names
        self.give_back(names)
        return None

    def give_back(self, names: list[str]) -> None:
        """Frees the GPUs of a trial that has ended."""
        for name in names:
            next(lock for gpu, lock in self._locks if gpu == name and lock.is_locked).release()

    def environment(self, names: list[str]) -> dict[str, str]:
        """Returns the variable that gives a trial its GPUs; nothing on a machine without GPUs."""
        return {"CUDA_VISIBLE_DEVICES": ",".join(names)} if self._names else {}
