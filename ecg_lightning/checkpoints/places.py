"""Where published checkpoints lie: any fsspec URL, `./checkpoints` by default, else `$ECG_CHECKPOINTS`; and the package's own.

On the Hub, `hf://owner` has a repository for each network, and `hf://owner/repository` several networks in one.
"""

import os
from pathlib import Path
from typing import NamedTuple

from ecg_lightning.checkpoints import aliases, cache
from ecg_lightning.checkpoints.addresses import HUB, MODEL_FILE, S3, SFTP, is_url, name_in, protocol_of, shown
from ecg_lightning.checkpoints.box import SUFFIX, box, in_box, is_copy
from ecg_lightning.checkpoints.foreign.names import NAMES, is_foreign
from ecg_lightning.checkpoints.storage import exists, explained, filesystem_of
from ecg_lightning.errors import UserError, nearest, suggest, unknown

WITH_FOLDERS = (*S3, *SFTP, "gs", "gcs", "file")
"""Protocols whose addresses may end with a published name or an alias in place of a file."""
ENDINGS = (SUFFIX, ".ckpt")


class Located(NamedTuple):
    """Where a checkpoint is.

    Attributes:
        url: its path or URL.
        sha256: the hash that its file must have; None where nothing says it.
    """

    url: str
    sha256: str | None = None


def place(folder: str | None = None) -> str:
    """Returns the path or URL where published checkpoints lie; `~` is the user's home."""
    url = folder or os.environ.get("ECG_CHECKPOINTS") or "checkpoints"
    if "://" not in url:
        url = os.path.expanduser(url)
    return url if url.endswith("://") else url.rstrip("/") or "/"


def address(name: str, folder: str | None = None) -> str:
    """Returns the path or URL of a published name, whether it is there or not."""
    base, name = place(folder), name.removesuffix(SUFFIX)
    if protocol_of(base) == HUB and "/" not in base.partition("://")[2]:
        return f"{base}/{name}/{MODEL_FILE}"
    return f"{base}{'' if base.endswith('/') else '/'}{name}{SUFFIX}"


def page_address(url: str) -> str:
    """Returns the path or URL of the model card beside a published file: README.md where a repository holds one network."""
    folder, slash, file = url.rpartition("/")
    page = "README.md" if protocol_of(url) == HUB and file == MODEL_FILE else f"{file.removesuffix(SUFFIX)}.md"
    return f"{folder}{slash}{page}"


def locate(name: str, folder: str | None = None) -> str:
    """Returns the path or URL of a checkpoint, see `resolve`."""
    return resolve(name, folder).url


def resolve(name: str, folder: str | None = None) -> Located:
    """Finds a checkpoint by path, URL, run's folder, published name, alias, or the name of a network in the package.

    Raises:
        UserError: where there is none, with the nearest names; where one name is that of two different networks; or for
            another project's `family:FILE`, which has no place here.
    """
    if is_foreign(name):
        raise UserError(
            f"'{name}' is another project's file: it has no place among checkpoints yet, and no page. Give it a name first: "
            f"publish {name} NAME"
        )
    if is_url(name):
        return _at(name)
    if (path := Path(name).expanduser()).is_file():
        return Located(str(path))
    if (best := path / "checkpoints" / "best.ckpt").is_file():
        return Located(str(best))
    if aliases.is_alias(name):
        move = aliases.current(place(folder), name)
        return Located(resolve(str(move.name), folder).url, move.sha256)
    return Located(_published(name, folder))


def _at(url: str) -> Located:
    """Finds the file of an address that may end with the name of a repository, a published name or an alias."""
    base, _, name = url.rstrip("/").rpartition("/")
    protocol = protocol_of(url)
    if protocol == HUB and url.partition("://")[2].strip("/").count("/") == 1:
        return Located(f"{url.rstrip('/')}/{MODEL_FILE}")
    if protocol in WITH_FOLDERS and not url.endswith(ENDINGS) and name and not base.endswith("/"):
        return resolve(name, base) if aliases.is_alias(name) else Located(address(name, base))
    return Located(url)


def _published(name: str, folder: str | None) -> str:
    """Finds a published name, or that of a network in the package; errors as of `resolve`."""
    family, colon, _ = name.partition(":")
    if colon and nearest(family, NAMES):
        raise unknown("family", family, NAMES)
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
    base = place(folder)

    def recalled() -> list[str] | None:
        urls = [url for url in cache.urls_below(base) or [] if url.endswith(SUFFIX)]
        return sorted(name_in(url).removesuffix(SUFFIX) for url in urls) or None

    return cache.or_recalled(base, lambda: _listed(base), recalled)


def _listed(base: str) -> list[str]:
    """Lists the names in a place, which is asked."""
    filesystem, path = filesystem_of(base)
    try:
        with explained(base):
            entries = filesystem.ls(path, detail=True)
    except FileNotFoundError:
        return []
    # "other" is what one could wait for without end: a named pipe, a device
    files = [entry["name"] for entry in entries if entry["type"] not in ("directory", "other")]
    if files == [path]:
        raise UserError(f"{shown(base)} is a file; name the folder in which checkpoints are published.")
    prefix = f"{HUB}://" if protocol_of(base) == HUB else ""
    return sorted(name_in(prefix + file).removesuffix(SUFFIX) for file in files if file.endswith(SUFFIX))


def _exists(url: str) -> bool:
    def ask() -> bool:
        filesystem, path = filesystem_of(url)
        with explained(url):
            return exists(filesystem, path)

    return cache.or_recalled(url, ask, lambda: cache.recall(url) is not None)
