"""What is done to whole batches on their device: units, filters, normalisation, augmentation."""

from ecg_lightning.transforms.augment import Augment
from ecg_lightning.transforms.filters import bandpass
from ecg_lightning.transforms.preprocess import Preprocess
from ecg_lightning.transforms.signal import normalise, select_leads, to_millivolts, valid_mask

__all__ = ["Augment", "Preprocess", "bandpass", "normalise", "select_leads", "to_millivolts", "valid_mask"]
