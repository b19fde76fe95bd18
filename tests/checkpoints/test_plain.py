"""A published file without ecg_lightning: safetensors, json and torch rebuild the probabilities."""

import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch

from checkpoints import networks
from ecg_lightning import checkpoints, load

PROGRAM = """
import json, sys
sys.modules["ecg_lightning"] = None  # nothing of it can be imported
import numpy as np, torch
from safetensors import safe_open
from torch.nn import functional as F

with safe_open(sys.argv[1], "pt") as file:
    card = json.loads(file.metadata()["ecg_lightning"])
    w = {name: file.get_tensor(name) for name in file.keys() if name != "seen"}
assert card["format"] == 4 and card["model"]["name"] == "ResNet1dModule" and card["model"]["block"] == "basic"

def norm(x, name):
    return F.batch_norm(x, w[name + ".running_mean"], w[name + ".running_var"], w[name + ".weight"], w[name + ".bias"])

def conv(x, name, stride):
    k = w[name + ".weight"].shape[-1]
    return F.conv1d(x, w[name + ".weight"], stride=stride, padding=k // 2)

signal = torch.tensor(np.load(sys.argv[2]))  # (leads, samples) in millivolts, in the order of the card
assert card["input"]["preprocess"]["normalisation"] == "zscore"
x = (signal - signal.mean(1, keepdim=True)) / signal.std(1, keepdim=True, correction=0)
x = x[None].float()
x = F.max_pool1d(F.relu(norm(conv(x, "stem.0", 2), "stem.1")), 3, 2, 1)
for stage in range(4):
    for block in range(2):
        name, stride = f"stages.{stage}.{block}", 2 if block == 0 else 1
        body = F.relu(norm(conv(x, name + ".body.0", stride), name + ".body.1"))
        body = norm(conv(body, name + ".body.3", 1), name + ".body.4")
        if any(key.startswith(name + ".shortcut") for key in w):
            x = norm(conv(x, name + ".shortcut.0", stride), name + ".shortcut.1")
        x = F.relu(x + body)
x = torch.cat([x.amax(2), x.mean(2)], 1)
x = norm(x, "norm")
logits = F.linear(x, w["head.weight"], w.get("head.bias"))[0]
slope, intercept = (torch.tensor(card["calibration"][key]) for key in ("slope", "intercept"))
print(json.dumps({"terms": card["terms"], "raw": logits.sigmoid().tolist(),
                  "calibrated": (slope * logits + intercept).sigmoid().tolist()}))
"""


def test_the_probabilities_are_rebuilt_by_safetensors_json_and_torch(tmp_path: Path) -> None:
    url = checkpoints.publish(str(networks.run(tmp_path / "run")), "net", str(tmp_path / "place"))
    signal = np.random.default_rng(1).integers(-900, 900, (2, 1000)) / 1000
    np.save(tmp_path / "signal.npy", signal)
    process = subprocess.run(
        [sys.executable, "-c", PROGRAM, url, str(tmp_path / "signal.npy")], capture_output=True, text=True, check=False
    )
    assert process.returncode == 0, process.stderr
    rebuilt = json.loads(process.stdout)
    predictor = load(url, device="cpu")
    expected = predictor.predict(signal, 100, leads=["I", "II"])
    assert rebuilt["terms"] == list(expected)
    np.testing.assert_allclose(rebuilt["raw"], list(expected.values()), atol=1e-4)
    logits = torch.tensor(rebuilt["raw"]).logit()
    calibrated = (torch.tensor([1.0, 2.0]) * logits + torch.tensor([0.0, -1.0])).sigmoid()
    np.testing.assert_allclose(rebuilt["calibrated"], calibrated, atol=1e-4)


@pytest.mark.parametrize("name", ["net", "run"])
def test_a_run_is_a_name_as_well(tmp_path: Path, name: str) -> None:
    run = networks.run(tmp_path / "run")
    url = checkpoints.publish(str(run), "net", str(tmp_path / "place"))
    checkpoint = checkpoints.read(str(run) if name == "run" else url)
    assert checkpoint.terms == ["AFIB", "PVC"]
