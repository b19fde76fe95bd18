"""Finds mistakes of a study before hours of training, and networks in its folder that do not belong to it."""

import contextlib
import io
import sys
from collections.abc import Mapping, Sequence
from dataclasses import replace

import numpy as np
import torch
from omegaconf import DictConfig

from ecg_lightning import checkpoints
from ecg_lightning.checkpoints import Checkpoint
from ecg_lightning.checkpoints.box import SUFFIX
from ecg_lightning.checkpoints.card import Card, Data, Input, Metadata
from ecg_lightning.checkpoints.network import build_network
from ecg_lightning.checkpoints.weights import Inputs, take_weights
from ecg_lightning.config.compose import as_dict, compose, find_config
from ecg_lightning.config.schema import build
from ecg_lightning.datamodules.packed import PackedDataModule
from ecg_lightning.errors import UserError
from ecg_lightning.evaluation.evaluate import check_fits
from ecg_lightning.models.network import Network
from ecg_lightning.training import ancestry, leak
from ecg_lightning.training.finetune import FineTune
from ecg_lightning.transfer.study import ALL, Study, Training

Archives = Mapping[str, PackedDataModule]
"""The archives on which networks are measured: `small`, and `large` where the study trains on it."""


def check_archives(study: Study, trainings: Sequence[Training]) -> Archives:
    """Builds and packs the archives, and builds each arm's network, as the trainings do; returns the archives.

    Raises:
        UserError: for archives that one network cannot be measured on, networks that differ, a subset that is larger than
            its archive, recordings of one archive's training among the other's test recordings, and every other error
            that would end a training.
    """
    names = ("small", "large") if study.trains_large else ("small",)
    configs = {training.arm: compose(training.words) for training in reversed(trainings)}
    archives = {name: _data(compose(study.configured(name))) for name in names}
    mix = {"both": _data(configs["both"])} if study.both else {}
    of_arm = {**archives, **mix, "tuned": archives["small"]}
    networks = {arm: _network(config, of_arm[arm]) for arm, config in configs.items()}
    large = _large(study, configs.get("large"), archives.get("large"), networks.get("large"))
    check_fits(large.card, archives["small"])
    reset_head = _finetune(configs["tuned"]).reset_head
    try:
        inputs = Inputs(archives["small"].preprocess.leads, archives["small"].metadata)
        take_weights(
            networks["tuned"],
            archives["small"].terms,
            large.state,
            large.terms,
            reset_head,
            large.name,
            inputs,
            Inputs.of(large.card),
        )
    except UserError as error:
        raise UserError(f"The network of {study.small} cannot start from that of {study.large}. {error}") from error
    for data in archives.values():
        data.prepare_data()
        data.setup("fit")
        data.setup("test")
    with (
        contextlib.redirect_stdout(io.StringIO()),
        contextlib.redirect_stderr(io.StringIO()),
    ):  # each training prints it again
        if not _has_large(study):
            parent = _parent(configs["large"])
            leak.check_training(archives["large"], parent)
            seen_by_large = ancestry.seen_after_training(archives["large"], parent)
            card = large.card if parent is None else ancestry.inherited(large.card, parent)
            large = replace(large, seen=seen_by_large, card=replace(card, seen=len(seen_by_large)))
        seen = _check_small(study, trainings, large)
        if study.trains_large:  # fine-tuned networks are measured on its test side too
            leak.refuse(leak.leaks_from_checkpoint(archives["large"], ("test",), seen), archives["large"])
        if study.both and not getattr(of_arm["both"], "drop_copies", False):  # a mix validates on both
            leak.refuse(leak.leaks_from_checkpoint(archives["large"], ("val",), seen), of_arm["both"])
    warn_of_one_class(archives["small"])
    return archives


def check_finished(study: Study, trainings: Sequence[Training], archives: Archives) -> None:
    """Compares the finished networks with each other and with the archives.

    Raises:
        UserError: naming the folders of networks that were fine-tuned from another network than the large archive's
            network of today, or that were trained on other recordings than the archives hold now.
    """
    stores = {name: data.store.sha256 for name, data in archives.items()}
    expected = {"small": [stores["small"]], "tuned": [stores["small"]]}
    if study.trains_large:
        expected |= {"large": [stores["large"]], "both": [stores["large"], stores["small"]]}
    parent = checkpoints.read(study.checkpoint).sha256 if _has_large(study) else ""
    with_other_parent: list[str] = []
    with_other_records: list[str] = []
    for training in trainings:
        paths = (training.folder / "checkpoints" / f"{name}.ckpt" for name in ("best", "last"))
        path = next((path for path in paths if path.is_file()), None)
        if path is None:
            continue
        try:
            card = checkpoints.card_of(str(path))
        except UserError as error:
            raise UserError(f"{error} Remove {training.folder}, and it is trained again.") from error
        parts = (card.data.parts or {}).values() if training.arm == "both" else [card.data]
        if [part.fingerprint for part in parts] != expected[training.arm]:
            with_other_records.append(str(training.folder))
        if training.arm == "tuned" and (card.parent is None or card.parent.sha256 != parent):
            with_other_parent.append(str(training.folder))
    for folders, difference in (
        (with_other_parent, f"fine-tuned from another network than {study.checkpoint} is now"),
        (with_other_records, "trained on other recordings than the archives hold now"),
    ):
        if folders:
            raise UserError(
                f"These networks were {difference}, and cannot be compared with the rest of the study: {', '.join(folders)}. "
                "Give the study another run_dir, or remove these folders to train them again."
            )


