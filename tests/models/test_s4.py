"""State-space layers against the recurrence that they stand for, and HiPPO against its definition."""

import pytest
import torch
from torch import Tensor

from ecg_lightning.models.s4 import S4
from ecg_lightning.models.state_space import Dynamics, StateSpace, hippo_legs, normal_plus_low_rank


def layer(low_rank: bool, bidirectional: bool = True, states: int = 8) -> StateSpace:
    torch.manual_seed(0)
    return StateSpace(3, states, bidirectional, low_rank, train_dynamics=True).double()


def pairs(half: Tensor) -> Tensor:
    """Each of the complex numbers, then its conjugate."""
    return torch.cat([half, half.conj()], -1).detach()


def recurrence(system: StateSpace, x: Tensor, direction: int) -> Tensor:
    """Y = C h, h = Ā h + B̄ x sample by sample, from x' = A x + B u by the bilinear rule; (channels, time)."""
    step, a, b, p = (None if tensor is None else tensor.detach() for tensor in system.dynamics())
    c = pairs(torch.view_as_complex(system.c[direction]))
    outputs = []
    for channel in range(len(step)):
        matrix = torch.diag(pairs(a[channel]))
        if p is not None:
            matrix = matrix - torch.outer(pairs(p[channel]), pairs(p[channel]).conj())
        identity, half = torch.eye(len(matrix)), step[channel] / 2 * matrix
        transition = torch.linalg.inv(identity - half) @ (identity + half)
        weights = torch.linalg.inv(identity - half) @ pairs(b[channel]) * step[channel]
        h, y = torch.zeros_like(weights), []
        for sample in x[channel]:
            h = transition @ h + weights * sample
            y.append((c[channel] @ h).real)
        outputs.append(torch.stack(y))
    return torch.stack(outputs)


@pytest.mark.parametrize("low_rank", [True, False])
@pytest.mark.parametrize("length", [1, 2, 37, 200])
def test_equal_to_the_recurrence_in_both_directions(low_rank: bool, length: int) -> None:
    system = layer(low_rank)
    x = torch.randn(1, 3, length, dtype=torch.float64)
    forwards = recurrence(system, x[0], 0)
    # backwards from the following sample: the moment itself belongs to the forward kernel
    backwards = torch.nn.functional.pad(recurrence(system, x[0].flip(1), 1).flip(1)[:, 1:], (0, 1))
    expected = forwards + backwards + system.skip[:, None] * x[0]
    torch.testing.assert_close(system(x)[0], expected, rtol=1e-10, atol=1e-10)


@pytest.mark.parametrize("low_rank", [True, False])
def test_kernel_of_a_shorter_recording_is_the_start_of_a_longer_ones(low_rank: bool) -> None:
    system = layer(low_rank)
    for length in (1, 999, 1000):
        torch.testing.assert_close(system.kernel(length), system.kernel(2501)[..., :length], rtol=1e-10, atol=1e-12)
    exact, single = system.kernel(5000), system.float().kernel(5000)
    torch.testing.assert_close(single.double(), exact, rtol=0, atol=1e-5 * exact.abs().max().item())


def test_a_causal_network_does_not_see_the_future() -> None:
    torch.manual_seed(0)
    network = S4(width=8, layers=2, bidirectional=False).double().eval()
    x = torch.randn(2, 12, 300, dtype=torch.float64)
    torch.testing.assert_close(network.encode(x[..., :201]), network.encode(x)[..., :201])
    padded = torch.nn.functional.pad(x, (0, 100))
    torch.testing.assert_close(network.encode(padded)[..., :300], network.encode(x))


def test_hippo_legs_by_hand() -> None:
    matrix, b = hippo_legs(3)
    roots = [1, 3**0.5, 5**0.5]
    expected = [[-1, 0, 0], [-roots[1], -2, 0], [-roots[2], -roots[1] * roots[2], -3]]
    torch.testing.assert_close(matrix, torch.tensor(expected, dtype=torch.float64))
    torch.testing.assert_close(b, torch.tensor(roots, dtype=torch.float64))


@pytest.mark.parametrize("states", [2, 8, 16])
def test_normal_plus_low_rank_is_the_same_system(states: int) -> None:
    matrix, b = hippo_legs(states)
    readout = torch.sqrt(torch.arange(states, dtype=torch.float64) + 0.5)  # p, in the original basis
    a, p, b_turned = map(pairs, normal_plus_low_rank(states))
    turned = torch.diag(a) - torch.outer(p, p.conj())
    assert torch.all(a.real == -0.5)
    torch.testing.assert_close(torch.trace(turned).real, torch.trace(matrix))
    for s in (0.3 + 1j, 2 - 3j):  # transfer functions do not depend on the basis
        shifted = s * torch.eye(states)
        expected = (readout + 0j) @ torch.linalg.solve(shifted - matrix, b + 0j)
        torch.testing.assert_close(p.conj() @ torch.linalg.solve(shifted - turned, b_turned), expected)


def test_parameters_of_the_published_network_by_hand() -> None:
    # Mehari and Strodthoff's code (github.com/tmehari/ssm_ecg, s4_model.py): a pointwise convolution, four layers of C in
    # two directions, D, a linear layer to 2 · 512 and a layer normalisation; A, B and the steps are not trained
    per_layer = 2 * 512 * 4 * 2 + 512 + (512 * 1024 + 1024) + 2 * 512
    network = S4(outputs=71)
    count = sum(p.numel() for p in network.parameters())
    assert count == (12 * 512 + 512) + 4 * per_layer + 512 * 71 + 71 == 2_183_239
    assert f"{count:,}" in str(S4.__doc__)


def test_fixed_and_trained_dynamics_have_the_same_tensors() -> None:
    fixed, trained = S4(width=8, layers=1), S4(width=8, layers=1, train_dynamics=True)
    trained.load_state_dict(fixed.state_dict())
    kinds = [sum(len(list(m.parameters())) for m in n.modules() if isinstance(m, Dynamics)) for n in (fixed, trained)]
    assert kinds == [0, 5]
    # steps by their range, A at HiPPO's
    system = trained.blocks[0].system.dynamics
    assert 0.001 <= system.log_step.exp().min() and system.log_step.exp().max() <= 0.1
    torch.testing.assert_close(system()[1].real, torch.full((8, 4), -0.5))


def test_autocast_computes_the_kernel_in_single_precision() -> None:
    system = layer(low_rank=True).float()
    x = torch.randn(2, 3, 300)
    with torch.autocast("cpu", torch.bfloat16):
        assert torch.equal(system(x), system.float()(x))
        half = system(x.bfloat16())
    assert half.dtype == torch.bfloat16
    torch.testing.assert_close(half.float(), system(x), rtol=0.05, atol=0.05)
