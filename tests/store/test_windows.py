"""Windows cover every sample of a recording, and crops of a quarter lie side by side, as the field's do."""

import numpy as np
import pytest

from ecg_lightning.metrics.windows import average_windows
from ecg_lightning.store.windows import cuts_of, windows_of


def test_crops_of_a_ten_second_recording_lie_side_by_side() -> None:
    assert windows_of(1000, 250) == [0, 250, 500, 750]
    assert windows_of(5000, 1250) == [0, 1250, 2500, 3750]


@pytest.mark.parametrize("length", [250, 251, 499, 500, 501, 1000, 1023, 4096])
def test_windows_are_the_fewest_that_cover_a_recording(length: int) -> None:
    starts = np.array(windows_of(length, 250))
    assert len(starts) == np.ceil(length / 250)
    covered = np.unique(starts[:, None] + np.arange(250))
    assert covered.tolist() == list(range(length))


def test_every_crop_counts_equally_in_its_recording() -> None:
    cuts = cuts_of([1000, 250], 250)
    logits = np.array([[1.0], [2.0], [4.0], [5.0], [7.0]])
    assert average_windows(logits, cuts[:, 0]).tolist() == [[3.0], [7.0]]
