"""Whether a network that is trained by a Trainer of one's own has seen what the data hold out; `fit` asks more than this."""

import numpy as np
from torch import Tensor

from ecg_lightning.datamodules.packed import PackedDataModule
from ecg_lightning.errors import UserError
from ecg_lightning.records.fingerprints import matches, widened


def refuse_seen(data: object, seen: Tensor | None) -> None:
    """Ends a training whose validation or test side has recordings that trained the network before.

    Args:
        data: the Trainer's datamodule; one of another kind has no fingerprints and is not asked.
        seen: (recordings, bytes) fingerprints of what trained the network; None where that is not known.

    Raises:
        UserError: where there are any, and ``data.allow_leak`` is not set.
    """
    if seen is None or not isinstance(data, PackedDataModule) or data.allow_leak:
        return
    rows = np.concatenate([data.rows(split) for split in ("val", "test")])
    known = np.unique(matches(widened(seen.numpy()), data.store.content[rows])[:, 1])
    if len(known):
        raise UserError(
            f"{data.source}: {len(known)} of the {len(rows)} recordings of the validation and test side trained this network "
            f"before, for example {data.store.index['record_id'].iloc[rows[known[0]]]}. Results would be too good. "
            "allow_leak=True of the datamodule goes on nevertheless."
        )
