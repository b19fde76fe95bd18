"""The scripts of the experiments as programs: a mistake is a sentence and a status, never a traceback."""

from collections.abc import Callable
from pathlib import Path

import pytest

from ecg_lightning.errors import Stopped, UserError
from ecg_lightning.main import guard

ROOT = Path(__file__).parents[2] / "experiments"
SCRIPTS = [path for path in sorted(ROOT.glob("*/*.py")) if "__main__" in path.read_text(encoding="utf-8")]


@pytest.mark.parametrize("path", SCRIPTS, ids=lambda path: f"{path.parent.name}/{path.stem}")
def test_every_script_is_guarded(path: Path) -> None:
    main = path.read_text(encoding="utf-8").partition('if __name__ == "__main__":\n')[2]
    assert main.startswith("    sys.exit(") and "guard(" in path.read_text(encoding="utf-8")


def raising(error: BaseException) -> Callable[[], None]:
    def work() -> None:
        raise error

    return work


@pytest.mark.parametrize(
    ("work", "status", "message"),
    [
        (lambda: None, 0, ""),
        (lambda: 1, 1, ""),
        (raising(UserError("no folder")), 2, "ecg_lightning: no folder\n"),
        (raising(Stopped("Stopped. The same command goes on.")), 130, "Stopped. The same command goes on.\n"),
        (raising(KeyboardInterrupt()), 130, "ecg_lightning: stopped.\n"),
        (raising(PermissionError(13, "Permission denied", "x")), 2, "Choose a place where you may write"),
    ],
)
def test_what_stops_a_program_is_a_sentence(
    work: Callable[[], int | None], status: int, message: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert guard(work) == status
    assert message in capsys.readouterr().err


def test_a_fault_of_the_program_is_not_hidden() -> None:
    with pytest.raises(ZeroDivisionError):
        guard(raising(ZeroDivisionError()))
