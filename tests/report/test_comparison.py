"""Runs side by side: paired differences, arms of several seeds, and what cannot be compared."""

import json
import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

import small
from ecg_lightning.errors import UserError
from ecg_lightning.main import VERBS
from ecg_lightning.metrics import auroc, auroc_differences, compare, holm, macro
from ecg_lightning.report.arms import arms_of, check_comparable, short_names
from ecg_lightning.report.comparison import PER_TERM, configuration_table, page
from ecg_lightning.report.run import TestedRun
from ecg_lightning.report.tables import fixed, p_value, signed
from report.reading import Element, read

RESAMPLES = 50


def variant(folder: Path, source: Path, noise: int, config: tuple[str, str] = ("", "")) -> Path:
    """A copy of a run whose logits have noise of a seed, and whose configuration has another text."""
    shutil.copytree(source, folder)
    path = folder / "predictions.parquet"
    table = pd.read_parquet(path)
    rng = np.random.default_rng(noise)
    for column in table.columns:
        if column.startswith("logit/"):
            table[column] += rng.normal(0, 2, len(table))
            table[column.replace("logit", "probability")] = 1 / (1 + np.exp(-table[column]))
    table.to_parquet(path)
    text = (folder / "config.yaml").read_text()
    assert config[0] in text
    (folder / "config.yaml").write_text(text.replace(*config))
    return folder


@pytest.fixture(scope="module")
def runs(tested_folder: Path, tmp_path_factory: pytest.TempPathFactory) -> list[TestedRun]:
    """A run, the same with another seed, and one with another dropout."""
    folder = tmp_path_factory.mktemp("variants")
    seed = variant(folder / "a" / "seed", tested_folder, 1, ("seed: 0", "seed: 1"))
    other = variant(folder / "b" / "run", tested_folder, 2, ("dropout: 0.2", "dropout: 0.5"))
    return [TestedRun(path) for path in (tested_folder, seed, other)]


@pytest.fixture(scope="module")
def root(runs: list[TestedRun]) -> Element:
    return read(page(arms_of(runs), RESAMPLES))


def rows_of(root: Element, caption: str) -> dict[str, list[Element]]:
    table = next(item for item in root.all("table") if item.all("caption")[0].text.startswith(caption))
    return {row.all("th")[0].texts[0]: row.all("td") for row in table.all("tbody")[0].all("tr")}


def test_runs_that_differ_in_their_seed_alone_are_one_arm(runs: list[TestedRun]) -> None:
    arms = arms_of(runs)
    assert [len(arm.runs) for arm in arms] == [2, 1]
    assert arms[0].name.endswith(" (2 seeds)")
    names = list(short_names(runs).values())
    assert [name.rpartition("/")[2] for name in names] == ["run", "seed", "run"]  # two folders have one name
    assert len(set(names)) == 3


def test_the_differences_are_those_of_the_paired_bootstrap(root: Element, runs: list[TestedRun]) -> None:
    baseline, other = runs[:2], runs[2]
    comparison = compare(
        [other.predictions.outputs],
        [run.predictions.outputs for run in baseline],
        other.predictions.patients,
        resamples=RESAMPLES,
    )
    assert PER_TERM * len(other.terms) > RESAMPLES  # the AUROC of each term has more resamples, for Holm
    scores = [np.stack([run.predictions.probabilities for run in arm]) for arm in ([other], baseline)]
    enough = PER_TERM * len(other.terms)
    areas = auroc_differences(*scores, other.predictions.targets, other.predictions.patients, resamples=enough).terms
    same = auroc_differences(*scores, other.predictions.targets, other.predictions.patients, resamples=RESAMPLES).terms
    assert np.allclose(same, comparison.terms["auroc"], equal_nan=True)
    comparison.terms["auroc"] = areas
    cells = rows_of(root, "Differences of each term")
    adjusted = holm([area.p for area in comparison.terms["auroc"]])
    assert list(cells) == other.terms
    for number, area in enumerate(comparison.terms["auroc"]):
        if np.isnan(area.p):  # no estimate, or of a single patient
            continue
        _, auroc_cell, p, p_holm, *_ = cells[other.terms[number]]
        assert (auroc_cell.texts[0], p.text) == (signed(area.estimate), p_value(area.p))
        assert p_holm.text == p_value(adjusted[number])
    macros = [macro(auroc(run.predictions.probabilities, run.predictions.targets)) for run in runs]
    average = rows_of(root, "Differences of the averages")["macro"][0]
    assert float(average.attributes["data-value"]) == pytest.approx(macros[2] - (macros[0] + macros[1]) / 2)


