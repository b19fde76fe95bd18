"""Several sources as one: rows, labels, folds and draws of each stay its own, and metrics are told apart."""

import csv
import json
import pickle
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from sklearn.metrics import roc_auc_score

import fake
import small
from datamodules.sources import SOURCES
from ecg_lightning.checkpoints import card_of
from ecg_lightning.commands.prepare import facts_of, report
from ecg_lightning.config.compose import compose
from ecg_lightning.config.schema import build
from ecg_lightning.datamodules import MixedDataModule
from ecg_lightning.datamodules.base import ECGDataModule
from ecg_lightning.datamodules.batches import TrainingBatches
from ecg_lightning.errors import UserError
from ecg_lightning.evaluation.groups import FEWEST
from ecg_lightning.evaluation.predictions import read_predictions

PARTS = [
    {"name": "PTBXLDataModule", "root": "ptbxl"},
    {"name": "GeorgiaDataModule", "root": "georgia"},
    {"name": "CODE15DataModule", "root": "code15"},
]
SIZES = {"ptbxl": 60, "georgia": 30, "code15": 40}


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("archives")
    fake.ptbxl(folder / "ptbxl", SIZES["ptbxl"], seconds=3)
    fake.cinc(folder / "georgia", SIZES["georgia"], seconds=3)
    fake.code15(folder / "code15", SIZES["code15"])
    return folder


def mix(root: Path, **options: Any) -> MixedDataModule:
    arguments = {"name": "MixedDataModule", "root": str(root), "parts": PARTS, "store_dir": str(root / "store")}
    data = build("data", arguments | {"pack_workers": 1, "seconds": 3.0} | options, seed=3)
    assert isinstance(data, MixedDataModule)
    return data


def words(root: Path, run_dir: Path, *overrides: str) -> list[str]:
    parts = ", ".join(f"{{name: {part['name']}, root: {part['root']}}}" for part in PARTS)
    data_words = (
        "name=MixedDataModule",
        f"root={root}",
        f"parts=[{parts}]",
        f"store_dir={root}/store",
        "pack_workers=1",
    )
    return [*(f"data.{word}" for word in data_words), "data.seconds=3", *small.TINY, f"run_dir={run_dir}", *overrides]


def test_a_row_of_the_mix_is_the_row_of_its_source(root: Path) -> None:
    data = mix(root)
    store, index = data.store, data.store.index
    assert list(data.sources) == list(SIZES)
    assert index["source"].value_counts().to_dict() == SIZES
    assert index["record_id"].is_unique
    assert index["record_id"].iloc[[0, 60]].tolist() == ["ptbxl/00001", "georgia/E00001"]
    assert index["patient_id"].iloc[[0, 60]].tolist() == ["ptbxl/1", ""]  # Georgia names no patients
    # Numbers taken at random, one source among another, some windows beyond a recording's end.
    random = np.random.default_rng(0)
    rows = random.permutation(len(store))
    starts = random.integers(0, 200, len(rows))
    batch, valid = store.read(rows, starts, 250)
    copy = pickle.loads(pickle.dumps(store))  # as a worker process gets it
    np.testing.assert_array_equal(copy.read(rows, starts, 250)[0], batch)
    first = 0
    for name, part in data.sources.items():
        of_part = (rows >= first) & (rows < first + SIZES[name])
        expected, lengths = part.store.read(rows[of_part] - first, starts[of_part], 250)
        np.testing.assert_array_equal(batch[of_part], expected)
        np.testing.assert_array_equal(valid[of_part], lengths)
        rows_of_part = slice(first, first + SIZES[name])
        np.testing.assert_array_equal(data.targets[rows_of_part], part.targets)
        np.testing.assert_array_equal(data.folds[rows_of_part], part.folds)
        np.testing.assert_array_equal(store.fingerprints[rows_of_part], part.store.fingerprints)
        np.testing.assert_array_equal(store.lengths[rows_of_part], part.store.lengths)
        first += SIZES[name]


