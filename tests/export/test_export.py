"""Exported networks: every architecture, every filter, as ONNX Runtime and torch.export compute them."""

import csv
import json
import logging
import runpy
from pathlib import Path

import numpy as np
import pytest
import torch

import small
from ecg_lightning import models
from ecg_lightning.errors import UserError
from ecg_lightning.evaluation.predictor import Predictor, SideBySide
from ecg_lightning.export.metadata import metadata_of
from ecg_lightning.export.network import Deployed, example_inputs
from ecg_lightning.export.write import open_file, to_content, traced
from ecg_lightning.metrics import Calibration
from ecg_lightning.models import densenet1d, resnet1d, xresnet1d
from ecg_lightning.models.metadata import MetadataNetwork
from ecg_lightning.records import LEADS, Record
from ecg_lightning.records.metadata import value_of
from ecg_lightning.transforms import Preprocess

pytest.importorskip("onnx")
pytest.importorskip("onnxscript")
onnxruntime = pytest.importorskip("onnxruntime")

TERMS = ["PVC", "AFIB", "STACH", "1AVB"]
TINY: dict[str, dict[str, object]] = {
    "ECGCPC": {"width": 8, "layers": 1, "convolutions": 1},
    "S4": {"width": 8, "layers": 1},
    "DenseNet1d": {"growth_rate": 2, "stem_width": 4},
    "Inception1d": {"depth": 3, "width": 4, "bottleneck": 4, "kernel_size": 9},
    "LSTM1d": {"width": 4, "layers": 1, "bidirectional": True},
    "Net1D": {"widths": (8, 8), "blocks": (1, 1), "stem_width": 8, "group_width": 4},
    "ResNet1d": {"widths": (4, 4, 8, 8), "block": "basic", "pooling": "mean"},
    "Transformer1d": {"width": 12, "layers": 1, "heads": 3},
    "XResNet1d": {"depth": 18, "widths": (4, 4, 4, 4), "stem_widths": (4, 4, 4), "hidden": None},
}
LENGTHS = (333, 90, 200)


@pytest.fixture(autouse=True)
def no_trace(monkeypatch: pytest.MonkeyPatch) -> None:
    """Torch writes down each step of an export for whoever listens, as pytest does; that takes most of the time."""
    monkeypatch.setattr(logging.getLogger("torch.__trace"), "handlers", [])


@pytest.fixture
def predictor(tmp_path: Path) -> Predictor:
    return Predictor(small.untrained(tmp_path, LEADS, TERMS, 2), device="cpu")


def records() -> list[Record]:
    signals, _, *_ = example_inputs_of(LENGTHS)
    return [
        Record(signals[k, :length].T.astype(np.float32) / 1000, 100.0, age=[50.0, np.nan, 70.0][k], sex="F")
        for k, length in enumerate(LENGTHS)
    ]


def example_inputs_of(lengths: tuple[int, ...]) -> tuple[np.ndarray, ...]:
    generator = np.random.default_rng(0)
    signals = generator.normal(scale=400, size=(len(lengths), max(lengths), 12)).round().astype(np.int16)
    for row, period in zip(signals, (60, 25, 140), strict=True):
        row += (900 * np.sin(2 * np.pi * np.arange(max(lengths)) / period)[:, None]).astype(np.int16)
    return signals, np.array(lengths, np.int64)


def compare(predictor: Predictor, formats: tuple[str, ...] = ("torch", "onnx"), *beside: torch.Tensor) -> None:
    """Compares exported files with the predictor for recordings of other lengths and number than they were traced with."""
    expected = predictor.probabilities(records(), calibrated=True)
    program = traced(Deployed(predictor).eval(), example_inputs(predictor))
    signals, lengths = map(torch.from_numpy, example_inputs_of(LENGTHS))
    signals = signals.clone()
    signals[1, 90:] = 999  # what is behind a recording is not looked at
    for file_format in formats:
        content = to_content(program, file_format, metadata_of(predictor))  # type: ignore[arg-type]
        run = open_file(content, file_format)  # type: ignore[arg-type]
        np.testing.assert_allclose(run((signals, lengths, *beside)), expected, rtol=0, atol=1e-4)
        one = (signals[1:2, :90], lengths[1:2], *(values[1:2] for values in beside))
        np.testing.assert_allclose(run(one), expected[1:2], rtol=0, atol=1e-4)


