"""The Trainer as every run has it, where a run's folder is, and what a process is set to before it trains."""

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
    """The run's folder: ``run_dir``, or a new one in ``runs``."""
    return Path(config.get("run_dir") or new_run_dir("run")).expanduser()


def trainer_of(config: DictConfig, run_dir: Path, callbacks: list[Callback], logger: Any, freezes: bool) -> pl.Trainer:
    """Lightning's Trainer with the values of the configuration and what every run has.

    Args:
        config: its group ``trainer``.
        run_dir: where Lightning may write.
        callbacks: of this run.
        logger: of this run, or False.
        freezes: whether layer groups are ever frozen, which several processes must know.
    """
    values = as_dict(config.get("trainer") or DictConfig({}))
    strategy = values.get("strategy", "auto")
    if freezes and (strategy == "ddp" or (strategy == "auto" and _devices(values) > 1)):
        # Frozen parameters get no gradient; without this, replicas wait for them for ever.
        values["strategy"] = "ddp_find_unused_parameters_true"
    profiler = values.pop("profiler", None)
    try:
        trainer: pl.Trainer = build(
            "trainer", values, callbacks=callbacks, logger=logger, default_root_dir=run_dir,
            use_distributed_sampler=False, plugins=[WholeCheckpoints()], profiler=_profiler(profiler, run_dir),
        )  # fmt: skip
    except (MisconfigurationException, TypeError, RuntimeError, ImportError) as error:
        raise UserError(f"trainer: {of_lightning(error, values)}") from error
    return trainer


def probe(config: DictConfig, run_dir: Path, freezes: bool) -> pl.Trainer:
    """A Trainer of these values, made only so that Lightning refuses what it refuses before data are packed.

    Raises:
        UserError: naming the argument.
    """
    values = as_dict(config.get("trainer") or DictConfig({}))
    if values.get("profiler") in PROFILERS:  # which must be used, once made
        del values["profiler"]
    trainer = trainer_of(DictConfig({"trainer": values}), run_dir, [], False, freezes)
    on_cpu, cores = isinstance(trainer.accelerator, CPUAccelerator), os.cpu_count() or 1
    if on_cpu and values.get("sync_batchnorm"):
        raise UserError("trainer.sync_batchnorm=true needs GPUs: torch synchronises no batch norm on the CPU.")
    if on_cpu and trainer.num_devices > cores and trainer.is_global_zero:
        share = "one core" if cores == 1 else f"{cores} cores"
        print(f"Note: trainer.devices={trainer.num_devices} processes share {share} of this machine.", file=sys.stderr)
    return trainer


def of_lightning(error: Exception, values: Mapping[str, Any]) -> str:
    """What Lightning refuses, in one sentence."""
    text, accelerator = one_line(error), values.get("accelerator", "auto")
    if accelerator != "auto" and any(word in text for word in ("Accelerator", "backend", "torch_xla")):
        return f"accelerator={accelerator} was not found on this machine. Use trainer.accelerator=auto. ({text})"
    return f"{text}."


def _profiler(name: str | None, run_dir: Path) -> Profiler | str | None:
    """The profiler of that name, writing into the run's folder: Lightning would write to a log that nobody sees."""
    return PROFILERS[name](run_dir, "profile") if name in PROFILERS else name


class WholeCheckpoints(TorchCheckpointIO):
    """Writes a checkpoint so that a kill at any moment leaves the old file or the whole new one.

    Lightning writes into the system's folder of temporary files and moves the file from there, which between two file
    systems is a copy that a kill cuts off.
    """

    def save_checkpoint(self, checkpoint: dict[str, Any], path: _PATH, storage_options: Any = None) -> None:
        """Writes ``<path>.part`` and renames it when it is on the disk."""
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
    """Silences what does not help here: packed data wants no workers, folders are looked after by us, advertisements."""
    for text in (
        ".*does not have many workers.*", ".*Checkpoint directory .* exists and is not empty.*",
        ".*is smaller than the logging interval.*", ".*LeafSpec.* is deprecated.*",
        ".*ReduceLROnPlateau conditioned on metric.*",  # in epochs without validation
    ):  # fmt: skip
        warnings.filterwarnings("ignore", text)
    for name in ("lightning.pytorch.utilities.rank_zero", "lightning.pytorch.accelerators.cuda"):
        logging.getLogger(name).setLevel(logging.WARNING)


def keep_freed_memory() -> None:
    """Lets glibc keep freed buffers: giving activations back to the kernel each step costs page faults on the CPU."""
    if sys.platform != "linux":
        return
    try:
        libc = ctypes.CDLL("libc.so.6")
    except OSError:  # another C library has no such threshold
        return
    m_trim_threshold, m_mmap_threshold = -1, -3  # malloc.h
    libc.mallopt(m_mmap_threshold, 1 << 30)
    libc.mallopt(m_trim_threshold, 2**31 - 1)
