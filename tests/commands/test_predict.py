"""Predicting: any format, rate, lead order and length; what cannot be read is listed and the rest predicted."""

import csv
import errno
import os
from pathlib import Path

import numpy as np
import pytest
import torch

import fake
import small
from ecg_lightning import checkpoints
from ecg_lightning import main as program
from ecg_lightning.errors import UserError
from ecg_lightning.evaluation.predictor import Predictor
from ecg_lightning.records import LEADS, Record


@pytest.fixture(scope="module")
def network(tmp_path_factory: pytest.TempPathFactory) -> str:
    folder = tmp_path_factory.mktemp("work")
    run = small.fit(small.archive(folder), folder / "run", "trainer.max_epochs=2")
    return checkpoints.publish(str(run), "net", str(folder))


def rows(path: Path) -> list[dict[str, str]]:
    with path.open(newline="", encoding="utf-8") as file:
        return list(csv.DictReader(file))


def test_the_table_has_a_probability_a_term_and_the_terms_over_their_thresholds(network: str, tmp_path: Path) -> None:
    fake.cinc(tmp_path / "cinc", 5)
    (tmp_path / "cinc" / "E00003.mat").write_bytes(b"broken")
    output = tmp_path / "out" / "predictions.csv"
    assert small.run("predict", [network, str(tmp_path / "cinc"), "--output", str(output)]) == 1
    predictions, failed = rows(output), rows(output.with_suffix(".errors.csv"))
    terms = Predictor(network, device="cpu").terms  # those that it has learnt
    assert list(predictions[0]) == ["record", *terms, "positive", "quality"]
    assert [Path(row["record"]).name for row in predictions] == [f"E0000{n}.hea" for n in (1, 2, 4, 5)]
    assert [Path(row["record"]).name for row in failed] == ["E00003.hea"]
    assert failed[0]["reason"]
    thresholds = dict(zip(checkpoints.read(network).terms, checkpoints.card_of(network).thresholds, strict=True))
    for row in predictions:
        assert (
            row["positive"].split("|") == [t for t in terms if float(row[t]) >= thresholds[t]] or row["positive"] == ""
        )
    assert small.run("predict", [network, str(tmp_path / "cinc" / "E00001.hea"), "--output", str(output)]) == 0
    assert not output.with_suffix(".errors.csv").exists()  # of an earlier call
    assert {row["quality"] for row in predictions} == {""}


def test_what_was_assumed_or_repaired_is_said(network: str, tmp_path: Path) -> None:
    np.save(tmp_path / "whole.npy", np.rint(fake.ecg(3000, 250, 3) * 1000).astype(np.int16))
    output = tmp_path / "predictions.csv"
    assert small.run("predict", [network, str(tmp_path / "whole.npy"), "--rate", "250", "--output", str(output)]) == 0
    assert "unit_assumed:uV" in rows(output)[0]["quality"].split("|")


def test_a_prediction_is_what_evaluation_computes(network: str, tmp_path: Path) -> None:
    archive = fake.ptbxl(tmp_path / "p", 3, seconds=3)
    from ecg_lightning.datamodules import PTBXLDataModule

    data = PTBXLDataModule(root=str(archive.root), seconds=3, store_dir=str(tmp_path / "store"), pack_workers=1)
    rows_, starts = np.arange(3), np.zeros(3, np.int64)
    signals, valid = data.store.read(rows_, starts, 300)
    with torch.no_grad():
        module = checkpoints.read(network).module()
        expected = module(data.preprocess(torch.from_numpy(signals), torch.from_numpy(valid), 100)).numpy()
    records = [Record(item.signal, 100.0) for item in archive]
    predictor = Predictor(network, device="cpu")
    np.testing.assert_allclose(predictor.logits(records), expected[:, predictor.learnt], atol=1e-5)


