"""What `fit` prints of the layer groups before a fine-tuning: what each took from the checkpoint, and when it learns."""

from collections.abc import Collection, Sequence

from ecg_lightning.models.adapters import MARK, adapter_size
from ecg_lightning.models.network import Network
from ecg_lightning.training.finetune import FineTune

HEADINGS = ("group", "parameters", "in adapters", "tensors taken", "learning-rate factor", "frozen until")


def group_table(network: Network, finetune: FineTune, copied: Collection[str] | None) -> str:
    """Returns a line for each layer group, under a line of headings; a column that says nothing is left out.

    Args:
        network: with its adapters, where it has any.
        finetune: has the schedule and the learning-rate factors.
        copied: names of the tensors, of the plain network, that were copied whole from the checkpoint; None where the run has
            none, or goes on.
    """
    groups = network.layer_groups()
    factors = finetune.lr_factors(list(groups))
    names = {id(tensor): name for name, tensor in network.state_dict(keep_vars=True).items()}
    rows = [HEADINGS]
    for name, group in groups.items():
        plain_names = [
            names[id(tensor)].replace(f"{MARK}original", ".weight")
            for tensor in group.state_dict(keep_vars=True).values()
            if not names[id(tensor)].endswith((f"{MARK}0.up", f"{MARK}0.down"))
        ]
        size = sum(weights.numel() for weights in group.parameters())
        adapters = adapter_size(group)
        count = sum(plain_name in (copied or ()) for plain_name in plain_names)
        share = f"{count}/{len(plain_names)}" if copied is not None else ""
        cells = (name, f"{size - adapters:,}", f"{adapters:,}" if adapters else "", share, f"{factors[name]:g}")
        rows.append((*cells, _frozen_until(name, list(groups), finetune)))
    columns = [column for column in zip(*rows, strict=True) if any(column[1:])]
    widths = [max(map(len, column)) for column in columns]
    return "\n".join(_line(row, widths) for row in zip(*columns, strict=True))


def _line(cells: Sequence[str], widths: Sequence[int]) -> str:
    """Returns a line of the table: the first and the last column begin at the left, the numbers between end at the right."""
    numbers = [cell.rjust(width) for cell, width in zip(cells[1:-1], widths[1:-1], strict=True)]
    return "  ".join([cells[0].ljust(widths[0]), *numbers, cells[-1]])


def _frozen_until(name: str, groups: list[str], finetune: FineTune) -> str:
    """Returns when a layer group first learns; a hyphen for one that learns from the beginning."""
    for stage in finetune.stages:
        if name in stage.unfrozen(groups):
            if stage.patience is not None:
                return f"a plateau, epoch {stage.epoch} or later"
            return f"epoch {stage.epoch}" if stage.epoch else "-"
    return "the end"
