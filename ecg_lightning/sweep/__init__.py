"""Sweeps: one file in W&B's format, searched by W&B's service or by Optuna, on one machine or on many."""
