"""The recipe of a run: every key of its configuration that changes the trained network, with defaults filled in."""

import re
from collections.abc import Iterable, Mapping
from typing import Any

from omegaconf import DictConfig

from ecg_lightning.config.compose import NAMED, as_dict
from ecg_lightning.config.schema import FIXED, SUPPLIED, arguments_for, signature_for
from ecg_lightning.config.signatures import COMPUTED, REQUIRED, signature_of
from ecg_lightning.config.written import as_written
from ecg_lightning.labels import LabelSpace

SILENT = (
    "run_dir", "checkpoint_path", "logger.", "report.", "data.root", "data.store_dir", "data.pack_workers", "data.num_workers",
    "trainer.enable_", "trainer.accelerator", "trainer.strategy", "trainer.profiler", "trainer.log_every_n_steps",
    "trainer.inference_mode", "trainer.detect_anomaly", "trainer.deterministic", "trainer.benchmark",
    "trainer.num_sanity_val_steps", "trainer.reload_dataloaders_every_n_epochs", "finetune.cache",
)  # fmt: skip
"""Beginnings of keys that do not change the trained network."""
NOTHING = "nothing"


def recipe_of(config: DictConfig) -> dict[str, Any]:
    """Returns the recipe as plain values by their dotted keys; a default that is written out makes no difference.

    >>> recipe = recipe_of(DictConfig({"data": {"name": "GeorgiaDataModule"}, "model": {"name": "ResNet1dModule"}}))
    >>> recipe["optim.lr"], recipe["data.batch_size"], "data.root" in recipe
    (0.002, 32, False)
    """
    values: dict[str, Any] = as_dict(config)
    values["seed"] = values.get("seed") or 0
    for group in (*NAMED, *FIXED):
        values[group] = _with_defaults(group, values.get(group) or {})
    data = values["data"]
    if "label_space" in data:  # a named space and a list of the same terms are one
        data["label_space"] = list(LabelSpace.load(data["label_space"]).items)
    if "augment" in data:
        signature = signature_of("ecg_lightning.transforms.augment", "Augment")
        data["augment"] = {name: argument.default for name, argument in signature.arguments.items()} | (
            data["augment"] or {}
        )
    # Checkpoints keep the recipe, and the environment may hold a secret: the recipe has the name of the variable alone.
    variables = {key: text for key, text in flat(as_written(config)).items() if "${" in str(text)}
    return {key: variables.get(key, value) for key, value in flat(values).items() if not is_silent(key)}


def completed(before: Mapping[str, Any], config: DictConfig, recipe: Mapping[str, Any]) -> dict[str, Any]:
    """Returns a recipe of an earlier version with the defaults of arguments that were added since.

    Args:
        before: the recipe that was kept.
        config: the configuration of the run that goes on, whose classes are asked for their defaults.
        recipe: of that run; its keys are those that a recipe has today.
    """
    groups: dict[str, Any] = {
        group: _with_defaults(group, {key: value for key, value in (config.get(group) or {}).items() if key == "name"})
        for group in (*NAMED, *FIXED)
    }
    signature = signature_of("ecg_lightning.transforms.augment", "Augment")
    groups["data"]["augment"] = {name: argument.default for name, argument in signature.arguments.items()}
    return {key: value for key, value in flat(groups).items() if key in recipe} | dict(before)


def _with_defaults(group: str, values: Mapping[str, Any]) -> dict[str, Any]:
    """Returns one group's arguments as its constructor gets them, without defaults that are computed."""
    if group in NAMED and "name" not in values:
        return dict(values)
    supplied = SUPPLIED.get(group, ())
    defaults = {
        name: argument.default
        for name, argument in signature_for(group, values).arguments.items()
        if name not in supplied and argument.default is not REQUIRED and argument.default is not COMPUTED
    }
    name = {"name": values["name"]} if group in NAMED else {}
    return name | defaults | arguments_for(group, values)


def is_silent(key: str) -> bool:
    """Returns whether a key does not change the trained network; in a mix, `data.parts.2.root` counts as `data.root`."""
    return re.sub(r"\.parts\.\d+", "", key).startswith(SILENT)


def flat(value: Any, name: str = "") -> dict[str, Any]:
    """Returns the leaves of nested mappings, and of lists of mappings, by their dotted names.

    >>> flat({"folds": (1,), "parts": [{"val": 3}]}, "data")
    {'data.folds': [1], 'data.parts.0.val': 3}
    """
    if isinstance(value, list | tuple):
        if not any(isinstance(item, Mapping) for item in value):
            return {name: list(value)}
        value = dict(enumerate(value))
    if not isinstance(value, Mapping):
        return {name: value}
    leaves: dict[str, Any] = {}
    for key, item in value.items():
        leaves |= flat(item, f"{name}.{key}" if name else str(key))
    return leaves


def differences(before: Mapping[str, Any], now: Mapping[str, Any], without: Iterable[str] = ()) -> dict[str, str]:
    """Returns what differs between two recipes, as `key → "key was …, and is … here"`.

    The difference of a class comes before those of its arguments.
    """
    keys = sorted({*before, *now}.difference(without), key=lambda key: (not key.endswith(".name"), key))
    return {
        key: f"{key} was {before.get(key, NOTHING)}, and is {now.get(key, NOTHING)} here"
        for key in keys
        if before.get(key) != now.get(key)
    }
