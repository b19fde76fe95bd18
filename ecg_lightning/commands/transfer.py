"""`transfer`: a study of pretraining on one archive and fine-tuning on another."""

from ecg_lightning.transfer.run import transfer

__all__ = ["transfer"]
