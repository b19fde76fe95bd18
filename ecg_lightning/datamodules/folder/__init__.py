"""Your own hospital: recordings in a folder, described by a table."""

from ecg_lightning.datamodules.folder.datamodule import FolderDataModule

__all__ = ["FolderDataModule"]
