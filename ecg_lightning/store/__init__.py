"""A source packed once, and read at memory speed."""

from ecg_lightning.store.store import Store, store_root, summary

__all__ = ["Store", "store_root", "summary"]
