"""Builds the data and the module of a run from its configuration: for `fit`, and for a Trainer of your own."""

import sys
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray
from omegaconf import DictConfig
from torch import Tensor

from ecg_lightning import checkpoints
from ecg_lightning.checkpoints import Checkpoint
from ecg_lightning.checkpoints.card import Card, Data, Input, Metadata, Parent, Provenance
from ecg_lightning.checkpoints.network import build_network
from ecg_lightning.checkpoints.weights import Inputs, take_weights
from ecg_lightning.config.compose import as_dict
from ecg_lightning.config.schema import build, module_class
from ecg_lightning.datamodules.metadata import mean_and_scale
from ecg_lightning.datamodules.packed import PackedDataModule
from ecg_lightning.errors import UserError
from ecg_lightning.metrics.decision import Decision
from ecg_lightning.models.network import Network
from ecg_lightning.modules.base import ECGModule
from ecg_lightning.modules.optim import Optim
from ecg_lightning.training import ancestry, leak, resume
from ecg_lightning.training.arguments import validates
from ecg_lightning.training.callbacks.record import provenance
from ecg_lightning.training.contract import check_input
from ecg_lightning.training.finetune import FineTune
from ecg_lightning.training.group_table import group_table
from ecg_lightning.training.terms import learnable, warn_of_unlearnable


def seed_of(config: DictConfig) -> int:
    """Returns the seed of weights, order, cuts and augmentation; 0 where the configuration has none."""
    return int(config.get("seed") or 0)


def build_optim(config: DictConfig) -> Optim:
    """Builds the group `optim`: `Optim.configure` makes the optimizer and the schedule from it."""
    optim: Optim = build("optim", config.get("optim") or {})
    return optim


def build_decision(config: DictConfig) -> Decision:
    """Builds the group `decision`: how thresholds and calibration are chosen on validation."""
    decision: Decision = build("decision", config.get("decision") or {})
    return decision


def build_finetune(config: DictConfig) -> FineTune:
    """Builds the group `finetune`."""
    finetune: FineTune = build("finetune", config.get("finetune") or {})
    return finetune


def build_data(config: DictConfig) -> PackedDataModule:
    """Builds the data of a run, packs them where their store is missing, and checks that they can train."""
    data: PackedDataModule = build("data", config.data, seed=seed_of(config))
    data.prepare_data()
    data.setup("fit")
    return data


def build_run(config: DictConfig) -> tuple[PackedDataModule, ECGModule]:
    """Builds data and module of a configuration, for a Trainer of your own; arguments and errors as of `build_module`.

    A schedule that freezes layer groups and adapters need the callback `training.callbacks.Freeze`, `optim.ema` needs
    `training.callbacks.Average`; `fit` adds them.
    """
    data = build_data(config)
    return data, build_module(config, data)


def build_module(config: DictConfig, data: PackedDataModule, resumed: Checkpoint | None = None) -> ECGModule:
    """Builds the module that is trained, with the weights that it starts from and its card.

    Args:
        config: a composed and checked configuration.
        data: the data that train it, set up.
        resumed: the checkpoint of the run that goes on; None for a new run.

    Raises:
        UserError: where the network does not fit the data or its parent, or a held-out recording trained it or its parent.
    """
    optim, finetune = build_optim(config), build_finetune(config)
    values, terms = as_dict(config.model), list(data.terms)
    parent = checkpoints.read(finetune.checkpoint) if finetune.checkpoint is not None and resumed is None else None
    if parent is not None:
        parent.check(trusted=values["name"])  # before it is brought to this network
    metadata = _metadata(data, resumed or parent)
    network = build_network(values, len(data.preprocess.leads), len(terms), metadata)
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
        metadata=metadata,
        lead_mask=data.augmentation.lead_mask,
    )
    copied: frozenset[str] | None = None
    if resumed is not None:
        card, seen = _resumed_card(card, data, finetune, resumed)
    else:
        card, seen, copied = _new_card(card, network, data, finetune, parent)
    finetune.adapt(network.layer_groups())
    if finetune.checkpoint is not None or not finetune.treats_groups_alike():
        print(group_table(network, finetune, copied), flush=True)
    rows = data.rows("train")
    validation = data.targets[data.rows("val")] if validates(as_dict(config.get("trainer") or DictConfig({}))) else None
    learnt = warn_of_unlearnable(terms, data.targets[rows], validation)
    module: ECGModule = module_class(values)(
        network,
        terms,
        decision=build_decision(config),
        optim=optim,  # the module's `configure_optimizers` calls its `configure`
        lr_factors=finetune.lr_factors(groups),
        positive_weight=positive_weights(data.targets[rows], optim, data.draws(rows)),
        monitor=_monitor(validation),
        seed=seed_of(config),
        card=replace(card, seen=len(seen), thresholds=[0.5 if is_learnt else None for is_learnt in learnt]),
        seen=seen,
    )
    return module