def test_what_differs_in_the_configurations_is_shown(root: Element, runs: list[TestedRun]) -> None:
    cells = rows_of(root, "What differs in the configurations")
    assert {key: [cell.text for cell in row] for key, row in cells.items()} == {
        "model.dropout": ["0.2", "0.2", "0.5"],
        "seed": ["0", "1", "0"],
    }
    assert configuration_table(runs[:1]) is None


def test_learning_curves_have_a_line_for_each_run_and_a_legend_for_each_arm(root: Element) -> None:
    charts = [item for item in root.all("svg") if "over the epochs" in item.attributes.get("aria-label", "")]
    assert len(charts) >= 3
    for chart in charts:
        assert sum("curve" in item.attributes["class"] for item in chart.all("path")) == 3
    assert len(next(item for item in root.all("ul") if item.attributes.get("class") == "legend").all("li")) == 2


def test_a_mean_over_seeds_has_their_range(root: Element, runs: list[TestedRun]) -> None:
    cells = rows_of(root, "Macro averages")
    values = [run.report["averages"]["macro"]["auroc"]["value"] for run in runs]
    seeds, single = cells.values()
    assert seeds[1].text.split() == [fixed(np.mean(values[:2])), fixed(min(values[:2])), "…", fixed(max(values[:2]))]
    assert single[1].texts[0] == fixed(values[2])


def test_equal_runs_do_not_differ(runs: list[TestedRun], tested_folder: Path, tmp_path: Path) -> None:
    twin = TestedRun(Path(shutil.copytree(tested_folder, tmp_path / "twin")))
    text = (twin.folder / "config.yaml").read_text()
    (twin.folder / "config.yaml").write_text(text.replace("dropout: 0.2", "dropout: 0.3"))
    cells = rows_of(read(page(arms_of([runs[0], twin]), RESAMPLES)), "Differences of the averages")
    assert {cell.texts[0] for row in cells.values() for cell in row} <= {"+0.000", "–"}


def other_ids(folder: Path) -> None:
    table = pd.read_parquet(folder / "predictions.parquet")
    table["record_id"] = table["record_id"].to_numpy()[::-1]
    table.to_parquet(folder / "predictions.parquet")


def other_labels(folder: Path) -> None:
    table = pd.read_parquet(folder / "predictions.parquet")
    table["label/AFIB"] = 1 - table["label/AFIB"]
    table.to_parquet(folder / "predictions.parquet")


def other_terms(folder: Path) -> None:
    report = json.loads((folder / "test.json").read_text())
    report["terms"][0]["term"] = "NORM"
    (folder / "test.json").write_text(json.dumps(report))
    table = pd.read_parquet(folder / "predictions.parquet")
    table.rename(columns=lambda name: name.replace("AFIB", "NORM")).to_parquet(folder / "predictions.parquet")


def other_data(folder: Path) -> None:
    report = json.loads((folder / "test.json").read_text())
    report["data"]["fingerprint"] = "0"
    (folder / "test.json").write_text(json.dumps(report))


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (other_ids, "tested on different recordings"),
        (other_data, "tested on different recordings"),
        (other_labels, "different labels of the same recordings"),
        (other_terms, r"different terms \(AFIB, NORM\)"),
    ],
)
def test_runs_that_cannot_be_compared(
    change: Callable[[Path], None], message: str, tested: Path, tested_folder: Path
) -> None:
    change(tested)
    with pytest.raises(UserError, match=message):
        check_comparable([TestedRun(tested_folder), TestedRun(tested)])


def test_the_verb(runs: list[TestedRun], tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    first, second, third = (str(run.folder) for run in runs)
    output = tmp_path / "new" / "page.html"
    assert small.run("report", [first, third, "--output", str(output)]) == 0
    assert capsys.readouterr().out == f"Compared 2 runs: {output}\n"
    assert len(read(output.read_text()).all("h1")) == 1
    for words, message in (
        ([], "name the folder of a run"),
        ([first, first], "is given twice"),
        ([first, str(tmp_path / "nothing")], "There is no folder"),
        ([first, str(tmp_path)], "was not tested"),
        ([first, "--output", str(output)], "--output is for a comparison"),
        ([first, second, "report.ids=true"], "a comparison has no configuration"),
        ([first, second, "--output", str(tmp_path)], "is a folder"),
        ([first, "report.idss=true"], "Did you mean: 'ids'"),
        ([first, second, "--outputs", "x"], "unrecognized arguments"),
    ):
        with pytest.raises(UserError, match=message):
            small.run("report", words)


def test_every_verb_has_a_help(capsys: pytest.CaptureFixture[str]) -> None:
    for verb in VERBS:
        if verb != "sweep":  # its parser prints its help and ends the program
            assert small.run(verb, ["--help"]) == 0
            assert len(capsys.readouterr().out.splitlines()) > 3
