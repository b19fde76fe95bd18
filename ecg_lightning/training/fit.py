"""One run: a configuration becomes data, network and Trainer; its folder holds everything that came of it."""

import sys
from collections.abc import Sequence
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import lightning.pytorch as pl
import numpy as np
from lightning.fabric.utilities.exceptions import MisconfigurationException
from lightning.pytorch.callbacks import Callback, EarlyStopping
from numpy.typing import NDArray
from omegaconf import DictConfig
from torch import Tensor

from ecg_lightning import checkpoints
from ecg_lightning.checkpoints import Checkpoint
from ecg_lightning.checkpoints.card import Card, Data, Input, Parent, Provenance
from ecg_lightning.checkpoints.weights import take_weights
from ecg_lightning.config.compose import as_dict, compose
from ecg_lightning.config.schema import build, check, module_class
from ecg_lightning.config.written import as_written
from ecg_lightning.datamodules.base import ECGDataModule
from ecg_lightning.errors import UserError
from ecg_lightning.models.network import Network
from ecg_lightning.modules.base import ECGModule
from ecg_lightning.modules.optim import Optim
from ecg_lightning.training import ancestry, leak, resume
from ecg_lightning.training.arguments import check_arguments, validates
from ecg_lightning.training.callbacks import Finite, Freeze, Kept, RunRecord
from ecg_lightning.training.callbacks.record import provenance
from ecg_lightning.training.finetune import FineTune
from ecg_lightning.training.logger import Logging
from ecg_lightning.training.recipe import recipe_of
from ecg_lightning.training.stop import STOPPED, stoppable
from ecg_lightning.training.terms import learnable, say_what_is_missing
from ecg_lightning.training.trainer import keep_freed_memory, of_lightning, probe, quiet, run_dir_of, trainer_of


def fit(arguments: Sequence[str]) -> int:
    """Trains a network, from scratch, from another run's weights, or from where the same run stopped."""
    config = compose(arguments)
    check(config)
    run_dir = run_dir_of(config, arguments)
    with resume.alone(run_dir):
        return _fit(config, run_dir)


def _fit(config: DictConfig, run_dir: Path) -> int:
    seed = int(config.get("seed") or 0)
    pl.seed_everything(seed, workers=True, verbose=False)
    quiet()
    keep_freed_memory()
    recipe = _checked_recipe(config, run_dir)
    resumed = resume.find(config, run_dir)
    if resumed is not None:
        resume.check_recipe(resumed, recipe, build("optim", config.get("optim") or {}))

    data: ECGDataModule = build("data", config.data, seed=seed)
    data.prepare_data()
    data.setup("fit")
    model, finetune = _model(config, data, seed, resumed)
    train, val = data.rows("train"), data.rows("val")
    print(
        f"{data.source}: {len(train)} recordings to train on, {len(val)} to validate; "
        f"{type(model).__name__} with {sum(p.numel() for p in model.parameters()):,} parameters → {run_dir}",
        flush=True,
    )
    _say_rejected(data)
    logger: Logging = build("logger", config.get("logger") or {})
    callbacks = _callbacks(run_dir, config, model, finetune, data, recipe)
    stopped = False
    try:
        log = logger.make(run_dir, as_written(config), resumed is not None)
        trainer = trainer_of(config, run_dir, callbacks, log, finetune.freezes())
        with stoppable(trainer):
            trainer.fit(model, datamodule=data, ckpt_path=resumed.name if resumed else None, weights_only=True)
    except KeyboardInterrupt:
        stopped = True
    except (MisconfigurationException, ValueError) as error:
        if isinstance(error, ValueError) and "val_check_interval" not in str(error):
            raise
        raise UserError(f"trainer: {of_lightning(error, {})}") from error  # known only with the number of batches
    finally:
        logger.finish()
    if stopped:
        again = config.get("checkpoint_path") == "auto"
        how = (
            "The same command goes on."
            if again
            else f"The same command goes on with run_dir={run_dir} checkpoint_path=auto."
        )
        print(f"\nStopped. {how}", file=sys.stderr)
        return STOPPED
    if trainer.is_global_zero:
        _say_end(run_dir, model.monitor)
    return 0


