"""Chapman–Shaoxing–Ningbo (Zheng 2020): two archives in one numbering, annotated by two groups with habits of their own."""

from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from ecg_lightning.datamodules.cinc import CinCDataModule, number_of

LAST_OF_CHAPMAN = 10646


@dataclass(eq=False, repr=False)
class ChapmanNingboDataModule(CinCDataModule):
    """Chapman–Shaoxing and Ningbo: 45,152 recordings of 10 s at 500 Hz, one a patient.

    JS00001 to JS10646 were annotated in Shaoxing (source `chapman`), the others in Ningbo (source `ningbo`): each
    annotates terms that the other never says, and Ningbo's flutter stands for fibrillation too.
    """

    source = "chapman_ningbo"

    def annotators(self, index: pd.DataFrame) -> NDArray[np.object_]:
        """`chapman` or `ningbo`, by the number in the recording's id (one of Ningbo's is called S23074)."""
        numbers = index["record_id"].map(number_of)
        return np.where(numbers <= LAST_OF_CHAPMAN, "chapman", "ningbo").astype(object)
