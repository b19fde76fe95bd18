from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace

import pytest

from ecg_lightning.sweep import launch
from ecg_lightning.sweep.definition import load_sweep
from ecg_lightning.sweep.launch import Launcher
from ecg_lightning.sweep.trials import Try

Write = Callable[..., Path]
FIT = ["${interpreter}", "-m", "ecg_lightning", "fit", "${args}"]


@pytest.fixture
def started(monkeypatch: pytest.MonkeyPatch) -> list[list[str]]:
    """The commands that were started, without starting them."""
    commands: list[list[str]] = []
    monkeypatch.setattr(launch, "TrialProcess", lambda command, *rest: commands.append(command) or SimpleNamespace())
    return commands


def again(attempt: int) -> Try:
    return Try(4, attempt, {"optim.lr": 0.1}, SimpleNamespace())  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("command", "attempt", "resumed"), [(FIT, 1, True), (FIT, 0, False), (["train", "${args}"], 1, False)]
)
def test_a_later_try_of_fit_goes_on_from_the_checkpoint_it_finds(
    sweep_file: Write, tmp_path: Path, started: list[list[str]], command: list[str], attempt: int, resumed: bool
) -> None:
    folder = tmp_path / "s" / "004"
    (folder / "checkpoints").mkdir(parents=True)
    (folder / "checkpoints" / "last.ckpt").write_text("weights", encoding="utf-8")
    Launcher(load_sweep(sweep_file(command=command)), tmp_path / "s", 1).start(again(attempt), {})
    options = [word for word in started[0] if word.startswith("--")]
    checkpoint = [f"--checkpoint_path={folder}/checkpoints/last.ckpt"] if resumed else []
    assert options == ["--optim.lr=0.1", *checkpoint, f"--run_dir={folder}"]
    assert (folder / "checkpoints").exists() is resumed
    assert (folder.with_name("004.before1") / "checkpoints" / "last.ckpt").exists() is not resumed


def test_what_was_there_before_is_kept_each_time(sweep_file: Write, tmp_path: Path, started: list[list[str]]) -> None:
    launcher = Launcher(load_sweep(sweep_file()), tmp_path / "s", 1)
    for attempt in range(3):
        launcher.start(again(attempt), {})
    assert sorted(path.name for path in (tmp_path / "s").iterdir()) == ["004", "004.before1", "004.before2"]
    assert len(started) == 3
