"""A package of an extra that is not installed is a sentence, before anything imports it."""

import pytest

from ecg_lightning import errors
from ecg_lightning.commands.sweep import sweep
from ecg_lightning.errors import UserError


@pytest.mark.parametrize(
    ("package", "words", "extra"),
    [
        ("optuna", [], "sweep"),
        ("optuna", ["--dry-run"], "sweep"),
        ("optuna", ["--slurm", "cluster=local"], "sweep"),
        ("submitit", ["--slurm", "cluster=local"], "slurm"),
    ],
)
def test_it_says_what_to_install(package: str, words: list[str], extra: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(errors, "find_spec", lambda name: None if name == package else object())
    with pytest.raises(UserError, match=rf"{package}, which is not installed: pip install 'ecg_lightning\[{extra}\]'"):
        sweep(["sweep/quick", *words])
