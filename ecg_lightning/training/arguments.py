"""Which arguments of Lightning's Trainer a run accepts: others are refused by name, before data are packed."""

import os
from collections.abc import Mapping
from importlib.util import find_spec
from typing import Any

from ecg_lightning.errors import UserError
from ecg_lightning.modules.optim import Optim

REFUSED = {
    "overfit_batches": (
        "Lightning would replace the order in which recordings are drawn. Use data.train_records=32 to train on a few"
    ),
    "limit_test_batches": "`test` measures all recordings of the test side",
    "limit_predict_batches": "`predict` takes all recordings",
    "barebones": "it keeps no metrics and no checkpoints, and a run needs both",
    "model_registry": "`publish` shares checkpoints",
}
"""Arguments that must keep their defaults, and why."""
DEFAULTS: dict[str, tuple[Any, ...]] = {
    "overfit_batches": (0,), "limit_test_batches": (None, 1.0), "limit_predict_batches": (None, 1.0),
    "barebones": (False,), "model_registry": (None,),
}  # fmt: skip
LOWEST = {
    "num_nodes": 1, "fast_dev_run": 0, "max_epochs": 1, "min_epochs": 0, "max_steps": 1, "min_steps": 0,
    "limit_val_batches": 0, "check_val_every_n_epoch": 1, "num_sanity_val_steps": 0, "log_every_n_steps": 0,
    "accumulate_grad_batches": 1, "gradient_clip_val": 0, "reload_dataloaders_every_n_epochs": 0,
}  # fmt: skip
"""The lowest value of a number."""
ABOVE_ZERO = ("limit_train_batches", "val_check_interval")
ENDLESS = ("max_epochs", "max_steps", "num_sanity_val_steps")
"""Numbers for which -1 means: without a limit."""
STRATEGIES = ("auto", "ddp", "ddp_find_unused_parameters_true", "ddp_find_unused_parameters_false")
EVALUATION = (
    "accelerator", "strategy", "devices", "num_nodes", "precision", "deterministic", "benchmark", "inference_mode",
    "enable_progress_bar", "enable_model_summary",
)  # fmt: skip
"""Arguments that a measurement takes from a run's configuration: others may limit what is measured."""


def check_arguments(values: Mapping[str, Any], optim: Optim, freezes: bool, waits: bool = False) -> None:
    """Compares the values of `trainer` with what a run can do.

    Args:
        values: the group `trainer` of the configuration.
        optim: has the schedule and the patience, which need validation.
        freezes: whether layer groups are ever frozen.
        waits: whether they are unfrozen at a plateau of the validation.

    Raises:
        UserError: naming the first argument that is not possible.
    """
    for key, reason in REFUSED.items():
        if values.get(key, DEFAULTS[key][0]) not in DEFAULTS[key]:
            raise UserError(f"trainer.{key}={values[key]} is not possible: {reason}.")
    _check_numbers(values)
    _check_length(values, optim)
    _check_validation(values, optim, waits)
    _check_machine(values, freezes)
    if values.get("enable_checkpointing") is False:
        raise UserError("trainer.enable_checkpointing=false is not possible: a run keeps its checkpoints.")


def validates(values: Mapping[str, Any]) -> bool:
    """Returns whether a run of these values is ever validated."""
    epochs = values.get("max_epochs")
    every = values.get("check_val_every_n_epoch", 1)
    too_late = epochs is not None and epochs > 0 and every is not None and every > epochs
    return values.get("limit_val_batches") != 0 and (not too_late or bool(values.get("fast_dev_run")))


def _check_numbers(values: Mapping[str, Any]) -> None:
    for key, lowest in LOWEST.items():
        value = values.get(key)
        if isinstance(value, int | float) and not value >= lowest and not (key in ENDLESS and value == -1):
            unlimited = ", or -1 for no limit" if key in ENDLESS else ""
            raise UserError(f"trainer.{key}={value} must be at least {lowest}{unlimited}.")
    for key in ABOVE_ZERO:
        value = values.get(key)
        if isinstance(value, int | float) and not value > 0:
            raise UserError(f"trainer.{key}={value} must be above 0.")
        if isinstance(value, float) and value > 1:
            raise UserError(f"trainer.{key}={value}: a share is at most 1.0; write a whole number for batches.")
    if not isinstance(values.get("val_check_interval"), int | float | None):
        raise UserError(
            f"trainer.val_check_interval={values['val_check_interval']} is a time, and a run that is validated at "
            "times cannot be repeated. Give a share of the epoch, or a number of batches."
        )


def _check_length(values: Mapping[str, Any], optim: Optim) -> None:
    epochs, steps, time = values.get("max_epochs"), values.get("max_steps", -1), values.get("max_time")
    if values.get("fast_dev_run") or steps != -1 or (epochs is None and time is None):
        return  # Lightning itself limits what has no limit at all to 1000 epochs, and says so
    if epochs == -1 and time is None:
        raise UserError(
            "trainer.max_epochs=-1 would never end: set trainer.max_epochs, trainer.max_steps or trainer.max_time."
        )
    if (epochs is None or epochs == -1) and optim.depends_on_length():
        raise UserError(
            f"optim.schedule={optim.schedule} with optim.warmup={optim.warmup} follows the length of the run, which "
            "trainer.max_time alone does not tell: set trainer.max_epochs or trainer.max_steps too, or "
            "optim.schedule=constant and optim.warmup=0."
        )


def _check_validation(values: Mapping[str, Any], optim: Optim, waits: bool) -> None:
    plateau = optim.schedule == "plateau"
    if not validates(values) and (plateau or waits or optim.patience is not None):
        setting = "optim.schedule=plateau" if plateau else f"optim.patience={optim.patience}"
        setting = "`when: plateau` in finetune.schedule" if waits else setting
        keys = ("limit_val_batches", "check_val_every_n_epoch", "max_epochs")
        settings = ", ".join(f"trainer.{key}={values[key]}" for key in keys if key in values)
        raise UserError(f"{setting} compares epochs by their validation, and there is none with {settings}.")
    if plateau and values.get("check_val_every_n_epoch", 1) is None:
        raise UserError(
            "optim.schedule=plateau compares whole epochs, and trainer.check_val_every_n_epoch=null validates within them. "
            "Give it a number."
        )


def _check_machine(values: Mapping[str, Any], freezes: bool) -> None:
    strategy = values.get("strategy", "auto")
    if strategy not in STRATEGIES:
        raise UserError(f"trainer.strategy={strategy} is not possible. Choices: {', '.join(STRATEGIES)}.")
    if freezes and strategy == "ddp_find_unused_parameters_false":
        raise UserError(
            f"trainer.strategy={strategy} would wait forever for the gradients of layer groups that "
            "finetune.schedule freezes. Use auto."
        )
    precision = str(values.get("precision", ""))
    if precision.startswith("transformer-engine") and find_spec("transformer_engine") is None:
        raise UserError(
            f"trainer.precision={precision} needs the package transformer_engine, which is not installed. "
            "bf16-mixed needs no package."
        )
    if (values.get("num_nodes") or 1) > 1 and not {"SLURM_PROCID", "RANK"} & os.environ.keys():
        raise UserError(
            f"trainer.num_nodes={values['num_nodes']} would wait forever: this process was not started by srun or "
            "torchrun, which connect the nodes."
        )
