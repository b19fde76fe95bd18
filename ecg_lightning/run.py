"""One run: a configuration becomes data, network and Trainer; its folder holds everything that came of it."""

import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import lightning.pytorch as pl
import numpy as np
import torch
from lightning.pytorch.callbacks import Callback, EarlyStopping, ModelCheckpoint
from numpy.typing import NDArray
from omegaconf import DictConfig

from ecg_lightning import __version__, checkpoints, leak
from ecg_lightning.callbacks import Freeze, RunRecord
from ecg_lightning.callbacks.record import provenance
from ecg_lightning.config import as_dict, compose
from ecg_lightning.datamodules.base import ECGDataModule
from ecg_lightning.errors import UserError
from ecg_lightning.finetune import FineTune, take_weights
from ecg_lightning.logger import Logging
from ecg_lightning.models.base import ECGModule
from ecg_lightning.optim import Optim
from ecg_lightning.schema import build, check
from ecg_lightning.trainer import keep_freed_memory, quiet, run_dir_of, stoppable, trainer_of


def fit(arguments: Sequence[str]) -> int:
    """Trains a network, from scratch, from another run's weights, or from where the same run stopped."""
    config = compose(arguments)
    check(config)
    run_dir = run_dir_of(config, arguments)
    resume = _resume_from(config, run_dir)
    seed = int(config.get("seed") or 0)
    pl.seed_everything(seed, workers=True, verbose=False)
    quiet()
    keep_freed_memory()

    data: ECGDataModule = build("data", config.data, seed=seed)
    data.prepare_data()
    data.setup("fit")
    model, finetune = _model(config, data, seed)
    train, val = data.rows("train"), data.rows("val")
    print(
        f"{data.source}: {len(train)} recordings to train on, {len(val)} to validate; "
        f"{type(model).__name__} with {sum(p.numel() for p in model.parameters()):,} parameters → {run_dir}",
        flush=True,
    )
    logger: Logging = build("logger", config.get("logger") or {})
    callbacks = _callbacks(run_dir, config, model, finetune, data)
    trainer = trainer_of(config, run_dir, callbacks, logger.make(run_dir, as_dict(config)), finetune.freezes())
    try:
        with stoppable(trainer):
            trainer.fit(model, datamodule=data, ckpt_path=resume, weights_only=False if resume else None)
    except KeyboardInterrupt:
        pass  # said below, as of a run that is stopped by SIGTERM
    finally:
        logger.finish()
    if trainer.interrupted:
        again = config.get("checkpoint_path") == "auto"
        how = (
            "The same command goes on."
            if again
            else f"The same command goes on with run_dir={run_dir} checkpoint_path=auto."
        )
        print(f"\nStopped. {how}", file=sys.stderr)
        return 130
    best = run_dir / "checkpoints" / "best.ckpt"
    if trainer.is_global_zero and best.exists():
        card = checkpoints.card_of(str(best))
        score = card["metrics"].get(model.monitor, float("nan"))
        print(
            f"Best epoch {card['epoch']}: {model.monitor} {score:.4f}. Checkpoints, metrics.csv and config.yaml are in {run_dir}"
        )
    return 0


def _resume_from(config: DictConfig, run_dir: Path) -> str | None:
    """The checkpoint that the same run goes on from, if any."""
    path, last = config.get("checkpoint_path"), run_dir / "checkpoints" / "last.ckpt"
    if path == "auto":
        return str(last) if last.is_file() else None
    if path is not None:
        if not Path(path).is_file():
            raise UserError(f"checkpoint_path: there is no file '{path}'.")
        return str(path)
    if last.is_file():
        raise UserError(
            f"{run_dir} already holds a run. Go on with it by checkpoint_path={last} (or checkpoint_path=auto), "
            "or give the new one another run_dir."
        )
    return None


