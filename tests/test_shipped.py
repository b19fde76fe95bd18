"""Every shipped configuration is run: its keys are the constructors', and training takes a step with it."""

from pathlib import Path

import pytest

import ecg_lightning.download
import fake
import small
from datamodules.sources import SOURCES
from ecg_lightning.commands import prepare as commands
from ecg_lightning.config.compose import compose, conf_folder
from ecg_lightning.config.schema import check
from ecg_lightning.config.signatures import exports
from ecg_lightning.download.catalogue import Kind, catalogue
from ecg_lightning.training import leak

CONF = conf_folder()
EXPERIMENTS = Path(__file__).parents[1] / "experiments"
NOT_EXPERIMENTS = ("hospital", "sweep")  # files of other kinds, with tests of their own
FILES = sorted(path for path in CONF.rglob("*.yaml") if path.parent.name not in NOT_EXPERIMENTS)
STEP = (
    "trainer.max_epochs=1", "trainer.limit_train_batches=1", "trainer.limit_val_batches=1", "data.batch_size=4",
    "trainer.enable_progress_bar=false", "logger.wandb=false", "trainer.accelerator=cpu",
)  # fmt: skip


def names(folder: str) -> list[str]:
    return [path.stem for path in FILES if path.parent.name == folder]


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return small.archive(tmp_path_factory.mktemp("archive"))


@pytest.fixture(scope="module")
def parent(root: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The checkpoint from which every recipe starts."""
    return small.fit(root, tmp_path_factory.mktemp("runs") / "parent", *STEP) / "checkpoints" / "best.ckpt"


@pytest.mark.parametrize("path", FILES, ids=lambda path: str(path.relative_to(CONF)))
def test_a_file_begins_with_what_it_is_for_and_has_only_known_keys(path: Path) -> None:
    assert path.read_text().startswith("# ")
    check(compose(["--config", "default", "--config", str(path)]))


@pytest.mark.parametrize("name", names("finetune"))
def test_every_recipe_takes_a_step_from_a_checkpoint(name: str, root: Path, parent: Path, tmp_path: Path) -> None:
    more = [f"finetune.checkpoint={parent}", *small.arguments(root, tmp_path / "child"), *STEP]
    assert small.run("fit", ["--config", "default", "--config", f"finetune/{name}", *more]) == 0


def test_every_source_has_a_file_and_every_file_a_source() -> None:
    shipped = {str(compose(["--config", f"data/{name}"]).data.name) for name in names("data")}
    assert shipped == set(exports("ecg_lightning.datamodules"))


def test_every_network_has_an_experiment_on_ptbxl() -> None:
    """So that a step of each experiment is a step of each network's file."""
    small_network = {"resnet1d_small": "ptbxl_small"}
    for name in names("model"):
        experiment = compose(["--config", f"experiment/{small_network.get(name, f'ptbxl_{name}')}"])
        assert experiment.model == compose(["--config", f"model/{name}"]).model, name
        assert experiment.data.name == "PTBXLDataModule"


@pytest.mark.parametrize("name", [name for name in names("experiment") if name.startswith(("ptbxl", "georgia"))])
def test_every_experiment_takes_a_step(name: str, root: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    experiment = compose(["--config", f"experiment/{name}"])
    ptbxl = experiment.data.name == "PTBXLDataModule"
    data = root if ptbxl else SOURCES[str(experiment.data.name)].write(tmp_path / "archive").root
    words = [*STEP, "data.seconds=3", f"data.store_dir={root.parent / 'stores'}", "data.pack_workers=1"]
    if experiment.finetune.checkpoint:
        parent = ["--config", "default", "--config", "model/resnet1d18", "data.name=PTBXLDataModule"]
        assert small.run("fit", [*parent, f"data.root={root}", "run_dir=parent", *words]) == 0
        words.append("finetune.checkpoint=parent/checkpoints/best.ckpt")
    words.append("trainer.fast_dev_run=true")  # large checkpoints take longer than the step
    assert small.run("fit", ["--config", f"experiment/{name}", f"data.root={data}", "run_dir=run", *words]) == 0


def downloaded(monkeypatch: pytest.MonkeyPatch, *words: str) -> dict[str, Path]:
    """The folder that `prepare --download` fills for each source; nothing is fetched, and nothing packed."""
    folders: dict[str, Path] = {}
    monkeypatch.setattr(ecg_lightning.download, "download", lambda source, root, **_: folders.update({source: root}))
    monkeypatch.setattr(commands, "facts_of", lambda data: {})
    monkeypatch.setattr(commands, "report", lambda facts: None)
    monkeypatch.setattr(leak, "leaks_between_sides", lambda data: [])
    assert small.run("prepare", ["--download", *words]) == 0
    return folders


MIXES = [
    CONF / "experiment" / "all_archives.yaml",
    CONF / "data" / "mixed.yaml",
    EXPERIMENTS / "simulated_to_real" / "cinc.yaml",
]


def test_every_archive_is_fetched_into_the_folder_from_which_a_mix_reads_it(monkeypatch: pytest.MonkeyPatch) -> None:
    public = {name: archive for name, archive in catalogue().items() if archive.kind is not Kind.request}
    one_by_one: dict[str, Path] = {}
    for name in public:
        one_by_one |= downloaded(monkeypatch, "--config", f"data/{name}")
    assert one_by_one.keys() == public.keys()
    for path in MIXES:
        folders = downloaded(monkeypatch, "--config", str(path), "data.root=data")
        assert folders
        assert folders.items() <= one_by_one.items()


STUDIES = sorted(EXPERIMENTS.glob("*/study*.yaml"))
ARCHIVES = {"georgia": "E", "chapman_ningbo": "JS", "cpsc2018": "A", "cpsc2018_extra": "Q"}


@pytest.mark.parametrize("path", STUDIES, ids=lambda path: f"{path.parent.name}/{path.stem}")
def test_every_study_runs(path: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    words = ["sizes=[12]", "seeds=[1]", "epochs=[1]", "rates=[1e-3]", "tune_epochs=[1]", "resamples=20", "run_dir=run"]
    words += ["data.store_dir=store", "data.pack_workers=1"]
    words += [word for word in STEP if word != "trainer.max_epochs=1"]  # without it, as when it is measured
    match path.parent.name, path.stem:
        case "demo", _:
            words.append("small.data.records=300")
        case _, "study":
            fake.ptbxl(tmp_path / "archive", 60)
        case _, "study_ludb":
            fake.ludb(tmp_path / "archive", 40)
        case _, "study_cinc":
            for folder, prefix in ARCHIVES.items():
                fake.cinc(tmp_path / "archive" / folder, 20, prefix=prefix)
            words.append("small.data.allow_leak=true")  # fake recordings are alike in all four
    if (tmp_path / "archive").is_dir():
        words.append("small.data.root=archive")
    if path.parent.name == "demo":
        pass  # begins with the network in the package
    elif path.stem == "study":
        words += ["large.data.records=200", "large.trainer.max_epochs=1"]
    else:  # the first study's network, at the place where these look for it
        large = ["--config", str(path.parent / "pretrain.yaml"), "data.records=200", "data.store_dir=store", *STEP]
        assert small.run("fit", [*large, f"run_dir={tmp_path}/runs/simulated_to_real/large"]) == 0
    assert small.run("transfer", ["--study", str(path), *words]) == 0
    assert "| 12 | 1 | 0." in (tmp_path / "run" / "table.md").read_text()
