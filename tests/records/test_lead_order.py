"""The order of rows without names against Einthoven and Goldberger."""

from itertools import permutations
from pathlib import Path

import numpy as np
import pytest

import fake
from ecg_lightning.records import LEADS, RecordError, read_record
from ecg_lightning.records.lead_order import check_order, limb_leads_disagree

WAVE = fake.ecg(2000, 250, seed=4).astype(np.float32)
ORDERS = {
    "MIMIC-IV": "I,II,III,aVR,aVF,aVL,V1,V2,V3,V4,V5,V6",
    "aVR and aVL exchanged": "I,II,III,aVL,aVR,aVF,V1,V2,V3,V4,V5,V6",
    "eight, then the derived": "I,II,V1,V2,V3,V4,V5,V6,III,aVR,aVL,aVF",
    "Cabrera": "aVL,I,aVR,II,aVF,III,V1,V2,V3,V4,V5,V6",
    "precordial first": "V1,V2,V3,V4,V5,V6,I,II,III,aVR,aVL,aVF",
    "alphabet": "I,II,III,V1,V2,V3,V4,V5,V6,aVF,aVL,aVR",
    "printout": "I,aVR,V1,V4,II,aVL,V2,V5,III,aVF,V3,V6",
}


@pytest.mark.parametrize("order", ORDERS.values(), ids=ORDERS)
def test_another_order_is_refused_and_named(tmp_path: Path, order: str) -> None:
    rows = WAVE[[LEADS.index(lead) for lead in order.split(",")]]
    np.save(tmp_path / "a.npy", rows.T)
    with pytest.raises(RecordError, match=f"contradictory lead order: the file names no leads, .*--leads {order} in"):
        read_record(tmp_path / "a.npy", sampling_rate=250)
    record = read_record(tmp_path / "a.npy", sampling_rate=250, leads=order.split(","))
    np.testing.assert_array_equal(record.signal, WAVE)
    assert record.quality == ()
    with pytest.raises(RecordError, match=f"contradictory lead order: its rows are not I, .*--leads {order} in"):
        read_record(tmp_path / "a.npy", sampling_rate=250, leads=LEADS)


def test_no_order_of_the_limb_leads_but_one_passes() -> None:
    for order in permutations(range(6)):
        rows = np.concatenate([WAVE[list(order)], WAVE[6:]])
        if order == tuple(range(6)):
            assert check_order(rows, 250, LEADS, names_stated=False) == ()
        else:
            with pytest.raises(RecordError, match="contradictory lead order"):
                check_order(rows, 250, LEADS, names_stated=False)


def test_baselines_steps_and_noise_do_not_contradict() -> None:
    noise = np.random.default_rng(0).normal(0, 0.001, WAVE.shape)
    rough = np.rint((WAVE + noise + np.arange(12)[:, None]) / 0.001) * 0.001
    rough[2, 300:310], rough[7, 900] = np.nan, 1e20
    assert check_order(rough, 250, LEADS, names_stated=False) == ()


@pytest.mark.parametrize("flat", [[0], [3, 4, 5], [0, 1, 2, 3, 4, 5]])
def test_what_cannot_be_proven_is_flagged(flat: list[int]) -> None:
    rows = WAVE.copy()
    rows[flat] = 0.1
    assert check_order(rows, 250, LEADS, names_stated=False) == ("lead_order_assumed",)
    assert check_order(WAVE[[0, 1, *range(6, 12)]], 250, ["I", "II", *LEADS[6:]], names_stated=True) == (
        "lead_order_assumed",
    )


def test_rows_that_fit_in_no_order_are_refused_unless_they_were_named(tmp_path: Path) -> None:
    rows = WAVE.copy()
    rows[2] = WAVE[8]
    rows[4] = -WAVE[9]
    np.save(tmp_path / "a.npy", rows)
    with pytest.raises(RecordError, match=r"contradictory lead order: .*\. Say what the rows are by data\.file_leads"):
        read_record(tmp_path / "a.npy", sampling_rate=250)
    assert read_record(tmp_path / "a.npy", sampling_rate=250, leads=LEADS).quality == ("suspect:limb_leads_disagree",)


def test_a_header_without_names_is_checked_against_those_that_are_told(tmp_path: Path) -> None:
    fake.write_wfdb(tmp_path / "a.dat", WAVE, 250, leads=[f"ch{number}" for number in range(12)])
    assert read_record(tmp_path / "a", leads=LEADS).quality == ()
    with pytest.raises(RecordError, match=r"contradictory lead order: .*--leads I,II,III,aVR,aVL,aVF"):
        read_record(tmp_path / "a", leads=[*LEADS[6:], *LEADS[:6]])


def test_named_leads_that_disagree_are_flagged(tmp_path: Path) -> None:
    fake.write_wfdb(tmp_path / "a.dat", WAVE[[0, 1, 2, 4, 3, *range(5, 12)]], 250)
    assert read_record(tmp_path / "a").quality == ("suspect:limb_leads_disagree",)


def test_no_real_recording_is_refused_or_flagged_as_disagreeing(shared_data: Path) -> None:
    """Every archive; of PTB-XL, which is large, one in twelve."""
    headers = [file for file in shared_data.glob("*/**/*.hea") if file.parents[2].name != "hospital_formats"]
    small = [file for file in headers if "ptbxl" not in file.parts]
    assumed = 0
    checked = [*small, *sorted(file for file in headers if "ptbxl" in file.parts)[::12]]
    for file in checked:
        record = read_record(file)
        assumed += check_order(record.signal, record.sampling_rate, LEADS, names_stated=False) != ()
        assert not limb_leads_disagree(record.signal, record.sampling_rate)
    assert len(checked) > 600 and assumed <= 5


def test_real_arrays_are_proven(shared_data: Path) -> None:
    arrays = [*(shared_data / "code15").glob("*.mat"), *(shared_data / "sph").rglob("*.h5")]
    assert len(arrays) > 10
    for file in [*arrays, *(shared_data / "cpsc2018_struct").glob("*.mat")]:
        rate = 500 if file.suffix == ".h5" else None
        assert "lead_order_assumed" not in read_record(file, sampling_rate=rate).quality
