"""Does pretraining on one archive help on another? Every arm of that study, trained, measured and compared."""
