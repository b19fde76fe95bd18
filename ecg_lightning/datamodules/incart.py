"""St Petersburg INCART 12-lead Arrhythmia Database (Tihonenko 2008), as the CinC challenge re-issued it."""

from dataclasses import dataclass
from typing import ClassVar

from ecg_lightning.datamodules.cinc import CinCDataModule


@dataclass(eq=False, repr=False)
class INCARTDataModule(CinCDataModule):
    """INCART: 74 half hours at 257 Hz from the Holter records of 32 patients; folds by patient.

    The challenge dropped the patients and kept the numbers: I0016 is INCART's I16, of patient 8.
    """

    source = "incart"
    # As files-patients-diagnoses.txt of INCART 1.0.0 has them: I01 and I02 are patient 1, I03 to I05 patient 2 …
    recordings_of_patients: ClassVar[str] = "23213312232224232223223323332222"
