"""One run: a configuration becomes data, module and Trainer; the run's folder gets all results."""

from pathlib import Path
from typing import TYPE_CHECKING, Any

import lightning.pytorch as pl
from lightning.fabric.utilities.exceptions import MisconfigurationException
from lightning.pytorch.callbacks import Callback, EarlyStopping
from omegaconf import DictConfig

from ecg_lightning import checkpoints
from ecg_lightning.checkpoints.card import Card
from ecg_lightning.config.compose import as_dict
from ecg_lightning.config.schema import build
from ecg_lightning.config.written import as_written
from ecg_lightning.datamodules.packed import PackedDataModule
from ecg_lightning.errors import Stopped, UserError
from ecg_lightning.modules.base import ECGModule
from ecg_lightning.modules.optim import Optim
from ecg_lightning.training import resume
from ecg_lightning.training.arguments import check_arguments
from ecg_lightning.training.build import build_data, build_finetune, build_module, build_optim, seed_of
from ecg_lightning.training.cache import CachedDataModule
from ecg_lightning.training.callbacks import Average, Finite, Freeze, LogGroups, RunCheckpoint, RunRecord
from ecg_lightning.training.callbacks.record import provenance
from ecg_lightning.training.finetune import FineTune
from ecg_lightning.training.logger import Logging
from ecg_lightning.training.recipe import recipe_of
from ecg_lightning.training.stop import stoppable
from ecg_lightning.training.trainer import keep_freed_memory, lightning_refusal, probe, quiet, run_dir_of, trainer_of
from ecg_lightning.training.wandb_data import record_counts, term_counts

if TYPE_CHECKING:
    from ecg_lightning.training.wandb_run import RunLogger


def fit(config: DictConfig) -> Path:
    """Trains a network, from scratch, from another run's weights, or from where the same run stopped.

    Args:
        config: a composed and checked configuration (`ecg_lightning.compose`).

    Returns:
        The run's folder.

    Raises:
        UserError: where something does not fit, before anything is trained.
        Stopped: where Ctrl-C or SIGTERM stopped it; the message says how to go on.
    """
    run_dir = run_dir_of(config)
    with resume.locked(run_dir):
        _fit(config, run_dir)
    return run_dir


def _fit(config: DictConfig, run_dir: Path) -> None:
    pl.seed_everything(seed_of(config), workers=True, verbose=False)
    quiet()
    keep_freed_memory()
    optim, finetune = build_optim(config), build_finetune(config)
    recipe = _checked_recipe(config, run_dir, optim, finetune)
    resumed = resume.checkpoint_to_resume(config, run_dir)
    if finetune.cache and recipe["trainer.devices"] > 1:
        raise UserError(
            f"finetune.cache=true trains the head in one process, in seconds; trainer.devices={recipe['trainer.devices']} here. "
            "Set trainer.devices=1, or finetune.cache=false."
        )
    if resumed is not None:
        resume.check_recipe(resumed, config, recipe, optim)

    data = build_data(config)
    model = build_module(config, data, resumed)
    train, val = data.rows("train"), data.rows("val")
    print(
        f"{data.source}: {len(train)} recordings to train on, {len(val)} to validate; "
        f"{type(model).__name__} with {sum(p.numel() for p in model.parameters()):,} parameters → {run_dir}",
        flush=True,
    )
    _print_rejected(data)
    logger: Logging = build("logger", config.get("logger") or {})
    callbacks = _callbacks(run_dir, config, model, finetune, data, recipe)
    stopped = False
    try:
        log = logger.make(run_dir, as_written(config), resumed is not None)
        if log and resumed is None:
            _log_start(log, data, finetune.checkpoint if logger.artifacts else None)
        trainer = trainer_of(config, run_dir, callbacks, log, finetune.freezes())
        with stoppable(trainer):
            batches = CachedDataModule(data, run_dir) if finetune.cache else data
            trainer.fit(model, datamodule=batches, ckpt_path=resumed.name if resumed else None, weights_only=True)
    except KeyboardInterrupt:
        stopped = True
    except (MisconfigurationException, ValueError) as error:
        if isinstance(error, ValueError) and "val_check_interval" not in str(error):
            raise
        raise UserError(f"trainer: {lightning_refusal(error, {})}") from error  # known only with the number of batches
    finally:
        logger.finish()
    if stopped:
        overrides = "" if config.get("checkpoint_path") == "auto" else f" with run_dir={run_dir} checkpoint_path=auto"
        raise Stopped(f"Stopped. The same command goes on{overrides}.")
    if trainer.is_global_zero:
        _print_result(run_dir, model.monitor)