def test_logits_of_a_long_recording_are_the_mean_of_its_windows_at_any_batch_size(network: str) -> None:
    short, exact, long = (Record(fake.ecg(samples, 100, seed), 100.0) for seed, samples in enumerate((200, 300, 750)))
    expected = Predictor(network, device="cpu").logits([short, exact, long])
    batches: list[int] = []
    for batch_size in (1, 2, 5):
        batches.clear()
        predictor = Predictor(network, device="cpu", batch_size=batch_size)
        predictor.network.register_forward_pre_hook(lambda _, inputs: batches.append(len(inputs[0])))
        np.testing.assert_allclose(predictor.logits([short, exact, long]), expected, atol=1e-5)
        assert sum(batches) == 5 and max(batches) == batch_size  # 300 samples a window: 1 + 1 + 3
    windows = [Record(long.signal[:, start : start + 300], 100.0) for start in (0, 225, 450)]
    np.testing.assert_allclose(predictor.logits(windows).mean(axis=0), expected[2], atol=1e-5)
    assert predictor.logits([]).shape == (0, len(predictor.terms))


def test_rate_lead_order_spelling_unit_and_format_do_not_matter(network: str, tmp_path: Path) -> None:
    signal = fake.ecg(1500, 500, seed=5)
    order = np.random.default_rng(0).permutation(12)
    fake.write_wfdb(tmp_path / "a.dat", signal, 500)
    fake.write_wfdb(tmp_path / "b.dat", signal[order], 500, leads=[LEADS[k].upper() for k in order])
    np.savez(tmp_path / "c.npz", signal=(signal * 1000).astype(np.float32))
    np.savetxt(tmp_path / "d.csv", signal.T, delimiter=",", header=",".join(LEADS), comments="", fmt="%.6f")
    output = tmp_path / "p.csv"
    assert small.run("predict", [network, str(tmp_path / "a.hea"), str(tmp_path / "b"), "--output", str(output)]) == 0
    first, second = ([float(v) for k, v in row.items() if k in checkpoints.read(network).terms] for row in rows(output))
    np.testing.assert_allclose(first, second, atol=2e-6)
    for name, unit in (("c.npz", "uV"), ("d.csv", "mV")):
        words = [network, str(tmp_path / name), "--output", str(output), "--rate", "500", "--unit", unit]
        assert small.run("predict", words) == 0
        (row,) = rows(output)
        np.testing.assert_allclose(
            [float(v) for k, v in row.items() if k in checkpoints.read(network).terms], first, atol=5e-3
        )


def test_a_long_recording_is_the_mean_of_its_windows_and_a_short_one_is_padded(network: str) -> None:
    predictor = Predictor(network, device="cpu")
    signal = fake.ecg(750, 100, seed=1).astype(np.float32)
    whole = predictor.logits([Record(signal, 100.0)])
    parts = predictor.logits([Record(signal[:, start : start + 300], 100.0) for start in (0, 225, 450)])
    np.testing.assert_allclose(whole[0], parts.mean(axis=0), atol=1e-5)
    assert np.isfinite(predictor.logits([Record(signal[:, :120], 100.0)])).all()


