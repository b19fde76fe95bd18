"""The catalogue of public archives (archives.yaml), typed and checked."""

from dataclasses import dataclass, field
from enum import Enum
from functools import cache
from pathlib import Path
from typing import cast

from omegaconf import DictConfig, OmegaConf

from ecg_lightning.errors import UserError, suggest


class Kind(Enum):
    """Who publishes an archive, hence how its files are listed."""

    physionet = "physionet"
    zenodo = "zenodo"
    figshare = "figshare"
    request = "request"  # not public


@dataclass
class Archive:
    """One published archive; archives.yaml says what each field means."""

    title: str
    kind: Kind
    url: str
    licence: str
    citation: str
    version: str = ""
    size_gb: dict[str, float] = field(default_factory=dict)
    mirror: str = ""
    folders: dict[str, str] = field(default_factory=dict)
    records: list[str] = field(default_factory=list)
    note: str = ""


@cache
def catalogue() -> dict[str, Archive]:
    """Every archive by the name of its source."""
    entries = cast(DictConfig, OmegaConf.load(Path(__file__).with_name("archives.yaml")))
    schema = OmegaConf.structured(Archive)
    return {str(name): cast(Archive, OmegaConf.to_object(OmegaConf.merge(schema, entries[name]))) for name in entries}


def find(source: str) -> Archive:
    """The archive of a source.

    Raises:
        UserError: when the catalogue has no such source; with a suggestion.
    """
    archives = catalogue()
    if source in archives:
        return archives[source]
    raise UserError(
        f"There is nothing to download for the source {source!r}. {suggest(source, archives)}Choices: {', '.join(archives)}."
    )


def describe(source: str) -> str:
    """What a person should know of a source before fetching it: address, size, licence, citation.

    Raises:
        UserError: when the catalogue has no such source.
    """
    archive = find(source)
    version = f", version {archive.version}" if archive.version else ""
    size = f", {sum(archive.size_gb.values()):.3g} GB" if archive.size_gb else ""
    lines = [
        f"{source}: {archive.title}{version}{size}",
        f"  from     {' '.join([archive.url + ','.join(archive.records), *archive.folders])}",
        f"  licence  {archive.licence}",
        f"  cite     {archive.citation}",
    ]
    return "\n".join([*lines, f"  note     {archive.note}"] if archive.note else lines)
