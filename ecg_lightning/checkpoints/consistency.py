"""Whether a checkpoint's card can be true: its values are possible, and the network that it describes has these tensors."""

from collections.abc import Mapping

import torch
from torch import Tensor

from ecg_lightning.checkpoints.adapt import has_branch
from ecg_lightning.checkpoints.card import Card
from ecg_lightning.checkpoints.network import build_network
from ecg_lightning.checkpoints.weights import check_head, differences, fits, listed
from ecg_lightning.errors import UserError, first_line
from ecg_lightning.models.network import Network
from ecg_lightning.records import LEADS
from ecg_lightning.transforms import Preprocess


def described(card: Card, state: Mapping[str, Tensor], where: str) -> Network:
    """Builds the network that a card describes on the meta device: no memory is taken before its sizes are known to be right.

    Args:
        card: of a checkpoint, whose class of network may be built.
        state: its tensors.
        where: the checkpoint, for the message.

    Raises:
        UserError: where the card holds an impossible value, or the tensors are not those of the network.
    """
    try:
        Preprocess.from_dict(card.input.preprocess)
        network = _on_meta(card, len(card.input.leads))
    except UserError as error:
        raise UserError(f"{where} has a card with an impossible value. {error}") from error
    except (RuntimeError, OverflowError, TypeError, AttributeError) as error:
        raise UserError(f"The network that {where} describes cannot be built: {first_line(error)}") from error
    check_head(state, card.terms, where)
    if differing := differences(network, state):
        _refuse_wrong_leads(card, state, where)
        _refuse_wrong_branch(card, state, where)
        raise UserError(
            f"{where} contradicts itself: its tensors are not those of the network that its card describes. It was damaged, "
            f"or its card was changed.\n{listed(differing)}"
        )
    return network


def _on_meta(card: Card, leads: int) -> Network:
    with torch.device("meta"):
        return build_network(card.model, leads, len(card.terms), card.metadata)


def _refuse_wrong_leads(card: Card, state: Mapping[str, Tensor], where: str) -> None:
    """Refuses a card whose list of leads is longer or shorter than what the tensors are for; else does nothing.

    Raises:
        UserError: with both numbers.
    """
    named = len(card.input.leads)
    for leads in {*range(1, len(LEADS) + 1)} - {named}:
        if fits(_on_meta(card, leads), state):
            raise UserError(
                f"{where} contradicts itself: its card lists {named} leads, and its tensors are for {leads}. It was damaged, "
                "or its card was changed."
            )


def _refuse_wrong_branch(card: Card, state: Mapping[str, Tensor], where: str) -> None:
    """Refuses a card that names patient data where the tensors have no branch for it, or the other way round.

    Raises:
        UserError: with what each says.
    """
    has = has_branch(state)
    if has != (card.metadata is not None):
        names = "no patient data" if card.metadata is None else f"patient data ({', '.join(card.metadata.columns)})"
        raise UserError(
            f"{where} contradicts itself: its card names {names}, and its tensors have {'a' if has else 'no'} branch for it. "
            "It was damaged, or its card was changed."
        )
