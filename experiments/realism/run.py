"""How like real recordings are the simulated ones? Writes table.md and figure.png: python experiments/realism/run.py."""

import argparse
import sys
from pathlib import Path

import numpy as np
import torch
from matplotlib.figure import Figure
from measure import INTERVALS, amplitudes, compare, intervals, spectrum, waves
from numpy.typing import NDArray
from rich.progress import track
from torch.nn.functional import binary_cross_entropy_with_logits

from ecg_lightning.datamodules import PTBXLDataModule
from ecg_lightning.main import guard
from ecg_lightning.metrics import auroc
from ecg_lightning.models.resnet1d import ResNet1d
from ecg_lightning.records import LEADS
from ecg_lightning.simulator import TERMS, Hospital, simulate
from ecg_lightning.transforms import Preprocess

Floats = NDArray[np.float32]
HERE = Path(__file__).parent
DIAGNOSES = ("NORM", "IRBBB", "CRBBB", "CLBBB", "LAFB", "LVH", "IMI", "STD_", "INVT")
"""What is compared one by one: the median R, S and T waves of the twelve leads."""
SEEN = {
    "each lead z-scored": Preprocess(normalisation="zscore"),
    "z-scored, below 10 Hz": Preprocess(normalisation="zscore", high=10),
    "millivolts": Preprocess(normalisation="none"),
}
"""What the network that tells simulated from real recordings sees of them."""


def real(root: str, rate: int, folds: range, most: int) -> tuple[Floats, NDArray[np.int64]]:
    """Signals in mV (records, samples, 12) of PTB-XL, and their folds; fold 10 is left alone."""
    data = PTBXLDataModule(root=root, sampling_rate=rate, file_rate=rate)
    rows = np.flatnonzero(np.isin(data.folds, folds))
    rows = np.sort(np.random.default_rng(0).permutation(rows)[:most])
    return data.store.read(rows, np.zeros_like(rows), 10 * rate)[0] / np.float32(1000), data.folds[rows]


def simulated(hospital: str, rate: int, count: int, seed: int) -> Floats:
    """Signals in mV (records, samples, 12) of a simulated hospital."""
    return simulate(Hospital.load(hospital), range(count), seed, rate).signals / np.float32(1000)


def by_diagnosis(root: str, hospital: str, most: int = 150) -> list[str]:
    """Markdown rows: how like the median R, S and T waves of each diagnosis are, over the twelve leads, folds 1 to 9."""
    data = PTBXLDataModule(root=root, sampling_rate=100, label_space=list(DIAGNOSES))
    drawn = simulate(Hospital.load(hospital), range(6000), 2, 100)
    lines = ["| diagnosis | real | simulated | correlation | mean difference, mV |", "|---|---:|---:|---:|---:|"]
    for k, term in enumerate(track(DIAGNOSES, "by diagnosis")):
        rows = np.flatnonzero((data.targets[:, k] == 1) & (data.folds < 10))[:most]
        signals = (
            data.store.read(rows, np.zeros_like(rows), 1000)[0],
            drawn.signals[drawn.labels[:, TERMS.index(term)]][:most],
        )
        real_waves, simulated_waves = (
            np.nanmedian([waves(each / 1000, 100) for each in kind], axis=0) for kind in signals
        )
        correlation, difference = (
            np.corrcoef(real_waves.ravel(), simulated_waves.ravel())[0, 1],
            np.abs(real_waves - simulated_waves).mean(),
        )
        lines.append(f"| {term} | {len(signals[0])} | {len(signals[1])} | {correlation:.2f} | {difference:.2f} |")
    return lines


