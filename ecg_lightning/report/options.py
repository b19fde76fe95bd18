"""What the page of a run shows."""

from dataclasses import dataclass
from typing import Annotated

from ecg_lightning.ranges import Between


@dataclass(frozen=True)
class Reporting:
    """The page of a run, `report/index.html`, that `test` and `report` write.

    Attributes:
        ids: name recordings by their record ids; false shows nothing by which a patient could be identified.
        ecgs: ECGs that are drawn, those on which the network was most confidently wrong; 0 for none.
    """

    ids: bool = False
    ecgs: Annotated[int, Between(0, 100)] = 12