def test_recordings_that_a_source_leaves_out_are_left_out_of_the_mix(
    root: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    values = {"parts": [PARTS[0] | {"only_validated": True}, PARTS[1]]}
    data = mix(root, **values)
    validated = np.arange(1, SIZES["ptbxl"] + 1) % 3 > 0  # as fake.ptbxl writes them
    np.testing.assert_array_equal(data.is_kept, [*validated, *[True] * SIZES["georgia"]])
    assert not data.usable[:60][~validated].any()
    report(facts_of(data))
    assert "left out by the configuration: 20" in capsys.readouterr().out


def test_a_mix_has_none_of_the_hooks_of_a_single_source() -> None:
    hooks = ("table", "reader", "options", "files", "annotation", "annotators", "annotated", "keep", "folder", "pack")
    assert all(hasattr(ECGDataModule, hook) for hook in hooks)
    assert not any(hasattr(MixedDataModule, hook) for hook in hooks)


def test_what_a_source_does_not_annotate_is_open(root: Path) -> None:
    data = mix(root, label_space=["AFIB", "PVC", "IRBBB"])
    code15 = data.store.index["source"] == "code15"
    assert np.isnan(data.targets[code15][:, 1:]).all()
    assert not np.isnan(data.targets[code15][:, 0]).any()
    assert not np.isnan(data.targets[~code15]).any()


def test_sides_are_those_of_each_source(root: Path) -> None:
    data = mix(root)
    for split in ("train", "val", "test"):
        rows_of_parts = [part.rows(split) for part in data.sources.values()]
        np.testing.assert_array_equal(
            data.rows(split), np.concatenate([rows_of_parts[0], rows_of_parts[1] + 60, rows_of_parts[2] + 90])
        )
    parts = [PARTS[0] | {"val_folds": [], "test_folds": [], "train_records": 20}, PARTS[1] | {"test_folds": [1, 2, 3]}]
    data = mix(root, parts=parts)
    sides = {
        split: {name: of_source.sum() for name, of_source in data.by_source(data.rows(split)).items()}
        for split in ("train", "test")
    }
    georgia = data.sources["georgia"].folds
    assert sides["train"] == {"ptbxl": 20, "georgia": (~np.isin(georgia, [1, 2, 3, 9])).sum()}
    assert sides["test"] == {"georgia": np.isin(georgia, [1, 2, 3]).sum()}
    assert len(mix(root, train_records=30).rows("train")) == 30


def test_the_unseen_hospital_is_the_whole_test_side_and_nowhere_else(root: Path) -> None:
    data = mix(root, leave_out="georgia")
    np.testing.assert_array_equal(data.rows("test"), np.arange(60, 90))
    for split in ("train", "val"):
        assert "georgia" not in data.by_source(data.rows(split))
        assert data.by_source(data.rows(split)).keys() == {"ptbxl", "code15"}
    assert data.describe()["parts"]["georgia"]["records"] == {"train": 0, "val": 0, "test": 30}


def share(data: MixedDataModule) -> dict[str, float]:
    """The part of an epoch that comes from each source."""
    batches = data.train_dataloader().sampler
    assert isinstance(batches, TrainingBatches)
    drawn_rows = []
    for epoch in range(40):
        batches.set_epoch(epoch)
        drawn_rows += [cut[:, 0] for cut in batches]
    of_sources = data.by_source(data.rows("train")[np.concatenate(drawn_rows)])
    return {name: rows.mean() for name, rows in of_sources.items()}


def test_sources_are_drawn_by_size_temperature_or_weight(root: Path) -> None:
    data = mix(root)
    sizes = {name: of_source.sum() for name, of_source in data.by_source(data.rows("train")).items()}
    assert data.draws(data.rows("train")) is None
    total = sum(sizes.values())
    assert share(data) == pytest.approx({name: size / total for name, size in sizes.items()}, abs=1e-9)
    assert share(mix(root, temperature=0.0)) == pytest.approx(dict.fromkeys(SIZES, 1 / 3), abs=0.03)
    roots = {name: size**0.5 for name, size in sizes.items()}
    expected = {name: value / sum(roots.values()) for name, value in roots.items()}
    assert share(mix(root, temperature=0.5)) == pytest.approx(expected, abs=0.03)
    weighted = mix(root, weights={"ptbxl": 1, "georgia": 3, "code15": 0})
    assert share(weighted) == pytest.approx({"ptbxl": 0.25, "georgia": 0.75}, abs=0.03)


def test_the_same_archive_twice_has_two_names_and_the_same_patients(root: Path) -> None:
    data = mix(root, parts=[PARTS[0], PARTS[0]])
    assert list(data.sources) == ["ptbxl", "ptbxl-2"]
    assert data.store.index["patient_id"].nunique() == data.sources["ptbxl"].store.index["patient_id"].nunique()


def test_hospitals_without_a_name_and_archives_of_another_seed_share_no_patient(tmp_path: Path) -> None:
    parts: list[dict[str, Any]] = []
    for name in "ab":
        fake.folder(tmp_path / name, 6)
        parts.append({"name": "FolderDataModule", "root": name} | SOURCES["FolderDataModule"].arguments)
    parts += [{"name": "SimulatedDataModule", "records": 20, "hospital": "small", "archive_seed": k} for k in (0, 1)]
    patients = mix(tmp_path, parts=parts).store.index.groupby("source")["patient_id"].unique()
    assert len(patients) == 4
    assert sum(map(len, patients)) == len({*np.concatenate(list(patients))})


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"parts": []}, "data.parts is empty"),
        (
            {"parts": [PARTS[0], {"name": "Georgia"}]},
            r"data.parts\[1\] \(Georgia\): data.name: there is no 'Georgia'. Did",
        ),
        (
            {"parts": [PARTS[0] | {"file_rat": 100}]},
            r"Key 'file_rat' not in 'PTBXLDataModule'. Did you mean: 'file_rate'",
        ),
        ({"parts": [PARTS[0] | {"seconds": 5.0}]}, "seconds must be the same for all sources: write it in data"),
        ({"parts": [{"name": "MixedDataModule", "parts": PARTS}]}, "a mix cannot be a part of another one"),
        (
            {"parts": [{"name": "SimulatedDataModule", "endless": True}]},
            r"data.parts\[0\] \(SimulatedDataModule\): endless: .* cannot be mixed; set records",
        ),
        ({"leave_out": "georgie"}, "data.leave_out: there is no source 'georgie'. Did you mean: 'georgia'"),
        ({"weights": {"sph": 1}}, "data.weights: there is no source 'sph'. Sources: ptbxl, georgia, code15"),
        ({"weights": {"ptbxl": 1}}, "data.weights: give each source a share of 0 or more"),
        ({"weights": dict.fromkeys(SIZES, float("nan"))}, "data.weights.ptbxl=nan must be a number from 0"),
        ({"temperature": -1.0}, "data.temperature=-1.0 must be a number from 0 to 10"),
        ({"temperature": float("inf")}, "data.temperature=inf must be a number from 0 to 10"),
    ],
)
def test_a_mix_that_cannot_be_is_explained(root: Path, values: dict[str, Any], message: str) -> None:
    with pytest.raises(UserError, match=message):
        mix(root, **values)


