"""One LightningDataModule a source of recordings; ``__all__`` is the list of choices for ``data.name``."""

from ecg_lightning.datamodules.cinc import GeorgiaDataModule
from ecg_lightning.datamodules.ptbxl import PTBXLDataModule

__all__ = ["GeorgiaDataModule", "PTBXLDataModule"]
