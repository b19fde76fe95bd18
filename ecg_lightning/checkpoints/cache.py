"""Copies of teammates' checkpoints on this machine, by the SHA-256 of their content, with which one also works offline."""

import functools
import hashlib
import os
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

from ecg_lightning.checkpoints.addresses import LOCAL, protocol_of, shown
from ecg_lightning.checkpoints.storage import Unreachable, read_bytes, read_header, version_of
from ecg_lightning.errors import UserError, one_line
from ecg_lightning.files import read_json, write_json, write_whole

T = TypeVar("T")


def cache_folder() -> Path:
    """Returns the folder of the copies: `$ECG_CACHE`, else `ecg_lightning` in `$XDG_CACHE_HOME` or `~/.cache`."""
    if folder := os.environ.get("ECG_CACHE"):
        return Path(folder).expanduser()
    return Path(os.environ.get("XDG_CACHE_HOME") or "~/.cache").expanduser() / "ecg_lightning"


def is_offline() -> bool:
    """Says whether `$ECG_OFFLINE` forbids to ask any server."""
    return os.environ.get("ECG_OFFLINE", "").lower() in ("1", "true", "yes", "on")


def read(url: str, parse: Callable[[bytes], T], sha256: str | None = None) -> tuple[bytes, T]:
    """Reads a file, from the copy on this machine where its place has the same version of it, or does not answer.

    Args:
        url: a path or URL; files of this machine are read where they are.
        parse: turns the content into what is asked for; what it refuses is not kept.
        sha256: the hash that the file must have; None where nothing says it.

    Raises:
        UserError: where the file cannot be read, or has another hash.
    """
    if protocol_of(url) in LOCAL:
        content = read_bytes(url)
    else:
        entry = recall(url)
        if sha256 is not None and (copy := _copy(sha256)) is not None:
            return copy, parse(copy)
        version = _version(url, entry is not None)
        if version is None or (version and entry is not None and entry.get("version") == version):
            if (copy := _copy(str((entry or {}).get("sha256", "")))) is not None:
                return copy, parse(copy)
            if version is None:
                raise Unreachable(
                    f"{shown(url)} is not on this machine, and its place does not answer or must not be asked."
                )
        content = read_bytes(url)
    if sha256 is not None and hashlib.sha256(content).hexdigest() != sha256:
        raise UserError(
            f"{shown(url)} is not the file that its alias names: its SHA-256 is another one. Somebody replaced or changed it; "
            "ask who publishes there."
        )
    parsed = parse(content)
    if protocol_of(url) not in LOCAL:
        _keep(url, content, version)
    return content, parsed


def header(url: str) -> bytes:
    """Reads the beginning of a safetensors file, as `storage.read_header`; from the copy where its place does not answer."""
    if protocol_of(url) in LOCAL:
        return read_header(url)
    if not is_offline():
        try:
            return read_header(url)
        except Unreachable:
            if recall(url) is None:
                raise
    copy = _copy(str((recall(url) or {}).get("sha256", "")))
    if copy is None:
        raise _not_here(url)
    return copy


def or_recalled(url: str, ask: Callable[[], T], recalled: Callable[[], T | None]) -> T:
    """Asks a place; where it does not answer or must not be asked, returns what this machine knows of it.

    Args:
        url: of what is asked for.
        ask: asks the place.
        recalled: returns what this machine knows; None where that is nothing.

    Raises:
        UserError: where neither helps.
    """
    if protocol_of(url) in LOCAL:
        return ask()
    reason: Unreachable | None = None
    if not is_offline():
        try:
            return ask()
        except Unreachable as error:
            reason = error
    value = recalled()
    if value is None:
        raise reason or _not_here(url)
    if reason is not None:
        _say(f"{one_line(reason)}. What is in the cache is used: {cache_folder()}")
    return value


def remember(url: str, facts: dict[str, Any]) -> None:
    """Keeps a few facts about a URL; a disk that takes none costs a line on stderr."""
    try:
        path = _entry(url)
        path.parent.mkdir(parents=True, exist_ok=True)
        write_json(path, {"url": shown(url), **facts})
    except OSError as error:
        _tell(error)


def recall(url: str) -> dict[str, Any] | None:
    """Returns the facts that are kept about a URL; None where there are none, or they cannot be read."""
    try:
        return read_json(_entry(url))
    except (OSError, ValueError):
        return None


def urls_below(place: str) -> list[str] | None:
    """Returns the URLs in a place of which there are copies; None where there are none."""
    prefix = shown(place).rstrip("/") + "/"
    urls = []
    for path in sorted((cache_folder() / "index").glob("*.json")):
        try:
            entry = read_json(path)
        except (OSError, ValueError):
            continue
        if str(entry.get("url", "")).startswith(prefix) and "sha256" in entry:
            urls.append(str(entry["url"]))
    return urls or None


def _version(url: str, has_copy: bool) -> str | None:
    """Returns the version that a file's place knows; None where it is not asked or does not answer, and there is a copy."""
    if is_offline():
        if not has_copy:
            raise _not_here(url)
        return None
    try:
        return version_of(url)
    except Unreachable as error:
        if not has_copy:
            raise
        _say(f"{one_line(error)}. The copy in the cache is used: {cache_folder()}")
        return None


def _not_here(url: str) -> Unreachable:
    return Unreachable(
        f"{shown(url)} is not in the cache {cache_folder()}, and ECG_OFFLINE forbids to ask for it. Fetch it once with a "
        "connection, or unset ECG_OFFLINE."
    )


def _entry(url: str) -> Path:
    """Returns the file of the facts about a URL, which may hold a signature and is therefore not in the name."""
    return cache_folder() / "index" / f"{hashlib.sha256(url.encode()).hexdigest()}.json"


def _copy(sha256: str) -> bytes | None:
    """Returns the content with a hash; None where there is no such copy, or somebody changed it."""
    try:
        content = (cache_folder() / "files" / sha256).read_bytes()
    except OSError:
        return None
    return content if hashlib.sha256(content).hexdigest() == sha256 else None


def _keep(url: str, content: bytes, version: str | None) -> None:
    """Keeps a copy; a disk that does not take it costs a line on stderr."""
    sha256 = hashlib.sha256(content).hexdigest()
    try:
        path = cache_folder() / "files" / sha256
        path.parent.mkdir(parents=True, exist_ok=True)
        write_whole(path, content)
    except OSError as error:
        _tell(error)
    else:
        remember(url, {"sha256": sha256, "size": len(content), "version": version or ""})


@functools.cache
def _say(text: str) -> None:
    """Prints a line on stderr, once."""
    print(text, file=sys.stderr)


def _tell(error: OSError) -> None:
    print(f"No copy is kept in the cache {cache_folder()}: {one_line(error)}.", file=sys.stderr)
