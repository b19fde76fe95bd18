"""ECG-CPC's checkpoint (github.com/AI4HealthUOL/ecg-fm-benchmarking, commit 6367295) as weights of our ECGCPC.

The tensors are those of `clinical_ts/ts` with `conf/config_cpc_ecg_s4_heedb.yaml`: four convolutions with batch normalisation,
and four causal S4 layers of width 512 with 8 states. A layer's C is stored times 1 - Ā^L, with the L for which it was built:
here C itself is computed, so that a kernel of any length is the same.
"""

import math
from collections.abc import Mapping

import torch
from torch import Tensor

from ecg_lightning.checkpoints.card import Input
from ecg_lightning.checkpoints.foreign.family import Family, Weights
from ecg_lightning.checkpoints.foreign.rename import AFFINE, BATCH_NORM, check_names, entries, mean_head, rename
from ecg_lightning.errors import UserError
from ecg_lightning.records import LEADS

LAYERS = 4
"""Convolutions, and state-space layers."""
SYSTEM = ("D", *(f"kernel.kernel.{name}" for name in ("C", "log_dt", "B", "P", "w", "Q", "omega", "z")))
"""The tensors of a state-space system in a file."""
SETTINGS = (
    "omegaconf.dictconfig.DictConfig", "omegaconf.listconfig.ListConfig", "omegaconf.base.ContainerMetadata",
    "omegaconf.base.Metadata", "omegaconf.nodes.AnyNode", "omegaconf.nodes.StringNode", "omegaconf.nodes.IntegerNode",
    "omegaconf.nodes.FloatNode", "omegaconf.nodes.BooleanNode", "omegaconf.nodes.PathNode", "typing.Any",
    "collections.defaultdict", "builtins.dict", "builtins.list", "builtins.str", "builtins.int", "builtins.float",
    "builtins.bool",
)  # fmt: skip
"""What Lightning stored of the run's configuration beside the tensors."""


def names() -> dict[str, str | None]:
    """Returns every tensor of a file, and its name in ECGCPC; None for those of pretraining and of the systems."""
    table: dict[str, str | None] = {"ts_encoder.head_ssl.proj.0.weight": None}
    for i in range(LAYERS):
        encoder, predictor = f"ts_encoder.encoder.layers.{i}", "ts_encoder.predictor.predictor"
        table |= entries(f"{encoder}.0", f"stem.{i}.0", ("weight",)) | entries(
            f"{encoder}.1", f"stem.{i}.1", BATCH_NORM
        )
        table |= entries(f"{predictor}.norms.{i}", f"blocks.{i}.norm", AFFINE)
        table |= entries(f"{predictor}.s4_layers.{i}.output_linear.0", f"blocks.{i}.mix", AFFINE)
        table |= dict.fromkeys(f"{predictor}.s4_layers.{i}.{name}" for name in SYSTEM)
    return table