def _model(config: DictConfig, data: ECGDataModule, seed: int) -> tuple[ECGModule, FineTune]:
    """The network in training, with the weights it starts from and a card that says what it is."""
    finetune: FineTune = build("finetune", config.get("finetune") or {})
    given = as_dict(config.model)
    model: ECGModule = build("model", given, terms=list(data.terms), leads=len(data.preprocess.leads))
    optim: Optim = build("optim", config.get("optim") or {})
    groups = list(model.layer_groups())
    finetune.check(groups)
    model.optim, model.rates, model.seed = optim, finetune.rates_of(groups), seed
    rows = data.rows("train")
    model.positive_weight.copy_(torch.from_numpy(positive_weights(data.targets[rows], optim, data.draws(rows))))
    if not _has_both_classes(data.targets[data.rows("val")]):
        model.monitor = "val/loss"
        print(
            "No term has both positives and negatives in the validation folds: epochs are compared by val/loss.",
            file=sys.stderr,
        )
    parent = checkpoints.read(finetune.checkpoint) if finetune.checkpoint is not None else None
    leak.check_training(data, parent)
    model.seen = leak.seen(data, parent)
    model.card = {
        "format": 1,
        "model": given,
        "label_space": data.label_space,
        "terms": list(data.terms),
        "input": data.input_spec(),
        "data": data.describe(),
        "seen": len(model.seen),
        "allow_leak": data.allow_leak or (parent is not None and parent.card.get("allow_leak", False)),
        "parent": None,
        "version": __version__,
    } | {"provenance": provenance()}
    if parent is not None:
        taken = take_weights(model.network, model.terms, parent.state, parent.terms, finetune.reset_head)
        print(f"From {parent.name}: {taken}", flush=True)
        _warn_of_other_input(parent.card["input"], data.input_spec())
        model.card["parent"] = {
            "name": parent.card.get("name", parent.name), "sha256": parent.sha256, "data": parent.card["data"],
            "parent": parent.card.get("parent"),
        }  # fmt: skip
    return model, finetune


def positive_weights(
    targets: NDArray[np.float32], optim: Optim, draws: NDArray[np.float64] | None = None
) -> NDArray[np.float32]:
    """(terms,) weight of a positive in the loss: negatives/positives, its root, or 1; bounded, and 1 without positives.

    Args:
        targets: (recordings, terms) 1, 0 or NaN.
        optim: which weight, and its bound.
        draws: (recordings,) how likely each is drawn, so that positives count as often as they are met.
    """
    if optim.positive_weight == "none":
        return np.ones(targets.shape[1], np.float32)
    each = np.ones(len(targets)) if draws is None else draws
    positive, negative = each @ (targets == 1), each @ (targets == 0)
    ratio: NDArray[np.float64] = np.divide(negative, positive, out=np.ones(targets.shape[1]), where=positive > 0)
    weight = np.sqrt(ratio) if optim.positive_weight == "sqrt" else ratio
    return np.clip(weight, 1 / optim.max_positive_weight, optim.max_positive_weight).astype(np.float32)


def _has_both_classes(targets: NDArray[np.float32]) -> bool:
    return bool(((targets == 1).any(0) & (targets == 0).any(0)).any())


def _callbacks(
    run_dir: Path, config: DictConfig, model: ECGModule, finetune: FineTune, data: ECGDataModule
) -> list[Callback]:
    mode = "min" if model.monitor == "val/loss" else "max"
    facts = provenance() | {"data": data.store.fingerprint}
    found: list[Callback] = [
        Freeze(finetune),
        RunRecord(run_dir, as_dict(config) | {"run_dir": str(run_dir)}, facts),
        _checkpoint(run_dir, "best", monitor=model.monitor, mode=mode),
        _checkpoint(run_dir, "last"),  # after `best`, so that it knows the best score
    ]
    if model.optim.patience is not None:
        found.append(EarlyStopping(model.monitor, patience=model.optim.patience, mode=mode, check_finite=False))
    return found


def _checkpoint(run_dir: Path, name: str, **which: Any) -> ModelCheckpoint:
    # At the epoch's very end, when nothing of the epoch is left to do: a resumed run starts with the next one.
    return ModelCheckpoint(
        run_dir / "checkpoints", name, enable_version_counter=False, save_on_train_epoch_end=True, **which
    )


def _warn_of_other_input(before: Mapping[str, Any], now: Mapping[str, Any]) -> None:
    for key, value in before.items():
        if now[key] != value:
            print(f"Note: the checkpoint was trained with {key}={value}, this run has {now[key]}.", file=sys.stderr)
