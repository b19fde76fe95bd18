"""The contract of a checkpoint's input: a run that starts from it and feeds something else is refused, or told so."""

import sys
from collections.abc import Mapping
from typing import Any

from ecg_lightning.checkpoints import Checkpoint
from ecg_lightning.checkpoints.card import Input
from ecg_lightning.errors import UserError
from ecg_lightning.training.finetune import FineTune


def check_input(parent: Checkpoint, planned: Input, finetune: FineTune) -> None:
    """Compares the input that a checkpoint was trained with and that of a run that starts from it.

    Another sampling rate is refused, unless `finetune.allow_rate` is set. Other filters and another normalisation are
    refused where the weights come from another project, unless `finetune.allow_preprocess` is set; of a network of our own
    they are only told, as another length is of any network. Leads are matched by name, see `take_weights`.

    Args:
        parent: the checkpoint.
        planned: the run's input.
        finetune: the run's group `finetune`.

    Raises:
        UserError: with the keys to set.
    """
    expected = parent.card.input
    if planned.sampling_rate != expected.sampling_rate:
        text = f"{parent.name} expects {expected.sampling_rate} Hz, and this run has {planned.sampling_rate} Hz"
        if not finetune.allow_rate:
            raise UserError(
                f"{text}. Set data.sampling_rate={expected.sampling_rate}, or finetune.allow_rate=true to start from it "
                "nevertheless."
            )
        print(f"Note: {text}.", file=sys.stderr)
    keys = _different_keys(expected.preprocess, planned.preprocess)
    if keys:
        text = f"{parent.name} expects another preparation of the recordings than this run has"
        if parent.card.family is not None and not finetune.allow_preprocess:
            raise UserError(
                f"{text}. Set {' '.join(keys)}, or finetune.allow_preprocess=true to start from it nevertheless."
            )
        print(f"Note: {text}: {' '.join(keys)}.", file=sys.stderr)
    if planned.seconds != expected.seconds:
        print(
            f"Note: {parent.name} was trained with {expected.seconds:g} s of a recording, this run has {planned.seconds:g} s.",
            file=sys.stderr,
        )


def _different_keys(expected: Mapping[str, Any], planned: Mapping[str, Any]) -> list[str]:
    """Returns the settings of `data` by which the planned preparation becomes the expected one."""
    keys = [
        f"data.{name}={_written(expected.get(name))}"
        for name in ("normalisation", "notch", "baseline")
        if expected.get(name) != planned.get(name)
    ]
    band = [expected.get("low"), expected.get("high")]
    if band != [planned.get("low"), planned.get("high")]:
        keys.append(f"data.band={_written(None if band == [None, None] else band)}")
    return keys


def _written(value: Any) -> str:
    """Returns a value as an override has it."""
    if isinstance(value, list):
        return f"[{','.join(map(_written, value))}]"
    return "null" if value is None else f"{value:g}" if isinstance(value, float) else str(value)
