"""Paths of a configuration: what cannot work is said before anything heavy is imported or packed."""

import os
from pathlib import Path

from omegaconf import DictConfig, OmegaConf

from ecg_lightning.errors import UserError

PATHS = ("run_dir", "checkpoint_path", "data.root", "data.store_dir")


def check_paths(config: DictConfig) -> None:
    """Refuses a data folder that is not there, and a run's folder that cannot be made.

    Raises:
        UserError: naming the key and the path.
    """
    for key in PATHS:
        path = OmegaConf.select(config, key)
        if isinstance(path, str):
            try:
                os.stat(expanded(path, key))
            except FileNotFoundError:
                continue
            except NotADirectoryError as error:
                raise UserError(f"{key}: '{path}' goes through a file as if it were a folder.") from error
            except OSError as error:
                raise UserError(f"{key}: the path '{_short(path)}' cannot be used ({error.strerror}).") from error
    _check_root(config)
    checkpoint = config.get("checkpoint_path")
    if isinstance(checkpoint, str) and expanded(checkpoint, "checkpoint_path").is_dir():
        raise UserError(
            f"checkpoint_path: '{checkpoint}' is a folder. Give the file: that of a run is {checkpoint}/checkpoints/last.ckpt."
        )
    for key in ("run_dir", "data.store_dir"):
        path = OmegaConf.select(config, key)
        if isinstance(path, str):
            _check_writable(expanded(path, key), key)


def expanded(path: str, key: str) -> Path:
    """Returns a path whose `~` is the home folder.

    Raises:
        UserError: where there is no such user.
    """
    try:
        return Path(path).expanduser()
    except RuntimeError as error:
        raise UserError(
            f"{key}: '{path}' begins with the home folder of a user that this machine does not know."
        ) from error


def _check_root(config: DictConfig) -> None:
    root = OmegaConf.select(config, "data.root")
    if isinstance(root, str) and not expanded(root, "data.root").is_dir():
        is_file = expanded(root, "data.root").is_file()
        raise UserError(
            f"data.root: {f'{root!r} is a file, not a folder' if is_file else f'there is no folder {root!r}'}. It should be the "
            "archive's folder as distributed; `prepare --download` fetches a public one."
        )


def _check_writable(folder: Path, key: str) -> None:
    """Asks for a folder, or a place where one can be made."""
    nearest = next(place for place in (folder, *folder.absolute().parents) if place.exists())
    if not nearest.is_dir():
        raise UserError(f"{key}: '{nearest}' is a file. Give the path of a folder; it is made where there is none.")
    if not os.access(nearest, os.W_OK | os.X_OK):
        raise UserError(f"{key}: '{folder}' cannot be written. Choose another folder, or change its permissions.")


def _short(path: str) -> str:
    return path if len(path) <= 80 else f"{path[:77]}..."
