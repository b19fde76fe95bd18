"""PTB Diagnostic ECG Database (Bousseljot 1995), as the CinC challenge re-issued it."""

from dataclasses import dataclass
from typing import ClassVar

from ecg_lightning.datamodules.cinc import CinCDataModule


@dataclass(eq=False, repr=False)
class PTBDBDataModule(CinCDataModule):
    """PTB Diagnostic: 516 recordings of 290 patients at most, 32 to 120 s at 1000 Hz; folds by patient.

    The challenge dropped the patients and renamed the recordings: its number is the place in the file RECORDS of PTB-DB
    1.0.0 (S0138 is the 138th, patient044/s0146lre; S0541 the 541st, patient288/s0549_re), which is sorted by patient.
    """

    source = "ptbdb"
    # Counted in RECORDS: 549 recordings of patient001 to patient294, of whom four (124, 132, 134, 161) are not there.
    recordings_of_patients: ClassVar[str] = (
        "3112534313423333433333443233344444432334443444344441141111111111433141144444444444444134444454444443"
        "3111111111112111211111101121111010111111111111112111111112110112211221111311111721111111121111112211"
        "2211111211111111111111211111211151131111211121111131111111111111111111111111134111131121111221"
    )
