"""One LightningDataModule a source of recordings; `__all__` is the list of choices for `data.name`."""

from ecg_lightning.datamodules.chapman_ningbo import ChapmanNingboDataModule
from ecg_lightning.datamodules.code import CODE15DataModule, CODETestDataModule
from ecg_lightning.datamodules.cpsc2018 import CPSC2018DataModule
from ecg_lightning.datamodules.cpsc_extra import CPSCExtraDataModule
from ecg_lightning.datamodules.folder import FolderDataModule
from ecg_lightning.datamodules.georgia import GeorgiaDataModule
from ecg_lightning.datamodules.incart import INCARTDataModule
from ecg_lightning.datamodules.ludb import LUDBDataModule
from ecg_lightning.datamodules.mimic_iv_ecg import MIMICIVECGDataModule
from ecg_lightning.datamodules.mixed import MixedDataModule
from ecg_lightning.datamodules.ptbdb import PTBDBDataModule
from ecg_lightning.datamodules.ptbxl import PTBXLDataModule
from ecg_lightning.datamodules.simulated import SimulatedDataModule
from ecg_lightning.datamodules.sph import SPHDataModule

__all__ = [
    "CODE15DataModule",
    "CODETestDataModule",
    "CPSC2018DataModule",
    "CPSCExtraDataModule",
    "ChapmanNingboDataModule",
    "FolderDataModule",
    "GeorgiaDataModule",
    "INCARTDataModule",
    "LUDBDataModule",
    "MIMICIVECGDataModule",
    "MixedDataModule",
    "PTBDBDataModule",
    "PTBXLDataModule",
    "SPHDataModule",
    "SimulatedDataModule",
]
