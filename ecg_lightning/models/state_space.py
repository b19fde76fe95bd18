"""Linear systems over time: the HiPPO matrix, the kernel of a discretised system, and the convolution with it."""

from math import log
from typing import ClassVar

import torch
from torch import Tensor, nn

STEPS = (0.001, 0.1)
"""The range from which the systems' steps are drawn, evenly by their logarithm (Gu et al., arXiv:2111.00396)."""


def hippo_legs(states: int) -> tuple[Tensor, Tensor]:
    """The HiPPO-LegS system, whose states are the coefficients of its input's history in Legendre polynomials.

    Gu et al. (2020, arXiv:2008.07669), theorem 2.

    Returns:
        A (states, states) and B (states,) in float64.
    """
    scale = torch.sqrt(2 * torch.arange(states, dtype=torch.float64) + 1)
    below = torch.tril(torch.outer(scale, scale), -1)
    return -below - torch.diag(torch.arange(1, states + 1, dtype=torch.float64)), scale


def normal_plus_low_rank(states: int) -> tuple[Tensor, Tensor, Tensor]:
    """HiPPO-LegS in the basis in which A = diag(a) - p pᴴ (Gu et al., arXiv:2111.00396, appendix C).

    The states come in conjugate pairs, of which one each is returned.

    Returns:
        a, p and b, each (states / 2,) in complex128.
    """
    matrix, b = hippo_legs(states)
    p = torch.sqrt(torch.arange(states, dtype=torch.float64) + 0.5)
    # A + p pᵀ is -1/2 plus a skew-symmetric matrix: its eigenvectors are orthonormal, its eigenvalues -1/2 ± i ω
    skew = matrix + torch.outer(p, p) + 0.5 * torch.eye(states, dtype=torch.float64)
    frequencies, vectors = torch.linalg.eigh(-1j * skew)
    positive = slice(states // 2, None)
    basis = vectors[:, positive].mH
    return -0.5 + 1j * frequencies[positive], basis @ (p + 0j), basis @ (b + 0j)


class Dynamics(nn.Module):
    """The systems' A = diag(a) - p pᴴ, B and steps: one system a channel, each with steps of its own.

    Args:
        channels: Systems.
        states: States of each, an even number.
        low_rank: Whether A has its low-rank part.
        trained: Whether these are parameters; otherwise they are buffers, under the same names.

    Attributes:
        lr_factor: Of the layer group's learning rate; these parameters have no weight decay, either.
    """

    lr_factor: ClassVar[float] = 0.1

    log_step: Tensor
    log_decay: Tensor
    frequency: Tensor
    b: Tensor
    p: Tensor

    def __init__(self, channels: int, states: int, low_rank: bool, trained: bool) -> None:
        super().__init__()
        a, p, b = normal_plus_low_rank(states)
        shortest, longest = map(log, STEPS)
        tensors = {
            "log_step": shortest + (longest - shortest) * torch.rand(channels, dtype=torch.float64),
            "log_decay": torch.log(-a.real).expand(channels, -1),
            "frequency": a.imag.expand(channels, -1),
            "b": torch.view_as_real(b).expand(channels, -1, -1),
        }
        if low_rank:
            tensors["p"] = torch.view_as_real(p).expand(channels, -1, -1)
        self.low_rank = low_rank
        for name, tensor in tensors.items():
            value = tensor.to(torch.get_default_dtype(), copy=True).contiguous()
            if trained:
                self.register_parameter(name, nn.Parameter(value))
            else:
                self.register_buffer(name, value)

    def forward(self) -> tuple[Tensor, Tensor, Tensor, Tensor | None]:
        """Steps (channels,), and a, b and p (channels, states / 2), complex, in single precision at least."""
        a = torch.complex(-_parameter(self.log_decay).exp(), _parameter(self.frequency))
        p = torch.view_as_complex(_parameter(self.p)) if self.low_rank else None
        return _parameter(self.log_step).exp(), a, torch.view_as_complex(_parameter(self.b)), p


class StateSpace(nn.Module):
    """A convolution of each channel with the kernel of its own system, plus a multiple of the channel itself.

    Kernel and convolution are computed in single precision at least, under autocast, too.

    Args:
        channels: Systems.
        states: States of each, an even number.
        bidirectional: Whether a second kernel of the same system runs backwards in time.
        low_rank: Whether the systems are HiPPO-LegS (S4), rather than its diagonal part (S4D).
        train_dynamics: Whether A, B and the steps are trained; C is always.
    """

    def __init__(self, channels: int, states: int, bidirectional: bool, low_rank: bool, train_dynamics: bool) -> None:
        super().__init__()
        self.dynamics = Dynamics(channels, states, low_rank, train_dynamics)
        # real and imaginary part, of a complex normal number with variance 1
        self.c = nn.Parameter(torch.randn(1 + bidirectional, channels, states // 2, 2) / 2**0.5)
        self.skip = nn.Parameter(torch.randn(channels))

    def kernel(self, length: int) -> Tensor:
        """The systems' impulse responses (1 or 2, channels, length): forwards and, where there is one, backwards."""
        step, a, b, p = self.dynamics()
        c = torch.view_as_complex(_parameter(self.c))
        return diagonal_kernel(length, step, a, b, c) if p is None else dplr_kernel(length, step, a, b, c, p)

    def forward(self, x: Tensor) -> Tensor:
        """(batch, channels, time) → (batch, channels, time)."""
        length = x.shape[2]
        # the meta device, on which operations are counted, has no autocast
        device = x.device.type if torch.amp.is_autocast_available(x.device.type) else "cpu"
        with torch.autocast(device, enabled=False):
            signal = _wide(x)
            kernel = self.kernel(length)
            forwards = nn.functional.pad(kernel[0], (0, length))
            if len(kernel) > 1:  # the moment itself belongs to the forward kernel
                forwards = forwards + nn.functional.pad(kernel[1].flip(1), (length, 0))
            spectrum = torch.fft.rfft(signal, 2 * length) * torch.fft.rfft(forwards)
            y: Tensor = torch.fft.irfft(spectrum, 2 * length)[..., :length] + signal * _parameter(self.skip)[:, None]
        return y.to(x.dtype)


def diagonal_kernel(length: int, step: Tensor, a: Tensor, b: Tensor, c: Tensor) -> Tensor:
    """The kernel of systems with a diagonal A, discretised bilinearly: its terms are powers of A's elements.

    Args:
        length: Samples of the kernel.
        step: (channels,) steps.
        a: (channels, half) elements of A, one of each conjugate pair.
        b: (channels, half) input weights.
        c: (directions, channels, half) output weights.

    Returns:
        (directions, channels, length), real.
    """
    turn = a * step[:, None] / 2
    powers = torch.exp(torch.log((1 + turn) / (1 - turn))[..., None] * torch.arange(length, device=a.device))
    weights = c * b * step[:, None] / (1 - turn)
    return 2 * torch.einsum("dcn,cnt->dct", weights, powers).real


def dplr_kernel(length: int, step: Tensor, a: Tensor, b: Tensor, c: Tensor, p: Tensor) -> Tensor:
    """The kernel of systems with A = diag(a) - p pᴴ, discretised bilinearly, from its discrete Fourier transform.

    At a root of unity z the kernel's generating function is C (1 - Āᴸ) (1 - Ā z)⁻¹ B̄, in which the resolvent is a
    Cauchy sum with a correction of rank one (Gu et al., arXiv:2111.00396, algorithm 1). Numerator and denominator are
    multiplied by 1 + z, so that z = -1 is no exception.

    Args:
        length: Samples of the kernel.
        step: (channels,) steps.
        a: (channels, half) diagonal part of A, one of each conjugate pair.
        b: (channels, half) input weights.
        c: (directions, channels, half) output weights.
        p: (channels, half) low-rank part of A.

    Returns:
        (directions, channels, length), real.
    """
    a, b, c, p = (torch.cat([half, half.conj()], dim=-1) for half in (a, b, c, p))
    matrix = torch.diag_embed(a) - p[:, :, None] * p.conj()[:, None, :]
    half_step = step[:, None, None] / 2
    identity = torch.eye(a.shape[1], device=a.device)
    transition = torch.linalg.solve(identity - half_step * matrix, identity + half_step * matrix)
    c = c - torch.einsum("dcm,cmn->dcn", c, torch.linalg.matrix_power(transition, length))

    angle = torch.arange(length // 2 + 1, device=a.device, dtype=step.dtype) * (-2 * torch.pi / length)
    z = torch.polar(torch.ones_like(angle), angle)
    cauchy = 1 / (2 * (1 - z) / step[:, None, None] - (1 + z) * a[..., None])  # (channels, states, frequencies)
    left = torch.cat([c, p.conj()[None]])
    right = torch.stack([b, p])
    sums = torch.einsum("lcn,rcn,cnf->lrcf", left, right, cauchy)
    cb, cp, pb, pp = sums[:-1, 0], sums[:-1, 1], sums[-1, 0], sums[-1, 1]
    kernel: Tensor = torch.fft.irfft(2 * (cb - (1 + z) * cp * pb / (1 + (1 + z) * pp)), length)
    return kernel


def _wide(x: Tensor) -> Tensor:
    """The tensor in single precision where it has less."""
    return x.to(torch.promote_types(x.dtype, torch.float32))


def _parameter(x: Tensor) -> Tensor:
    """A parameter in single precision at least."""
    # flattened on the way: the gradient then has the parameter's own strides, which data-parallel training asks for
    return _wide(x).flatten().view(x.shape)