def _checked_recipe(config: DictConfig, run_dir: Path) -> dict[str, Any]:
    """The run's recipe, once Lightning has accepted its arguments: with the processes and the precision that it found."""
    optim: Optim = build("optim", config.get("optim") or {})
    finetune: FineTune = build("finetune", config.get("finetune") or {})
    check_arguments(as_dict(config.get("trainer") or DictConfig({})), optim, finetune.freezes())
    trainer = probe(config, run_dir, finetune.freezes())
    machine = {"trainer.devices": trainer.world_size, "trainer.precision": trainer.precision}
    recipe = {key: value for key, value in recipe_of(config).items() if key != "trainer.num_nodes"}
    return recipe | machine


def _say_end(run_dir: Path, monitor: str) -> None:
    best, last = (run_dir / "checkpoints" / f"{name}.ckpt" for name in ("best", "last"))
    where = f"Checkpoints, metrics.csv and config.yaml are in {run_dir}"
    if best.exists():
        card = checkpoints.card_of(str(best))
        score = card.metrics.get(monitor)
        print(f"Best epoch {card.epoch}: {monitor} {'not defined' if score is None else f'{score:.4f}'}. {where}")
    elif last.exists():
        epoch = checkpoints.card_of(str(last)).epoch
        print(
            f"Epoch {epoch} was the last one. Nothing was validated, so there is no best.ckpt, and no threshold was "
            f"chosen: all are 0.5. {where}; `publish` takes {last}."
        )
    else:
        print(f"A trial (trainer.fast_dev_run): no checkpoint is kept. config.yaml is in {run_dir}")


def _say_rejected(data: ECGDataModule) -> None:
    stores = [part.store for part in data.sources.values()]
    rejected = sum(store.meta["rejected"] for store in stores)
    if rejected:
        lists = ", ".join(str(store.path / "rejected.csv") for store in stores if store.meta["rejected"])
        print(f"{rejected} of {rejected + sum(map(len, stores))} recordings are set aside, see {lists}", flush=True)


def _model(
    config: DictConfig, data: ECGDataModule, seed: int, resumed: Checkpoint | None
) -> tuple[ECGModule, FineTune]:
    """The module that is trained, whole: with the weights it starts from and a card that says what it is."""
    finetune: FineTune = build("finetune", config.get("finetune") or {})
    optim: Optim = build("optim", config.get("optim") or {})
    values, terms = as_dict(config.model), list(data.terms)
    network: Network = build("model", values, leads=len(data.preprocess.leads), outputs=len(terms))
    if data.window < network.shortest:
        raise UserError(
            f"data.seconds={data.seconds:g} at data.sampling_rate={data.sampling_rate} are {data.window} samples, and "
            f"{values['name']} needs {network.shortest} or more."
        )
    groups = list(network.layer_groups())
    finetune.check(groups)
    card = Card(
        model=values,
        label_space=data.label_space,
        terms=terms,
        input=Input.of(data.input_spec()),
        data=Data.of(data.describe()),
        provenance=Provenance(**provenance()),
        allow_leak=data.allow_leak,
    )
    if resumed is not None:
        card, seen = _continued(card, data, finetune, resumed)
    else:
        card, seen = _begun(card, network, data, finetune)
    rows = data.rows("train")
    validation = data.targets[data.rows("val")] if validates(as_dict(config.get("trainer") or DictConfig({}))) else None
    learnt = say_what_is_missing(terms, data.targets[rows], validation)
    module = module_class(values)(
        network,
        terms,
        optim=optim,
        rates=finetune.rates_of(groups),
        positive_weight=positive_weights(data.targets[rows], optim, data.draws(rows)),
        monitor=_monitor(validation),
        seed=seed,
        card=replace(card, seen=len(seen), thresholds=[0.5 if each else None for each in learnt]),
        seen=seen,
    )
    return module, finetune


