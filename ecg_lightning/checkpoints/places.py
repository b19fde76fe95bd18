"""Where published checkpoints lie, any fsspec URL: ``./checkpoints`` by default, else ``$ECG_CHECKPOINTS``."""

import os
import tempfile
from pathlib import Path
from typing import Any

from ecg_lightning.errors import UserError, suggest

SUFFIX = ".safetensors"


def place(folder: str | None = None) -> str:
    """Where published checkpoints lie."""
    return (folder or os.environ.get("ECG_CHECKPOINTS") or "checkpoints").rstrip("/")


def locate(name: str, folder: str | None = None) -> str:
    """The path or URL of a checkpoint by path, URL or published name.

    Raises:
        UserError: where there is none; with the nearest published names.
    """
    if Path(name).is_file():
        return name
    if "://" in name:
        return name
    url = f"{place(folder)}/{name.removesuffix(SUFFIX)}{SUFFIX}"
    if "/" not in name and _exists(url):
        return url
    if name.endswith(".ckpt") or "/" in name:
        raise UserError(f"There is no checkpoint file '{name}'.")
    names = published(folder)
    offered = f"Published there: {', '.join(names)}." if names else "Nothing is published there yet (see `publish`)."
    raise UserError(f"There is no checkpoint '{name}' in {place(folder)}. {suggest(name, names)}{offered}")


def published(folder: str | None = None) -> list[str]:
    """The names that are published in a folder."""
    filesystem, path = filesystem_of(place(folder))
    if not filesystem.exists(path):
        return []
    return sorted(
        Path(file).name.removesuffix(SUFFIX) for file in filesystem.ls(path, detail=False) if file.endswith(SUFFIX)
    )


def write_new(url: str, content: bytes) -> None:
    """Writes a file that must not exist; a local reader sees nothing or the whole."""
    filesystem, path = filesystem_of(url)
    taken = UserError(
        f"{url} exists; what is published is never overwritten. Choose another name, for example with -v2."
    )
    if filesystem.exists(path):
        raise taken
    if "file" in filesystem.protocol:
        Path(path).parent.mkdir(parents=True, exist_ok=True)
        with tempfile.NamedTemporaryFile(dir=Path(path).parent, delete=False) as file:
            file.write(content)
        os.chmod(file.name, 0o644)
        try:
            os.link(file.name, path)  # fails where another process was first
        except FileExistsError:
            raise taken from None
        finally:
            os.unlink(file.name)
        return
    with filesystem.open(path, "wb") as out:
        out.write(content)


def _exists(url: str) -> bool:
    filesystem, path = filesystem_of(url)
    return bool(filesystem.exists(path))


def filesystem_of(url: str) -> tuple[Any, str]:
    """The file system of a URL, and the path there."""
    import fsspec

    try:
        filesystem, path = fsspec.core.url_to_fs(url)
    except (ImportError, ValueError) as error:  # a protocol that is unknown, or needs a package of its own
        raise UserError(f"'{url}' cannot be opened: {error}") from error
    return filesystem, path


def read_bytes(url: str) -> bytes:
    """A file's whole content."""
    filesystem, path = filesystem_of(url)
    try:
        with filesystem.open(path, "rb") as file:
            return bytes(file.read())
    except Exception as error:  # every protocol has its own
        raise UserError(f"The checkpoint {url} cannot be read: {error}") from error
