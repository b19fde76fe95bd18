"""Opens a sweep's study: in a journal file, or in a database that many machines share."""

import json
import time
import warnings
from pathlib import Path

import optuna
import sqlalchemy
from optuna.storages import BaseStorage, JournalStorage, get_storage
from optuna.trial import TrialState

from ecg_lightning.errors import UserError
from ecg_lightning.sweep.definition import Stopping, Sweep
from ecg_lightning.sweep.journal import Journal

optuna.logging.set_verbosity(optuna.logging.ERROR)
StorageError = (optuna.exceptions.StorageInternalError, sqlalchemy.exc.SQLAlchemyError, OSError)
"""What a storage raises while it cannot be reached."""


def open_storage(place: str) -> BaseStorage:
    """Connects to a storage.

    Args:
        place: the path of a journal file, or a database URL (``postgresql://user@host/database``). A password is
            better kept in ``~/.pgpass`` or ``PGPASSWORD`` than in the URL.

    Raises:
        UserError: where it cannot be reached or made.
    """
    if "://" not in place:
        return _open_journal(Path(place))
    try:
        url = sqlalchemy.make_url(place)
    except sqlalchemy.exc.ArgumentError as error:
        raise UserError(
            f"--storage: '{place}' is not a database URL; write postgresql://user@host/database."
        ) from error
    if url.drivername in ("postgres", "postgresql"):
        url = url.set(drivername="postgresql+psycopg")
    for attempt in range(6):
        try:
            database = url.render_as_string(hide_password=False)
            return get_storage(optuna.storages.RDBStorage(database, engine_kwargs={"pool_pre_ping": True}))
        except ImportError as error:
            raise UserError(
                f"--storage {url!r}: the driver '{url.drivername}' is not installed ({error}). The one for PostgreSQL "
                "comes with pip install 'ecg_lightning[sweep]'."
            ) from error
        except sqlalchemy.exc.OperationalError as error:
            reason = " ".join(str(error.orig).split())
            raise UserError(f"--storage {url!r} cannot be reached: {reason}") from error
        except StorageError as error:
            # Workers that start together all try to make the tables; those who come second find them there.
            if attempt == 5:
                raise UserError(f"--storage {url!r} cannot be used: {' '.join(str(error).split())}") from error
            time.sleep(0.3 * (attempt + 1))
    raise AssertionError("unreachable")


def _open_journal(path: Path) -> BaseStorage:
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        return JournalStorage(Journal(str(path)))
    except OSError as error:
        raise UserError(f"The journal {path} cannot be opened: {error.strerror}.") from error
    except ValueError as error:
        raise UserError(f"{path} is not a journal of a sweep ({error}).") from error


def open_study(sweep: Sweep, storage: BaseStorage) -> optuna.Study:
    """The sweep's study: made, or joined where it is there.

    Raises:
        UserError: where a study of that name searches something else; the message lists the differences.
    """
    pruner = _pruner(sweep.stopping)
    try:
        study = optuna.create_study(storage=storage, study_name=sweep.name, direction=sweep.goal, pruner=pruner)
        study.set_user_attr("identity", json.dumps(sweep.identity()))
        return study
    except optuna.exceptions.DuplicatedStudyError:
        study = optuna.load_study(study_name=sweep.name, storage=storage, pruner=pruner)
    for _ in range(50):  # whoever made the study is about to say what it is
        if "identity" in study.user_attrs:
            break
        time.sleep(0.1)
    else:
        study.set_user_attr("identity", json.dumps(sweep.identity()))
    recorded, wanted = _identity(study), sweep.identity()
    keys = dict.fromkeys((*recorded, *wanted))
    different = [
        f"  {key}: {recorded.get(key, '(none)')} → {wanted.get(key, '(none)')}"
        for key in keys
        if recorded.get(key) != wanted.get(key)
    ]
    begun = (TrialState.COMPLETE, TrialState.PRUNED, TrialState.RUNNING)
    if different and not study.get_trials(deepcopy=False, states=begun):
        optuna.delete_study(study_name=sweep.name, storage=storage)  # it has no result: a first mistake was mended
        return open_study(sweep, storage)
    if different:
        raise UserError(
            f"There is a study '{sweep.name}' already, and it searches something else (study → {sweep.file}):\n"
            + "\n".join(different)
            + "\nGive this sweep a name of its own with --name, or undo the change."
        )
    return study


def _identity(study: optuna.Study) -> dict[str, str]:
    """What a study says that it searches."""
    try:
        parts = json.loads(study.user_attrs["identity"])
    except (TypeError, ValueError):
        parts = None
    if not isinstance(parts, dict):
        raise UserError(
            f"The study '{study.study_name}' was not made by `sweep`. Give this one a name of its own with --name."
        )
    return parts


def _pruner(stopping: Stopping | None) -> optuna.pruners.BasePruner:
    if stopping is None:
        return optuna.pruners.NopPruner()
    if stopping.kind == "median":
        return optuna.pruners.MedianPruner(n_startup_trials=4, n_warmup_steps=stopping.first)
    return optuna.pruners.HyperbandPruner(
        min_resource=stopping.first, max_resource=stopping.last or "auto", reduction_factor=stopping.factor
    )


def sampler(seed: int) -> optuna.samplers.BaseSampler:
    """TPE for one trial; its own seed keeps workers that start together from proposing the same."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", optuna.exceptions.ExperimentalWarning)
        return optuna.samplers.TPESampler(seed=seed, constant_liar=True)
