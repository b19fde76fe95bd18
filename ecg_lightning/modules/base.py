"""ECGModule: a network in training, with masked loss, metrics, thresholds, and the card of its checkpoints."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any, ClassVar

import lightning.pytorch as pl
import numpy as np
import torch
from numpy.typing import ArrayLike
from scipy.special import expit
from torch import Tensor, nn
from torch.nn.functional import binary_cross_entropy_with_logits

from ecg_lightning.checkpoints.card import Card, Scaling
from ecg_lightning.datamodules.seen import refuse_seen
from ecg_lightning.errors import UserError
from ecg_lightning.metrics import Calibration, brier, expected_calibration_error, macro, summarise
from ecg_lightning.metrics.decision import Decision
from ecg_lightning.metrics.epoch import OutputCollector, RecordOutputs
from ecg_lightning.models.adapters import adapter_size, merged
from ecg_lightning.models.network import Network
from ecg_lightning.modules.optim import Optim

CARD = "card"
"""The key of the card in a checkpoint file."""
SEEN = "seen"
"""The key of the list of fingerprints, of the recordings that trained the network, in a checkpoint file."""

ADAPTED = "adapted"
"""The key, in a checkpoint file, of the state of a network with adapters."""


class ECGModule(pl.LightningModule):
    """A network that predicts an ordered list of terms, in training; a subclass only names its `architecture`.

    Args:
        network: maps (batch, leads, samples) to (batch, terms) logits; a `MetadataNetwork` also takes patient data.
        terms: the ordered terms.
        optim: how the network is trained; the defaults where None.
        decision: how thresholds and calibration are chosen at each validation; the defaults where None.
        lr_factors: the learning-rate factor of each layer group; 1 where it has none.
        positive_weight: (terms,) weight of a positive in the loss; 1 where None.
        monitor: the validation metric by which epochs are compared.
        seed: of dropout and augmentation in every epoch.
        card: describes the network in its checkpoints; with None they have no card, and cannot be published.
        seen: (recordings, bytes) fingerprints of the recordings that train it and that trained its parent.
        check_seen: whether a training first compares the held-out recordings with `seen`; `fit` compares them itself.

    Attributes:
        thresholds: (terms,) probabilities at and above which a term counts as positive, from the last validation; NaN
            where the training data cannot teach the term, which then never counts as positive.
        calibration: from logits to probabilities, from the last validation.
        threshold_rule: by which the thresholds were chosen; "" where they were not.
        calibration_method: by which the calibration was fitted; "" where it was not.
        last: logits and targets of the last evaluation.
    """

    architecture: ClassVar[Callable[..., Network]]
    """The class of the network; its arguments are those of the group `model` of a configuration."""

    def __init__(
        self,
        network: Network,
        terms: Sequence[str],
        *,
        optim: Optim | None = None,
        decision: Decision | None = None,
        lr_factors: Mapping[str, float] | None = None,
        positive_weight: ArrayLike | None = None,
        monitor: str = "val/auroc",
        seed: int = 0,
        card: Card | None = None,
        seen: Tensor | None = None,
        check_seen: bool = False,
    ) -> None:
        super().__init__()
        self.network = network
        self.terms = tuple(terms)
        self.optim = optim or Optim()
        self.decision = decision or Decision()
        self.lr_factors = dict(lr_factors or {})
        self.monitor = monitor
        self.seed = seed
        self.card = card
        self.seen = seen
        self.check_seen = check_seen
        size = len(self.terms)
        self.thresholds = np.full(size, 0.5) if card is None else card.decision_thresholds
        self.calibration = Calibration(np.ones(size), np.zeros(size)) if card is None else card.scaling
        self.threshold_rule = "" if card is None else card.threshold_rule
        self.calibration_method = "" if card is None else card.calibration_method
        self.outputs = OutputCollector()
        self.last: RecordOutputs | None = None
        weight = np.ones(size) if positive_weight is None else positive_weight
        self.positive_weight: Tensor
        self.register_buffer("positive_weight", torch.tensor(weight, dtype=torch.float32), persistent=False)

    def forward(self, x: Tensor, metadata: Tensor | None = None) -> Tensor:
        """Computes logits (batch, terms) of signals (batch, leads, samples): float64 where the network is, else float32.

        Args:
            x: (batch, leads, samples) the network's input.
            metadata: (batch, columns) patient data, for a network that sees them.
        """
        beside = () if metadata is None else (metadata,)
        return self._in_full(self.network(self._as_weights(x), *beside))

    def logits(self, batch: Mapping[str, Tensor]) -> Tensor:
        """Computes logits (batch, terms) of a batch: of its signals `x` or, in a cached run, of the frozen layers' output `body`."""
        if "body" not in batch:
            logits: Tensor = self(batch["x"], batch.get("metadata"))
            return logits
        beside = (batch["metadata"],) if "metadata" in batch else ()
        return self._in_full(self.network.classify(self._as_weights(batch["body"]), *beside))

    def body(self, x: Tensor) -> Tensor:
        """Computes what the layers below the head put out for signals (batch, leads, samples), see `Network.body`."""
        return self._in_full(self.network.body(self._as_weights(x)))

    def _as_weights(self, values: Tensor) -> Tensor:
        return values.to(next(self.network.parameters()).dtype)

    @staticmethod
    def _in_full(logits: Tensor) -> Tensor:
        return logits if logits.dtype == torch.float64 else logits.float()

    def layer_groups(self) -> dict[str, nn.Module]:
        """Returns the network's layer groups, in order."""
        return self.network.layer_groups()

    # Training --------------------------------------------------------------------------------------------------------

    def on_fit_start(self) -> None:
        """Makes sure that a network that was read from a checkpoint is trained as a new one is.

        Lightning would leave it in evaluation mode, without dropout and with fixed batch norm, and would not compare what
        trained it with the held-out recordings.
        """
        if self.check_seen:
            archives = [] if self.card is None else self.card.archives
            refuse_seen(getattr(self.trainer, "datamodule", None), self.seen, archives)
        if not (self.training and self.network.training):
            self.train()

    def loss(self, logits: Tensor, targets: Tensor, weight: Tensor | None = None) -> Tensor:
        """Computes the mean binary cross-entropy over the annotated targets.

        Args:
            logits: (batch, terms).
            targets: (batch, terms) 1, 0, or NaN where not annotated, which is left out.
            weight: (terms,) weight of a positive; 1 where None.
        """
        annotated = ~torch.isnan(targets)
        losses = binary_cross_entropy_with_logits(logits, targets.nan_to_num(), pos_weight=weight, reduction="none")
        return (losses * annotated).sum() / annotated.sum().clamp(min=1)

    def on_train_epoch_start(self) -> None:
        """Reseeds dropout and augmentation by the epoch, so that a resumed run draws what an uninterrupted one draws."""
        torch.manual_seed(1_000_003 * self.seed + 1_009 * self.current_epoch + self.global_rank)
        self.log("train/lr", max(group["lr"] for group in self.trainer.optimizers[0].param_groups))

    def training_step(self, batch: dict[str, Tensor], batch_idx: int) -> Tensor:
        """Computes and logs the loss of one batch, with weighted positives."""
        targets = batch["targets"]
        loss = self.loss(self.logits(batch), targets, self.positive_weight)
        self.log(
            "train/loss", loss, on_step=False, on_epoch=True, prog_bar=True, batch_size=len(targets), sync_dist=True
        )
        return loss

    def configure_optimizers(self) -> Any:
        """Makes optimizer and schedule of all parameters, frozen or not, in groups by layer."""
        steps = self.trainer.estimated_stepping_batches
        fused = "mixed" not in self.trainer.precision  # Lightning clips no gradients of a fused optimizer there
        every = self.trainer.check_val_every_n_epoch or 1
        return self.optim.configure(self.layer_groups(), self.lr_factors, steps, self.monitor, fused, every)

    # Evaluation ------------------------------------------------------------------------------------------------------

    def validation_step(self, batch: dict[str, Tensor], batch_idx: int) -> None:
        """Collects the logits of one batch of windows."""
        self.outputs.update(self.logits(batch), batch["targets"], batch["record"], batch["window"])

    def test_step(self, batch: dict[str, Tensor], batch_idx: int) -> None:
        """Collects the logits of one batch of windows."""
        self.validation_step(batch, batch_idx)

    def on_validation_epoch_end(self) -> None:
        """Logs the metrics; in training, also chooses thresholds and calibration from this validation."""
        outputs = self._finish_epoch()
        if self.trainer.state.fn == "fit" and not self.trainer.sanity_checking:
            learnt = ~np.isnan(self.thresholds)
            self.calibration = self.decision.calibrate(outputs.logits, outputs.targets)
            chosen = self.decision.thresholds(outputs.logits, outputs.targets)
            self.thresholds = np.where(learnt, chosen, np.nan)
            self.threshold_rule, self.calibration_method = self.decision.rule, self.decision.calibration
        self._log_metrics("val", outputs)

    def on_test_epoch_end(self) -> None:
        """Logs the metrics at the thresholds that validation chose."""
        self._log_metrics("test", self._finish_epoch())

    def _finish_epoch(self) -> RecordOutputs:
        """Returns the epoch's outputs, which `last` keeps, and starts to collect anew."""
        self.last = self.outputs.compute()
        self.outputs.reset()
        if not np.isfinite(self.last.logits).all():
            raise UserError("The network's outputs are no longer finite: the training diverged. Lower optim.lr.")
        return self.last

    def _log_metrics(self, split: str, outputs: RecordOutputs) -> None:
        values = summarise(expit(outputs.logits), outputs.targets, self.terms, self.thresholds)
        logits, targets = torch.from_numpy(outputs.logits), torch.from_numpy(outputs.targets)
        values["loss"] = float(self.loss(logits, targets))
        calibrated = self.calibration.apply(outputs.logits)
        values["brier_calibrated"] = macro(brier(calibrated, outputs.targets))
        values["ece_calibrated"] = macro(expected_calibration_error(calibrated, outputs.targets))
        data = self.trainer.datamodule  # type: ignore[attr-defined]
        for source, rows in data.by_source(outputs.records).items() if data is not None else ():
            of_source = summarise(expit(outputs.logits[rows]), outputs.targets[rows], self.terms)
            values |= {f"{name}@{source}": of_source[name] for name in ("auroc", "ap")}
        # Every process computed the same numbers from the gathered outputs: there is nothing to reduce.
        for name, value in values.items():
            self.log(
                f"{split}/{name}",
                torch.tensor(value, dtype=torch.float64),
                prog_bar=name == "auroc",
                rank_zero_only=False,
            )

    # Checkpoints -----------------------------------------------------------------------------------------------------

    def on_save_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        """Adds the card, with thresholds and calibration: plain values, so that any torch version loads it safely.

        The state is that of a plain network, with adapters merged; a run that goes on takes the state with adapters.
        """
        if self.card is not None:
            scaling = Scaling(self.calibration.slope.tolist(), self.calibration.intercept.tolist())
            metrics: dict[str, float | None] = {
                k: float(v) for k, v in self.trainer.callback_metrics.items() if k.startswith("val/")
            }
            card = replace(
                self.card,
                thresholds=self.thresholds.tolist(),
                calibration=scaling,
                threshold_rule=self.threshold_rule,
                calibration_method=self.calibration_method,
                metrics=metrics,
                epoch=self.current_epoch,
            )
            checkpoint[CARD] = card.to_dict()
        if self.seen is not None:
            checkpoint[SEEN] = self.seen
        if any(adapter_size(group) for group in self.layer_groups().values()):
            checkpoint[ADAPTED] = checkpoint["state_dict"]
            checkpoint["state_dict"] = merged(checkpoint["state_dict"])

    def on_load_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        """Takes thresholds and calibration from the card, and the state with adapters where this network has any.

        Without a card thresholds and calibration stay as they are.
        """
        if CARD in checkpoint:
            card = Card.from_dict(checkpoint[CARD], "The checkpoint")
            self.thresholds, self.calibration = card.decision_thresholds, card.scaling
            self.threshold_rule, self.calibration_method = card.threshold_rule, card.calibration_method
        if ADAPTED in checkpoint and any(adapter_size(group) for group in self.layer_groups().values()):
            checkpoint["state_dict"] = checkpoint[ADAPTED]
