"""A newcomer's path: headers of a hospital → a table → ten lines of YAML → a network of PTB-XL learns the hospital's own label."""

import csv
import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch

import fake
import small
from ecg_lightning.config.compose import compose
from ecg_lightning.config.schema import build

COLUMNS = ("Exam ID", "Patient ID", "Age", "Sex", "Chagas label")
YAML = """
defaults: [default, finetune/gradual]
data:
  name: FolderDataModule
  source_name: our_hospital
  root: {root}
  table_file: records.csv
  columns: {{record: Exam ID, patient: Patient ID, age: Age, sex: Sex}}
  label_columns: {{Chagas label: own:CHAGAS}}
  label_space: [own:CHAGAS, AFIB]
finetune: {{checkpoint: {checkpoint}}}
trainer: {{max_epochs: 2}}
"""


def hospital(root: Path, records: int = 60) -> list[bool]:
    """WFDB files as CODE-15% was re-issued for the challenge of 2025: the label stands in the headers' comments."""
    labels = []
    for number, patient, age, sex, kind in fake.common.people(records):
        labels.append(kind.scp[0] == "CRBBB")
        comments = (number + 100, patient, f"{age:.0f}", "Female" if sex == "F" else "Male", labels[-1])
        signal = fake.common.wave(kind, 9000 + number, 2934, 400)
        lines = [f" {column}: {value}" for column, value in zip(COLUMNS, comments, strict=True)]
        fake.write_wfdb(root / f"{number + 100}.dat", signal, 400, comments=lines)
    return labels


def make_table(root: Path) -> None:
    """The script of the README's chapter."""
    with open(root / "records.csv", "w", newline="") as file:
        table = csv.writer(file)
        table.writerow(["path", *COLUMNS])
        for header in sorted(root.glob("*.hea")):
            comments = [line[2:] for line in header.read_text().splitlines() if line.startswith("# ")]
            values = dict(comment.split(": ", 1) for comment in comments)
            table.writerow([header.name, *(values[column] for column in COLUMNS)])


def test_a_newcomer_s_hospital(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    large = small.fit(small.archive(tmp_path), tmp_path / "large", "trainer.max_epochs=1")
    labels = hospital(tmp_path / "hospital")
    make_table(tmp_path / "hospital")
    recipe = tmp_path / "our_hospital.yaml"
    checkpoint = large / "checkpoints" / "best.ckpt"
    recipe.write_text(YAML.format(root=tmp_path / "hospital", checkpoint=checkpoint))
    words = [
        "--config",
        str(recipe),
        *small.TINY,
        "data.seconds=3",
        "data.pack_workers=1",
        f"data.store_dir={tmp_path}/s",
    ]
    words += [f"run_dir={tmp_path}/small", "data.val_folds=[8,9]", "data.test_folds=[1,10]"]

    capsys.readouterr()
    assert small.run("prepare", ["--config", str(recipe), *words[-5:]]) == 0
    output = capsys.readouterr().out
    assert "our_hospital: 60 records" in output and " 0 rejected" in output
    assert [*output[output.index("CHAGAS") :].split("│")[1:4]] == [
        f" {sum(labels)}        ",
        f" {60 - sum(labels)}       ",
        " 0             ",
    ]

    data = build("data", compose(words).data)
    assert data.targets[:, 0].tolist() == labels
    assert pd.isna(data.targets[:, 1]).all()  # nobody looked for fibrillation
    index = data.store.index
    assert index.loc[0, ["record_id", "patient_id", "age", "sex"]].tolist() == ["101", "1", 21.0, "M"]

    assert small.run("fit", words) == 0
    printed = capsys.readouterr()
    assert "head: 1 of 2 terms kept; fresh: CHAGAS" in printed.out + printed.err
    parent, tuned = (
        torch.load(path, weights_only=True)["state_dict"]
        for path in (checkpoint, tmp_path / "small/checkpoints/best.ckpt")
    )
    stem = next(name for name in parent if "stem" in name and name.endswith("weight"))
    torch.testing.assert_close(tuned[stem], parent[stem])  # frozen in the first two epochs
    assert small.run("test", [*words, f"checkpoint_path={tmp_path}/small/checkpoints/best.ckpt"]) == 0
    assert "CHAGAS" in json.dumps(json.loads((tmp_path / "small" / "test.json").read_text()))


def test_the_real_hospital_is_read_as_its_headers_say(shared_data: Path, tmp_path: Path) -> None:
    for file in (shared_data / "code15_chagas").iterdir():
        (tmp_path / file.name).symlink_to(file)
    make_table(tmp_path)
    texts = {path.stem: path.read_text() for path in tmp_path.glob("*.hea")}
    config = {
        "name": "FolderDataModule", "source_name": "our_hospital", "root": str(tmp_path), "store_dir": f"{tmp_path}/store",
        "columns": {"record": "Exam ID", "patient": "Patient ID", "age": "Age", "sex": "Sex"},
        "label_columns": {"Chagas label": "own:CHAGAS"}, "label_space": ["own:CHAGAS"], "pack_workers": 1,
    }  # fmt: skip
    data = build("data", config, seed=0)
    index = data.store.index
    assert len(index) == len(texts) == 120
    sick = {name for name, text in texts.items() if "# Chagas label: True" in text}
    assert {*index["record_id"][data.targets[:, 0] == 1]} == sick
    assert not np.isnan(data.targets).any()
    for _, row in index.iterrows():
        text = texts[row["record_id"]]
        assert f"# Patient ID: {row['patient_id']}\n" in text
        assert f"# Age: {row['age']:.0f}\n" in text
        assert f"# Sex: {row['sex']}" in text
    lengths = [int(text.split()[3]) for text in texts.values()]
    assert abs(index["length"].sum() - sum(lengths) / 4) < len(lengths)  # 400 Hz to 100, but for cut padding
