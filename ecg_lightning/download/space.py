"""Whether the disk has room for what is still to be fetched."""

import shutil
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

from ecg_lightning.download.catalogue import PublicArchive
from ecg_lightning.download.paths import path_matches
from ecg_lightning.download.transfer import RemoteFile, part_of
from ecg_lightning.download.unpack import SUFFIXES
from ecg_lightning.errors import UserError


def check_space(
    archive: PublicArchive, archive_files: Sequence[RemoteFile], missing: Sequence[RemoteFile], root: Path, workers: int
) -> None:
    """Refuses to begin a download for which the disk is too small.

    Raises:
        UserError: less is free than the missing files need.
    """
    needed, free = bytes_needed(archive, archive_files, missing, root, workers), shutil.disk_usage(root).free
    if needed > free:
        raise UserError(
            f"{archive.title} needs {needed / 1e9:.2f} GB more in {root}, and {free / 1e9:.2f} GB are free. "
            "Free some space, choose another data.root, or leave files out with include and exclude."
        )


def bytes_needed(
    archive: PublicArchive, archive_files: Sequence[RemoteFile], missing: Sequence[RemoteFile], root: Path, workers: int
) -> float:
    """Estimates how many bytes the missing files will take, less what is there of them.

    PhysioNet's list has no sizes: the size of a part of the archive is shared evenly by its files. A zip is there
    beside its content until it is unpacked, which happens to one zip a worker at a time.
    """
    if any(file.size is None for file in archive_files):
        parts = {pattern: size_gb * 1e9 for pattern, size_gb in archive.size_gb.items()}
        counts = Counter(_part(file, archive) for file in archive_files)
        needed = sum(parts[_part(file, archive)] / counts[_part(file, archive)] for file in missing)
        packed = []
    else:
        zipped = sum(_size(file) for file in archive_files if file.path.endswith(SUFFIXES))
        plain = sum(_size(file) for file in archive_files) - zipped
        growth = max(1.0, (sum(archive.size_gb.values()) * 1e9 - plain) / zipped) if zipped else 1.0
        packed = sorted((_size(file) for file in missing if file.path.endswith(SUFFIXES)), reverse=True)
        needed = sum(_size(file) for file in missing) + (growth - 1) * sum(packed) + sum(packed[:workers])
    parts_there = (part_of(root / file.path) for file in missing)
    return needed - sum(part.stat().st_size for part in parts_there if part.is_file())


def _part(file: RemoteFile, archive: PublicArchive) -> str:
    return next(pattern for pattern in archive.size_gb if path_matches(file.path, [pattern]))


def _size(file: RemoteFile) -> int:
    assert file.size is not None
    return file.size
