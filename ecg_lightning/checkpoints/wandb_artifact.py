"""Checkpoints that are artifacts of W&B: wandb:entity/project/artifact:alias. They are read only."""

import tempfile
from pathlib import Path
from typing import Any, NoReturn

from ecg_lightning.checkpoints.addresses import WANDB
from ecg_lightning.errors import UserError

SUFFIXES = (".safetensors", ".ckpt")


class Artifact:
    """The one checkpoint in an artifact, as fsspec names what is done with a file.

    Args:
        name: `entity/project/artifact:alias`; an alias is a name, or a version such as v3.
    """

    def __init__(self, name: str) -> None:
        import wandb

        if not wandb.api.api_key:  # else it would ask for one
            raise PermissionError("there is no key for W&B on this machine")
        self.name = name
        self.artifact: Any = wandb.Api().artifact(name)
        files = [file for file in self.artifact.files() if file.name.endswith(SUFFIXES)]
        if len(files) != 1:
            raise UserError(
                f"The artifact {WANDB}:{name} holds {len(files)} checkpoints ({', '.join(SUFFIXES)}), and must hold one. An artifact "
                "of a checkpoint without a published name holds its card alone."
            )
        self.file = files[0]

    def info(self, path: str) -> dict[str, Any]:
        """Describes the checkpoint's file."""
        return {"name": self.file.name, "type": "file", "size": self.file.size, "ETag": self.artifact.digest}

    def size(self, path: str) -> int:
        """Returns the bytes of the checkpoint's file."""
        return int(self.file.size)

    def cat_file(self, path: str, start: int | None = None, end: int | None = None) -> bytes:
        """Reads the checkpoint's file, or the bytes from `start` to before `end`."""
        with tempfile.TemporaryDirectory() as folder:
            with self.file.download(root=folder, replace=True):
                pass
            content = (Path(folder) / str(self.file.name)).read_bytes()
        return content[start or 0 : end]

    def ls(self, path: str, detail: bool = True) -> NoReturn:
        """Refuses: artifacts are not listed."""
        raise NotImplementedError

    def pipe_file(self, path: str, content: bytes, mode: str) -> NoReturn:
        """Refuses: `logger.artifacts=true` makes artifacts."""
        raise NotImplementedError


def connect(url: str) -> tuple[Artifact, str]:
    """Finds the artifact of an address.

    Raises:
        UserError: where the address has another form.
    """
    name = url.removeprefix(f"{WANDB}:").removeprefix("//")
    if name.count("/") != 2 or not all(name.split("/")):
        raise UserError(f"'{url}' names no artifact of W&B. Write {WANDB}:ENTITY/PROJECT/ARTIFACT:ALIAS.")
    return Artifact(name), name
