"""A checkpoint's tensors brought to a network with other leads or with a branch for patient data, before they are compared."""

from collections.abc import Mapping, Sequence

import torch
from torch import Tensor

from ecg_lightning.errors import UserError
from ecg_lightning.models.metadata import BRANCH, SIGNAL, MetadataNetwork
from ecg_lightning.models.network import Network

HEAD = "head."
"""Where a network's state has its last layer, whose rows are the terms."""


def has_branch(state: Mapping[str, Tensor]) -> bool:
    """Says whether a state is one of a network with a branch for patient data."""
    return any(name.startswith(SIGNAL) for name in state)


def with_branch(network: Network, state: Mapping[str, Tensor], same_columns: bool, where: str) -> dict[str, Tensor]:
    """Returns a state with the branch that a network has for patient data.

    A branch of other columns, or none, is replaced by the network's own, and the head's columns for it are zero: the
    outputs are those of the signal at first.

    Args:
        network: takes the weights.
        state: the checkpoint's tensors.
        same_columns: whether both have the same columns of patient data.
        where: the checkpoint, for the message.

    Raises:
        UserError: where the checkpoint has a branch and the network has none.
    """
    if not isinstance(network, MetadataNetwork):
        if has_branch(state):
            raise UserError(
                f"The checkpoint {where} was trained with patient data beside the signal, and this run has none. Set "
                "data.metadata to the same columns as there; recordings may lack the values."
            )
        return dict(state)
    if same_columns:
        return dict(state)
    adapted = {name: tensor for name, tensor in network.state_dict().items() if name.startswith(BRANCH)}
    for name, tensor in state.items():
        if name == f"{HEAD}weight" and tensor.ndim == 2:
            of_signal = tensor[:, : network.signal_features]
            zeros = of_signal.new_zeros(len(tensor), network.head.in_features - network.signal_features)
            adapted[name] = torch.cat([of_signal, zeros], dim=1)
        elif not name.startswith(BRANCH):
            adapted[name if name.startswith((HEAD, SIGNAL)) else f"{SIGNAL}{name}"] = tensor
    return adapted


def with_leads(
    network: Network, state: Mapping[str, Tensor], leads: Sequence[str], state_leads: Sequence[str]
) -> tuple[dict[str, Tensor], str]:
    """Returns a state whose first layer reads the network's leads, and a sentence about them.

    Columns are taken by the names of the leads, unscaled. A lead that the checkpoint did not see begins at zero: the outputs
    are those of the common leads at first. Without a common lead the first layer is the network's own.

    Args:
        network: takes the weights; it names the weights that read the leads (`lead_weights`).
        state: the checkpoint's tensors.
        leads: the leads that the network sees, in order.
        state_leads: the leads that the checkpoint saw, in order.
    """
    adapted = dict(state)
    common = [lead for lead in leads if lead in state_leads]
    into, from_ = [leads.index(lead) for lead in common], [state_leads.index(lead) for lead in common]
    fresh = network.state_dict()
    names = [name for name in network.lead_weights if name in fresh and name in state]
    if not all(state[name].shape[1:2] == (len(state_leads),) for name in names) or not names:
        return adapted, ""  # the comparison of shapes decides
    for name in names:
        if not common:
            adapted[name] = fresh[name]
            continue
        old = state[name]
        adapted[name] = old.new_zeros(len(old), len(leads), *old.shape[2:])
        adapted[name][:, into] = old[:, from_]
    if not common:
        return adapted, f"first layer fresh: the checkpoint saw {', '.join(state_leads)} and no lead of this run"
    absent = [lead for lead in leads if lead not in state_leads]
    zero = f", and zero for {', '.join(absent)}" if absent else ""
    return adapted, f"first layer: leads {', '.join(common)} taken by name{zero}"
