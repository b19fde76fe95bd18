"""What values of a configuration must be to each other; each alone is held to the range in its constructor's annotation."""

from collections.abc import Mapping
from itertools import pairwise
from typing import Any

from ecg_lightning.config.finetuning import adapter_of, stages_of
from ecg_lightning.errors import UserError
from ecg_lightning.ranges import Misfit


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
    """Asks that a schedule of fine-tuning begins at the first epoch, and that a cached network stays frozen.

    Raises:
        UserError: where it does not, or where the schedule or the adapters have a value that they cannot have.
    """
    schedule = values.get("schedule", {0: "all"})
    if 0 not in schedule:
        raise UserError("finetune.schedule must say what is unfrozen at epoch 0, for example {0: [head], 4: all}.")
    try:
        stages, adapter = stages_of(schedule), adapter_of(values.get("adapter"))
    except Misfit as error:
        raise UserError(f"finetune.{error}") from error
    names = {name for stage in stages for name in (("all",) if stage.groups is None else stage.groups)}
    if values.get("cache") and names - {"head", "branch"}:  # the branch for patient data is beside the frozen layers
        raise UserError(
            "finetune.cache=true computes what the frozen layers put out once, so that they must stay frozen: set "
            "finetune.schedule={0: [head]}, or finetune.cache=false."
        )
    if values.get("cache") and adapter is not None:
        raise UserError(
            "finetune.cache=true computes what the frozen layers put out once, and finetune.adapter trains in them. Set "
            "finetune.cache=false, or finetune.adapter=null."
        )


def check_cache(finetune: Mapping[str, Any], data: Mapping[str, Any]) -> None:
    """Asks that a run that computes what the frozen layers put out once sees the same in every epoch.

    Raises:
        UserError: naming what varies the recordings.
    """
    strengths = data.get("augment") or {}
    varied = [f"{name}: {value:g}" for name, value in strengths.items() if value and name != "probability"]
    if finetune.get("cache") and data.get("endless"):
        raise UserError(
            "finetune.cache=true computes what the frozen layers put out once, and data.endless=true draws other recordings in "
            "every epoch. Set data.endless=false, or finetune.cache=false."
        )
    if finetune.get("cache") and varied:
        raise UserError(
            f"finetune.cache=true computes what the frozen layers put out once, and data.augment={{{', '.join(varied)}}} varies "
            "the recordings in every epoch. Set data.augment=null, or finetune.cache=false."
        )
