"""State-space layers whose kernels are computed once, for the one length that an exported network sees."""

from copy import deepcopy

import torch
from torch import Tensor, nn

from ecg_lightning.models.state_space import StateSpace


class FixedStateSpace(nn.Module):
    """A state-space layer for inputs of one length: a convolution with a kernel that is kept as its Fourier transform.

    The transform's length is a power of two, which every program transforms fast and exactly.

    Args:
        layer: the layer whose kernel is taken.
        length: samples of its inputs.
    """

    spectrum: Tensor
    skip: Tensor

    def __init__(self, layer: StateSpace, length: int) -> None:
        super().__init__()
        self.length, self.size = length, 1 << (2 * length - 1).bit_length()
        with torch.no_grad():
            kernel = layer.kernel(length)
            response = torch.zeros(kernel.shape[1], self.size)
            response[:, :length] = kernel[0]
            if len(kernel) > 1:
                response[:, -length:] = kernel[1].flip(1)
            self.register_buffer("spectrum", torch.view_as_real(torch.fft.rfft(response)).contiguous())
            self.register_buffer("skip", layer.skip.detach().clone()[:, None])

    def forward(self, x: Tensor) -> Tensor:
        """(batch, channels, time) → (batch, channels, time)."""
        product = torch.fft.rfft(x, self.size) * torch.view_as_complex(self.spectrum)
        y: Tensor = torch.fft.irfft(product, self.size)[..., : self.length] + x * self.skip
        return y


def with_fixed_kernels(network: nn.Module, inputs: tuple[Tensor, ...]) -> nn.Module:
    """Returns a network in which every state-space layer is a `FixedStateSpace`; one without such layers is returned as it is.

    Args:
        network: in evaluation mode; it stays as it is.
        inputs: of the length that it will see.
    """
    if not any(isinstance(module, StateSpace) for module in network.modules()):
        return network
    network = deepcopy(network)
    layers = {name: module for name, module in network.named_modules() if isinstance(module, StateSpace)}
    lengths: dict[nn.Module, int] = {}
    hooks = [
        layer.register_forward_pre_hook(lambda module, values: lengths.update({module: values[0].shape[2]}))
        for layer in layers.values()
    ]
    with torch.no_grad():
        network(*inputs)
    for hook in hooks:
        hook.remove()
    for name, layer in layers.items():
        parent, _, attribute = name.rpartition(".")
        network.get_submodule(parent).register_module(attribute, FixedStateSpace(layer, lengths[layer]))
    return network
