"""ECGModule: a network in training — masked loss, metrics, thresholds, and what its checkpoint says of itself."""

from collections.abc import Sequence
from typing import Any

import lightning.pytorch as pl
import numpy as np
import torch
from scipy.special import expit
from torch import Tensor, nn
from torch.nn.functional import binary_cross_entropy_with_logits

from ecg_lightning.errors import UserError
from ecg_lightning.metrics import Calibration, choose_thresholds, fit_calibration, summarise
from ecg_lightning.metrics.epoch import EpochOutputs, Outputs
from ecg_lightning.models.network import Network
from ecg_lightning.modules.optim import Optim

CARD = "card"
"""The key under which a checkpoint describes itself."""
SEEN = "seen"
"""The key under which a checkpoint keeps the content of the recordings that trained it."""


class ECGModule(pl.LightningModule):
    """A network that predicts an ordered list of terms; a subclass only builds its network.

    Args:
        network: maps (batch, leads, samples) to (batch, terms) logits.
        terms: the ordered terms.

    Attributes:
        optim: how the network is trained.
        rates: a factor on the learning rate for each layer group.
        monitor: the validation metric by which epochs are compared.
        card: what a checkpoint says of itself: model, terms, input, data, versions; plain values.
        seen: (recordings, 64) content of the recordings that train it, and trained what it starts from.
        thresholds: (terms,) probabilities at and above which a term counts as positive, from the last validation; NaN
            where the training data cannot teach the term, which then is never positive.
        calibration: from logits to probabilities, from the last validation.
        seed: of dropout and augmentation in every epoch.
    """

    def __init__(self, network: Network, terms: Sequence[str]) -> None:
        super().__init__()
        self.network = network
        self.terms = tuple(terms)
        self.optim = Optim()
        self.rates: dict[str, float] = {}
        self.monitor = "val/auroc"
        self.card: dict[str, Any] = {}
        self.seen: Tensor | None = None
        self.seed = 0
        self.thresholds = np.full(len(self.terms), 0.5)
        self.calibration = Calibration(np.ones(len(self.terms)), np.zeros(len(self.terms)))
        self.outputs = EpochOutputs()
        self.last: Outputs | None = None
        self.positive_weight: Tensor
        self.register_buffer("positive_weight", torch.ones(len(self.terms)), persistent=False)

    def forward(self, x: Tensor) -> Tensor:
        """(batch, leads, samples) → (batch, terms) logits, in float32 or, where the network computes in it, float64."""
        logits: Tensor = self.network(x.to(next(self.network.parameters()).dtype))
        return logits if logits.dtype == torch.float64 else logits.float()

    def layer_groups(self) -> dict[str, nn.Module]:
        """The network's layer groups, in order."""
        return self.network.layer_groups()

    # Training --------------------------------------------------------------------------------------------------------

    def loss(self, logits: Tensor, targets: Tensor, weight: Tensor | None = None) -> Tensor:
        """Binary cross-entropy over the annotated terms (NaN targets count for nothing)."""
        annotated = ~torch.isnan(targets)
        each = binary_cross_entropy_with_logits(logits, targets.nan_to_num(), pos_weight=weight, reduction="none")
        return (each * annotated).sum() / annotated.sum().clamp(min=1)

    def on_train_epoch_start(self) -> None:
        """Reseeds dropout and augmentation by the epoch, so that a resumed run draws what an uninterrupted one draws."""
        torch.manual_seed(1_000_003 * self.seed + 1_009 * self.current_epoch + self.global_rank)
        self.log("train/lr", max(group["lr"] for group in self.trainer.optimizers[0].param_groups))

    def training_step(self, batch: dict[str, Tensor], batch_idx: int) -> Tensor:
        """The loss of one batch, positives weighted."""
        loss = self.loss(self(batch["x"]), batch["targets"], self.positive_weight)
        self.log(
            "train/loss", loss, on_step=False, on_epoch=True, prog_bar=True, batch_size=len(batch["x"]), sync_dist=True
        )
        return loss

    def configure_optimizers(self) -> Any:
        """All parameters, frozen or not, in groups by layer."""
        steps = self.trainer.estimated_stepping_batches
        fused = "mixed" not in self.trainer.precision  # Lightning clips no gradients of a fused optimizer there
        every = self.trainer.check_val_every_n_epoch or 1
        return self.optim.configure(self.layer_groups(), self.rates, steps, self.monitor, fused, every)

    # Evaluation ------------------------------------------------------------------------------------------------------

    def validation_step(self, batch: dict[str, Tensor], batch_idx: int) -> None:
        """Collects the logits of one batch of windows."""
        self.outputs.update(self(batch["x"]), batch["targets"], batch["record"], batch["window"])

    def test_step(self, batch: dict[str, Tensor], batch_idx: int) -> None:
        """As in validation."""
        self.validation_step(batch, batch_idx)

    def on_validation_epoch_end(self) -> None:
        """Logs the metrics; in training, also chooses thresholds and calibration from this validation."""
        outputs = self._finish_epoch()
        if self.trainer.state.fn == "fit" and not self.trainer.sanity_checking:
            learnt = ~np.isnan(self.thresholds)
            self.calibration = fit_calibration(outputs.logits, outputs.targets)
            self.thresholds = np.where(learnt, choose_thresholds(expit(outputs.logits), outputs.targets), np.nan)
        self._report("val", outputs)

    def on_test_epoch_end(self) -> None:
        """Logs the metrics at the thresholds that validation chose."""
        self._report("test", self._finish_epoch())

    def _finish_epoch(self) -> Outputs:
        self.last = self.outputs.compute()
        self.outputs.reset()
        if not np.isfinite(self.last.logits).all():
            raise UserError("The network's outputs are no longer finite: the training diverged. Lower optim.lr.")
        return self.last

    def _report(self, split: str, outputs: Outputs) -> None:
        values = summarise(expit(outputs.logits), outputs.targets, self.terms, self.thresholds)
        logits, targets = torch.from_numpy(outputs.logits), torch.from_numpy(outputs.targets)
        values["loss"] = float(self.loss(logits, targets))
        data = self.trainer.datamodule  # type: ignore[attr-defined]
        for source, own in data.by_source(outputs.records).items() if data is not None else ():
            each = summarise(expit(outputs.logits[own]), outputs.targets[own], self.terms)
            values |= {f"{name}@{source}": each[name] for name in ("auroc", "ap")}
        # Every process computed the same numbers from the gathered outputs: nothing is left to reduce.
        for name, value in values.items():
            self.log(
                f"{split}/{name}",
                torch.tensor(value, dtype=torch.float64),
                prog_bar=name == "auroc",
                rank_zero_only=False,
            )

    # Checkpoints -----------------------------------------------------------------------------------------------------

    def on_save_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        """Adds the card, with thresholds and calibration: plain values, so that any torch version loads it safely."""
        metrics = {k: v.item() for k, v in self.trainer.callback_metrics.items() if k.startswith("val/")}
        checkpoint[CARD] = self.card | {
            "terms": list(self.terms),
            "thresholds": [None if np.isnan(threshold) else threshold for threshold in self.thresholds.tolist()],
            "calibration": {"slope": self.calibration.slope.tolist(), "intercept": self.calibration.intercept.tolist()},
            "metrics": metrics,
            "epoch": self.current_epoch,
        }

        if self.seen is not None:
            checkpoint[SEEN] = self.seen

    def on_load_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        """Takes thresholds and calibration from the card."""
        self.take_card(checkpoint[CARD])

    def take_card(self, card: dict[str, Any]) -> None:
        """Takes thresholds and calibration from a checkpoint's card."""
        self.thresholds = np.array(card["thresholds"], np.float64)  # None is NaN
        self.calibration = Calibration(**{key: np.array(value) for key, value in card["calibration"].items()})
