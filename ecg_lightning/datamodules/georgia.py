"""Georgia 12-lead ECG Challenge Database, Emory University, Atlanta (Reyna 2021)."""

from dataclasses import dataclass

from ecg_lightning.datamodules.cinc import CinCDataModule


@dataclass(eq=False, repr=False)
class GeorgiaDataModule(CinCDataModule):
    """Georgia: 10,344 recordings of mostly 10 s at 500 Hz, as the challenge distributes them."""

    source = "georgia"