def convert(state: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Returns the tensors of ECGCPC without its head, of those of a file (its entry `state_dict`).

    Raises:
        UserError: where a tensor is missing or unexpected, or a system is not of the published form.
    """
    check_names(state, names(), "ECG-CPC")
    tensors = rename(state, names(), "ECG-CPC")
    for i in range(LAYERS):
        prefix = f"ts_encoder.predictor.predictor.s4_layers.{i}"
        mix = f"blocks.{i}.mix.bias"
        tensors[mix] = tensors[mix].flatten()
        parts = {name.rpartition(".")[2]: state[f"{prefix}.{name}"] for name in SYSTEM}
        tensors |= {f"blocks.{i}.system.{name}": tensor for name, tensor in system(parts, prefix).items()}
    return tensors


def system(parts: Mapping[str, Tensor], where: str) -> dict[str, Tensor]:
    """Returns a state-space system's tensors under our names.

    Args:
        parts: `D`, `C`, `log_dt`, `B`, `P`, `w`, `Q`, `omega` and `z` of a layer.
        where: the layer, for messages.

    Raises:
        UserError: where a shape is another one, A has not the form diag(w) - P Pᴴ, or w does not decay.
    """
    channels = len(parts["log_dt"])
    half = parts["w"].shape[1] if parts["w"].ndim == 3 else 0
    expected = {"w": (channels, half, 2), "D": (1, channels), "log_dt": (channels,)}
    expected |= dict.fromkeys(("B", "C", "P", "Q"), (1, channels, half, 2))
    for name, shape in expected.items():
        if tuple(parts[name].shape) != shape:
            raise UserError(f"{where}: the tensor {name} has the shape {tuple(parts[name].shape)} instead of {shape}.")
    nodes = parts["omega"]
    if nodes.ndim != 2 or nodes.shape[0] < 2 or nodes.shape[1] != 2 or nodes.shape != parts["z"].shape:
        raise UserError(f"{where}: the tensors omega and z are no complex numbers of one length.")
    a, b, c, p, q = (torch.view_as_complex(parts[name].double().contiguous()) for name in ("w", "B", "C", "P", "Q"))
    if not torch.allclose(q, p.conj(), rtol=1e-4, atol=1e-6):
        raise UserError(f"{where}: Q is not the conjugate of P, so that our network would compute something else.")
    if not bool((a.real < 0).all()):
        raise UserError(f"{where}: a system has a real part of w that is not below 0.")
    angle = -float(torch.atan2(nodes[1, 1].double(), nodes[1, 0].double()))
    length = round(2 * math.pi / angle) if angle > 0 else 0
    if length // 2 + 1 != len(nodes):
        raise UserError(f"{where}: omega does not have the nodes of a kernel of {length} samples.")
    step = parts["log_dt"].double().exp()
    return {
        "c": _like(torch.view_as_real(_uncorrected(c, a, p[0], step, length)), parts["C"]),
        "skip": parts["D"][0],
        "dynamics.log_step": parts["log_dt"],
        "dynamics.log_decay": _like(torch.log(-a.real), parts["w"]),
        "dynamics.frequency": _like(a.imag.contiguous(), parts["w"]),
        "dynamics.b": _like(torch.view_as_real(b[0]), parts["B"]),
        "dynamics.p": _like(torch.view_as_real(p[0]), parts["P"]),
    }


def _uncorrected(c: Tensor, a: Tensor, p: Tensor, step: Tensor, length: int) -> Tensor:
    """Returns C (1, channels, half) of a C that is stored times 1 - Ā^L; Ā is discretised bilinearly."""
    half = a.shape[1]
    a, p, c = (torch.cat([part, part.conj()], dim=-1) for part in (a, p, c))
    matrix = torch.diag_embed(a) - p[:, :, None] * p.conj()[:, None, :]
    half_step = step[:, None, None] / 2
    identity = torch.eye(2 * half, dtype=matrix.dtype)
    transition = torch.linalg.solve(identity - half_step * matrix, identity + half_step * matrix)
    correction = identity - torch.linalg.matrix_power(transition, length)
    solution: Tensor = torch.linalg.solve(correction.mT, c[0][..., None])
    return solution[None, :, :half, 0]


def _like(tensor: Tensor, stored: Tensor) -> Tensor:
    """Returns a computed tensor in the type of the stored one."""
    return tensor.to(stored.dtype).contiguous()


def weights(state: Mapping[str, Tensor], file: str) -> Weights:
    """Returns a file's tensors as weights of ECGCPC, with a head that is not learnt.

    Raises:
        UserError: as of `convert`.
    """
    tensors = mean_head(convert(state), 512)
    preprocess = {
        "normalisation": "none", "low": None, "high": None, "leads": list(LEADS), "notch": None, "baseline": None,
    }  # fmt: skip
    unused = 1 + 2 * LAYERS  # the head of pretraining, and each kernel's nodes, which follow from its length
    return Weights(
        {"name": "ECGCPCModule"}, ["ecg-cpc:no head"], Input(240, 2.5, preprocess), tensors, unused, has_head=False
    )


FAMILY = Family(
    name="ecg-cpc",
    title="ECG-CPC",
    address="https://figshare.com/articles/dataset/ECG-CPC_Checkpoint_zip/30192604",
    licence="CC BY 4.0",
    citation="Al-Masud, Lopez Alcaraz and Strodthoff, Benchmarking ECG Foundational Models: A Reality Check Across Clinical "
    "Tasks, ICLR 2026, arXiv:2509.25095",
    archives=("heedb",),
    marks=("ts_encoder.encoder.layers.0.0.weight",),
    convert=weights,
    entry="state_dict",
    objects=SETTINGS,
)
