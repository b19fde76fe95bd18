"""What the PTB-XL benchmark's networks have between pooling and their last layer."""

from torch import nn

from ecg_lightning.models.layers import FeatureNorm


def hidden_layer(features: int, hidden: int | None, dropout: float) -> tuple[nn.Module, int]:
    """Normalisation of the pooled features and, where asked for, a hidden layer with one of its own.

    Args:
        features: Length of the pooled feature vectors.
        hidden: Units of the hidden layer; None for none.
        dropout: Probability before the last layer; half of it is used before the hidden layer.

    Returns:
        The layers, (batch, features) → (batch, hidden), and the length of the vectors that they put out.
    """
    if hidden is None:
        return FeatureNorm(features), features
    layer = nn.Linear(features, hidden)
    nn.init.kaiming_normal_(layer.weight)
    nn.init.zeros_(layer.bias)
    # ReLU is not in place: dropout shares memory with its input in evaluation
    return nn.Sequential(FeatureNorm(features), nn.Dropout(dropout / 2), layer, nn.ReLU(), FeatureNorm(hidden)), hidden