def _log_start(log: "RunLogger", data: PackedDataModule, parent: str | None) -> None:
    """Logs what is known before the training: counts of the data, and the parent as an artifact where it is given."""
    log.log_summary(record_counts(data))
    log.log_rows("data/terms", term_counts(data))
    if parent is not None and log.is_writing:
        from ecg_lightning.training.wandb_artifacts import log_parent

        log_parent(log, parent)


def _checked_recipe(config: DictConfig, run_dir: Path, optim: Optim, finetune: FineTune) -> dict[str, Any]:
    """Returns the run's recipe after Lightning accepted its arguments, with its number of processes and its precision."""
    values = as_dict(config.get("trainer") or DictConfig({}))
    check_arguments(values, optim, finetune.freezes(), finetune.waits())
    trainer = probe(config, run_dir, finetune.freezes())
    machine = {"trainer.devices": trainer.world_size, "trainer.precision": trainer.precision}
    recipe = {key: value for key, value in recipe_of(config).items() if key != "trainer.num_nodes"}
    return recipe | machine


def _print_result(run_dir: Path, monitor: str) -> None:
    best, last = (run_dir / "checkpoints" / f"{name}.ckpt" for name in ("best", "last"))
    place = f"Checkpoints, metrics.csv and config.yaml are in {run_dir}"
    if best.exists():
        card = checkpoints.card_of(str(best))
        score = card.metrics.get(monitor)
        print(f"Best epoch {card.epoch}: {monitor} {'not defined' if score is None else f'{score:.4f}'}. {place}")
        print(_calibration(card))
    elif last.exists():
        epoch = checkpoints.card_of(str(last)).epoch
        print(
            f"Epoch {epoch} was the last one. Nothing was validated, so there is no best.ckpt, and no threshold was "
            f"chosen: all are 0.5. {place}; `publish` takes {last}."
        )
    else:
        print(f"A trial (trainer.fast_dev_run): no checkpoint is kept. config.yaml is in {run_dir}")


def _calibration(card: Card) -> str:
    """Says by which rules decisions are made, and what the calibration changes on the recordings that it was fitted on."""
    text = f"Chosen on validation: thresholds by {card.threshold_rule}, calibration by {card.calibration_method}."
    changes = []
    for name, title in (("brier", "Brier score"), ("ece", "calibration error")):
        before, after = (card.metrics.get(f"val/{name}{ending}") for ending in ("", "_calibrated"))
        if before is not None and after is not None:
            changes.append(f"{title} {before:.3f} → {after:.3f}")
    return f"{text} There the calibration changes: {', '.join(changes)}." if changes else text


def _print_rejected(data: PackedDataModule) -> None:
    stores = [part.store for part in data.sources.values()]
    rejected = sum(store.meta["rejected"] for store in stores)
    if rejected:
        lists = ", ".join(str(store.path / "rejected.csv") for store in stores if store.meta["rejected"])
        print(f"{rejected} of {rejected + sum(map(len, stores))} recordings are set aside, see {lists}", flush=True)


def _callbacks(
    run_dir: Path,
    config: DictConfig,
    model: ECGModule,
    finetune: FineTune,
    data: PackedDataModule,
    recipe: dict[str, Any],
) -> list[Callback]:
    mode = "min" if model.monitor == "val/loss" else "max"
    facts = provenance() | {"data": data.store.sha256}
    callbacks: list[Callback] = [
        Freeze(finetune),
        LogGroups(),
        *([] if model.optim.ema is None else [Average(model.optim.ema)]),
        Finite(),
        RunRecord(run_dir, as_written(config) | {"run_dir": str(run_dir)}, facts, recipe),
        _checkpoint(run_dir, "best", monitor=model.monitor, mode=mode),
        _checkpoint(run_dir, "last"),  # after `best`, so that its file has the best score
    ]
    if model.optim.patience is not None:
        callbacks.append(
            EarlyStopping(
                model.monitor,
                patience=model.optim.patience,
                mode=mode,
                check_finite=False,
                check_on_train_epoch_end=False,
            )
        )
    return callbacks


def _checkpoint(run_dir: Path, name: str, **comparison: Any) -> Callback:
    return RunCheckpoint(
        run_dir / "checkpoints", name, enable_version_counter=False, save_on_train_epoch_end=True, **comparison
    )
