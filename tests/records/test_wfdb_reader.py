from pathlib import Path

import numpy as np
import pytest
import wfdb

from ecg_lightning.records import read_wfdb

FOLDERS = (
    "ptbxl/records100",
    "ptbxl/records500",
    "georgia",
    "chapman_ningbo",
    "cpsc2018",
    "cpsc2018_extra",
    "ludb/data",
    "code15_chagas",
    "ptbdb_cinc",
)


@pytest.mark.parametrize("folder", FOLDERS)
def test_equals_wfdb_on_real_recordings(shared_data: Path, folder: str) -> None:
    headers = sorted((shared_data / folder).rglob("*.hea"))
    assert headers
    for header in headers[:: max(1, len(headers) // 8)]:
        ours = read_wfdb(header, verify=True)
        theirs = wfdb.rdrecord(str(header.with_suffix("")))
        assert ours.sampling_rate == theirs.fs
        np.testing.assert_allclose(ours.signal, theirs.p_signal.T, rtol=1e-6, atol=1e-6)
