"""Pretrain a network on one archive of 12-lead ECGs, fine-tune it on another, and trust the number."""

__version__ = "0.1.0"
