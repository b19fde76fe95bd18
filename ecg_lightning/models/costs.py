"""What a network costs and sees: parameters, multiply-adds, receptive field."""

from bisect import bisect_left, bisect_right
from collections.abc import Callable
from math import log2, prod
from typing import Any

import torch
from torch import nn
from torch.utils.flop_counter import FlopCounterMode

from ecg_lightning.models.network import Network


def parameters(network: nn.Module) -> int:
    """The number of a network's parameters."""
    return sum(p.numel() for p in network.parameters())


def multiply_adds(build: Callable[[], Network], samples: int) -> int:
    """Multiply-adds of the logits of one recording, in evaluation.

    They are counted on torch's meta device, where nothing is computed: convolutions and matrix products by torch's own
    counter (two operations are one multiply-add), a real Fourier transform of n numbers as 1.25 n log2 n, half of the
    5/2 n log2 n operations of the radix-2 algorithm, and a complex one as twice that. Recurrent layers are counted by
    their matrix products. Elementwise operations are not counted.

    Args:
        build: Makes the network.
        samples: Length of the recording.
    """
    transforms = {
        torch.ops.aten._fft_r2c: lambda shape, dim, *_, **__: _transform(shape, dim),
        torch.ops.aten._fft_c2r: lambda shape, dim, *_, out_shape, **__: _transform(out_shape, dim),
        torch.ops.aten._fft_c2c: lambda shape, dim, *_, **__: 2 * _transform(shape, dim),
    }
    with torch.device("meta"):
        network = build().eval().requires_grad_(False)
        with FlopCounterMode(display=False, custom_mapping=transforms) as counter:
            network(torch.empty(1, network.leads, samples))
    return int(counter.get_total_flops()) // 2


def _transform(shape: Any, dims: list[int]) -> float:
    """Operations of real Fourier transforms of (…) numbers along some of the axes."""
    length = prod(shape[dim] for dim in dims)
    return 2.5 * prod(shape) * log2(max(length, 2))


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
