"""Peak memory of packing 1,000 and 20,000 recordings: python experiments/memory/packing.py [RECORDS …]."""

import argparse
import resource
import subprocess
import sys
import tempfile
from functools import partial
from pathlib import Path

import numpy as np
import pandas as pd

from ecg_lightning.main import guard
from ecg_lightning.records import LEADS, Record, read_wfdb
from ecg_lightning.store.pack import Row, pack

SAMPLES, RATE = 1000, 100  # as PTB-XL's files of 100 Hz
HEADER = "{name} 12 {rate} {samples}\n" + "".join(f"{{name}}.dat 16 1000.0(0)/mV 16 0 0 0 0 {lead}\n" for lead in LEADS)


def write(folder: Path, records: int) -> None:
    """Recordings of slow noise, every one different."""
    random = np.random.default_rng(0)
    for number in range(records):
        steps = np.cumsum(random.integers(-20, 21, (SAMPLES, len(LEADS)), np.int16), axis=0, dtype=np.int16)
        (folder / f"{number}.dat").write_bytes(steps.tobytes())
        (folder / f"{number}.hea").write_text(HEADER.format(name=number, rate=RATE, samples=SAMPLES))


def read(row: Row, folder: Path) -> Record:
    """Reads the recording of a row."""
    return read_wfdb(folder / row["file"])


def measure(folder: Path, records: int) -> None:
    """Packs in this process and two workers; prints a row of the table."""
    names = [str(number) for number in range(records)]
    table = pd.DataFrame({"record_id": names, "file": names, "patient_id": names, "codes": "NORM=100|SR=0"})
    before = _megabytes(resource.RUSAGE_SELF)
    store = pack(folder / "store", table, partial(read, folder=folder), RATE, {"source": "noise"}, workers=2)
    size = store.signals.nbytes / 2**20
    peaks = _megabytes(resource.RUSAGE_SELF), _megabytes(resource.RUSAGE_CHILDREN)
    print(f"| {len(store):,} | {size:,.0f} | {before:.0f} | {peaks[0]:.0f} | {peaks[1]:.0f} |")


def _megabytes(processes: int) -> float:
    return resource.getrusage(processes).ru_maxrss / 1024


def main() -> None:
    """Measures every size in a process of its own, since a peak never falls."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("counts", nargs="*", type=int, default=[1_000, 20_000], help="numbers of recordings")
    counts = parser.parse_args().counts
    print("| records | packed (MiB) | imports (MiB) | packing (MiB) | largest worker (MiB) |")
    print("|---|---|---|---|---|", flush=True)
    for records in counts:
        with tempfile.TemporaryDirectory() as folder:
            write(Path(folder), records)
            code = f"import packing, pathlib; packing.measure(pathlib.Path({folder!r}), {records})"
            subprocess.run([sys.executable, "-c", code], cwd=Path(__file__).parent, check=True)


if __name__ == "__main__":
    sys.exit(guard(main))
