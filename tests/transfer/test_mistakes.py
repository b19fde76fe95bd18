"""What is wrong with a study is said before anything is trained."""

from pathlib import Path

import pytest
from omegaconf import DictConfig

import small
from ecg_lightning.config.compose import compose
from ecg_lightning.errors import UserError
from ecg_lightning.training import fit as run
from ecg_lightning.transfer.checks import check_archives, warn_of_one_class
from ecg_lightning.transfer.study import read_study
from transfer.studies import words, write


@pytest.fixture
def study_words(tmp_path: Path, tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The words of a study that cannot train; its archives are packed once for all tests."""

    def fit(config: DictConfig) -> Path:
        raise AssertionError(f"it began to train: {config}")

    monkeypatch.setattr(run, "fit", fit)
    store = tmp_path_factory.getbasetemp() / "mistakes"
    return [*words(write(tmp_path / "study"), tmp_path / "run"), f"data.store_dir={store}"]


@pytest.mark.parametrize(
    ("more", "message"),
    [
        ("--sizes=[10,most]", "'most' is neither a number"),
        ("--sizes=[]", r"sizes=\[\]: give one or more sizes"),
        ("--sizes=[20,60,20]", r"sizes=\[20, 60, 20\]: give one or more sizes, each once"),
        ("--seeds=[1,2,3]", "seeds has 3 values"),
        ("--seeds=[0]", r"seeds=\[0\]: every value must be above 0"),
        ("--epochs=[4,0]", r"epochs=\[4, 0\]: every value must be above 0"),
        ("--tune_rates=[-1e-3]", r"tune_rates=\[-0\.001\]: every value must be above 0"),
        ("--resamples=0", "resamples=0 must be 1 or more"),
        ("--sise=[1]", "Did you mean: 'sizes'"),
        ("--sizes=[20", r"transfer: 'sizes=\[20' cannot be read"),
        ("--epochs=many", "transfer: Value 'many'"),
        ("smal.optim.lr=1", "'smal.optim.lr' begins with no group .* Did you mean: 'small'"),
        ("optin.lr=1", "Did you mean: 'optim'"),
    ],
)
def test_a_key_that_does_not_fit(tmp_path: Path, more: str, message: str) -> None:
    with pytest.raises(UserError, match=message):
        read_study(["--study", str(write(tmp_path)), more])


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("large: a.yaml\nsmal: b.yaml\n", "Did you mean: 'small'"),
        ("large: [a\n", "study.yaml is not readable YAML"),
        ("[1, 2]\n", "study.yaml must be a mapping"),
        ("small: b.yaml\n", "--large is missing"),
    ],
)
def test_a_study_file_that_does_not_fit(tmp_path: Path, content: str, message: str) -> None:
    file = write(tmp_path)
    file.write_text(content)
    with pytest.raises(UserError, match=message):
        read_study(["--study", str(file)])


def test_one_value_is_a_list_of_one(tmp_path: Path) -> None:
    study = read_study(["--study", str(write(tmp_path)), "--sizes=20", "--seeds=3", "--epochs=4", "--rates=1e-2"])
    assert (study.sizes, study.seeds, study.epochs, study.rates) == (["20"], [3], [4], [0.01])


SMALL_AS_LARGE = ("large.data.hospital=small", "large.data.records=500")
"""The large archive is the small one, whose folds then must be the same in both."""


@pytest.mark.parametrize(
    ("more", "message"),
    [
        (
            ["small.data.label_space=[AFIB,SBRAD]"],
            r"The network expects data.label_space=\S+; the data has data.label_space=\[AFIB,SBRAD\]",
        ),
        (
            ["large.data.sampling_rate=50"],
            "The network expects data.sampling_rate=50; the data has data.sampling_rate=100",
        ),
        (
            ["--sizes=[20,5000]"],
            r"sizes: 5000 of \S+b.yaml: data.train_records=5000: there are only 373 for training",
        ),
        (["small.model.widths=[4,4,8,16]"], r"of \S+b.yaml cannot start from that of \S+a.yaml.*is `model`"),
        (["both.finetune.schedule={0: [heead]}"], "there is no layer group 'heead'. Did you mean: 'head'"),
        (["small.optim.lr=-1"], "optim"),
        ([*SMALL_AS_LARGE, "large.data.val_folds=[1]", "large.data.test_folds=[2]"], "of the validation and test side"),
        (
            [*SMALL_AS_LARGE, "large.data.test_folds=[10,1]", "both.data.drop_copies=true"],
            r"of the test side trained a network of \S+b.yaml",
        ),
        ([*SMALL_AS_LARGE, "large.data.val_folds=[9,1]"], r"of the validation side trained a network of \S+b.yaml"),
        (["--large=experiment/ptbxl_smal", "--both=false"], "Did you mean: 'experiment/ptbxl_small'"),
        (["--large=gone.ckpt", "--both=false"], "There is no checkpoint file 'gone.ckpt'"),
        (["small.data.test_folds=[9]"], "share"),
    ],
)
def test_what_a_training_would_end_with(study_words: list[str], tmp_path: Path, more: list[str], message: str) -> None:
    with pytest.raises(UserError, match=message):
        small.run("transfer", [*study_words, *more])
    assert not (tmp_path / "run").exists()


def test_a_mistyped_layer_group_of_fine_tuning(study_words: list[str], tmp_path: Path) -> None:
    (tmp_path / "study" / "tune.yaml").write_text("finetune: {schedule: {0: [heead], 1: all}}\n")
    with pytest.raises(UserError, match=r"there is no layer group 'heead'\. Did you mean: 'head'"):
        small.run("transfer", study_words)


def test_a_leak_that_is_allowed_is_no_mistake(study_words: list[str]) -> None:
    study = read_study(
        [*study_words, *SMALL_AS_LARGE, "--both=false", "large.data.test_folds=[10,1]", "large.data.allow_leak=true"]
    )
    archives = check_archives(study, study.trainings())
    assert archives["large"].store.sha256 == archives["small"].store.sha256


def test_copies_that_the_mix_leaves_out_are_no_leak(study_words: list[str]) -> None:
    more = [*SMALL_AS_LARGE, "large.data.val_folds=[9,1]"]
    for allowed in ("--both=false", "both.data.drop_copies=true"):
        study = read_study([*study_words, *more, allowed])
        assert set(check_archives(study, study.trainings())) == {"small", "large"}


def test_it_is_said_where_no_term_can_be_measured(study_words: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    study = read_study([*study_words, "--both=false", "--sizes=[20]", "--seeds=[1]", "--epochs=[1]", "--rates=[1e-3]"])
    archives = check_archives(study, study.trainings())
    assert "no AUROC" not in capsys.readouterr().err
    archives["small"].targets[:] = 0
    warn_of_one_class(archives["small"])
    assert "no term has both positives and negatives among the 68 recordings" in capsys.readouterr().err


def test_the_name_of_a_class_is_the_first_difference(study_words: list[str], tmp_path: Path) -> None:
    study = read_study(study_words)
    folder = study.folder("small", "20")
    folder.mkdir(parents=True)
    (folder / "config.yaml").write_text("data: {augment: {gain: 0.2}, name: PTBXLDataModule}\n")
    with pytest.raises(UserError, match=r"data\.name was PTBXLDataModule, and is SimulatedDataModule here"):
        small.run("transfer", study_words)


def test_a_folder_of_the_large_archive_is_not_that_of_the_mix(study_words: list[str]) -> None:
    study = read_study([*study_words, "large.data.root=data/ptbxl", "data.batch_size=8"])
    mixed = next(training for training in study.trainings() if training.arm == "both")
    data = compose(mixed.words).data
    assert "root" not in data and data.parts[0].root == "data/ptbxl" and data.batch_size == 8
