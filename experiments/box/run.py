"""Trains the network in the box on simulated recordings alone, and publishes it: python experiments/box/run.py [key=value …].

A run that was stopped goes on with the same command; one that has finished is only measured and published. The file is written
to the package's folder `weights`, or to checkpoints_dir=… .
"""

import sys
from pathlib import Path

from omegaconf import DictConfig, OmegaConf

from ecg_lightning import checkpoints, compose, evaluate, fit
from ecg_lightning.checkpoints.box import FOLDER
from ecg_lightning.errors import Stopped, UserError
from ecg_lightning.evaluation.predictions import read_predictions
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


def publish(config: DictConfig, folder: str) -> str:
    """Publishes the run in half precision if that costs nothing; returns where."""
    run = Path(config.run_dir)
    whole = score(config, run / "checkpoints" / "best.ckpt", run)
    (half_file := run / "half" / f"{NAME}.safetensors").unlink(missing_ok=True)
    checkpoints.publish(str(run), NAME, str(half_file.parent), half=True)
    half = score(config, half_file, run / "half")
    print(f"Macro AUROC on {NAME}'s simulated test fold: {whole:.5f}, in half precision {half:.5f}")
    url = checkpoints.publish(str(run), NAME, folder, half=whole - half <= COST, licence=LICENCE, notes=NOTES)
    if (size := Path(url).stat().st_size) > LARGEST:
        Path(url).unlink()
        raise UserError(
            f"{NAME} would have {size:,} bytes, and the package takes {LARGEST:,}. Train a smaller network."
        )
    print(f"Published {url}: {size:,} bytes")
    return url


def main(words: list[str]) -> int:
    """Trains, or goes on, and publishes."""
    key = "checkpoints_dir="
    folder = next((word.removeprefix(key) for word in words if word.startswith(key)), str(FOLDER))
    overrides = [word for word in words if not word.startswith(key)]
    config = compose(["--config", str(HERE / "train.yaml"), "checkpoint_path=auto", *overrides])
    try:
        if not is_finished(config):
            fit(config)
        publish(config, folder)
    except (UserError, Stopped) as error:
        print(error, file=sys.stderr)
        return 2
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
