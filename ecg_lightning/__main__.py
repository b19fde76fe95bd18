"""`python -m ecg_lightning`."""

from ecg_lightning.main import run

run()
