"""The network that a card describes: its architecture, with a branch where it sees patient data beside the signal."""

from collections.abc import Mapping
from typing import Any

from ecg_lightning.checkpoints.card import Metadata
from ecg_lightning.config.schema import build
from ecg_lightning.models.metadata import MetadataNetwork
from ecg_lightning.models.network import Network


def build_network(model: Mapping[str, Any], leads: int, outputs: int, metadata: Metadata | None = None) -> Network:
    """Builds a network with fresh weights.

    Args:
        model: the group `model` of a configuration.
        leads: that it sees.
        outputs: one a term.
        metadata: patient data that it sees beside the signal; None for the signal alone.
    """
    network: Network = build("model", model, leads=leads, outputs=outputs)
    return network if metadata is None else MetadataNetwork(network, metadata.mean, metadata.scale)