def _monitor(validation: NDArray[np.float32] | None) -> str:
    """Returns the metric by which epochs are compared.

    Args:
        validation: (recordings, terms) targets of the validation side; None where nothing is validated.
    """
    if validation is None:
        print("Nothing is validated: there will be no best.ckpt, and all thresholds are 0.5.", file=sys.stderr)
    elif not learnable(validation).any():
        print(
            "No term has both positives and negatives in the validation folds: epochs are compared by val/loss.",
            file=sys.stderr,
        )
        return "val/loss"
    return "val/auroc"


def _metadata(data: PackedDataModule, origin: Checkpoint | None) -> Metadata | None:
    """Returns the patient data that the network sees; None for the signal alone.

    Args:
        data: that train it, set up.
        origin: the checkpoint that the run begins with. Where it has the same columns, their means and scales are kept: its
            branch learnt with them.

    Raises:
        UserError: where no training recording has a value of a column, and the checkpoint knows none either.
    """
    if not data.metadata:
        return None
    inherited = origin.card.metadata if origin is not None else None
    if inherited is not None and inherited.columns == data.metadata:
        return inherited
    return Metadata(data.metadata, *mean_and_scale(data.metadata_values[data.rows("train")], data.metadata))


def _new_card(
    card: Card, network: Network, data: PackedDataModule, finetune: FineTune, parent: Checkpoint | None
) -> tuple[Card, Tensor, frozenset[str] | None]:
    """Checks for leaks and takes the parent's weights, if any.

    Returns:
        The card, the fingerprints of what trains, and the names of the tensors that were taken; None without a parent.
    """
    if parent is not None:
        check_input(parent, card.input, finetune)
    leak.check_training(data, parent)
    seen = ancestry.seen_after_training(data, parent)
    card = replace(card, ancestry_unknown=ancestry.is_unknown_after_training(data, parent))
    if parent is None:
        return card, seen, None
    summary = take_weights(
        network,
        card.terms,
        parent.state,
        parent.terms,
        finetune.reset_head,
        parent.name,
        Inputs.of(card),
        Inputs.of(parent.card),
    )
    print(f"From {parent.name}: {summary}", flush=True)
    origin = Parent(parent.title, parent.sha256, parent.card.data, parent.card.parent)
    card = ancestry.inherited(card, parent)
    return replace(card, allow_leak=card.allow_leak or parent.card.allow_leak, parent=origin), seen, summary.names


def _resumed_card(card: Card, data: PackedDataModule, finetune: FineTune, resumed: Checkpoint) -> tuple[Card, Tensor]:
    """Checks that it is the same run; returns its card and fingerprints. Lightning takes the weights."""
    resume.check_card(resumed, card)
    origin = resumed.card.parent
    if (finetune.checkpoint is None) != (origin is None):
        start = "from scratch" if origin is None else f"from {origin.name}"
        raise resume.different_run(resumed, f"it began {start}, and finetune.checkpoint is {finetune.checkpoint} here")
    flaw = ancestry.flaw(resumed)
    leak.refuse([flaw] if flaw else [], data)
    seen = ancestry.seen_after_training(data, resumed)
    if resumed.seen is not None and flaw is None and len(seen) > len(resumed.seen):
        raise resume.different_run(resumed, "other recordings trained it")
    leak.check_training(data, ancestry.without_training_recordings(resumed, data) if origin else None)
    unknown = ancestry.is_unknown_after_training(data, resumed)
    allow_leak = card.allow_leak or resumed.card.allow_leak
    card = ancestry.inherited(card, resumed)
    return replace(card, allow_leak=allow_leak, ancestry_unknown=unknown, parent=origin), seen


def positive_weights(
    targets: NDArray[np.float32], optim: Optim, draws: NDArray[np.float64] | None = None
) -> NDArray[np.float32]:
    """Computes the weight of a positive in the loss: negatives/positives, its root, or 1; 1 for a term without positives.

    Args:
        targets: (recordings, terms) 1, 0 or NaN.
        optim: which weight, and its bound.
        draws: (recordings,) how likely each is drawn, so that positives count as often as they are drawn.

    Returns:
        (terms,) float32.
    """
    if optim.positive_weight == "none":
        return np.ones(targets.shape[1], np.float32)
    chances = np.ones(len(targets)) if draws is None else draws
    positive, negative = chances @ (targets == 1), chances @ (targets == 0)
    ratio: NDArray[np.float64] = np.divide(negative, positive, out=np.ones(targets.shape[1]), where=positive > 0)
    weight = np.sqrt(ratio) if optim.positive_weight == "sqrt" else ratio
    return np.clip(weight, 1 / optim.max_positive_weight, optim.max_positive_weight).astype(np.float32)
