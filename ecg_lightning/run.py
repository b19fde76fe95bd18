"""One run: a configuration becomes data, network and Trainer; its folder holds everything that came of it."""

import ctypes
import logging
import sys
import warnings
from collections.abc import Mapping, Sequence
from datetime import datetime
from pathlib import Path
from typing import Any

import lightning.pytorch as pl
import numpy as np
import torch
from lightning.pytorch.callbacks import Callback, EarlyStopping, ModelCheckpoint
from numpy.typing import NDArray
from omegaconf import DictConfig
from scipy.special import expit

from ecg_lightning import __version__, checkpoints, leak
from ecg_lightning.callbacks import Freeze, RunRecord
from ecg_lightning.callbacks.record import provenance
from ecg_lightning.config import as_dict, build, check, compose, experiment_name
from ecg_lightning.datamodules.base import ECGDataModule
from ecg_lightning.datamodules.splits import patients
from ecg_lightning.errors import UserError
from ecg_lightning.finetune import FineTune, take_weights
from ecg_lightning.logger import Logging
from ecg_lightning.metrics import summarise, table
from ecg_lightning.metrics.epoch import Outputs
from ecg_lightning.models.base import ECGModule
from ecg_lightning.optim import Optim
from ecg_lightning.store import write_json


def fit(arguments: Sequence[str]) -> int:
    """Trains a network, from scratch, from another run's weights, or from where the same run stopped."""
    config = compose(arguments)
    check(config)
    run_dir = _run_dir(config, arguments)
    resume = _resume_from(config, run_dir)
    seed = int(config.get("seed") or 0)
    pl.seed_everything(seed, workers=True, verbose=False)
    _quiet()
    _keep_freed_memory()

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
    trainer = _trainer(config, run_dir, callbacks, logger.make(run_dir, as_dict(config)), finetune.freezes())
    trainer.fit(model, datamodule=data, ckpt_path=resume, weights_only=False if resume else None)
    if trainer.interrupted:
        print(
            f"Stopped. Go on with the same command and checkpoint_path={run_dir}/checkpoints/last.ckpt", file=sys.stderr
        )
        return 130
    best = run_dir / "checkpoints" / "best.ckpt"
    if trainer.is_global_zero and best.exists():
        card = checkpoints.card_of(str(best))
        score = card["metrics"].get(model.monitor, float("nan"))
        print(
            f"Best epoch {card['epoch']}: {model.monitor} {score:.4f}. Checkpoints, metrics.csv and config.yaml are in {run_dir}"
        )
    return 0


def evaluate(split: str, arguments: Sequence[str]) -> int:
    """Measures a checkpoint on the ``val`` or ``test`` recordings of a source; writes ``<split>.json`` to the run's folder."""
    config = compose(arguments)
    check(config, needed=("data",))
    run_dir = Path(config.run_dir) if config.get("run_dir") else None
    path = config.get("checkpoint_path") or (str(run_dir / "checkpoints" / "best.ckpt") if run_dir else None)
    if path is None:
        raise UserError("Which network? Give checkpoint_path=… (a file or a published name), or run_dir=… of a run.")
    checkpoint = checkpoints.read(path)
    _quiet()
    data: ECGDataModule = build("data", config.data, seed=int(config.get("seed") or 0))
    _check_fits(checkpoint, data, config)
    data.prepare_data()
    data.setup({"val": "validate", "test": "test"}[split])
    leak.refuse(leak.before(data, (split,), checkpoint), data)
    module = checkpoint.module()
    folder = run_dir or _run_dir(config, arguments)
    trainer = _trainer(config, folder, [], False, False)
    if split == "test":
        trainer.test(module, datamodule=data, verbose=False)
    else:
        trainer.validate(module, datamodule=data, verbose=False)
    if trainer.is_global_zero and module.last is not None:
        report = _report(module, module.last, data, path)
        _save_outputs(folder / f"{split}.npz", module, module.last, data)
        write_json(folder / f"{split}.json", report)
        _print_report(report, f"{data.source} · {split} folds · {path}")
        print(f"Written to {folder / f'{split}.json'}")
    return 0


def _run_dir(config: DictConfig, arguments: Sequence[str]) -> Path:
    if config.get("run_dir"):
        return Path(config.run_dir)
    return Path("runs") / experiment_name(arguments) / datetime.now().strftime("%Y-%m-%d_%H-%M-%S")


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
    targets = data.targets[data.rows("train")]
    model.positive_weight.copy_(torch.from_numpy(positive_weights(targets, optim)))
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


def positive_weights(targets: NDArray[np.float32], optim: Optim) -> NDArray[np.float32]:
    """(terms,) weight of a positive in the loss: negatives/positives, its root, or 1; bounded, and 1 without positives."""
    positive, negative = (targets == 1).sum(0), (targets == 0).sum(0)
    if optim.positive_weight == "none":
        return np.ones(targets.shape[1], np.float32)
    ratio = np.where(positive > 0, negative / np.maximum(positive, 1), 1.0)
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


def _trainer(config: DictConfig, run_dir: Path, callbacks: list[Callback], logger: Any, freezes: bool) -> pl.Trainer:
    values = as_dict(config.get("trainer") or DictConfig({}))
    strategy = values.get("strategy", "auto")
    if freezes and strategy in ("auto", "ddp") and _devices(values) > 1:
        # Frozen parameters get no gradient; without this, replicas wait for them for ever.
        values["strategy"] = "ddp_find_unused_parameters_true"
    trainer: pl.Trainer = build(
        "trainer", values, callbacks=callbacks, logger=logger, default_root_dir=run_dir, use_distributed_sampler=False
    )
    return trainer