def tell_apart(train: list[Floats], test: list[Floats], name: str, epochs: int) -> float:
    """AUROC of a small network that tells simulated (1) from real (0) recordings, on recordings that it has not seen."""
    torch.manual_seed(0)
    prepare = SEEN[name]
    network = ResNet1d(
        18, outputs=1, widths=(16, 32, 64, 96), block="basic", pooling="mean", first_stride=1, dropout=0.2
    )
    optimizer = torch.optim.AdamW(network.parameters(), 2e-3, weight_decay=0.01)
    x, y = (
        torch.from_numpy(np.concatenate(each)) for each in (train, [np.full(len(k), i) for i, k in enumerate(train)])
    )

    def inputs(signals: torch.Tensor) -> torch.Tensor:
        steps = (1000 * signals).round().to(torch.int16)
        return prepare(steps, torch.full((len(steps),), steps.shape[1]), 100)

    for _ in track(range(epochs), f"telling apart, {name}"):
        network.train()
        for rows in torch.randperm(len(x)).split(32):
            loss = binary_cross_entropy_with_logits(network(inputs(x[rows]))[:, 0], y[rows].float())
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
    network.eval()
    with torch.no_grad():
        scores = [network(inputs(torch.from_numpy(k[i : i + 64]))) for k in test for i in range(0, len(k), 64)]
    truth = np.concatenate([np.full((len(k), 1), i) for i, k in enumerate(test)])
    return float(auroc(torch.cat(scores).numpy(), truth)[0])


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("root", nargs="?", default="data/ptbxl", help="folder of PTB-XL as distributed")
    parser.add_argument("--hospital", default="ptbxl_like")
    parser.add_argument("--records", type=int, default=250, help="recordings that are delineated, of each kind")
    parser.add_argument("--epochs", type=int, default=3, help="of the network that tells them apart")
    parser.add_argument("--to", type=Path, default=HERE, help="folder of table.md and figure.png")
    options = parser.parse_args()

    slow, _ = real(options.root, 500, range(1, 10), options.records)
    simulated_signals = simulated(options.hospital, 500, len(slow), seed=0)
    rows = [[intervals(each, 500) for each in track(k, "delineating")] for k in (slow, simulated_signals)]
    values = {name: [np.array([row[name] for row in k]) for k in rows] for name in INTERVALS}
    heights = [amplitudes(k) for k in (slow, simulated_signals)]
    values |= {f"{lead}, mV": [k[:, i] for k in heights] for i, lead in enumerate(LEADS)}

    fast, folds = real(options.root, 100, range(1, 10), 10**6)
    learn, held = fast[folds < 9], fast[folds == 9]
    fakes = simulated(options.hospital, 100, len(fast), seed=1)
    pairs = [learn, fakes[: len(learn)]], [held, fakes[len(learn) :]]
    areas = {name: tell_apart(*pairs, name, options.epochs) for name in SEEN}

    diagnoses = by_diagnosis(options.root, options.hospital)
    write(options.to, values, areas, [spectrum(k, 500) for k in (slow, simulated_signals)], len(slow), diagnoses)


def write(
    folder: Path,
    values: dict[str, list[Floats]],
    areas: dict[str, float],
    spectra: list[tuple[Floats, Floats]],
    count: int,
    diagnoses: list[str],
) -> None:
    """The table, and a figure of intervals, amplitudes and spectra."""
    lines = ["| measure | real: median [5 %, 95 %] | simulated | distance |", "|---|---|---|---:|"]
    for name, pair in values.items():
        summary = compare(*pair)
        cells = [
            f"{summary[f'{k} median']:.3g} [{summary[f'{k} 5%']:.3g}, {summary[f'{k} 95%']:.3g}]"
            for k in ("real", "simulated")
        ]
        lines.append(f"| {name} | {cells[0]} | {cells[1]} | {summary['distance']:.2f} |")
    (frequencies, real_power), (_, simulated_power) = spectra
    for low, high in ((0.5, 5), (5, 15), (15, 40), (40, 100)):
        band = (frequencies >= low) & (frequencies < high)
        lines.append(
            f"| power {low:g}–{high} Hz, dB | {real_power[band].mean():.1f} | {simulated_power[band].mean():.1f} | |"
        )
    text = (
        "\n".join(lines)
        + "\n\nAUROC of a small network telling simulated from real recordings: "
        + ", ".join(f"{area:.3f} ({name})" for name, area in areas.items())
    )
    text = f"{count} recordings of each kind; distance: Kolmogorov–Smirnov, 0 to 1.\n\n{text}.\n"
    text += "\nMedian R, S and T waves of the twelve leads, 36 numbers, by diagnosis:\n\n" + "\n".join(diagnoses) + "\n"
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "table.md").write_text(text, encoding="utf-8")
    print(text)

    figure = Figure(figsize=(9, 5), layout="constrained")
    axes = figure.subplots(2, 3).ravel()
    colours = ("#6b6b6b", "#1f6f8b")
    for axis, name in zip(axes[: len(INTERVALS)], INTERVALS, strict=True):
        pair = [k[~np.isnan(k)] for k in values[name]]
        edges = np.linspace(*np.percentile(np.concatenate(pair), [0.5, 99.5]), 30)
        for k, colour, label in zip(pair, colours, ("real", "simulated"), strict=True):
            axis.hist(k, edges, density=True, histtype="step", color=colour, label=label)
        axis.set_xlabel(name)
        axis.set_yticks([])
    axes[0].legend(frameon=False)
    for offset, colour, k in zip((-0.18, 0.18), colours, range(2), strict=True):
        quantiles = np.array([np.percentile(values[f"{lead}, mV"][k], [25, 50, 75]) for lead in LEADS])
        x = np.arange(len(LEADS)) + offset
        axes[4].vlines(x, quantiles[:, 0], quantiles[:, 2], color=colour)
        axes[4].plot(x, quantiles[:, 1], "o", markersize=3, color=colour)
    axes[4].set_xticks(range(len(LEADS)), LEADS, rotation=90)
    axes[4].set_xlabel("amplitude, mV: quartiles")
    for (frequency, power), colour in zip(spectra, colours, strict=True):
        axes[5].plot(frequency[1:], power[1:], color=colour)
    axes[5].set_xscale("log")
    axes[5].set_xlabel("power density, dB of mV²/Hz, against Hz")
    figure.savefig(folder / "figure.png", dpi=150)


if __name__ == "__main__":
    sys.exit(guard(main))