def _data(config: DictConfig) -> PackedDataModule:
    data: PackedDataModule = build("data", as_dict(config)["data"], seed=int(config.get("seed") or 0))
    return data


def _finetune(config: DictConfig) -> FineTune:
    finetune: FineTune = build("finetune", as_dict(config).get("finetune") or {})
    return finetune


def _network(config: DictConfig, data: PackedDataModule) -> Network:
    values = as_dict(config)
    metadata = _unscaled_metadata(data)
    network = build_network(values["model"], len(data.preprocess.leads), len(data.terms), metadata)
    _finetune(config).check(list(network.layer_groups()))
    build("optim", values.get("optim") or {})
    return network


def _unscaled_metadata(data: PackedDataModule) -> Metadata | None:
    """Returns the patient data that a network will see, before their means and scales are known."""
    columns = list(data.metadata)
    return Metadata(columns, [0.0] * len(columns), [1.0] * len(columns)) if columns else None


def _has_large(study: Study) -> bool:
    return not study.trains_large or (study.folder("large") / "done").is_file()


def _large(
    study: Study, config: DictConfig | None, data: PackedDataModule | None, network: Network | None
) -> Checkpoint:
    """Returns the large archive's network; where it is still to be trained, a network of its shape with the card that it will get."""
    if _has_large(study) or config is None or data is None or network is None:
        large = _read_large(study)
        large.check()
        return large
    if (parent := _parent(config)) is not None:
        inputs, state_inputs = Inputs(data.preprocess.leads, data.metadata), Inputs.of(parent.card)
        reset_head = _finetune(config).reset_head
        take_weights(network, data.terms, parent.state, parent.terms, reset_head, parent.name, inputs, state_inputs)
    return Checkpoint(str(study.folder("large")), network.state_dict(), _expected_card(config, data), None, "")


def _expected_card(config: DictConfig, data: PackedDataModule) -> Card:
    """Returns the card of a network that is still to be trained, without its recordings, which are not packed yet."""
    description = Data(data.source, "", [], list(data.val_folds), list(data.test_folds), {})
    metadata = _unscaled_metadata(data)
    spec = Input.of(data.input_spec())
    return Card(as_dict(config)["model"], data.label_space, list(data.terms), spec, description, metadata=metadata)


def _parent(config: DictConfig) -> Checkpoint | None:
    """Returns the network from which the large archive's training starts; None where it starts from scratch."""
    name = _finetune(config).checkpoint
    if not name:
        return None
    parent = checkpoints.read(name)
    parent.check(trusted=config.model.name)
    return parent


def _read_large(study: Study) -> Checkpoint:
    try:
        return checkpoints.read(study.checkpoint)
    except UserError as error:
        if study.large.endswith((".ckpt", SUFFIX)) or "://" in study.large:
            raise
        try:
            find_config(study.large)
        except UserError as missing_file:
            raise UserError(f"large: {missing_file} It is no published checkpoint, either: {error}") from error
        raise


def _check_small(study: Study, trainings: Sequence[Training], large: Checkpoint) -> Checkpoint:
    """Draws the largest subset of each seed, which contains the smaller ones, and checks it as a training does.

    Returns:
        A checkpoint that stands for a network that was trained on all these subsets.
    """
    seen = []
    for training in _largest(trainings):
        data = _data(compose(training.words))
        try:
            data.setup("fit")
        except UserError as error:
            raise UserError(f"sizes: {training.size} of {study.small}: {error}") from error
        leak.check_training(data, large if training.arm == "tuned" else None)
        seen.append(ancestry.seen_after_training(data))
        card = _expected_card(compose(training.words), data)
    fingerprints = torch.from_numpy(np.unique(torch.cat(seen), axis=0))
    return Checkpoint(f"a network of {study.small}", {}, replace(card, seen=len(fingerprints)), fingerprints, "")


def _largest(trainings: Sequence[Training]) -> list[Training]:
    """Returns the training with the most recordings of each arm and seed, of the arms that use the small archive alone."""
    largest: dict[tuple[str, int], Training] = {}
    for training in sorted(trainings, key=lambda training: _number(training.size)):
        if training.arm in ("small", "tuned"):
            largest[training.arm, training.seed] = training
    return list(largest.values())


def _number(size: str) -> float:
    return float("inf") if size == ALL else int(size or 0)


def warn_of_one_class(data: PackedDataModule) -> None:
    """Prints a note where no network of the study can have an AUROC on the small archive's test folds."""
    targets = data.targets[data.rows("test")]
    if not ((targets == 1).any(0) & (targets == 0).any(0)).any():
        print(
            f"Note: no term has both positives and negatives among the {len(targets)} recordings of the small archive's "
            "test folds, so that there will be no AUROC. Choose other data.test_folds, or more of them.",
            file=sys.stderr,
        )
