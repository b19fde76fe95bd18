"""A hospital's table and its datamodule, for the tests of FolderDataModule."""

from pathlib import Path
from typing import Any

import pandas as pd

from ecg_lightning.config.schema import build
from ecg_lightning.datamodules import FolderDataModule

CODES = {"1.18.2": "AFIB", "1.2.1": "STACH", "1.2.2": ["SBRAD"], "1.1.1": []}


def hospital(root: Path, **options: Any) -> FolderDataModule:
    """The archive of `fake.folder` or a table of one's own, through the configuration as YAML gives it."""
    arguments = {
        "root": str(root),
        "store_dir": str(root / "store"),
        "pack_workers": 1,
        "sampling_rate": 500,
        "codes": CODES,
    }
    data = build("data", {"name": "FolderDataModule"} | arguments | options)
    assert isinstance(data, FolderDataModule)
    return data


def rewrite(root: Path, change: Any, name: str = "records.csv", **to_csv: Any) -> pd.DataFrame:
    """Changes the table of `fake.folder`."""
    table = pd.read_csv(root / "records.csv", dtype=str)
    changed: pd.DataFrame = change(table)
    if name.endswith(".parquet"):
        changed.to_parquet(root / name)
    else:
        changed.to_csv(root / name, index=False, **to_csv)
    return changed


def without_codes(data: FolderDataModule) -> list[bool]:
    """Which recordings are flagged as without codes."""
    return data.store.index["quality"].str.split("|").map(lambda flags: "no_codes" in flags).tolist()