def test_every_network_behind_every_filter(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """All architectures side by side in one file, because an export costs seconds; each has outputs of its own."""
    # all 121 layers of the smallest DenseNet would take most of a minute
    monkeypatch.setitem(densenet1d.STAGES, 121, (1, 1, 1, 1))
    monkeypatch.setitem(resnet1d.STAGES, (18, "basic"), (1, 1, 1, 1))
    monkeypatch.setitem(xresnet1d.STAGES, 18, (1, 1, 1, 1))
    leads = ("II", "V1", "V5")
    predictor = Predictor(small.untrained(tmp_path, leads, TERMS, 2), device="cpu")
    predictor.preprocess = Preprocess("zscore_record", low=0.5, high=40, notch=30, leads=leads)
    assert set(TINY) == set(models.__all__)
    torch.manual_seed(0)
    networks = [getattr(models, name)(leads=3, outputs=1, **options).eval() for name, options in TINY.items()]
    predictor.network = SideBySide(networks)
    predictor.terms, predictor.learnt = [*TINY], np.ones(len(TINY), bool)
    predictor.thresholds = np.full(len(TINY), 0.5)
    # the outputs of fresh networks are far from each other, and those of one recording are near those of the next
    logits = predictor.logits(records())
    slope = 1 / np.ptp(logits, axis=0)
    predictor.calibration = Calibration(slope, -logits.mean(axis=0) * slope)
    assert (np.ptp(predictor.probabilities(records(), calibrated=True), axis=0) > 0.1).all()
    compare(predictor)


def test_patient_data_median_and_range(predictor: Predictor) -> None:
    torch.manual_seed(0)
    signal = models.ResNet1d(outputs=len(TERMS), **TINY["ResNet1d"])  # type: ignore[arg-type]
    predictor.network = MetadataNetwork(signal, [60, 0.5], [20, 0.5]).eval()
    torch.nn.init.normal_(predictor.network.head.weight)
    predictor.metadata = ["age", "sex"]
    predictor.preprocess = Preprocess("minmax", baseline=0.2)
    values = torch.tensor([[value_of(record, column) for column in ("age", "sex")] for record in records()]).float()
    compare(predictor, ("onnx",), values)


def test_metadata_and_the_same_predictions(
    shared_data: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    network = small.untrained(tmp_path, LEADS, TERMS, 10)
    headers = sorted(map(str, (shared_data / "cpsc2018").glob("*.hea")))
    file = tmp_path / "network.onnx"
    assert small.run("export", [network, "--output", str(file)]) == 0
    assert "signals (batch, samples, 12) int16 microvolts at 100 Hz" in capsys.readouterr().out
    with pytest.raises(UserError, match=r"network.onnx exists already. Choose another place by --output"):
        small.run("export", [network, "--output", str(file)])
    texts = onnxruntime.InferenceSession(file).get_modelmeta().custom_metadata_map
    assert json.loads(texts["terms"]) == TERMS[1:]  # the first is not learnt
    assert json.loads(texts["thresholds"]) == pytest.approx([1 / (1 + np.exp(-0.1))] * 3)  # slope 0.5, intercept 0.1
    assert json.loads(texts["contract"])["sampling_rate"] == 100
    assert json.loads(texts["card"])["model"]["name"] == "ResNet1dModule"

    output = tmp_path / "ours.csv"
    assert small.run("predict", [network, *headers, "--output", str(output), "--calibrated"]) == 0
    readme = (Path(__file__).parents[2] / "ecg_lightning" / "export" / "README.md").read_text(encoding="utf-8")
    script = readme.partition("```python\n")[2].partition("```")[0]
    assert "ecg_lightning" not in script
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("sys.argv", ["script.py", str(file), *headers])
    (tmp_path / "script.py").write_text(script, encoding="utf-8")
    runpy.run_path("script.py")
    ours, others = (
        list(csv.DictReader(path.read_text().splitlines())) for path in (output, tmp_path / "predictions.csv")
    )
    assert len(ours) == len(headers) == 10
    for row, other in zip(ours, others, strict=True):
        assert (row["record"], row["positive"]) == (other["record"], other["positive"])
        assert [float(row[term]) for term in TERMS[1:]] == pytest.approx(
            [float(other[term]) for term in TERMS[1:]], abs=1e-4
        )


def test_millivolts_are_rounded_to_the_microvolts_of_training(predictor: Predictor) -> None:
    signals, lengths = map(torch.from_numpy, example_inputs_of(LENGTHS))
    expected = Deployed(predictor).eval()(signals, lengths)
    millivolts = (signals.double() / 1000 + 0.0003).float()
    torch.testing.assert_close(
        Deployed(predictor, millivolts=True).eval()(millivolts, lengths), expected, rtol=0, atol=0
    )


def test_a_network_that_cannot_be_exported_is_refused_in_a_sentence(predictor: Predictor) -> None:
    class Choosing(models.ResNet1d):
        def forward(self, x: torch.Tensor) -> torch.Tensor:
            return super().forward(x) if float(x.sum()) > 0 else super().forward(-x)

    predictor.network = Choosing(outputs=len(TERMS), **TINY["ResNet1d"]).eval()  # type: ignore[arg-type]
    with pytest.raises(UserError, match=r"torch\.export cannot export this network"):
        traced(Deployed(predictor).eval(), example_inputs(predictor))


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["--output", "network.bin"], "must end with .onnx"),
        (["--output", "."], "is a folder"),
        (["--format", "tflite"], "invalid choice: 'tflite'"),
    ],
)
def test_wrong_words(words: list[str], message: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(UserError, match=message):
        small.run("export", ["nothing", *words])


def test_the_package_is_asked_for_in_a_sentence(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("ecg_lightning.errors.find_spec", lambda name: None)
    with pytest.raises(UserError, match=r"pip install 'ecg_lightning\[onnx\]'"):
        small.run("export", ["nothing"])