def test_a_part_without_a_folder_is_named(root: Path) -> None:
    with pytest.raises(UserError, match=r"no folder '.*nowhere'\. georgia is expected there"):
        mix(root, parts=[PARTS[0], PARTS[1] | {"root": "nowhere"}]).prepare_data()


def test_metrics_are_logged_for_each_source(root: Path, tmp_path: Path) -> None:
    run = tmp_path / "run"
    assert small.run("fit", words(root, run, "data.val_folds=[7,8,9]", "data.test_folds=[1,2,3]")) == 0
    (*_, last) = csv.DictReader((run / "metrics.csv").read_text().splitlines())
    assert {key for key in last if "@" in key} == {
        f"val/{metric}@{name}" for metric in ("auroc", "ap") for name in SIZES
    }
    assert small.run("test", [f"run_dir={run}", "trainer.enable_progress_bar=false"]) == 0
    report = json.loads((run / "test.json").read_text())
    assert sum(values["records"] for values in report["sources"].values()) == report["records"]
    saved = read_predictions(run)
    for name, first in zip(SIZES, (0, 60, 90), strict=True):
        of_source = (saved.records >= first) & (saved.records < first + SIZES[name])
        assert report["sources"][name]["records"] == of_source.sum()
        scores = [
            roc_auc_score(targets[annotated], logits[annotated])
            for targets, logits in zip(saved.targets[of_source].T, saved.logits[of_source].T, strict=True)
            if len({*targets[annotated := ~np.isnan(targets)]}) == 2
        ]
        assert report["sources"][name]["auroc"] == pytest.approx(np.mean(scores))
    (by_source,) = (division for division in report["groups"] if division["by"] == "source")
    for group in by_source["groups"]:
        of_source = report["sources"][group["name"]]
        assert group["records"] == of_source["records"]
        is_measured = group["patients"] >= FEWEST
        assert group["metrics"]["auroc"]["value"] == (pytest.approx(of_source["auroc"]) if is_measured else None)
    assert any(group["patients"] >= FEWEST for group in by_source["groups"])
    assert {group["name"] for group in by_source["groups"]} == {*SIZES}


def test_prepare_tells_of_each_source_and_of_all(
    root: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    data = [word for word in words(root, tmp_path) if word.startswith("data.")]
    assert small.run("prepare", data) == 0
    output = capsys.readouterr().out
    heads = ["ptbxl: 60 records", "georgia: 30 records", "code15: 40 records", "mixed: 130 records"]
    assert [output.index(head) for head in heads] == sorted(output.index(head) for head in heads)


def test_the_experiment_over_all_archives_takes_a_step(tmp_path: Path) -> None:
    config = ("--config", "experiment/all_archives")
    parts = compose(config).data.parts
    for part in parts:
        SOURCES[part.name].write(tmp_path / "archives" / part.root)
    fit_words = (
        *config, f"data.root={tmp_path}/archives", f"data.store_dir={tmp_path}/store", "data.pack_workers=1", *small.TINY,
        "trainer.max_epochs=1", "trainer.limit_train_batches=1", "data.val_folds=[1,2,3,9]", f"run_dir={tmp_path}/run",
    )  # fmt: skip
    assert small.run("fit", fit_words) == 0
    described = card_of(f"{tmp_path}/run/checkpoints/best.ckpt").data
    assert len(described.parts) == len(parts) == 9
    assert sum(part.records["train"] for part in described.parts.values()) == described.records["train"]
