"""A recording's content in 256 bytes, by which it is known again in another archive's packaging.

Two descriptions that fail on different things. The first 64 bytes are of the opening eight seconds (``opening``): they bear
another sampling rate, gain, file format or rounding, and noise. The other 192 are of windows around three heart beats
(``beats``): they bear filters and a start that was moved. Two recordings are the same where either says so. A fingerprint
of 64 bytes, as older checkpoints have them, is compared by those.

``experiments/fingerprints`` measures what is found and what is not, and has the table.
"""

from ecg_lightning.records.fingerprints.fingerprint import SIZE, fingerprint, matches, unreadable, widened
from ecg_lightning.records.fingerprints.opening import OPENING

__all__ = ["OPENING", "SIZE", "fingerprint", "matches", "unreadable", "widened"]
