"""Plain torch networks from published checkpoints, and back to the Hugging Face Hub."""

import re
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import TypeVar

from ecg_lightning.checkpoints.addresses import HUB, MODEL_FILE
from ecg_lightning.checkpoints.card import Card, Data, Parent, Scaling
from ecg_lightning.checkpoints.checkpoint import Checkpoint, content_hash
from ecg_lightning.checkpoints.publishing import publish_checkpoint
from ecg_lightning.checkpoints.reading import read
from ecg_lightning.errors import UserError
from ecg_lightning.models.contract import Contract
from ecg_lightning.models.metadata import MetadataNetwork
from ecg_lightning.models.network import Network

N = TypeVar("N", bound=Network)
REPOSITORY = re.compile(r"[\w.-]+/[\w.-]+")
TRAINED_SINCE = (
    "Its weights were trained outside of ecg_lightning after they were loaded: on which recordings is not known, and it has no "
    "thresholds, no calibration and no numbers."
)


def from_pretrained(
    name: str, *, revision: str | None = None, folder: str | None = None, architecture: type[N] | None = None
) -> Network:
    """Builds the plain torch network of a published checkpoint, in evaluation mode; `contract` says what belongs to it.

    Args:
        name: `owner/name` on the Hugging Face Hub, or any other name of a checkpoint.
        revision: a branch, tag or commit on the Hub.
        folder: where published names are looked for; `$ECG_CHECKPOINTS` by default.
        architecture: the class that the network must have; None for any.

    Raises:
        UserError: where there is no such checkpoint, or its network has another class.
    """
    is_on_hub = REPOSITORY.fullmatch(name) is not None and not Path(name).expanduser().exists()
    if revision is not None and not is_on_hub:
        raise UserError(f"revision={revision} is for names on the Hub (owner/name), and '{name}' is none.")
    at = f"@{revision}" if revision else ""
    checkpoint = read(f"{HUB}://{name}{at}/{MODEL_FILE}" if is_on_hub else name, folder)
    network = checkpoint.network()
    signal = network.signal if isinstance(network, MetadataNetwork) else network
    if architecture is not None and not isinstance(signal, architecture) and not isinstance(network, architecture):
        raise UserError(
            f"{checkpoint.name} holds a {type(signal).__name__}, not a {architecture.__name__}. Load it with "
            f"{type(signal).__name__}.from_pretrained, or with ecg_lightning.from_pretrained, which takes any."
        )
    return network.with_contract(_contract(checkpoint, network))


def push_to_hub(network: Network, name: str, *, licence: str = "", notes: Sequence[str] = ()) -> str:
    """Publishes a network that `from_pretrained` loaded under a new name on the Hub; a new repository is private.

    Weights that were trained since are published without thresholds and numbers, as the child of what was loaded.

    Args:
        network: with its contract.
        name: `owner/name`, which must be free.
        licence: of the weights, for the card.
        notes: sentences for the card that whoever uses the network must know.

    Returns:
        Where it was written.

    Raises:
        UserError: where the network has no contract, the name is taken, or the Hub refuses.
    """
    if not REPOSITORY.fullmatch(name):
        raise UserError(f"'{name}' is no name on the Hub. Write owner/name.")
    contract = network.contract
    if contract is None:
        raise UserError(
            "This network has no contract: it does not know its terms and its input. Train it with `fit` and publish the run "
            "with `publish RUN NAME checkpoints_dir=hf://OWNER`, or start from `from_pretrained`."
        )
    card, state = Card.from_dict(contract.card, contract.name), network.state_dict()
    if network.head.out_features != len(card.terms):
        raise UserError(
            f"The network has {network.head.out_features} outputs, and its contract {len(card.terms)} terms. Push it with the "
            "head that was loaded."
        )
    if content_hash("", state) != contract.weights:
        card = _of_child(card, contract)
    card = replace(card, licence=licence or card.licence, notes=[*card.notes, *notes])
    owner, _, title = name.partition("/")
    checkpoint = Checkpoint(contract.name, state, card, contract.seen, contract.sha256)
    return publish_checkpoint(checkpoint, title, f"{HUB}://{owner}")


def _contract(checkpoint: Checkpoint, network: Network) -> Contract:
    card, scaling = checkpoint.card, checkpoint.card.scaling
    return Contract(
        name=checkpoint.title,
        sha256=checkpoint.sha256,
        terms=tuple(card.terms),
        leads=tuple(card.input.leads),
        sampling_rate=card.input.sampling_rate,
        seconds=card.input.seconds,
        preprocess=card.input.preprocess,
        metadata=tuple(card.metadata.columns) if card.metadata is not None else (),
        thresholds=tuple(card.thresholds or [0.5] * len(card.terms)),
        slope=tuple(scaling.slope.tolist()),
        intercept=tuple(scaling.intercept.tolist()),
        card=card.to_dict(),
        weights=content_hash("", network.state_dict()),
        seen=checkpoint.seen,
    )


def _of_child(card: Card, contract: Contract) -> Card:
    """Returns the card of weights that were trained after they were loaded: what is known of them."""
    return replace(
        card,
        parent=Parent(contract.name, contract.sha256, card.data, card.parent),
        data=Data("unknown", "", list(card.data.label_space), [], [], {}),
        ancestry_unknown=True,
        thresholds=[],
        calibration=Scaling([], []),
        threshold_rule="",
        calibration_method="",
        metrics={},
        test=None,
        reference=None,
        notes=[*card.notes, TRAINED_SINCE],
    )
