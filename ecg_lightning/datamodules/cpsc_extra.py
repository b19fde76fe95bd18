"""CPSC-Extra: recordings of the China Physiological Signal Challenge 2018 that its training set does not have (Reyna 2021)."""

from dataclasses import dataclass

from ecg_lightning.datamodules.cinc import CinCDataModule


@dataclass(eq=False, repr=False)
class CPSCExtraDataModule(CinCDataModule):
    """CPSC-Extra: 3,453 recordings of 8 to 98 s at 500 Hz, with many more statements than CPSC2018."""

    source = "cpsc_extra"
