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
        ("prevalence: {AFIBB: 0.1}", "did you mean AFIB"),
        ("annotation: {not_annotated: [SARH]}", "did you mean SARRH"),
    ],
)
def test_mistakes_are_named(tmp_path: Path, text: str, message: str) -> None:
    with pytest.raises(UserError, match=message):
        Hospital.load(write(tmp_path, text))


def test_an_unknown_name_lists_the_choices() -> None:
    with pytest.raises(UserError, match="large_a"):
        Hospital.load("huge")
