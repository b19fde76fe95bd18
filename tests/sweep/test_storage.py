from collections.abc import Callable
from pathlib import Path

import pytest
from optuna.trial import TrialState

from ecg_lightning.errors import UserError
from ecg_lightning.sweep.definition import load_sweep
from ecg_lightning.sweep.storage import open_storage, open_study

Write = Callable[..., Path]


def test_a_journal_is_made_with_its_folder(tmp_path: Path) -> None:
    open_storage(str(tmp_path / "a" / "b" / "study.journal"))
    assert (tmp_path / "a" / "b" / "study.journal").is_file()


def test_a_study_of_the_same_name_with_other_parameters_is_refused_with_the_difference(
    sweep_file: Write, tmp_path: Path
) -> None:
    storage = open_storage(str(tmp_path / "study.journal"))
    open_study(load_sweep(sweep_file([0, 1])), storage).ask()
    open_study(load_sweep(sweep_file([0, 1], run_cap=1)), storage)  # how many is no difference
    with pytest.raises(UserError) as caught:
        open_study(load_sweep(sweep_file([0, 2], method="random")), storage)
    lines = str(caught.value).splitlines()
    assert lines[1:3] == ["  method: grid → random", "  parameters.x: 0, 1 → 0, 2"]
    assert "--name" in lines[-1]


def test_a_study_without_any_result_may_be_changed(sweep_file: Write, tmp_path: Path) -> None:
    storage = open_storage(str(tmp_path / "study.journal"))
    study = open_study(load_sweep(sweep_file(metric={"name": "val/aurok", "goal": "minimize"})), storage)
    study.tell(study.ask(), state=TrialState.FAIL)
    mended = open_study(load_sweep(sweep_file()), storage)
    assert (mended.direction.name, len(mended.trials)) == ("MAXIMIZE", 0)


def test_an_unreachable_database_is_named_without_its_password() -> None:
    with pytest.raises(UserError, match=r"127\.0\.0\.1:1/sweeps cannot be reached: .*refused") as caught:
        open_storage("postgresql://me:secret@127.0.0.1:1/sweeps")
    assert "secret" not in str(caught.value)


@pytest.mark.parametrize("place", ["postgresql//me", "oracle_x://me@host/db", "://"])
def test_what_is_no_storage_is_a_mistake(place: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "postgresql").write_text("a file where a folder is needed", encoding="utf-8")
    with pytest.raises(UserError):
        open_storage(place)


def test_another_file_is_no_journal(tmp_path: Path) -> None:
    (tmp_path / "notes.txt").write_text("hello\nworld\n", encoding="utf-8")
    with pytest.raises(UserError, match=r"notes\.txt is not a journal of a sweep"):
        open_storage(str(tmp_path / "notes.txt"))
