"""What every network offers: features, a replaceable head, and ordered layer groups; and the shape of most of them."""

from collections.abc import Mapping, Sequence
from typing import ClassVar

from torch import Tensor, nn

from ecg_lightning.models.layers import as_map, linear


class Network(nn.Module):
    """A classifier of recordings: a feature map over time, pooled to one vector, dropout, and a linear head.

    An architecture computes the map (`encode`), says which ordered groups its layers form (`layer_groups`), and sets
    `pool`, `norm`, `dropout` and `head`; pool, norm and head form the group `head`, which `head_layers` gives.

    Args:
        leads: Leads of an input.
        shortest: Samples of the shortest input that makes sense.

    Attributes:
        pool: From the map to (batch, features).
        norm: Applied to the pooled features.
        dropout: Between the features and the head.
        head: The last layer, one output a term.
        reference: The paper that describes the architecture, in a few words.
        published: Macro AUROC on the 71 statements of PTB-XL (fold 10, trained from scratch) that was published for the
            network of a file of `conf/model`, by the name of that file. Sources: the PTB-XL benchmark (Strodthoff et al.
            2020, arXiv:2004.13701) and, for S4 and Net1D, the AI4Health benchmark of 2025.
        lead_weights: Names, in the state, of the weights that read the recording: their second dimension is the leads.
            Only where they are named does a network start from one that saw other leads.
    """

    reference: ClassVar[str] = ""
    published: ClassVar[Mapping[str, float]] = {}
    lead_weights: tuple[str, ...] = ()

    pool: nn.Module
    norm: nn.Module
    dropout: nn.Dropout
    head: nn.Linear

    def __init__(self, *, leads: int, shortest: int) -> None:
        super().__init__()
        self.leads = leads
        self.shortest = shortest

    def encode(self, x: Tensor) -> Tensor:
        """The feature map (batch, channels, time) or (batch, channels, 1, time) of recordings (batch, leads, samples)."""
        raise NotImplementedError

    def layer_groups(self) -> dict[str, nn.Module]:
        """The layers in order, from the `stem` to the `head`; every parameter and buffer is in exactly one group."""
        raise NotImplementedError

    def head_layers(self) -> nn.Module:
        """The layer group `head`: pooling, its normalisation and the last layer."""
        return nn.ModuleList([self.pool, self.norm, self.head])

    @property
    def feature_size(self) -> int:
        """Length of one recording's feature vector."""
        return self.head.in_features

    def forward(self, x: Tensor) -> Tensor:
        """Logits (batch, outputs) of recordings (batch, leads, samples)."""
        logits: Tensor = self.head(self.dropout(self.features(x)))
        return logits

    def features(self, x: Tensor) -> Tensor:
        """Feature vectors (batch, feature_size), what the head sees, of recordings (batch, leads, samples).

        Raises:
            ValueError: Where the input is no batch of recordings, has other leads, or is too short.
        """
        name = type(self).__name__
        if x.ndim != 3:
            raise ValueError(f"{name} expects (batch, leads, samples), got a tensor of shape {tuple(x.shape)}")
        if x.shape[1] != self.leads:
            raise ValueError(f"{name} expects {self.leads} leads, got {x.shape[1]}")
        if x.shape[2] < self.shortest:
            raise ValueError(f"{name} expects at least {self.shortest} samples, got {x.shape[2]}")
        features: Tensor = self.norm(self.pool(self.encode(x)))
        return features

    def reset_head(self, outputs: int) -> None:
        """Put a fresh head with this many outputs in place of the present one, on the same device."""
        old = self.head
        self.head = linear(old.in_features, outputs, bias=old.bias is not None).to(old.weight)


class StagedNetwork(Network):
    """A one-dimensional convolutional classifier: stem → stages → pooling over time → linear head.

    Args:
        leads: Leads of an input.
        stem: (batch, leads, 1, samples) → (batch, channels, 1, time).
        stages: One module a stage, from the input to the output.
        pool: (batch, channels, 1, time) → (batch, features).
        norm: Applied to the pooled features.
        head: The last layer.
        dropout: Probability between the features and the head.
        stride: Samples of the input for one step of the last stage, the shortest input that makes sense.
    """

    def __init__(
        self,
        *,
        leads: int,
        stem: nn.Module,
        stages: Sequence[nn.Module],
        pool: nn.Module,
        norm: nn.Module,
        head: nn.Linear,
        dropout: float,
        stride: int,
    ) -> None:
        super().__init__(leads=leads, shortest=stride)
        self.stem = stem
        self.stages = nn.Sequential(*stages)
        self.pool = pool
        self.norm = norm
        self.dropout = nn.Dropout(dropout)
        self.head = head

    def encode(self, x: Tensor) -> Tensor:
        """The feature map (batch, channels, 1, time) of recordings (batch, leads, samples)."""
        x = self.stages(self.stem(as_map(x)))
        return x

    def layer_groups(self) -> dict[str, nn.Module]:
        """Stem, stages and head in order; every parameter and buffer is in exactly one of them."""
        stages = {f"stage{i}": stage for i, stage in enumerate(self.stages, 1)}
        return {"stem": self.stem, **stages, "head": self.head_layers()}
