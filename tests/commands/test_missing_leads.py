"""Predicting for recordings that lack leads which the network sees."""

import csv
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

import fake
import small
from ecg_lightning import checkpoints
from ecg_lightning.checkpoints.card import Card, Test
from ecg_lightning.errors import UserError
from ecg_lightning.evaluation.fewer_leads import known_loss, missing_leads, smaller_sets
from ecg_lightning.evaluation.predictor import load
from ecg_lightning.records import LEADS, Record, RecordError, read_record

ONLY = {"watch": ["I"], "limb": ["I", "II"], "eight": ["I", "II", *LEADS[6:]], "chest": ["V1", "V2"]}
"""Recordings by the leads that they have."""


@pytest.fixture(scope="module")
def network(tmp_path_factory: pytest.TempPathFactory) -> str:
    folder = tmp_path_factory.mktemp("work")
    run = small.fit(small.archive(folder, 40), folder / "run", "trainer.max_epochs=1")
    return checkpoints.publish(str(run), "net", str(folder))


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("recordings")
    for name, leads in ONLY.items():
        signal = fake.ecg(1000, 250, seed=3)[[LEADS.index(lead) for lead in leads]]
        fake.write_wfdb(path / f"{name}.dat", signal, 250, leads=leads)
    return path


def rows(path: Path) -> dict[str, dict[str, str]]:
    with path.open(newline="", encoding="utf-8") as file:
        return {Path(row["record"]).stem: row for row in csv.DictReader(file)}


def test_a_network_that_never_lacked_a_lead_refuses_unless_it_is_allowed(
    network: str, folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    output = tmp_path / "p.csv"
    words = [network, str(folder), "--output", str(output)]
    assert small.run("predict", words) == 1
    assert [*rows(output)] == ["eight"]  # I and II give the four others exactly
    reasons = rows(output.with_suffix(".errors.csv"))
    assert [*reasons] == ["chest", "limb", "watch"]
    assert reasons["limb"]["reason"].startswith("missing leads: V1, V2, V3, V4, V5, V6, which the network sees. It was")
    assert reasons["watch"]["reason"].startswith("missing leads: II, III, aVR, aVL, aVF, V1")
    assert "Leads that" not in capsys.readouterr().err

    assert small.run("predict", [*words, "--allow-missing-leads"]) == 0
    predicted, messages = rows(output), capsys.readouterr().err
    assert [*predicted] == ["chest", "eight", "limb", "watch"]
    assert predicted["limb"]["quality"].split("|") == ["limb_leads_derived", *(f"missing:V{i}" for i in range(1, 7))]
    assert "missing:II" in predicted["watch"]["quality"].split("|")
    assert "missing in 3 of 4 recordings" in messages
    assert "V1, V2, V3, V4, V5, V6 in 1" in messages
    assert "It was trained without augment.lead_mask, and its quality with missing leads was not measured." in messages


def test_a_missing_lead_is_zero_for_the_network(network: str, folder: Path) -> None:
    predictor = load(network, device="cpu", allow_missing_leads=True)
    limb = read_record(folder / "limb.hea", incomplete=True)
    full = fake.ecg(1000, 250, seed=3).astype(np.float32)
    full[6:] = 0
    expected = predictor.logits([Record(full, 250.0)])
    np.testing.assert_allclose(predictor.logits([limb]), expected, atol=2e-3)
    outputs = predictor.predict(full[:1], 250, leads=["I"])
    watch = read_record(folder / "watch.hea", incomplete=True)
    assert [*outputs.values()] == pytest.approx(predictor.probabilities([watch])[0].tolist(), abs=1e-3)
    with pytest.raises(RecordError, match="missing leads: V1, V2, V3"):
        load(network, device="cpu").predict(full[:2], 250, leads=["I", "II"])


@pytest.mark.parametrize("suffix", ["csv", "npy"])
def test_one_row_of_an_array_is_one_lead(folder: Path, tmp_path: Path, suffix: str) -> None:
    watch = read_record(folder / "watch.hea", incomplete=True)
    path = tmp_path / f"watch.{suffix}"
    if suffix == "csv":
        np.savetxt(path, watch.signal[:1].T, header="I", comments="", fmt="%.3f")
    else:
        np.save(path, watch.signal[:1])
    record = read_record(path, sampling_rate=250, leads=["I"], incomplete=True)
    np.testing.assert_allclose(record.signal, watch.signal, atol=1e-3)
    assert {*watch.quality} <= {*record.quality} <= {*watch.quality, "lead_order_assumed"}


def test_only_leads_that_the_network_sees_can_be_missing(folder: Path) -> None:
    limb, watch = (read_record(folder / f"{name}.hea", incomplete=True) for name in ("limb", "watch"))
    assert missing_leads(limb, ["aVF", "I"]) == ()
    assert missing_leads(limb, ["V5", "I", "V1"]) == ("V5", "V1")
    assert missing_leads(watch, ["I", "II"]) == ("II",)
    with pytest.raises(RecordError, match="missing limb leads"):  # packing, which is for training, asks for more
        read_record(folder / "watch.hea")


@pytest.mark.parametrize(
    ("leads", "sets"),
    [
        (LEADS, ["I, II, V2", "I, II", "I"]),
        (["I", "II", "V1", "V2"], ["I, II, V2", "I, II", "I"]),
        (["I", "II", "V5"], ["I, II, V2", "I"]),  # V2 is not seen: both sets of limb leads are one
        (["I", "II"], ["I"]),
        (["V5"], []),
        (["I"], []),
    ],
)
def test_sets_that_show_a_part_of_the_leads(leads: list[str], sets: list[str]) -> None:
    assert [*smaller_sets(leads)] == sets


def test_what_is_known_of_the_loss(network: str) -> None:
    card = checkpoints.card_of(network)
    assert "trained without augment.lead_mask" in known_loss(card)
    masked = replace(card, lead_mask=0.5)
    assert known_loss(masked) == "Its quality with missing leads was not measured: run `test` before `publish`."
    measured = Test("", card.data, 9, {"auroc": 0.9304}, [], lead_sets={"I, II": 0.8796, "I": 0.81, "x": None})
    assert known_loss(replace(masked, test=measured)) == (
        "In its test the macro AUROC was 0.930 with all its leads, 0.880 with I, II, 0.810 with I alone."
    )
    read = Card.from_dict(replace(masked, test=measured).to_dict(), "card")
    assert read.test is not None and read.test.lead_sets == measured.lead_sets and read.lead_mask == 0.5


def test_old_cards_have_no_patient_data_and_wrong_ones_are_refused(network: str) -> None:
    values = checkpoints.card_of(network).to_dict()
    for key in ("metadata", "lead_mask"):
        del values[key]
    card = Card.from_dict(values, "card")
    assert card.metadata is None and card.lead_mask == 0
    for wrong in (
        {"columns": ["age"], "mean": [1.0], "scale": [0.0]},
        {"columns": ["age"], "mean": [], "scale": [1.0]},
    ):
        with pytest.raises(UserError, match="metadata: not one mean and one scale above 0 for each column"):
            Card.from_dict(values | {"metadata": wrong}, "card")
