"""Opens a sweep's study: in a journal file, or in a database that many machines share."""

import json
import time
import warnings
from pathlib import Path

import optuna
import sqlalchemy
from optuna.storages import BaseStorage, JournalStorage, get_storage
from optuna.trial import TrialState

from ecg_lightning.errors import UserError, one_line
from ecg_lightning.sweep.definition import Stopping, Sweep
from ecg_lightning.sweep.journal import Journal

optuna.logging.set_verbosity(optuna.logging.ERROR)
StorageError = (optuna.exceptions.StorageInternalError, sqlalchemy.exc.SQLAlchemyError, OSError)
"""The exceptions of a storage that cannot be reached."""


def open_storage(place: str) -> BaseStorage:
    """Returns the storage at a path or a URL.

    Args:
        place: the path of a journal file, or a database URL (`postgresql://user@host/database`). A password is
            safer in `~/.pgpass` or `PGPASSWORD` than in the URL.

    Raises:
        UserError: where the storage cannot be reached or created.
    """
    if "://" not in place:
        return _open_journal(Path(place))
    try:
        url = sqlalchemy.make_url(place)
    except sqlalchemy.exc.ArgumentError as error:
        raise UserError(
            f"--storage: '{place}' is not the URL of a database. Write postgresql://user@host/database."
        ) from error
    if url.drivername in ("postgres", "postgresql"):
        url = url.set(drivername="postgresql+psycopg")
    for attempt in range(6):
        try:
            database = url.render_as_string(hide_password=False)
            return get_storage(optuna.storages.RDBStorage(database, engine_kwargs={"pool_pre_ping": True}))
        except ImportError as error:
            raise UserError(
                f"--storage {url!r}: the driver '{url.drivername}' is not installed ({error}). For PostgreSQL: "
                "pip install 'ecg_lightning[sweep]'."
            ) from error
        except sqlalchemy.exc.OperationalError as error:
            raise UserError(f"--storage {url!r} cannot be reached: {one_line(error.orig)}.") from error
        except StorageError as error:
            # Workers that start at the same time all try to create the tables, and all but the first fail.
            if attempt == 5:
                raise UserError(f"--storage {url!r} cannot be used: {one_line(error)}.") from error
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
    """Returns the sweep's study, which is created where it does not exist.

    Raises:
        UserError: where a study of that name searches other values; the message lists the differences.
    """
    pruner = _pruner(sweep.stopping)
    try:
        study = optuna.create_study(storage=storage, study_name=sweep.name, direction=sweep.goal, pruner=pruner)
        study.set_user_attr("identity", json.dumps(sweep.identity()))
        return study
    except optuna.exceptions.DuplicatedStudyError:
        study = optuna.load_study(study_name=sweep.name, storage=storage, pruner=pruner)
    for _ in range(50):  # the worker that created the study writes this next
        if "identity" in study.user_attrs:
            break
        time.sleep(0.1)
    else:
        study.set_user_attr("identity", json.dumps(sweep.identity()))
    old, new = _identity(study), sweep.identity()
    keys = [key for key in dict.fromkeys((*old, *new)) if old.get(key) != new.get(key)]
    if not keys:
        return study
    if not study.get_trials(deepcopy=False, states=(TrialState.COMPLETE, TrialState.PRUNED, TrialState.RUNNING)):
        optuna.delete_study(
            study_name=sweep.name, storage=storage
        )  # it has no result: a mistake in the file was corrected
        return open_study(sweep, storage)
    raise UserError(
        f"There is already a study '{sweep.name}', and it searches other values (study → {sweep.file}):\n"
        + "".join(f"  {key}: {old.get(key, '(none)')} → {new.get(key, '(none)')}\n" for key in keys)
        + "Give this sweep another name with --name, or undo the change."
    )


def _identity(study: optuna.Study) -> dict[str, str]:
    """Returns the identity of the sweep that created a study."""
    try:
        parts = json.loads(study.user_attrs["identity"])
    except (TypeError, ValueError):
        parts = None
    if not isinstance(parts, dict):
        raise UserError(
            f"The study '{study.study_name}' was not created by `sweep`. Give this sweep another name with --name."
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
    """Returns TPE for one trial; with a seed for each trial, workers that start together do not propose the same values."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", optuna.exceptions.ExperimentalWarning)
        return optuna.samplers.TPESampler(seed=seed, constant_liar=True)
