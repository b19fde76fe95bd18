"""Measuring a checkpoint on a source."""

import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import lightning.pytorch as pl
from omegaconf import DictConfig, OmegaConf
from scipy.special import expit

from ecg_lightning import checkpoints
from ecg_lightning.checkpoints.card import Card, Input
from ecg_lightning.checkpoints.selection import with_terms
from ecg_lightning.config.schema import build
from ecg_lightning.datamodules.packed import PackedDataModule
from ecg_lightning.errors import UserError
from ecg_lightning.evaluation.fewer_leads import smaller_sets
from ecg_lightning.evaluation.predictions import FILES, Predictions
from ecg_lightning.evaluation.report import as_plain, report_of
from ecg_lightning.evaluation.wandb_report import log_test
from ecg_lightning.files import write_json
from ecg_lightning.labels import LabelSpace
from ecg_lightning.metrics import auroc, macro
from ecg_lightning.modules.base import ECGModule
from ecg_lightning.records import LEADS
from ecg_lightning.training import leak
from ecg_lightning.training.arguments import EVALUATION
from ecg_lightning.training.stop import stoppable
from ecg_lightning.training.trainer import quiet, trainer_of


def evaluate(config: DictConfig, split: str = "test") -> dict[str, Any]:
    """Measures a checkpoint on the `val` or `test` recordings of a source.

    Args:
        config: a composed and checked configuration; `checkpoint_path` is a file or a published name, the best
            checkpoint of `run_dir` where it is not given.
        split: `val` or `test`.

    Returns:
        The report: counts, metrics with intervals, thresholds, groups (evaluation/README.md lists its keys). It is written to
        `<split>.json` in `run_dir`, beside a Parquet file with the outputs for each recording. Without a `run_dir` nothing
        is written.

    Raises:
        UserError: where the checkpoint does not fit the data, or has seen its recordings in training.
    """
    return measure(config, split)[0]


def measure(config: DictConfig, split: str = "test") -> tuple[dict[str, Any], PackedDataModule]:
    """Returns the report of `evaluate`, and the recordings, open, from which a page can show some."""
    run_dir = Path(config.run_dir).expanduser() if config.get("run_dir") else None
    path = config.get("checkpoint_path") or (str(_of_run(run_dir)) if run_dir else None)
    if path is None:
        raise UserError(
            "No network is given: set checkpoint_path=… (a file or a published name), or run_dir=… of a run."
        )
    checkpoint = checkpoints.read(path)
    quiet()
    data: PackedDataModule = build("data", config.data, seed=int(config.get("seed") or 0))
    check_fits(checkpoint.card, data)
    for sentence in other_meanings(checkpoint.card, data.space):
        print(sentence, file=sys.stderr)
    if list(data.terms) != checkpoint.terms:
        checkpoint.check(trusted=OmegaConf.select(config, "model.name"))
        print(
            f"{checkpoint.title} predicts {len(checkpoint.terms)} terms; measured are the {len(data.terms)} of "
            "data.label_space.",
            file=sys.stderr,
        )
        checkpoint = with_terms(checkpoint, list(data.terms), data.label_space)
    data.prepare_data()
    data.setup({"val": "validate", "test": "test"}[split])
    leak.refuse(leak.leaks_from_checkpoint(data, (split,), checkpoint), data)
    module = checkpoint.module(trusted=OmegaConf.select(config, "model.name"))
    values = {key: value for key, value in (config.get("trainer") or {}).items() if key in EVALUATION}
    trainer = trainer_of(DictConfig({"trainer": values}), run_dir or Path(), [], False, False)
    with stoppable(trainer):
        (trainer.test if split == "test" else trainer.validate)(module, datamodule=data, verbose=False)
        outputs = module.last
        assert outputs is not None
        predictions = Predictions.of(module, outputs, data, path)
        report = report_of(predictions, module, data, checkpoint, split)
        if split == "test" and checkpoint.card.lead_mask > 0:
            report["lead_sets"] = _with_fewer_leads(trainer, module, data)
    if trainer.is_global_zero and run_dir is not None:
        run_dir.mkdir(parents=True, exist_ok=True)
        predictions.write(run_dir / FILES[split])
        write_json(run_dir / f"{split}.json", report)
        if split == "test":
            log_test(config, run_dir, path, report, outputs)
    return report, data


