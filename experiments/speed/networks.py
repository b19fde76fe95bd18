"""Training throughput of the shipped networks on random recordings: python experiments/speed/networks.py [--accelerator cuda] [--batch 128].

Ten seconds of twelve leads at 100 Hz; forward, backward and AdamW, the median of the steps; the largest memory of a GPU.
"""

import argparse
import sys
import time
from pathlib import Path
from statistics import median

import torch

import ecg_lightning
from ecg_lightning import compose
from ecg_lightning.config.compose import as_dict
from ecg_lightning.config.schema import build
from ecg_lightning.main import guard

NAMES = sorted(path.stem for path in (Path(ecg_lightning.__file__).parent.parent / "conf" / "model").glob("*.yaml"))
OUTPUTS, LEADS, SAMPLES = 71, 12, 1000


def throughput(name: str, batch: int, device: str, precision: torch.dtype, steps: int) -> tuple[float, float]:
    """Recordings per second of a network's training steps, and the GPU's memory in GiB."""
    network = build(
        "model", as_dict(compose(["--config", f"model/{name}"], ("model",)).model), leads=LEADS, outputs=OUTPUTS
    )
    network = network.to(device).train()
    optimizer = torch.optim.AdamW(network.parameters(), lr=1e-4)
    x, y = (
        torch.randn(batch, LEADS, SAMPLES, device=device),
        torch.randint(0, 2, (batch, OUTPUTS), device=device).float(),
    )
    if device == "cuda":
        torch.cuda.reset_peak_memory_stats()
    seconds = []
    for _ in range(steps + 2):  # the first two warm up
        begin = time.perf_counter()
        with torch.autocast(device, precision, enabled=precision != torch.float32):
            loss = torch.nn.functional.binary_cross_entropy_with_logits(network(x), y)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        loss.item()  # waits for the GPU
        seconds.append(time.perf_counter() - begin)
    memory = torch.cuda.max_memory_allocated() / 2**30 if device == "cuda" else float("nan")
    return batch / median(seconds[2:]), memory


def main() -> None:
    """Prints the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--accelerator", choices=("cpu", "cuda"), default="cpu")
    parser.add_argument("--batch", type=int, default=128)
    parser.add_argument("--steps", type=int, default=10)
    parser.add_argument("--networks", nargs="+", choices=NAMES, default=NAMES)
    options = parser.parse_args()
    print("| network | records/s, 32 bits | records/s, bf16 | GiB, 32 bits |\n|---|---:|---:|---:|")
    for name in options.networks:
        rates = [
            throughput(name, options.batch, options.accelerator, precision, options.steps)
            for precision in (torch.float32, torch.bfloat16)
        ]
        print(f"| {name} | {rates[0][0]:,.0f} | {rates[1][0]:,.0f} | {rates[0][1]:.1f} |", flush=True)


if __name__ == "__main__":
    sys.exit(guard(main))
