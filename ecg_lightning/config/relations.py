"""What values of a configuration must be to each other; each alone is held to the range in its constructor's annotation."""

from collections.abc import Mapping
from itertools import pairwise
from typing import Any

from ecg_lightning.errors import UserError


def check_source(values: Mapping[str, Any], place: str) -> None:
    """Compares the values of a data source.

    Args:
        values: given and default values of the constructor; those of a class of the user's own may lack any.
        place: what messages call the source: `data`, or a part of a mix.

    Raises:
        UserError: where a fold is on two sides, the pass band or the notch does not fit the sampling rate, or there is no such label
            space or term.
    """
    if shared_folds := {*_list_at(values, "val_folds")} & {*_list_at(values, "test_folds")}:
        raise UserError(
            f"{place}.val_folds and {place}.test_folds share {sorted(shared_folds)}: a fold is on one side only."
        )
    band, rate = values.get("band"), values.get("sampling_rate")
    if isinstance(band, list) and isinstance(rate, int):
        limits = [limit for limit in (0, *band, rate / 2) if limit is not None]
        if any(low >= high for low, high in pairwise(limits)):
            raise UserError(
                f"{place}.band={band} must be [low, high] in Hz, the lower one first, and below {rate / 2:g}, half of "
                f"{place}.sampling_rate={rate}."
            )
    notch = values.get("notch")
    if isinstance(notch, int | float) and isinstance(rate, int) and notch >= rate / 2:
        raise UserError(f"{place}.notch={notch:g} must be below {rate / 2:g} Hz, half of {place}.sampling_rate={rate}.")
    if "label_space" in values:
        from ecg_lightning.labels import LabelSpace

        try:
            LabelSpace.load(values["label_space"])
        except UserError as error:
            raise UserError(f"{place}.label_space: {error}") from error


def _list_at(values: Mapping[str, Any], key: str) -> list[Any]:
    value = values.get(key)
    return value if isinstance(value, list) else []


def check_schedule(values: Mapping[str, Any]) -> None:
    """Asks that a schedule of fine-tuning begins at the first epoch.

    Raises:
        UserError: where it does not.
    """
    schedule = values.get("schedule")
    if isinstance(schedule, Mapping) and 0 not in schedule:
        raise UserError("finetune.schedule must say what is unfrozen at epoch 0, for example {0: [head], 4: all}.")
