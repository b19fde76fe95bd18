"""What a network costs and sees: parameters, multiply-adds, receptive field."""

from bisect import bisect_left, bisect_right
from collections.abc import Callable, Sequence
from functools import partial
from math import log2, prod

import torch
from torch import Tensor, nn
from torch.utils.flop_counter import FlopCounterMode

from ecg_lightning.models.network import Network


def parameters(network: nn.Module) -> int:
    """The number of a network's parameters."""
    return sum(p.numel() for p in network.parameters())


def multiply_adds(build: Callable[[], Network], samples: int) -> int:
    """Multiply-adds of the logits of one recording, in evaluation.

    They are counted on torch's meta device, where nothing is computed: convolutions and matrix products by torch's own
    counter (two operations are one multiply-add); recurrent layers as one for each weight and moment; a real Fourier
    transform of n numbers as 1.25 n log2 n, half of the radix-2 algorithm's 2.5 n log2 n operations, and a complex one
    as twice that. Elementwise operations are not counted.

    Args:
        build: Makes the network.
        samples: Length of the recording.
    """
    recurrent = 0

    def count_recurrent(layer: nn.RNNBase, x: Tensor) -> tuple[Tensor, None]:
        """Stands in for the layer, which would be taken apart into its moments."""
        nonlocal recurrent
        weights = [p.numel() for name, p in layer.named_parameters() if name.startswith("weight")]
        recurrent += sum(weights) * x.shape[0] * x.shape[1]
        return x.new_empty(*x.shape[:2], layer.hidden_size * (1 + layer.bidirectional)), None

    transforms = {
        torch.ops.aten._fft_r2c: lambda shape, dims, *_, **__: _transform(shape, dims),
        torch.ops.aten._fft_c2r: lambda shape, dims, *_, out_shape, **__: _transform(out_shape, dims),
        torch.ops.aten._fft_c2c: lambda shape, dims, *_, **__: 2 * _transform(shape, dims),
    }
    with torch.device("meta"):
        network = build().eval().requires_grad_(False)
        for layer in network.modules():
            if isinstance(layer, nn.RNNBase):
                layer.__dict__["forward"] = partial(count_recurrent, layer)
        with FlopCounterMode(display=False, custom_mapping=transforms) as counter:
            network(torch.empty(1, network.leads, samples))
    return int(counter.get_total_flops()) // 2 + recurrent


def _transform(shape: Sequence[int], dims: Sequence[int]) -> float:
    """Operations of real Fourier transforms of numbers of this shape along some of its axes."""
    return 2.5 * prod(shape) * log2(max(2, prod(shape[dim] for dim in dims)))


def receptive_field(network: Network, longest: int = 4096) -> int | None:
    """Samples of the input that one moment of the feature map depends on; None where these are all, or above `longest`.

    A sample that is not a number makes every moment that depends on it not a number, whatever the weights are. The
    first and the last sample that reach a moment in the middle are searched by bisection.

    Args:
        network: Any network, on the processor; it is put into evaluation mode.
        longest: Samples of the longest recording that is tried.
    """
    network = network.eval()
    length = 512
    while length <= longest:
        first, last, count = _moments(network, length, length // 2)
        if 0 < first and last < count - 1:
            break
        length *= 2
    else:
        return None
    middle, stride = (first + last) // 2, -(-length // count)

    def search(bisect: Callable[..., int], offset: int, end: int) -> int:
        """The sample, near so many moments from the centre, from which on this end of its moments passes the middle."""
        nearby = range(length // 2 + (offset - 2) * stride, length // 2 + (offset + 2) * stride)
        return nearby[0] + bisect(nearby, middle, key=lambda sample: _moments(network, length, sample)[end])

    return search(bisect_right, middle - first, 0) - search(bisect_left, middle - last, 1)


def _moments(network: Network, length: int, sample: int) -> tuple[int, int, int]:
    """The first and the last moment of the feature map that depend on a sample, and the number of moments."""
    x = torch.zeros(1, network.leads, length)
    x[:, :, sample] = torch.nan
    with torch.no_grad():
        reached = network.encode(x).isnan().flatten(2).any(1)[0]
    first, last = reached.nonzero().flatten()[[0, -1]].tolist()
    return first, last, len(reached)
