"""Refuses recordings that trained a network before, where a Trainer of one's own trains it; `fit` compares more than this."""

from collections.abc import Sequence

import numpy as np
from torch import Tensor

from ecg_lightning.datamodules.packed import PackedDataModule
from ecg_lightning.errors import UserError
from ecg_lightning.records.fingerprints import matching_pairs, widened


def refuse_seen(data: object, seen: Tensor | None, archives: Sequence[str] = ()) -> None:
    """Ends a training whose validation or test side has recordings that trained the network before.

    Args:
        data: the Trainer's datamodule; one that is no `PackedDataModule` has no fingerprints, and nothing is compared.
        seen: (recordings, bytes) fingerprints of what trained the network; None where it is unknown.
        archives: archives that trained it as a whole, of which there are no fingerprints.

    Raises:
        UserError: where there are any, and `data.allow_leak` is not set.
    """
    if not isinstance(data, PackedDataModule) or data.allow_leak:
        return
    if shared := sorted({part.source for part in data.sources.values()} & set(archives)):
        raise UserError(
            f"{data.source}: {', '.join(shared)} trained this network before. Results would be too good. allow_leak=True of the "
            "datamodule goes on nevertheless."
        )
    if seen is None:
        return
    rows = np.concatenate([data.rows(split) for split in ("val", "test")])
    seen_rows = rows[np.unique(matching_pairs(widened(seen.numpy()), data.store.fingerprints[rows])[:, 1])]
    if len(seen_rows):
        raise UserError(
            f"{data.source}: {len(seen_rows)} of the {len(rows)} recordings of the validation and test side trained this network "
            f"before, for example {data.store.index['record_id'].iloc[seen_rows[0]]}. Results would be too good. "
            "allow_leak=True of the datamodule goes on nevertheless."
        )
