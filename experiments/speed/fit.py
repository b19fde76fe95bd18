"""Throughput of `fit` against a bare PyTorch loop over the same tensors in memory, turn by turn in one process.

python experiments/speed/fit.py --root DATA/ptbxl [--epochs 3] [--records 640] [--batch 32] [--accelerator cuda]
"""

import argparse
import sys
import time
from statistics import median
from typing import Any

import lightning.pytorch as pl
import torch

from ecg_lightning.config.compose import as_dict, compose
from ecg_lightning.config.schema import build, module_class
from ecg_lightning.datamodules import PTBXLDataModule
from ecg_lightning.main import guard
from ecg_lightning.modules.base import ECGModule
from ecg_lightning.training.trainer import keep_freed_memory, quiet


def model_of(data: PTBXLDataModule) -> ECGModule:
    """The shipped small network, equal weights every time."""
    torch.manual_seed(0)
    values = as_dict(compose(["--config", "experiment/ptbxl_small"]).model)
    network = build("model", values, leads=12, outputs=len(data.terms))
    module: ECGModule = module_class(values)(network, list(data.terms))
    return module


def bare(data: PTBXLDataModule, x: torch.Tensor, y: torch.Tensor, batch: int) -> float:
    """Seconds of one epoch of a plain loop: shuffled batches of float tensors, loss, clipping, AdamW, schedule."""
    module = model_of(data).to(x.device).train()
    steps = -(-len(x) // batch)
    configured = module.optim.configure(module.layer_groups(), {}, steps, "val/auroc")
    optimizer, scheduler = configured["optimizer"], configured["lr_scheduler"]["scheduler"]
    begin = time.perf_counter()
    for rows in torch.randperm(len(x), device=x.device).split(batch):
        loss = module.loss(module(x[rows]), y[rows], module.positive_weight)
        optimizer.zero_grad()
        loss.backward()
        torch.nn.utils.clip_grad_norm_(module.parameters(), 1.0)
        optimizer.step()
        scheduler.step()
        loss.item()  # a loop that shows its loss
    return time.perf_counter() - begin


class Clock(pl.Callback):
    """Seconds from an epoch's start to its end, without validation."""

    def on_train_epoch_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Starts the clock."""
        self.begin = time.perf_counter()

    def on_train_epoch_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Stops it."""
        self.seconds = time.perf_counter() - self.begin


def fitted(data: PTBXLDataModule, trainer_words: dict[str, Any]) -> float:
    """Seconds of one epoch of the Trainer over the packed store: reading, converting, normalising, augmenting, training."""
    clock = Clock()
    trainer = pl.Trainer(
        max_epochs=1, limit_val_batches=0, logger=False, enable_checkpointing=False, enable_progress_bar=False,
        enable_model_summary=False, gradient_clip_val=1.0, use_distributed_sampler=False, callbacks=clock, **trainer_words,
    )  # fmt: skip
    trainer.fit(model_of(data), datamodule=data)
    return clock.seconds


def main() -> None:
    """Prints the medians and the ratio."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--root", required=True)
    parser.add_argument("--epochs", type=int, default=3)
    parser.add_argument("--records", type=int, default=640)
    parser.add_argument("--batch", type=int, default=32)
    parser.add_argument("--workers", type=int, default=0, help="loader processes")
    parser.add_argument("--accelerator", choices=("cpu", "cuda"), default="cpu")
    parser.add_argument("--malloc", choices=("kept", "default"), default="kept")
    options = parser.parse_args()
    quiet()
    if options.malloc == "kept":
        keep_freed_memory()
    data = PTBXLDataModule(
        root=options.root, train_records=options.records, batch_size=options.batch, num_workers=options.workers,
        augment={"gain": 0.2, "shift": 1.0},
    )  # fmt: skip
    data.setup("fit")
    (cut,) = [torch.arange(len(data.rows("train")))]
    raw = data.dataset("train")[torch.stack([cut, torch.zeros_like(cut)], 1).numpy()]
    prepared = data.prepare(raw)
    x, y = prepared["x"].contiguous().to(options.accelerator), prepared["targets"].to(options.accelerator)
    words: dict[str, Any] = {"accelerator": options.accelerator, "devices": 1}
    bare(data, x, y, data.batch_size)  # warms up threads and kernels
    times: dict[str, list[float]] = {"bare": [], "fit": []}
    for _ in range(options.epochs):
        times["bare"].append(bare(data, x, y, data.batch_size))
        times["fit"].append(fitted(data, words))
    rates = {name: len(x) / median(seconds) for name, seconds in times.items()}
    ratio = median(b / f for b, f in zip(times["bare"], times["fit"], strict=True))
    print(
        f"bare loop {rates['bare']:.0f} records/s, fit {rates['fit']:.0f} records/s: fit reaches {ratio:.2f} of the bare loop"
    )


if __name__ == "__main__":
    sys.exit(guard(main))
