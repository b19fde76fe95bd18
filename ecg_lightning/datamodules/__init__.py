"""One LightningDataModule a source of recordings; ``__all__`` is the list of choices for ``data.name``."""

from ecg_lightning.datamodules.cinc import GeorgiaDataModule
from ecg_lightning.datamodules.code import CODE15DataModule, CODETestDataModule
from ecg_lightning.datamodules.ptbxl import PTBXLDataModule
from ecg_lightning.datamodules.sph import SPHDataModule

__all__ = ["CODE15DataModule", "CODETestDataModule", "GeorgiaDataModule", "PTBXLDataModule", "SPHDataModule"]
