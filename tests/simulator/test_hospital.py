"""Hospitals: every shipped file loads, and a mistake in one is answered with what to do."""

from pathlib import Path

import pytest

from ecg_lightning.errors import UserError
from ecg_lightning.simulator import Hospital

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
        ("prevalence: {AFIBB: 0.1}", "Did you mean: 'AFIB'"),
        ("annotation: {not_annotated: [SARH]}", "Did you mean: 'SARRH'"),
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