def _monitor(validation: NDArray[np.float32] | None) -> str:
    """The metric by which epochs are compared, given the targets of the validation side; None where there is none."""
    if validation is None:
        print("Nothing is validated: there will be no best.ckpt, and thresholds of 0.5.", file=sys.stderr)
    elif not learnable(validation).any():
        print(
            "No term has both positives and negatives in the validation folds: epochs are compared by val/loss.",
            file=sys.stderr,
        )
        return "val/loss"
    return "val/auroc"


def _begun(card: Card, network: Network, data: ECGDataModule, finetune: FineTune) -> tuple[Card, Tensor]:
    """Checks for leaks, and takes the parent's weights where there is one; the card, and the fingerprints of the past."""
    parent = checkpoints.read(finetune.checkpoint) if finetune.checkpoint is not None else None
    leak.check_training(data, parent)
    seen = ancestry.seen(data, parent)
    card = replace(card, ancestry_unknown=ancestry.unknown_after(data, parent))
    if parent is None:
        return card, seen
    taken = take_weights(network, card.terms, parent.state, parent.terms, finetune.reset_head, parent.name)
    print(f"From {parent.name}: {taken}", flush=True)
    _warn_of_other_input(parent.card.input, card.input)
    origin = Parent(parent.title, parent.sha256, parent.card.data, parent.card.parent)
    return replace(card, allow_leak=card.allow_leak or parent.card.allow_leak, parent=origin), seen


def _continued(card: Card, data: ECGDataModule, finetune: FineTune, resumed: Checkpoint) -> tuple[Card, Tensor]:
    """Makes sure that it is the same run, and takes over what it knows of its past; Lightning takes the weights."""
    resume.check_same(resumed, card)
    origin = resumed.card.parent
    if (finetune.checkpoint is None) != (origin is None):
        began = "from scratch" if origin is None else f"from {origin.name}"
        raise resume.another(resumed, f"it began {began}, and finetune.checkpoint is {finetune.checkpoint} here")
    flaw = ancestry.flaw(resumed)
    leak.refuse([flaw] if flaw else [], data)
    seen = ancestry.seen(data, resumed)
    if resumed.seen is not None and flaw is None and len(seen) > len(resumed.seen):
        raise resume.another(resumed, "other recordings trained it")
    leak.check_training(data, ancestry.ancestors(data, resumed) if origin else None)
    unknown = ancestry.unknown_after(data, resumed)
    allow_leak = card.allow_leak or resumed.card.allow_leak
    return replace(card, allow_leak=allow_leak, ancestry_unknown=unknown, parent=origin), seen


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


def _callbacks(
    run_dir: Path,
    config: DictConfig,
    model: ECGModule,
    finetune: FineTune,
    data: ECGDataModule,
    recipe: dict[str, Any],
) -> list[Callback]:
    mode = "min" if model.monitor == "val/loss" else "max"
    facts = provenance() | {"data": data.store.fingerprint}
    found: list[Callback] = [
        Freeze(finetune),
        Finite(),
        RunRecord(run_dir, as_written(config) | {"run_dir": str(run_dir)}, facts, recipe),
        _checkpoint(run_dir, "best", monitor=model.monitor, mode=mode),
        _checkpoint(run_dir, "last"),  # after `best`, so that it knows the best score
    ]
    if model.optim.patience is not None:
        found.append(
            EarlyStopping(
                model.monitor,
                patience=model.optim.patience,
                mode=mode,
                check_finite=False,
                check_on_train_epoch_end=False,
            )
        )
    return found


def _checkpoint(run_dir: Path, name: str, **which: Any) -> Callback:
    return Kept(run_dir / "checkpoints", name, enable_version_counter=False, save_on_train_epoch_end=True, **which)


def _warn_of_other_input(before: Input, now: Input) -> None:
    for key, value in asdict(before).items():
        if (here := getattr(now, key)) != value:
            print(f"Note: the checkpoint was trained with {key}={value}, this run has {here}.", file=sys.stderr)