def test_calibrated_probabilities_change_the_numbers_but_not_the_decision(network: str, tmp_path: Path) -> None:
    fake.cinc(tmp_path / "cinc", 6)
    plain, calibrated = tmp_path / "plain.csv", tmp_path / "calibrated.csv"
    assert small.run("predict", [network, str(tmp_path / "cinc"), "--output", str(plain)]) == 0
    assert small.run("predict", [network, str(tmp_path / "cinc"), "--output", str(calibrated), "--calibrated"]) == 0
    assert [row["positive"] for row in rows(plain)] == [row["positive"] for row in rows(calibrated)]
    assert rows(plain) != rows(calibrated)


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["net"], "the following arguments are required: paths"),
        (["net", "nowhere.hea"], "There is no file or folder 'nowhere.hea'"),
        (["net", "checkpoints_dir=x"], r"The place of published checkpoints is \$ECG_CHECKPOINTS here"),
        (["nonet", "{here}"], "There is no checkpoint 'nonet'"),
        (["net", "{here}", "--ouput", "x"], "unrecognized arguments: --ouput"),
        (["net", "{here}/empty"], "There is no recording in the folder"),
        (["net", "{here}", "--output", "empty"], "--output empty is a folder. Name a file in it"),
        (["net", "{here}", "--batch-size", "0"], "--batch-size 0 must be at least 1"),
    ],
)
def test_mistakes_are_explained(
    words: list[str], message: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    fake.cinc(tmp_path, 1)
    (tmp_path / "empty").mkdir()
    monkeypatch.chdir(tmp_path)
    with pytest.raises(UserError, match=message):
        small.run("predict", [word.format(here=tmp_path) for word in words])


def test_an_error_of_the_machine_is_a_sentence(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "file").touch()
    monkeypatch.setattr("sys.argv", ["ecg_lightning", "predict", "net", "x", "--output", f"{tmp_path}/file/p.csv"])
    with pytest.raises(SystemExit) as ended:
        program.run()
    assert ended.value.code == 2
    errors = capfd.readouterr().err
    assert errors.startswith("ecg_lightning: [Errno ")
    assert f"'{tmp_path}/file'. Correct that and run the command again." in errors

    def full(_: list[str]) -> int:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(program, "main", full)
    with pytest.raises(SystemExit) as ended:
        program.run()
    assert ended.value.code == 2
    assert "The disk is full; free some space and run the command again." in capfd.readouterr().err


def test_outputs_that_are_not_finite_are_no_predictions(
    network: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    fake.cinc(tmp_path / "cinc", 3)
    output = tmp_path / "p.csv"
    words = [network, str(tmp_path / "cinc"), "--output", str(output)]
    logits = Predictor.logits

    def infinite(rows_: list[int]) -> None:
        def changed(self: Predictor, records: list[Record]) -> np.ndarray:
            numbers = logits(self, records)
            numbers[rows_, 0] = np.inf  # a probability of 1.000000
            return numbers

        monkeypatch.setattr(Predictor, "logits", changed)

    infinite([1])
    assert small.run("predict", words) == 1
    assert [Path(row["record"]).name for row in rows(output)] == ["E00001.hea", "E00003.hea"]
    (failed,) = rows(output.with_suffix(".errors.csv"))
    assert failed["reason"].startswith("no finite output") and failed["record"].endswith("E00002.hea")
    assert "damaged" not in capsys.readouterr().err
    infinite([0, 1, 2])
    assert small.run("predict", words) == 1
    printed = capsys.readouterr()
    assert f"the weights of '{network}' are damaged" in printed.err and "0 of 3 recordings predicted" in printed.out
    assert rows(output) == []


def test_one_recording_that_breaks_the_network_does_not_end_the_job(
    network: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    fake.cinc(tmp_path / "cinc", 3)
    logits = Predictor.logits

    def breaking(self: Predictor, records: list[Record]) -> np.ndarray:
        if any(record.record_id == "E00002" for record in records):
            raise ValueError("no such length")
        return logits(self, records)

    monkeypatch.setattr(Predictor, "logits", breaking)
    output = tmp_path / "p.csv"
    assert small.run("predict", [network, str(tmp_path / "cinc"), "--output", str(output)]) == 1
    assert len(rows(output)) == 2
    assert rows(output.with_suffix(".errors.csv"))[0]["reason"] == "ValueError: no such length"


def test_pipes_and_names_that_are_not_utf8_are_set_aside_or_read(network: str, tmp_path: Path) -> None:
    folder = tmp_path / "in"
    archive = fake.cinc(folder, 1)
    os.mkfifo(folder / "pipe.npy")
    np.save(
        os.path.join(os.fsencode(folder), b"Gr\xf6\xdfe.npy").decode("utf-8", "surrogateescape"),
        archive.items[0].signal,
    )
    output = tmp_path / "p.csv"
    words = [network, str(folder), str(folder / "pipe.npy"), "--rate", "500", "--output", str(output)]
    assert small.run("predict", words) == 1
    failed = {Path(row["record"]).name: row["reason"] for row in rows(output.with_suffix(".errors.csv"))}
    assert [*failed] == ["pipe.npy"] and failed["pipe.npy"].startswith("no regular file")
    assert {Path(row["record"]).name for row in rows(output)} == {"E00001.hea", "Gr\\xf6\\xdfe.npy"}
