"""Hospitals: every shipped file loads, and a mistake in one is answered with what to do."""

from pathlib import Path

import numpy as np
import pytest

from ecg_lightning.errors import UserError
from ecg_lightning.simulator import TERMS, Hospital, simulate
from ecg_lightning.simulator.hospital import PREVALENCE, Readers

SHIPPED = sorted(file.stem for file in (Path(__file__).parents[2] / "conf" / "hospital").glob("*.yaml"))


@pytest.mark.parametrize("name", SHIPPED)
def test_shipped_hospitals_load(name: str) -> None:
    hospital = Hospital.load(name)
    assert hospital.name == name
    assert hospital.devices


def test_small_differs_from_large() -> None:
    assert Hospital.load("small") != Hospital.load("large_a")


def write(folder: Path, text: str) -> Path:
    path = folder / "mine.yaml"
    path.write_text(text)
    return path


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("nois: {baseline: 0.1}", "nois"),
        ("noise: {base: 0.1}", "base"),
        ("age: old", "age"),
        ("prevalence: {AFIBB: 0.1}", "'AFIBB' is not simulated. Did you mean: 'AFIB'"),
        ("annotation: {not_annotated: [SARH]}", "Did you mean: 'SARRH'"),
        ("annotation: {beside_norm: [PCV]}", "annotation.beside_norm: 'PCV' is not simulated. Did you mean"),
        ("bifascicular: 2", r"bifascicular: 2 is not from 0 to 1"),
        ("prevalence: {AFIB: 1.7}", r"mine, prevalence\.AFIB: 1\.7 is not from 0 to 1"),
        ("prevalence: {AFIB: -0.2}", r"prevalence\.AFIB: -0\.2"),
        ("prevalence: {AFIB: .nan}", r"prevalence\.AFIB: nan"),
        ("prevalence: {SVTAC: 0.6, PACE: 0.6}", r"AFLT \+ SVTAC \+ PACE is 1\.21"),
        ("prevalence: {CRBBB: 0.6, CLBBB: 0.6}", "CRBBB"),
        ("devices: []", "devices: the list is empty"),
        ("devices: [{share: 0}]", "all shares are 0"),
        ("devices: [{highpass: 40, lowpass: 40}]", r"devices\[0\]\.highpass: 40 is not below lowpass"),
        ("devices: [{resolution: 0}]", r"devices\[0\]\.resolution: 0"),
        ("age_spread: 0", "age_spread: 0 is not from 0.1"),
        ("recordings_per_patient: 0", "recordings_per_patient: 0 is not from 1"),
        ("female: 1.5", "female: 1.5"),
        ("noise: {muscle: -1}", r"noise\.muscle: -1"),
        ("noise: {burst: 2}", r"noise\.burst: 2"),
        ("annotation: {missed_terms: {IRBBB: 3}}", r"missed_terms\.IRBBB: 3"),
        ("annotation: {delayed_qrs: 0.1}", r"annotation\.delayed_qrs: 0\.1 is not from 60 to 119"),
    ],
)
def test_mistakes_are_named(tmp_path: Path, text: str, message: str) -> None:
    with pytest.raises(UserError, match=message):
        Hospital.load(write(tmp_path, text))


def test_an_unknown_name_lists_the_choices() -> None:
    with pytest.raises(UserError, match="large_a"):
        Hospital.load("huge")


def test_the_left_anterior_fascicle_may_be_blocked_beside_the_right_branch_and_changes_no_other_patient() -> None:
    prevalence = {"CRBBB": 0.5, "LAFB": 0.05, "IRBBB": 0.0, "CLBBB": 0.0, "IVCD": 0.0, "WPW": 0.0}
    alone, both = (
        simulate(Hospital(prevalence=prevalence, bifascicular=share), range(1000), 0, clean=True)
        for share in (0.0, 0.4)
    )
    block, fascicle = (TERMS.index(name) for name in ("CRBBB", "LAFB"))
    right_block = alone.labels[:, block] & both.labels[:, block]
    assert (
        0.30 < both.labels[right_block, fascicle].mean() < 0.50
    )  # 1 - 0.95 * 0.6, less those whose axis does not show it
    assert alone.labels[right_block, fascicle].mean() < 0.15
    narrow = alone.parameters["qrs_ms"] < 105
    np.testing.assert_array_equal(alone.signals[narrow], both.signals[narrow])


def test_readers_may_write_norm_beside_an_extrasystole() -> None:
    prevalence = dict.fromkeys(PREVALENCE, 0.0) | {"PVC": 0.5}
    usual, ptbxl = (
        simulate(Hospital(prevalence=prevalence, annotation=Readers(beside_norm=names)), range(200), 0)
        for names in ([], ["PVC"])
    )
    norm, pvc = TERMS.index("NORM"), TERMS.index("PVC")
    np.testing.assert_array_equal(usual.signals, ptbxl.signals)
    assert not usual.labels[usual.labels[:, pvc], norm].any()
    assert ptbxl.labels[ptbxl.labels[:, pvc], norm].mean() > 0.5
