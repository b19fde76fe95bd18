"""How many recordings a core packs in a second, beside wfdb's reader alone: python experiments/speed/packing.py --root DATA/ptbxl."""

import argparse
import shutil
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
import wfdb

from ecg_lightning.datamodules import PTBXLDataModule
from ecg_lightning.main import guard


def pack(root: str) -> tuple[int, float]:
    """Recordings, and seconds of CPU time that one process takes from the archive's files to a finished store."""
    folder = tempfile.mkdtemp()
    try:
        data = PTBXLDataModule(root=root, store_dir=folder, pack_workers=1)
        begin = time.process_time()
        count = len(data.pack())
        return count, time.process_time() - begin
    finally:
        shutil.rmtree(folder)


def read(root: str, count: int) -> float:
    """Seconds of CPU time that wfdb takes to read that many of the archive's recordings."""
    stems = [str(path.with_suffix("")) for path in sorted(Path(root).rglob("*_lr.hea"))[:count]]
    begin = time.process_time()
    for stem in stems:
        wfdb.rdrecord(stem)
    return time.process_time() - begin


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--root", default="data/ptbxl", help="folder of PTB-XL as distributed")
    parser.add_argument("--turns", type=int, default=5)
    options = parser.parse_args()
    rates = []
    for turn in range(options.turns + 1):  # the first one warms imports and the page cache
        count, seconds = pack(options.root)
        if turn:
            rates.append((count / seconds, 200 / read(options.root, 200)))
            print(f"packing {rates[-1][0]:,.0f} records/s, wfdb reads {rates[-1][1]:,.0f}/s", flush=True)
    packing, reading = np.median(rates, axis=0)
    print(
        f"median of {options.turns}: one core packs {packing:,.0f} records/s of CPU time, {packing / reading:.1f} times what wfdb reads"
    )


if __name__ == "__main__":
    sys.exit(guard(main))
