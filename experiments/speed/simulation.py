"""How many recordings a core simulates in a second, 10 s at 100 Hz: python experiments/speed/simulation.py."""

import argparse
import sys
import time

import numpy as np

from ecg_lightning.main import guard
from ecg_lightning.simulator import Hospital, simulate


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--hospitals", nargs="+", default=["ptbxl_like", "large_a", "small"])
    parser.add_argument("--records", type=int, default=2048)
    parser.add_argument("--turns", type=int, default=5)
    options = parser.parse_args()
    for name in options.hospitals:
        hospital, rates = Hospital.load(name), []
        simulate(hospital, range(256), seed=0)
        for turn in range(options.turns):
            numbers = range(turn * options.records, (turn + 1) * options.records)
            begin = time.process_time()
            simulate(hospital, numbers, seed=0)
            rates.append(options.records / (time.process_time() - begin))
        print(f"{name}: {np.median(rates):,.0f} records/s of CPU time, median of {options.turns}")


if __name__ == "__main__":
    sys.exit(guard(main))
