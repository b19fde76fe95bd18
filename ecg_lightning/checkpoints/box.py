"""The networks that come with the package: published files in its folder `weights`, found by name from everywhere."""

import re
from pathlib import Path

from ecg_lightning.checkpoints.storage import read_header

FOLDER = Path(__file__).parents[1] / "weights"
SUFFIX = ".safetensors"


def box() -> dict[str, Path]:
    """Lists the package's networks: each file by its short name, which leaves the network's family out.

    A package that was installed without them has none.
    """
    return {short_name(file.stem): file for file in sorted(FOLDER.glob(f"*{SUFFIX}"))}


def short_name(name: str) -> str:
    """Returns a name without what stands between its first word and its version.

    >>> short_name("simulated-resnet1d-v1"), short_name("simulated-v1")
    ('simulated-v1', 'simulated-v1')
    """
    return re.sub(r"^([^-]+)-.+-(v\d+)$", r"\1-\2", name)


def in_box(name: str) -> Path | None:
    """Returns the file of the package's network of that short or whole name; None where it has none."""
    stem = name.removesuffix(SUFFIX)
    return next((file for short, file in box().items() if stem in (short, file.stem)), None)


def is_copy(url: str, file: Path) -> bool:
    """Returns whether two published files are the same: their headers hold the hash of all that is in them."""
    headers = [read_header(path) for path in (url, str(file))]
    return len({header[: 8 + int.from_bytes(header[:8], "little")] for header in headers}) == 1