def _with_fewer_leads(trainer: pl.Trainer, module: ECGModule, data: PackedDataModule) -> dict[str, float | None]:
    """Measures the macro AUROC once more with each usual set of leads, as if the recordings had no other."""
    aurocs = {}
    for name, leads in smaller_sets(data.preprocess.leads).items():
        data.show_leads(leads)
        trainer.test(module, datamodule=data, verbose=False)
        assert module.last is not None
        probabilities = expit(module.last.logits)
        aurocs[name] = as_plain(macro(auroc(probabilities, module.last.targets)))
    data.show_leads(LEADS)
    return aurocs


def _of_run(run_dir: Path) -> Path:
    """The checkpoint of a run that is measured: `best.ckpt`, or `last.ckpt` where the run had no validation."""
    best, last = (run_dir / "checkpoints" / f"{name}.ckpt" for name in ("best", "last"))
    if best.is_file() or not last.is_file():
        return best
    print(
        f"{run_dir} has no best.ckpt, because the run had no validation. Measuring last.ckpt instead.", file=sys.stderr
    )
    return last


def check_fits(card: Card, data: PackedDataModule) -> None:
    """Refuses data with a term that the network does not predict, or with another input than it expects.

    Args:
        card: of the network.
        data: on which the network should be measured.

    Raises:
        UserError: it names the difference.
    """
    expected, configured = _keys_of(card.input), _keys_of(Input.of(data.input_spec()))
    expected["metadata"] = card.metadata.columns if card.metadata is not None else []
    configured["metadata"] = list(data.metadata)
    predicted = [item for item, term in zip(data.space.items, data.terms, strict=True) if term in card.terms]
    if len(predicted) < len(data.terms):
        is_other_space = card.label_space != data.label_space
        expected["label_space"] = predicted or (card.label_space if is_other_space else card.terms)
        configured["label_space"] = data.label_space if is_other_space else list(data.terms)
    differences = [
        (_override(key, value), _override(key, configured.get(key)))
        for key, value in expected.items()
        if value != configured.get(key)
    ]
    if differences:
        wanted, present = (", ".join(words) for words in zip(*differences, strict=True))
        words = " ".join(f"'{word}'" if set(word) & set("[ |") else word for word, _ in differences)
        raise UserError(f"The network expects {wanted}; the data has {present}. Set {words}.")


def other_meanings(card: Card, space: LabelSpace) -> list[str]:
    """Returns a sentence for each term that the data and the network have, and by which they mean different statements.

    Args:
        card: of the network.
        space: of the data.
    """
    try:
        learnt = LabelSpace.load(card.label_space)
    except UserError:  # another project's own terms
        return []
    members_of = dict(zip(learnt.terms, learnt.members, strict=True))
    return [
        f"{term} is {_named(members)} in data.label_space, and {_named(members_of[term])} for the network."
        for term, members in zip(space.terms, space.members, strict=True)
        if set(members) != set(members_of.get(term, members))
    ]


def _named(members: Sequence[str]) -> str:
    return f"any of {', '.join(members)}" if len(members) > 1 else f"{members[0]} alone"


def _keys_of(network_input: Input) -> dict[str, Any]:
    """Returns the keys of the configuration that make this input."""
    values = dict(network_input.preprocess)
    band = [values.pop("low", None), values.pop("high", None)]
    spec = {"sampling_rate": network_input.sampling_rate, "seconds": network_input.seconds}
    return spec | values | {"band": band if band != [None, None] else None, "leads": network_input.leads}


def _override(key: str, value: Any) -> str:
    """Writes a key of the data as the command line takes it."""
    texts = ["null" if item is None else str(item) for item in (value if isinstance(value, list | tuple) else [value])]
    return f"data.{key}={'[' + ','.join(texts) + ']' if isinstance(value, list | tuple) else texts[0]}"