def _devices(values: Mapping[str, Any]) -> int:
    devices = values.get("devices", "auto")
    if isinstance(devices, list):
        return len(devices)
    if isinstance(devices, int) and devices >= 0:
        return devices * int(values.get("num_nodes", 1))
    return torch.cuda.device_count() if values.get("accelerator", "auto") in ("auto", "gpu", "cuda") else 1


def _check_fits(checkpoint: checkpoints.Checkpoint, data: ECGDataModule, config: DictConfig) -> None:
    """Refuses to measure a network on other terms, another input, or under another architecture's name."""
    if list(data.terms) != checkpoint.terms:
        raise UserError(
            f"The checkpoint predicts {', '.join(checkpoint.terms)}; data.label_space={data.label_space} has "
            f"{', '.join(data.terms)}. Set data.label_space={checkpoint.card['label_space']}."
        )
    expected, given = checkpoint.card["input"], data.input_spec()
    for key, value in expected.items():
        if given[key] != value:
            raise UserError(f"The checkpoint expects {key}={value}, the data has {given[key]}. Set data accordingly.")


def _warn_of_other_input(before: Mapping[str, Any], now: Mapping[str, Any]) -> None:
    for key, value in before.items():
        if now[key] != value:
            print(f"Note: the checkpoint was trained with {key}={value}, this run has {now[key]}.", file=sys.stderr)


def _report(module: ECGModule, outputs: Outputs, data: ECGDataModule, checkpoint: str) -> dict[str, Any]:
    """What a run's test.json says: counts, metrics and thresholds, overall and per term."""
    probabilities = expit(outputs.logits)
    metrics = summarise(probabilities, outputs.targets, module.terms, module.thresholds)
    rows = table(probabilities, outputs.targets, module.terms, module.thresholds)
    sources = {
        name: summarise(probabilities[own], outputs.targets[own], module.terms, module.thresholds) | {"records": own.sum()}
        for name, own in data.by_source(outputs.records).items()
    }
    return {
        "checkpoint": checkpoint,
        "data": data.describe(),
        "records": len(outputs.records),
        "metrics": {key: _finite(value) for key, value in metrics.items() if "/" not in key},
        "terms": [{key: _finite(value) for key, value in row.items()} for row in rows],
        "sources": {name: {k: _finite(v) for k, v in values.items()} for name, values in sources.items()},
    }


def _save_outputs(path: Path, module: ECGModule, outputs: Outputs, data: ECGDataModule) -> None:
    """Saves logits and targets of each recording, for intervals and comparisons; patients and recordings are numbers."""
    names = patients(data.store.index).to_numpy()[outputs.records]
    whose = np.unique(names, return_inverse=True)[1]
    np.savez_compressed(
        path,
        logits=outputs.logits,
        targets=outputs.targets,
        records=outputs.records,
        patients=whose,
        terms=module.terms,
    )


def _finite(value: Any) -> Any:
    """A plain value; None where a number is not defined, since JSON has no NaN."""
    if isinstance(value, np.generic):
        value = value.item()
    return None if isinstance(value, float) and not np.isfinite(value) else value


def _print_report(report: Mapping[str, Any], title: str) -> None:
    from rich.console import Console
    from rich.table import Table

    columns = (
        "positive",
        "negative",
        "missing",
        "auroc",
        "ap",
        "threshold",
        "sensitivity",
        "specificity",
        "gmean",
        "f1",
    )
    shown = Table(title=title)
    shown.add_column("term")
    for column in columns:
        shown.add_column(column, justify="right")
    macro = {"term": "macro", "positive": None, "negative": None} | report["metrics"]
    sources = [{"term": f"{values['records']} of {name}"} | values for name, values in report["sources"].items()]
    for row in (*report["terms"], macro, *sources):
        cells = [row.get(column) for column in columns]
        shown.add_row(
            row["term"], *("" if v is None else f"{v:.3f}" if isinstance(v, float) else str(v) for v in cells)
        )
    Console(width=None if sys.stdout.isatty() else 130).print(shown)


def _quiet() -> None:
    """Silences what does not help here: packed data wants no workers, folders are looked after by us, advertisements."""
    for text in (
        ".*does not have many workers.*", ".*Checkpoint directory .* exists and is not empty.*",
        ".*is smaller than the logging interval.*", ".*LeafSpec.* is deprecated.*",
        ".*could not find the monitored key.*",  # in epochs without validation
    ):  # fmt: skip
        warnings.filterwarnings("ignore", text)
    for name in ("lightning.pytorch.utilities.rank_zero", "lightning.pytorch.accelerators.cuda"):
        logging.getLogger(name).setLevel(logging.WARNING)


def _keep_freed_memory() -> None:
    """Lets glibc keep freed buffers: giving activations back to the kernel each step costs page faults on the CPU."""
    if sys.platform != "linux":
        return
    try:
        libc = ctypes.CDLL("libc.so.6")
    except OSError:  # another C library has no such threshold
        return
    m_trim_threshold, m_mmap_threshold = -1, -3  # malloc.h
    libc.mallopt(m_mmap_threshold, 1 << 30)
    libc.mallopt(m_trim_threshold, 2**31 - 1)
