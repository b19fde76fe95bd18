"""Going on with a run: from which checkpoint, that it is the same run, and that nobody else is at it."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from filelock import FileLock, Timeout
from lightning.pytorch.callbacks import ModelCheckpoint
from lightning.pytorch.utilities import rank_zero_only
from omegaconf import DictConfig

from ecg_lightning import checkpoints
from ecg_lightning.checkpoints import Checkpoint
from ecg_lightning.checkpoints.card import Card
from ecg_lightning.errors import UserError

LOCK = "fit.lock"
_ABSENT = "nothing"


@contextmanager
def alone(run_dir: Path) -> Iterator[None]:
    """Keeps every other `fit` out of a run's folder; a folder in which nothing was written is removed again.

    Raises:
        UserError: where another process is at it.
    """
    if getattr(rank_zero_only, "rank", 0):  # this process belongs to the one that has the lock
        yield
        return
    run_dir.mkdir(parents=True, exist_ok=True)
    lock = FileLock(run_dir / LOCK)
    try:
        lock.acquire(timeout=0)
    except Timeout:
        raise UserError(
            f"Another `fit` is at work in {run_dir}. Wait for its end, or give this one another run_dir."
        ) from None
    try:
        yield
    finally:
        (run_dir / LOCK).unlink(missing_ok=True)
        lock.release()
        with suppress(OSError):  # it is not empty
            run_dir.rmdir()


def find(config: DictConfig, run_dir: Path) -> Checkpoint | None:
    """The checkpoint that the run goes on from, if any.

    Raises:
        UserError: where it is not there or cannot be read, or the folder has a run and none was asked for.
    """
    path, last = config.get("checkpoint_path"), run_dir / "checkpoints" / "last.ckpt"
    if path == "auto":
        path = str(last) if last.is_file() else None
    elif path is None and last.is_file():
        raise UserError(
            f"{run_dir} already holds a run. Go on with it by checkpoint_path={last} (or checkpoint_path=auto), "
            "or give the new one another run_dir."
        )
    if path is None:
        return None
    if not Path(path).is_file():
        raise UserError(f"checkpoint_path: there is no file '{path}'.")
    if not path.endswith(".ckpt"):
        raise UserError(
            f"checkpoint_path: {path} is no .ckpt file of a run, and has not what training needs to go on. To start from "
            f"its weights, use finetune.checkpoint={path}."
        )
    try:
        return checkpoints.read(path)
    except UserError as error:
        raise UserError(f"checkpoint_path: {error} {_instead_of(Path(path))}") from error


def _instead_of(path: Path) -> str:
    best = path.with_name("best.ckpt")
    if best != path and best.is_file():
        return f"If it was cut off: copy {best} over it to go on from the best epoch, or remove both to start anew."
    return "If it was cut off: remove it to start anew."


class Kept(ModelCheckpoint):
    """A run's checkpoints, in a folder that may be moved before the run goes on: Lightning would forget the best score."""

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Takes the state over, with the paths of files that were moved along as they are now."""
        folder = Path(str(self.dirpath))
        if (folder / f"{self.filename}.ckpt").is_file():
            paths = {key: _moved(state_dict[key], folder) for key in state_dict if key.endswith("_path")}
            best = {_moved(path, folder): score for path, score in state_dict["best_k_models"].items()}
            state_dict = state_dict | paths | {"best_k_models": best, "dirpath": self.dirpath}
        super().load_state_dict(state_dict)


def _moved(path: str, folder: Path) -> str:
    return str(folder / Path(path).name) if path else path


def check_same(found: Checkpoint, card: Card) -> None:
    """Compares a checkpoint's card with that of the run that is to go on from it: network, terms, input, data, parent.

    Raises:
        UserError: naming the first difference.
    """
    then_card, now_card = found.card.to_dict(), card.to_dict()
    for key in ("model", "terms", "input", "data"):
        before, now = _flat(then_card[key], key), _flat(now_card[key], key)
        for name in dict.fromkeys([*now, *before]):
            if key == "data" and name not in before:  # of a version that did not say it yet
                continue
            if (then := before.get(name, _ABSENT)) != (here := now.get(name, _ABSENT)):
                raise another(found, f"{name} was {then}, and is {here} here")


def another(found: Checkpoint, difference: str) -> UserError:
    """The refusal to go on with a run as if it were another one."""
    return UserError(
        f"checkpoint_path: {found.name} is of another run: {difference}. checkpoint_path goes on with the same run; to "
        f"start from its weights, use finetune.checkpoint={found.name} and a run_dir of its own."
    )


def _flat(value: Any, name: str) -> dict[str, Any]:
    """The leaves of nested mappings by their dotted names.

    >>> _flat({"folds": [1], "records": {"val": 3}}, "data")
    {'data.folds': [1], 'data.records.val': 3}
    """
    if not isinstance(value, Mapping):
        return {name: value}
    return {k: v for key, each in value.items() for k, v in _flat(each, f"{name}.{key}").items()}
