"""`report`: the page of a tested run, or of several runs side by side."""

from collections.abc import Sequence
from pathlib import Path

from omegaconf import OmegaConf

from ecg_lightning.commands.words import Parser
from ecg_lightning.config.compose import with_run_config
from ecg_lightning.config.experiment import experiment
from ecg_lightning.config.paths import expanded
from ecg_lightning.errors import UserError

OUTPUT = "comparison.html"


def report(arguments: Sequence[str]) -> int:
    """Writes the page of one run into its folder, or a page that compares several."""
    overrides = [
        word for word in arguments if "=" in word and not word.startswith("--output") and not Path(word).is_dir()
    ]
    parser = Parser("report", add_help=False)
    parser.add_argument("runs", nargs="*")
    parser.add_argument("--output")
    options = parser.read([word for word in arguments if word not in overrides])
    folders = [expanded(word, "report") for word in options.runs]
    if not folders:
        raise UserError("report: name the folder of a run, or of several runs: report runs/a runs/b.")
    if len(folders) == 1:
        if options.output:
            raise UserError(
                "report: --output is for a comparison; the page of one run is report/index.html in its folder."
            )
        return _one(folders[0], overrides)
    if overrides:
        raise UserError(f"report: {overrides[0]} is for the page of one run; a comparison has no configuration.")
    output = Path(options.output or OUTPUT)
    if output.is_dir():
        raise UserError(f"report: --output {output} is a folder. Name a file in it, for example {output / OUTPUT}.")
    from ecg_lightning.report.comparison import write_comparison
    from ecg_lightning.report.run import TestedRun

    write_comparison([TestedRun(folder) for folder in folders], output)
    print(f"Compared {len(folders)} runs: {output}")
    return 0


def _one(folder: Path, overrides: Sequence[str]) -> int:
    """Writes the page of one run again."""
    from ecg_lightning.report.run import TestedRun

    run = TestedRun(folder)
    config = experiment(with_run_config([f"run_dir={folder}", *overrides]), needed=(), download=True)
    if not (folder / "config.yaml").is_file():  # what is composed is conf/default.yaml, whose data are others
        config = OmegaConf.masked_copy(config, ["report"])

    from ecg_lightning.report.write import write_report

    print(f"Written to {write_report(run, config)}")
    return 0
