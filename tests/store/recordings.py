"""Recordings for the tests of packing: what a reader gives, and whether a store holds it."""

import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from ecg_lightning.records import Record, RecordError, fingerprint
from ecg_lightning.store import Store
from ecg_lightning.store.pack import Row, pack

__all__ = ["check", "pack", "parts_of", "read", "signal_of", "start", "table_of"]


def signal_of(number: int, samples: int = 300) -> NDArray[np.float32]:
    """(12, samples) whole microvolts, different for every record."""
    return (np.random.default_rng(number).integers(-3000, 3000, (12, samples)) / 1000).astype(np.float32)


def read(row: Row) -> Record:
    """Recordings of several lengths; every tenth cannot be read, in two ways."""
    number = int(row["record_id"])
    if number % 10 == 3:
        raise RecordError(f"truncated signal: {row['file']} has 7 bytes")
    if number % 10 == 7:
        raise OSError("broken in a way of its own")  # as h5py says it: no number, so the machine is well
    if "slow" in row:
        time.sleep(row["slow"])
    return Record(signal_of(number, 300 + number), 100.0, str(number), age=50.0, codes=("A", "B"), quality=("flat:V1",))


def table_of(count: int, **extra: object) -> pd.DataFrame:
    numbers = range(count)
    return pd.DataFrame(
        {"record_id": map(str, numbers), "file": [f"{n}.dat" for n in numbers], "patient_id": "p"} | extra
    )


def check(store: Store, count: int) -> None:
    """Every good record of `read` is in the store once, bit for bit."""
    good = [n for n in range(count) if n % 10 not in (3, 7)]
    assert store.index["record_id"].tolist() == [str(n) for n in good]
    for row in range(0, len(good), 17):
        (microvolts,), (valid,) = store.read(np.array([row]), np.array([0]), 300 + good[row])
        assert valid == 300 + good[row]
        np.testing.assert_array_equal(microvolts, np.rint(signal_of(good[row], 300 + good[row]).T * 1000))
    assert len(store.rejected) == count - len(good)
    fingerprints = [fingerprint(signal_of(n, 300 + n), 100) for n in good]
    np.testing.assert_array_equal(store.fingerprints, np.stack(fingerprints))


CODE = """
import signal, sys
sys.path[:0] = [sys.argv[1]]
from pathlib import Path
from store.recordings import pack, read, table_of
signal.signal(signal.SIGINT, signal.default_int_handler)  # where the tests run in the background it is ignored
def run():
    pack(Path(sys.argv[2]), table_of(int(sys.argv[3]), slow=float(sys.argv[4])), read, 100, {'source': 's'}, workers=2)
    return 0
"""
VERB = """
from ecg_lightning.processes import stoppable
sys.exit(stoppable(run))
"""


def start(path: Path, count: int, slow: float, verb: bool = False) -> "subprocess.Popen[bytes]":
    """Packs in another process, in a session of its own; with `verb` as `prepare` does it."""
    code = CODE + (VERB if verb else "run()")
    arguments = [sys.executable, "-c", code, str(Path(__file__).parents[1]), str(path), str(count), str(slow)]
    return subprocess.Popen(arguments, start_new_session=True, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)


def parts_of(path: Path) -> dict[str, int]:
    """The finished parts of a store that is being packed, and when each was written."""
    parts = path.with_name(path.name + ".partial") / "parts"
    return {file.name: file.stat().st_mtime_ns for file in parts.glob("*.json")} if parts.is_dir() else {}
