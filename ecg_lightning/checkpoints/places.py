"""Where published checkpoints lie: any fsspec URL, `./checkpoints` by default, else `$ECG_CHECKPOINTS`; and the package's own."""

import os
from pathlib import Path

from ecg_lightning.checkpoints.box import SUFFIX, box, in_box, is_copy
from ecg_lightning.checkpoints.storage import exists, explained, filesystem_of, name_in, shown
from ecg_lightning.errors import UserError, suggest


def place(folder: str | None = None) -> str:
    """Returns the path or URL where published checkpoints lie; `~` is the user's home."""
    url = folder or os.environ.get("ECG_CHECKPOINTS") or "checkpoints"
    if "://" not in url:
        url = os.path.expanduser(url)
    return url if url.endswith("://") else url.rstrip("/") or "/"


def address(name: str, folder: str | None = None) -> str:
    """Returns the path or URL of a published name, whether it is there or not."""
    base = place(folder)
    return f"{base}{'' if base.endswith('/') else '/'}{name.removesuffix(SUFFIX)}{SUFFIX}"


def locate(name: str, folder: str | None = None) -> str:
    """Finds a checkpoint by path, URL, published name, or the name of a network in the package; returns its path or URL.

    Raises:
        UserError: where there is none, with the nearest names; or where one name is that of two different networks.
    """
    if "://" in name:
        return name
    if (path := Path(name).expanduser()).is_file():
        return str(path)
    url = address(name, folder)
    if "/" not in name:
        shipped, is_published = in_box(name), _exists(url)
        if shipped is not None and is_published and not is_copy(url, shipped):
            raise UserError(
                f"'{name}' is the name of two different networks: one is in the package, and the other is {shown(url)}. "
                "Give the whole path of the one that you mean, or publish yours under another name. The package's is "
                f"{shipped}"
            )
        if shipped is not None:
            return str(shipped)
        if is_published:
            return url
    if name.endswith(".ckpt") or "/" in name:
        raise UserError(f"There is no checkpoint file '{name}'.")
    names = published(folder)
    choices = f"Published there: {', '.join(names)}." if names else "Nothing is published there yet (see `publish`)."
    choices += f" In the package: {', '.join(box())}." if box() else ""
    raise UserError(
        f"There is no checkpoint '{name}' in {shown(place(folder))}. {suggest(name, [*names, *box()])}{choices}"
    )


def published(folder: str | None = None) -> list[str]:
    """Lists the names that are published in a folder; none where there is no such folder yet.

    Raises:
        UserError: where the place cannot be reached, or refuses.
    """
    filesystem, path = filesystem_of(place(folder))
    try:
        with explained(place(folder)):
            entries = filesystem.ls(path, detail=True)
    except FileNotFoundError:
        return []
    # "other" is what one could wait for without end: a named pipe, a device
    files = [entry["name"] for entry in entries if entry["type"] not in ("directory", "other")]
    if files == [path]:
        raise UserError(f"{shown(place(folder))} is a file; name the folder in which checkpoints are published.")
    return sorted(name_in(file).removesuffix(SUFFIX) for file in files if file.endswith(SUFFIX))


def _exists(url: str) -> bool:
    filesystem, path = filesystem_of(url)
    with explained(url):
        return exists(filesystem, path)
