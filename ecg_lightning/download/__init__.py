"""Fetching the public archives from where they are published: resumable, verified, with the licence printed."""

from ecg_lightning.download.archive import download
from ecg_lightning.download.catalogue import PublicArchive, catalogue, describe

__all__ = ["PublicArchive", "catalogue", "describe", "download"]
