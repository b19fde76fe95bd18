"""The Trainer of every run, the place of the run's folder, and the settings of a process before it trains."""

import ctypes
import logging
import os
import sys
import warnings
from collections.abc import Mapping
from io import BytesIO
from pathlib import Path
from typing import Any

import lightning.pytorch as pl
import torch
from lightning.fabric.utilities.exceptions import MisconfigurationException
from lightning.fabric.utilities.types import _PATH
from lightning.pytorch.accelerators import CPUAccelerator
from lightning.pytorch.callbacks import Callback
from lightning.pytorch.plugins.io import TorchCheckpointIO
from lightning.pytorch.profilers import AdvancedProfiler, Profiler, PyTorchProfiler, SimpleProfiler
from omegaconf import DictConfig

from ecg_lightning.config.compose import as_dict, new_run_dir
from ecg_lightning.config.schema import build
from ecg_lightning.errors import UserError, one_line

PROFILERS: dict[str | None, type[Profiler]] = {
    "simple": SimpleProfiler, "advanced": AdvancedProfiler, "pytorch": PyTorchProfiler,
}  # fmt: skip
"""Lightning's profilers by their names."""


def run_dir_of(config: DictConfig) -> Path:
    """Returns the run's folder: `run_dir`, or a new one in `runs`."""
    return Path(config.get("run_dir") or new_run_dir("run")).expanduser()


def trainer_of(config: DictConfig, run_dir: Path, callbacks: list[Callback], logger: Any, freezes: bool) -> pl.Trainer:
    """Makes Lightning's Trainer with the values of the configuration and the settings of every run.

    Args:
        config: has the group `trainer`.
        run_dir: where Lightning may write.
        callbacks: of this run.
        logger: of this run, or False.
        freezes: whether layer groups are ever frozen; several processes then need another strategy.
    """
    values = as_dict(config.get("trainer") or DictConfig({}))
    strategy = values.get("strategy", "auto")
    if freezes and (strategy == "ddp" or (strategy == "auto" and _devices(values) > 1)):
        # Frozen parameters get no gradient; without this, replicas wait for it forever.
        values["strategy"] = "ddp_find_unused_parameters_true"
    profiler = values.pop("profiler", None)
    try:
        trainer: pl.Trainer = build(
            "trainer", values, callbacks=callbacks, logger=logger, default_root_dir=run_dir,
            use_distributed_sampler=False, plugins=[WholeCheckpoints()], profiler=_profiler(profiler, run_dir),
        )  # fmt: skip
    except (MisconfigurationException, TypeError, RuntimeError, ImportError) as error:
        raise UserError(f"trainer: {lightning_refusal(error, values)}") from error
    return trainer


def probe(config: DictConfig, run_dir: Path, freezes: bool) -> pl.Trainer:
    """Makes a Trainer of these values, so that Lightning refuses wrong arguments before data are packed.

    Raises:
        UserError: naming the argument.
    """
    values = as_dict(config.get("trainer") or DictConfig({}))
    if values.get("profiler") in PROFILERS:  # a profiler that was made must be used
        del values["profiler"]
    trainer = trainer_of(DictConfig({"trainer": values}), run_dir, [], False, freezes)
    on_cpu, cores = isinstance(trainer.accelerator, CPUAccelerator), os.cpu_count() or 1
    if on_cpu and values.get("sync_batchnorm"):
        raise UserError("trainer.sync_batchnorm=true needs GPUs: torch synchronises no batch norm on the CPU.")
    if on_cpu and trainer.num_devices > cores and trainer.is_global_zero:
        count = "one core" if cores == 1 else f"{cores} cores"
        print(f"Note: trainer.devices={trainer.num_devices} processes share {count} of this machine.", file=sys.stderr)
    return trainer


def lightning_refusal(error: Exception, values: Mapping[str, Any]) -> str:
    """Returns the reason for which Lightning refuses an argument, on one line."""
    text, accelerator = one_line(error), values.get("accelerator", "auto")
    if accelerator != "auto" and any(word in text for word in ("Accelerator", "backend", "torch_xla")):
        return f"accelerator={accelerator} was not found on this machine. Use trainer.accelerator=auto. ({text})"
    return f"{text}."


def _profiler(name: str | None, run_dir: Path) -> Profiler | str | None:
    """Returns the profiler of that name, which writes to the run's folder: Lightning's would write to a hidden log."""
    return PROFILERS[name](run_dir, "profile") if name in PROFILERS else name


class WholeCheckpoints(TorchCheckpointIO):
    """Writes a checkpoint so that a kill at any moment leaves the old file or the whole new one.

    Lightning writes to the system's folder of temporary files and moves the file from there. Between two file systems
    that is a copy, and a kill would cut it off.
    """

    def save_checkpoint(self, checkpoint: dict[str, Any], path: _PATH, storage_options: Any = None) -> None:
        """Writes `<path>.part` and renames it when it is on the disk."""
        content = BytesIO()
        torch.save(checkpoint, content)
        target = Path(path)
        target.parent.mkdir(parents=True, exist_ok=True)
        partial = target.with_name(target.name + ".part")
        try:
            with partial.open("wb") as file:
                file.write(content.getbuffer())
                file.flush()
                os.fsync(file.fileno())
            partial.replace(target)
        finally:
            partial.unlink(missing_ok=True)  # on a full disk


def _devices(values: Mapping[str, Any]) -> int:
    devices = values.get("devices", "auto")
    if isinstance(devices, list):
        return len(devices)
    if isinstance(devices, int) and devices >= 0:
        return devices * int(values.get("num_nodes", 1))
    return torch.cuda.device_count() if values.get("accelerator", "auto") in ("auto", "gpu", "cuda") else 1


def quiet() -> None:
    """Silences warnings of Lightning that do not apply: packed data need no workers, and `fit` locks its folder."""
    for text in (
        ".*does not have many workers.*", ".*Checkpoint directory .* exists and is not empty.*",
        ".*is smaller than the logging interval.*", ".*LeafSpec.* is deprecated.*",
        ".*ReduceLROnPlateau conditioned on metric.*",  # in epochs without validation
    ):  # fmt: skip
        warnings.filterwarnings("ignore", text)
    for name in ("lightning.pytorch.utilities.rank_zero", "lightning.pytorch.accelerators.cuda"):
        logging.getLogger(name).setLevel(logging.WARNING)


def keep_freed_memory() -> None:
    """Makes glibc keep freed buffers: returning activations to the kernel at each step costs page faults on the CPU."""
    if sys.platform != "linux":
        return
    try:
        libc = ctypes.CDLL("libc.so.6")
    except OSError:  # another C library has no such threshold
        return
    m_trim_threshold, m_mmap_threshold = -1, -3  # malloc.h
    libc.mallopt(m_mmap_threshold, 1 << 30)
    libc.mallopt(m_trim_threshold, 2**31 - 1)
