"""What every network offers: features, a replaceable head, and ordered layer groups; and the shape of most of them."""

from collections.abc import Mapping, Sequence
from importlib import import_module
from typing import Any, ClassVar, Self

from torch import Tensor, nn

from ecg_lightning.models.contract import Contract
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
        contract: Terms, input and thresholds of a network that `from_pretrained` loaded; None for any other.
    """

    reference: ClassVar[str] = ""
    published: ClassVar[Mapping[str, float]] = {}
    lead_weights: tuple[str, ...] = ()
    contract: Contract | None = None

    pool: nn.Module
    norm: nn.Module
    dropout: nn.Dropout
    head: nn.Linear

    def __init__(self, *, leads: int, shortest: int) -> None:
        super().__init__()
        self.leads = leads
        self.shortest = shortest

    @classmethod
    def from_pretrained(cls, name: str, *, revision: str | None = None, folder: str | None = None) -> Self:
        """A published network of this class, in evaluation mode, with its `contract`.

        Args:
            name: `owner/name` on the Hugging Face Hub, or any other name of a checkpoint.
            revision: A branch, tag or commit on the Hub.
            folder: Where published names are looked for; `$ECG_CHECKPOINTS` by default.
        """
        network: Self = _api().from_pretrained(name, revision=revision, folder=folder, architecture=cls)
        return network

    def push_to_hub(self, name: str, *, licence: str = "", notes: Sequence[str] = ()) -> str:
        """Publishes this network, which `from_pretrained` loaded, under a new name `owner/name` on the Hub.

        Returns:
            Where it was written.
        """
        url: str = _api().push_to_hub(self, name, licence=licence, notes=notes)
        return url

    def with_contract(self, contract: Contract) -> Self:
        """This network, which from now on knows what it expects and puts out."""
        self.contract = contract
        return self

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
        return self.classify(self.body(x))

    def features(self, x: Tensor) -> Tensor:
        """Feature vectors (batch, feature_size), what the head sees, of recordings (batch, leads, samples)."""
        return self.features_of(self.body(x))

    def body(self, x: Tensor) -> Tensor:
        """What the layers below the group `head` put out for recordings (batch, leads, samples).

        Returns:
            The feature map of `encode`, or (batch, channels), the pooled one, where the pooling begins with layers that have
            no parameters and no statistics.

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
        encoded = self.encode(x)
        for layer in self._pool_layers()[0]:
            encoded = layer(encoded)
        return encoded

    def classify(self, body: Tensor) -> Tensor:
        """Logits (batch, outputs) of what `body` put out."""
        logits: Tensor = self.head(self.dropout(self.features_of(body)))
        return logits

    def features_of(self, body: Tensor) -> Tensor:
        """Feature vectors (batch, feature_size) of what `body` put out."""
        for layer in self._pool_layers()[1]:
            body = layer(body)
        features: Tensor = self.norm(body)
        return features

    def _pool_layers(self) -> tuple[list[nn.Module], list[nn.Module]]:
        """Returns the layers of the pooling before the first that has a state, which learns, and the layers from there on."""
        layers = [*self.pool] if isinstance(self.pool, nn.Sequential) else [self.pool]
        learning = [bool(layer.state_dict()) for layer in layers]
        first = learning.index(True) if True in learning else len(layers)
        return layers[:first], layers[first:]

    def reset_head(self, outputs: int) -> None:
        """Put a fresh head with this many outputs in place of the present one, on the same device."""
        old = self.head
        self.head = linear(old.in_features, outputs, bias=old.bias is not None).to(old.weight)


def _api() -> Any:
    """The functions of the package that this room is part of.

    A network knows nothing of checkpoints. It asks the package's API by name when it is called, and imports nothing from above.
    """
    return import_module(__name__.partition(".")[0])


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
