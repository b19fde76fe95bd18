"""MetadataNetwork: any network of the signal with a small branch beside it for patient data, such as age and sex."""

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from ecg_lightning.models.layers import linear
from ecg_lightning.models.network import Network

WIDTH = 32
"""Features of the branch, and units of its hidden layer."""
SIGNAL, BRANCH = "signal.", "branch."
"""Where the state has the network of the signal, and the branch."""


class MetadataNetwork(Network):
    """A network whose head sees the features of the signal and, behind them, those of the patient data.

    The branch has two linear layers with ReLU. Each column of patient data is standardised; one that is missing (NaN)
    counts as the mean. An indicator for each column says whether it is missing.

    Args:
        signal: a network of the signal. Its head is replaced by one over both kinds of features.
        mean: (columns,) mean of each column.
        scale: (columns,) what one standard deviation of each column is, above 0.
    """

    def __init__(self, signal: Network, mean: Sequence[float], scale: Sequence[float]) -> None:
        super().__init__(leads=signal.leads, shortest=signal.shortest)
        self.mean, self.scale = tuple(mean), tuple(scale)
        head, self.signal_features = signal.head, signal.feature_size
        signal.register_module("head", nn.Identity())
        self.signal = signal
        self.branch = nn.Sequential(nn.Linear(2 * len(self.mean), WIDTH), nn.ReLU(), nn.Linear(WIDTH, WIDTH), nn.ReLU())
        self.dropout = signal.dropout
        self.head = linear(self.signal_features + WIDTH, head.out_features, bias=head.bias is not None)
        self.lead_weights = tuple(f"{SIGNAL}{name}" for name in signal.lead_weights)

    def encode(self, x: Tensor) -> Tensor:
        """The feature map of the signal, as its network computes it."""
        return self.signal.encode(x)

    def forward(self, x: Tensor, metadata: Tensor | None = None) -> Tensor:
        """Logits (batch, outputs) of recordings (batch, leads, samples) with patient data (batch, columns), NaN where missing."""
        logits: Tensor = self.head(self.dropout(self.features(x, metadata)))
        return logits

    def features(self, x: Tensor, metadata: Tensor | None = None) -> Tensor:
        """Feature vectors (batch, feature_size): those of the signal, then those of the patient data.

        Args:
            x: (batch, leads, samples) recordings.
            metadata: (batch, columns) patient data in their own units, NaN where missing.

        Raises:
            ValueError: where the patient data are not given or have another shape, and as of the signal's network.
        """
        expected = (x.shape[0], len(self.mean))
        if metadata is None or metadata.ndim != 2 or tuple(metadata.shape) != expected:
            shape = "nothing" if metadata is None else f"a tensor of shape {tuple(metadata.shape)}"
            raise ValueError(f"MetadataNetwork expects patient data {expected} beside the signals, got {shape}")
        return torch.cat([self.signal.features(x), self.branch(self.standardise(metadata).to(x.dtype))], dim=1)

    def standardise(self, metadata: Tensor) -> Tensor:
        """What the branch sees: (batch, 2 · columns), the standardised columns and then their indicators of absence."""
        missing = metadata.isnan()
        columns = [
            (column - mean) / scale
            for column, mean, scale in zip(metadata.unbind(1), self.mean, self.scale, strict=True)
        ]
        return torch.cat([torch.stack(columns, dim=1).masked_fill(missing, 0), missing.to(metadata.dtype)], dim=1)

    def layer_groups(self) -> dict[str, nn.Module]:
        """The groups of the signal's network, the group `branch` before the last, and all that is behind in `head`."""
        groups = self.signal.layer_groups()
        head = nn.ModuleList([groups.pop("head"), self.head])
        return {**groups, "branch": self.branch, "head": head}
