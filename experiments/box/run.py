"""Trains the network in the box on simulated recordings alone, and publishes it: python experiments/box/run.py [key=value …].

A run that was stopped goes on with the same command; one that has finished is only measured and published. The file is written
to the package's folder `weights`, or to checkpoints_dir=… ; name=… is another name for it, where the package has this network already.
"""

import sys
from pathlib import Path

from omegaconf import DictConfig, OmegaConf

from ecg_lightning import checkpoints, compose, evaluate, fit
from ecg_lightning.checkpoints.box import FOLDER, in_box
from ecg_lightning.errors import UserError
from ecg_lightning.evaluation.predictions import read_predictions
from ecg_lightning.main import guard
from ecg_lightning.metrics import auroc, macro

HERE = Path(__file__).parent
NAME = "simulated-resnet1d-v1"
LICENCE = "Apache-2.0"
NOTES = (
    "This network is not a medical device, and its output is not a diagnosis.",
    "It was trained on simulated recordings alone: no patient's recording was used.",
    "Its thresholds and its calibration were chosen on simulated recordings. Choose them anew on recordings of your own.",
)
LARGEST = 8_000_000
"""Bytes of the published file."""
COST = 5e-4
"""Macro AUROC that half precision may cost."""


def is_finished(config: DictConfig) -> bool:
    """Says whether the training has seen its last epoch."""
    last = Path(config.run_dir) / "checkpoints" / "last.ckpt"
    return last.is_file() and checkpoints.card_of(str(last)).epoch + 1 >= config.trainer.max_epochs


def score(config: DictConfig, checkpoint: Path, folder: Path) -> float:
    """Macro AUROC of a checkpoint on the simulated test fold; the report is written to the folder."""
    evaluate(OmegaConf.merge(config, {"checkpoint_path": str(checkpoint), "run_dir": str(folder)}))
    predictions = read_predictions(folder)
    return macro(auroc(predictions.logits, predictions.targets))


def publish(config: DictConfig, name: str, folder: str) -> str:
    """Publishes the run in half precision if that costs nothing; returns where."""
    run = Path(config.run_dir)
    whole = score(config, run / "checkpoints" / "best.ckpt", run)
    (half_file := run / "half" / f"{name}.safetensors").unlink(missing_ok=True)
    checkpoints.publish(str(run), name, str(half_file.parent), half=True)
    half = score(config, half_file, run / "half")
    print(f"Macro AUROC on {name}'s simulated test fold: {whole:.5f}, in half precision {half:.5f}")
    url = checkpoints.publish(str(run), name, folder, half=whole - half <= COST, licence=LICENCE, notes=NOTES)
    if (size := Path(url).stat().st_size) > LARGEST:
        Path(url).unlink()
        raise UserError(
            f"{name} would have {size:,} bytes, and the package takes {LARGEST:,}. Train a smaller network."
        )
    print(f"Published {url}: {size:,} bytes")
    return url


def main(words: list[str]) -> int:
    """Trains, or goes on, and publishes; returns the exit status."""
    return guard(lambda: train(words))


def train(words: list[str]) -> None:
    """Trains, or goes on, and publishes."""
    options = {"checkpoints_dir": str(FOLDER), "name": NAME}
    for word in words:
        key, _, value = word.partition("=")
        if key in options:
            options[key] = value
    overrides = [word for word in words if word.partition("=")[0] not in options]
    name = options["name"]
    if in_box(name) is not None:
        raise UserError(f"The package has the network {name} already. Give yours another name: name=…")
    config = compose(["--config", str(HERE / "train.yaml"), "checkpoint_path=auto", *overrides])
    if not is_finished(config):
        fit(config)
    publish(config, name, options["checkpoints_dir"])


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
