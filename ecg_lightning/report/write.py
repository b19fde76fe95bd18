"""Writes the page of a run, with the ECGs on which its network was most confidently wrong where they are at hand."""

import sys
from pathlib import Path

from omegaconf import DictConfig, OmegaConf

from ecg_lightning import checkpoints
from ecg_lightning.config.schema import arguments_for, build, check_paths
from ecg_lightning.datamodules.packed import PackedDataModule
from ecg_lightning.errors import UserError
from ecg_lightning.evaluation.predictor import Predictor
from ecg_lightning.report.mistakes import DrawnMistake, draw, worst
from ecg_lightning.report.options import Reporting
from ecg_lightning.report.page import write_page
from ecg_lightning.report.run import TestedRun


def write_report(run: TestedRun, config: DictConfig, data: PackedDataModule | None = None) -> Path:
    """Writes `report/index.html` in the run's folder.

    Args:
        run: the tested run.
        config: the composed configuration of the test: its data, and the options of the page.
        data: the recordings, where they are open already.

    Returns:
        The file.
    """
    options = Reporting(**arguments_for("report", config.get("report") or {}))
    mistakes: list[DrawnMistake] = []
    note = ""
    if options.ecgs:
        try:
            mistakes = _mistakes(run, config, options, data)
        except UserError as error:
            note = f"No ECG is drawn. {error}"
            print(f"The page has no ECGs. {error}", file=sys.stderr)
    return write_page(run, mistakes, note)


def _mistakes(
    run: TestedRun, config: DictConfig, options: Reporting, data: PackedDataModule | None
) -> list[DrawnMistake]:
    """Draws the ECGs on which the network was most confidently wrong.

    Raises:
        UserError: where the network or the recordings are no longer those of the test.
    """
    thresholds = [row.get("threshold") for row in run.report["terms"]]
    chosen = worst(run.predictions, thresholds, options.ecgs)
    if not chosen:
        return []
    path = _checkpoint(run, may_ask=data is not None)
    if data is None:
        if config.get("data") is None:
            raise UserError(f"{run.folder} has no config.yaml, which says where the recordings are.")
        check_paths(config)
        data = build("data", config.data, seed=int(config.get("seed") or 0))
    assert isinstance(data, PackedDataModule)
    if data.store.sha256 != run.report["data"]["fingerprint"]:
        raise UserError(
            f"The recordings of {data.source} are not those of the test: run `test run_dir={run.folder}` again."
        )
    trusted = OmegaConf.select(config, "model.name")
    predictor = Predictor(path, trusted=trusted, allow_missing_leads=True)
    return draw(chosen, run.predictions, thresholds, data, predictor, options.ids)


def _checkpoint(run: TestedRun, may_ask: bool) -> str:
    """Finds the checkpoint that was tested: where it was, or in the run's folder, which may have been moved.

    Args:
        run: the tested run.
        may_ask: whether an address may be asked: the folder may be a colleague's, and must not choose whom this machine asks.

    Raises:
        UserError: where it is at neither place.
    """
    sha256, name = run.report["checkpoint_sha256"], str(run.report["checkpoint"])
    folder = run.folder / "checkpoints"
    is_elsewhere = ":" in name
    for path in (
        str(folder / "best.ckpt"),
        str(folder / "last.ckpt"),
        *([] if is_elsewhere and not may_ask else [name]),
    ):
        try:
            if checkpoints.read(path).sha256 == sha256:
                return path
        except UserError:
            continue
    if is_elsewhere and not may_ask:
        raise UserError(
            f"The checkpoint that was tested is at another place ({name}). `test` draws its ECGs: run it again."
        )
    raise UserError(f"The checkpoint that was tested ({name}) is no longer there, or has changed since.")
