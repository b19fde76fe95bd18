"""What the tests of the leak guard share: archives that hold the same recordings, and runs on them."""

from collections.abc import Sequence
from pathlib import Path

import pytest

import fake
import small
from ecg_lightning.errors import UserError

RECORDS = 40
"""The number of recordings of the fake PTB-XL."""


def archives(folder: Path) -> Path:
    """A PTB-XL, and the same recordings re-issued: 500 Hz, MATLAB files, another gain, numbers and codes of another system."""
    archive = fake.ptbxl(folder / "ptbxl", RECORDS)
    for number, item in enumerate(archive, 1):
        signal = fake.ecg(5000, 500, number, **item.kind.look)
        comments = (f"Age: {item.age:.0f}", "Sex: Male", f"Dx: {item.kind.snomed}")
        fake.write_wfdb(folder / "reissued" / f"HR{number:05d}.mat", signal, 500, gain=4000, comments=comments)
    fake.cinc(folder / "georgia", 30)
    return folder


def words(root: Path, run_dir: Path, *parts: str, name: str = "MixedDataModule") -> list[str]:
    """A tiny run on a mix of these parts, or on one source at root."""
    data = [f"name={name}", f"root={root}", f"store_dir={run_dir.parent}/store", "pack_workers=1", "seconds=3"]
    if parts:
        data.append(f"parts=[{', '.join(parts)}]")
    return [*(f"data.{word}" for word in data), *small.TINY, "trainer.max_epochs=1", f"run_dir={run_dir}"]


def refused(verb: str, words: Sequence[str]) -> str:
    with pytest.raises(UserError) as error:
        small.run(verb, words)
    assert "data.allow_leak=true goes on nevertheless, and the checkpoint says so" in str(error.value)
    return str(error.value)
