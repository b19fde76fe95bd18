"""Does pretraining on one archive help on another? Every arm of that study, trained, measured and compared."""

from ecg_lightning.transfer.command import transfer

__all__ = ["transfer"]
