"""`python -m ecg_lightning`."""

from ecg_lightning.main import run

if __name__ == "__main__":  # worker processes import this module again
    run()
